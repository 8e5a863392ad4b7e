//! What the granted model is, and what it thinks.

use bulkhead_ai_features::{COUNT, FEATURES, Row, schema};
use bulkhead_sdk::ExitPlan;
use bulkhead_sdk::models::{self, Model};

use crate::usual_move;

/// The narrowest stop or target, as a fraction: below it an order costs more than it can bring.
const NARROWEST: f64 = 0.003;

/// Weights that sum to so much less or more than 1 are none.
const TOLERANCE: f64 = 1e-3;

/// A model that was trained on these features, and how its parts count.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ensemble {
    model: String,
    /// By the model's outputs: what they are called, and how much each counts. Together 1.
    parts: Vec<(String, f64)>,
    barriers: Barriers,
}

/// What the models were trained to predict: which of these comes first.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Barriers {
    /// Bars of one minute.
    bars: f64,
    /// Times the usual move over as many bars.
    gain: f64,
    loss: f64,
    /// The widest of both, as a fraction.
    widest: f64,
}

/// What the parts of an ensemble think of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Opinion {
    /// Name, weight and probability.
    pub(crate) parts: Vec<(String, f64, f64)>,
}

/// What a feature did to the probability: the feature's place, its value, and the difference to its neutral value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Contribution {
    pub(crate) feature: usize,
    pub(crate) value: f32,
    pub(crate) effect: f64,
}

impl Ensemble {
    /// Looks at the model of this name.
    ///
    /// # Errors
    ///
    /// A sentence for the operator when there is none, or it is not for this strategy.
    pub(crate) fn granted(name: &str) -> Result<Self, String> {
        let model = models::describe(name).ok_or_else(|| {
            format!("no model \"{name}\" is granted: name it in models.grants for this slot, or set the parameter model")
        })?;
        Self::of(name, &model).map_err(|why| format!("the model \"{name}\" {why}"))
    }

    fn of(name: &str, model: &Model) -> Result<Self, String> {
        let note = |key: &str| {
            let found = model.notes.iter().find(|note| note.key == key);
            found.map(|note| note.text.as_str()).ok_or_else(|| {
                format!(
                    "says nothing of \"{key}\"; train one with `cargo xtask train`, or take the shipped one"
                )
            })
        };
        let (trained_on, computed) = (note("bulkhead.features")?, schema());
        if trained_on != computed {
            return Err(format!(
                "was trained on features {trained_on}, this strategy computes {computed}; train it again"
            ));
        }
        if usize::try_from(model.row) != Ok(COUNT) {
            return Err(format!("takes {} numbers, the features are {COUNT}", model.row));
        }
        let weights = note("bulkhead.weights")?;
        let parsed: Option<Vec<f64>> = weights.split(',').map(number).collect();
        let parsed = parsed.filter(|weights| {
            let sum: f64 = weights.iter().sum();
            (sum - 1.0).abs() < TOLERANCE && weights.iter().all(|weight| *weight >= 0.0)
        });
        let parsed = parsed.ok_or_else(|| format!("has the weights \"{weights}\", which don't sum to 1"))?;
        if parsed.len() != model.outputs.len() || model.outputs.iter().any(|output| output.width != 1) {
            return Err(format!("has {} weights for its {} outputs", parsed.len(), model.outputs.len()));
        }
        let barriers = Barriers::parse(note("bulkhead.barriers")?)
            .ok_or_else(|| "says nothing sensible of \"bulkhead.barriers\"".to_owned())?;
        let names = model.outputs.iter().map(|output| output.name.clone());
        Ok(Self { model: name.to_owned(), parts: names.zip(parsed).collect(), barriers })
    }

    /// Asks about a row.
    pub(crate) fn ask(&self, row: &Row) -> Opinion {
        self.opinion(&models::run(&self.model, row.values()))
    }

    /// What each feature that is not neutral did to the probability, the largest first: the model is asked how it would be
    /// without it. Features of one thing, such as two averages of the price, share what they do.
    pub(crate) fn contributions(&self, row: &Row, opinion: &Opinion) -> Vec<Contribution> {
        let values = row.values();
        let told: Vec<usize> = (0..COUNT)
            .filter(|place| values[*place].to_bits() != FEATURES[*place].neutral.to_bits())
            .collect();
        if told.is_empty() {
            return Vec::new();
        }
        let mut rows = Vec::with_capacity(told.len() * COUNT);
        for place in &told {
            let start = rows.len();
            rows.extend_from_slice(values);
            rows[start + place] = FEATURES[*place].neutral;
        }
        let answers = models::run(&self.model, &rows);
        let probability = opinion.probability();
        let mut contributions: Vec<Contribution> = told
            .into_iter()
            .zip(answers.chunks(self.parts.len()))
            .map(|(feature, answer)| Contribution {
                feature,
                value: values[feature],
                effect: probability - self.opinion(answer).probability(),
            })
            .collect();
        contributions.sort_by(|one, other| other.effect.abs().total_cmp(&one.effect.abs()));
        contributions
    }

    /// What the models were trained on, as exits.
    pub(crate) fn exit_plan(&self, row: &Row) -> ExitPlan {
        let Barriers { bars, gain, loss, widest } = self.barriers;
        let usual = usual_move(row) * libm::sqrt(bars);
        let barrier = |times: f64| (times * usual).clamp(NARROWEST, widest.max(NARROWEST));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "parsed as 1 to 100,000")]
        let seconds = bars as u32 * bulkhead_ai_features::BAR_SECONDS;
        ExitPlan::none()
            .stop_loss(barrier(loss).min(0.99))
            .take_profit(barrier(gain), 1.0)
            .max_holding_seconds(seconds)
    }

    fn opinion(&self, answer: &[f32]) -> Opinion {
        let parts = self.parts.iter().zip(answer);
        let probability = |answer: &f32| f64::from(*answer).clamp(0.0, 1.0);
        Opinion {
            parts: parts
                .map(|((name, weight), answer)| (name.clone(), *weight, probability(answer)))
                .collect(),
        }
    }
}

impl Opinion {
    /// The weighted mean of the parts.
    pub(crate) fn probability(&self) -> f64 {
        let sum: f64 = self.parts.iter().map(|(_, weight, probability)| weight * probability).sum();
        sum.clamp(0.0, 1.0)
    }

    /// Their weighted standard deviation.
    pub(crate) fn disagreement(&self) -> f64 {
        let mean = self.probability();
        let square = |(_, weight, probability): &(String, f64, f64)| weight * (probability - mean).powi(2);
        libm::sqrt(self.parts.iter().map(square).sum())
    }

    /// The probability less so many times the disagreement; 0 to 1.
    pub(crate) fn confidence(&self, times: f64) -> f64 {
        (self.probability() - times * self.disagreement()).clamp(0.0, 1.0)
    }
}

impl Barriers {
    /// From a JSON object of numbers, whichever others are in it.
    fn parse(text: &str) -> Option<Self> {
        let value = |key: &str| {
            let after = text.split_once(&format!("\"{key}\":"))?.1;
            number(after.split([',', '}']).next()?)
        };
        let within = |key, low: f64, high: f64| value(key).filter(|value| (low..=high).contains(value));
        Some(Self {
            bars: within("bars", 1.0, 100_000.0)?,
            gain: within("gain", 0.01, 1_000.0)?,
            loss: within("loss", 0.01, 1_000.0)?,
            widest: within("widest", 0.001, 0.99)?,
        })
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}
