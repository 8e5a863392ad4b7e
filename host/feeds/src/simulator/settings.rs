use bulkhead_core::instrument::Instrument;
use bulkhead_core::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use super::correlation::Factor;
use super::{MAX_PRICE, MIN_PRICE};
use crate::error::Problem;

/// What market to simulate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimulatorSettings {
    /// The same seed gives the same market.
    pub seed: u64,
    /// When the first bar opens, such as "2024-01-01T00:00:00Z".
    #[serde(with = "crate::text_time::timestamp")]
    pub start: Timestamp,
    /// The length of a step and of its bars, such as "60s".
    #[serde(with = "crate::text_time::span")]
    pub step: Span,
    /// How many steps to simulate; without end when none.
    pub steps: Option<u64>,
    /// Prices drawn within a step, of which the bar's open, high, low and close are taken; 1 to 1,000.
    pub ticks_per_step: u32,
    /// How the instruments' returns are correlated.
    pub correlation: Correlation,
    /// Whether the market goes through regimes of trend, range and turbulence.
    pub regimes: bool,
    /// How volatility comes in clusters.
    pub clustering: VolatilityClustering,
    /// Degrees of freedom of the shocks' Student distribution: above 2 and at most a million. The fewer, the
    /// fatter the tails; a million is as good as normal.
    pub tail_degrees: f64,
    /// The factor around the start price, up and down, within which prices move freely; 1.1 to 1,000,000.
    pub band: f64,
    /// How likely it is, in each step and for each instrument, that liquidity vanishes for a while; 0 to 1.
    pub liquidity_gap_probability: f64,
    /// How likely it is, in each step, that a flash crash hits all instruments; 0 to 1.
    pub flash_crash_probability: f64,
    /// What is traded. Instruments are numbered in this order, from 0.
    pub instruments: Vec<SimulatedInstrument>,
}

/// An instrument of the simulated market.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimulatedInstrument {
    /// E.g. "BTC-USD".
    pub symbol: String,
    /// Price before the first step, in the quote currency.
    pub price: f64,
    /// Expected return a step, as a fraction; -0.1 to 0.1.
    #[serde(default = "SimulatedInstrument::default_drift")]
    pub drift: f64,
    /// Standard deviation of the logarithmic return a step; above 0 to 0.5.
    #[serde(default = "SimulatedInstrument::default_volatility")]
    pub volatility: f64,
    /// Distance of bid and ask in quiet times, as a fraction of the price; 0 to 0.1.
    #[serde(default = "SimulatedInstrument::default_spread")]
    pub spread: f64,
    /// Typical traded value a step, in the quote currency.
    #[serde(default = "SimulatedInstrument::default_turnover")]
    pub turnover: f64,
    /// Typical depth of the pool, in the quote currency.
    #[serde(default = "SimulatedInstrument::default_liquidity")]
    pub liquidity: f64,
    /// Instruments of one cluster are limited as one; empty for none.
    #[serde(default)]
    pub cluster: String,
    /// Decimal places of prices, 0 to 12; by the start price when none, so that it has 7 digits.
    #[serde(default)]
    pub price_decimals: Option<u32>,
    /// Decimal places of quantities, 0 to 12; by the start price when none, so that the smallest quantity is
    /// worth about a cent or more.
    #[serde(default)]
    pub quantity_decimals: Option<u32>,
}

/// Correlations of returns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Correlation {
    /// The same for all pairs.
    Uniform(f64),
    /// A row for each instrument, with a number for each.
    Matrix(Vec<Vec<f64>>),
}

/// GARCH(1,1) around the instrument's volatility (T. Bollerslev, "Generalized autoregressive conditional
/// heteroskedasticity", 1986): the next variance is `(1 − reaction − persistence) + reaction · shock² +
/// persistence · variance`, in units of the instrument's own. Both 0 or more, together less than 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VolatilityClustering {
    /// Weight of the last squared shock.
    pub reaction: f64,
    /// Weight of the last variance.
    pub persistence: f64,
}

impl Default for VolatilityClustering {
    fn default() -> Self {
        Self { reaction: 0.08, persistence: 0.90 }
    }
}

impl Default for SimulatorSettings {
    fn default() -> Self {
        let instrument = |symbol, price, spread, turnover, liquidity| SimulatedInstrument {
            spread,
            turnover,
            liquidity,
            ..SimulatedInstrument::new(symbol, price)
        };
        Self {
            seed: 1,
            // 2024-01-01T00:00:00Z.
            start: Timestamp::from_seconds(1_704_067_200),
            step: Span::MINUTE,
            steps: None,
            ticks_per_step: 8,
            correlation: Correlation::Uniform(0.6),
            regimes: true,
            clustering: VolatilityClustering::default(),
            tail_degrees: 5.0,
            band: 10.0,
            liquidity_gap_probability: 0.000_5,
            flash_crash_probability: 0.000_05,
            instruments: vec![
                instrument("BTC-USD", 42_000.0, 0.000_5, 2_000_000.0, 50_000_000.0),
                instrument("ETH-USD", 2_500.0, 0.000_8, 1_000_000.0, 20_000_000.0),
                instrument("SOL-USD", 100.0, 0.001_5, 300_000.0, 5_000_000.0),
                instrument("MEME-USD", 0.002, 0.004, 50_000.0, 400_000.0),
            ],
        }
    }
}

impl SimulatedInstrument {
    /// An instrument of middling liquidity with the default drift and volatility.
    #[must_use]
    pub fn new(symbol: &str, price: f64) -> Self {
        Self {
            symbol: symbol.to_owned(),
            price,
            drift: Self::default_drift(),
            volatility: Self::default_volatility(),
            spread: Self::default_spread(),
            turnover: Self::default_turnover(),
            liquidity: Self::default_liquidity(),
            cluster: String::new(),
            price_decimals: None,
            quantity_decimals: None,
        }
    }

    const fn default_drift() -> f64 {
        0.001
    }

    const fn default_volatility() -> f64 {
        0.02
    }

    const fn default_spread() -> f64 {
        0.001
    }

    const fn default_turnover() -> f64 {
        300_000.0
    }

    const fn default_liquidity() -> f64 {
        5_000_000.0
    }

    pub(super) fn price_scale(&self) -> u32 {
        self.price_decimals.unwrap_or_else(|| scale(6 - self.magnitude(), 2, 12))
    }

    pub(super) fn quantity_scale(&self) -> u32 {
        self.quantity_decimals.unwrap_or_else(|| scale(2 + self.magnitude(), 0, 8))
    }

    /// The power of ten of the start price's first digit.
    fn magnitude(&self) -> i32 {
        let power = libm::floor(libm::log10(self.price));
        (-12..=12).rev().find(|whole| f64::from(*whole) <= power).unwrap_or(-12)
    }
}

fn scale(places: i32, least: u32, most: u32) -> u32 {
    u32::try_from(places).unwrap_or(0).clamp(least, most)
}

impl SimulatorSettings {
    /// The instruments for the host's list, in the order of their numbers.
    #[must_use]
    pub fn instruments(&self) -> Vec<Instrument> {
        let instrument = |one: &SimulatedInstrument| Instrument {
            cluster: one.cluster.clone(),
            ..Instrument::new(&one.symbol, one.price_scale(), one.quantity_scale())
        };
        self.instruments.iter().map(instrument).collect()
    }

    /// Everything that is wrong with the settings.
    #[must_use]
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut check = |good: bool, key: &str, found: String, allowed: &str| {
            if !good {
                problems.push(Problem { key: key.to_owned(), found, allowed: allowed.to_owned() });
            }
        };
        check(self.step > Span::ZERO, "step", self.step.to_string(), "a length of time above zero");
        let ticks = self.ticks_per_step;
        check((1..=1_000).contains(&ticks), "ticks_per_step", ticks.to_string(), "1 to 1000");
        let probability = |value: f64| (0.0..=1.0).contains(&value);
        for (key, value) in [
            ("liquidity_gap_probability", self.liquidity_gap_probability),
            ("flash_crash_probability", self.flash_crash_probability),
        ] {
            check(probability(value), key, value.to_string(), "a probability, 0 to 1");
        }
        let tails = self.tail_degrees;
        check(tails > 2.0 && tails <= 1e6, "tail_degrees", tails.to_string(), "above 2, at most 1000000");
        let band_is_good = (1.1..=1e6).contains(&self.band);
        check(band_is_good, "band", self.band.to_string(), "a factor, 1.1 to 1000000");
        let VolatilityClustering { reaction, persistence } = self.clustering;
        check(
            reaction >= 0.0 && persistence >= 0.0 && reaction + persistence < 1.0,
            "clustering",
            format!("reaction {reaction}, persistence {persistence}"),
            "both 0 or more, and together less than 1",
        );
        check(!self.instruments.is_empty(), "instruments", "none".to_owned(), "at least one");
        for (place, one) in self.instruments.iter().enumerate() {
            let mut check = |good: bool, field: &str, found: String, allowed: &str| {
                check(good, &format!("instruments[{place}].{field}"), found, allowed);
            };
            let is_first = self.instruments.iter().take(place).all(|before| before.symbol != one.symbol);
            let symbol = format!("\"{}\"", one.symbol);
            check(
                !one.symbol.is_empty() && is_first,
                "symbol",
                symbol,
                "a name that no other instrument has",
            );
            check(
                band_is_good && one.price / self.band >= MIN_PRICE && one.price * self.band <= MAX_PRICE,
                "price",
                one.price.to_string(),
                "a price that with the band's factor up and down stays within 0.000001 and 1000000000",
            );
            check((-0.1..=0.1).contains(&one.drift), "drift", one.drift.to_string(), "-0.1 to 0.1");
            let volatility = one.volatility;
            check(
                volatility > 0.0 && volatility <= 0.5,
                "volatility",
                volatility.to_string(),
                "above 0, at most 0.5",
            );
            check((0.0..=0.1).contains(&one.spread), "spread", one.spread.to_string(), "0 to 0.1");
            for (field, value) in [("turnover", one.turnover), ("liquidity", one.liquidity)] {
                check(value > 0.0 && value <= 1e15, field, value.to_string(), "above 0, at most 1e15");
            }
            for (field, decimals) in
                [("price_decimals", one.price_decimals), ("quantity_decimals", one.quantity_decimals)]
            {
                let found = decimals.unwrap_or(0);
                check(found <= 12, field, found.to_string(), "0 to 12");
            }
        }
        if let Err(problem) = self.factor() {
            problems.push(problem);
        }
        problems
    }

    /// What makes independent shocks correlated.
    pub(super) fn factor(&self) -> Result<Factor, Problem> {
        let count = self.instruments.len();
        let problem =
            |key: String, found: String, allowed: &str| Problem { key, found, allowed: allowed.to_owned() };
        let whole = |found: String, allowed: &str| problem("correlation".to_owned(), found, allowed);
        let matrix = match &self.correlation {
            Correlation::Uniform(value) if !(-1.0..1.0).contains(value) => {
                return Err(whole(value.to_string(), "a correlation, above -1 and below 1"));
            }
            Correlation::Uniform(value) => {
                let row = |row| (0..count).map(|column| if row == column { 1.0 } else { *value }).collect();
                (0..count).map(row).collect()
            }
            Correlation::Matrix(matrix) => matrix.clone(),
        };
        if matrix.len() != count || matrix.iter().any(|row| row.len() != count) {
            return Err(whole(
                format!("{} rows", matrix.len()),
                &format!("{count} rows of {count} numbers, one for each instrument"),
            ));
        }
        for (i, row) in matrix.iter().enumerate() {
            for (j, value) in row.iter().enumerate() {
                let mirrored = matrix.get(j).and_then(|row| row.get(i));
                let allowed = if i == j { (1.0..=1.0).contains(value) } else { (-1.0..=1.0).contains(value) };
                if !allowed || mirrored != Some(value) {
                    return Err(problem(
                        format!("correlation[{i}][{j}]"),
                        value.to_string(),
                        "1 on the diagonal, elsewhere -1 to 1 and the same on both sides of it",
                    ));
                }
            }
        }
        Factor::of(&matrix).ok_or_else(|| {
            whole(
                "a matrix that is not positive definite".to_owned(),
                "correlations that can hold all at once; weaken the strongest ones",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(settings: &SimulatorSettings) -> Vec<String> {
        settings.validate().into_iter().map(|problem| problem.key).collect()
    }

    #[test]
    fn the_default_market_is_valid_and_survives_a_round_trip() {
        let settings = SimulatorSettings::default();
        assert_eq!(settings.validate(), []);
        let json = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<SimulatorSettings>(&json).unwrap(), settings);
    }

    #[test]
    fn settings_need_only_say_what_differs() {
        let json = r#"{"step": "5m", "correlation": [[1, 0.5], [0.5, 1]],
            "instruments": [{"symbol": "A", "price": 1}, {"symbol": "B", "price": 2, "drift": 0}]}"#;
        let settings: SimulatorSettings = serde_json::from_str(json).unwrap();
        assert_eq!(settings.validate(), []);
        assert_eq!((settings.step, settings.instruments[1].volatility), (Span::from_seconds(300), 0.02));
        let message = serde_json::from_str::<SimulatorSettings>(r#"{"sed": 1}"#).unwrap_err().to_string();
        assert!(message.contains("unknown field `sed`"), "{message}");
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let mut settings = SimulatorSettings {
            step: Span::ZERO,
            ticks_per_step: 0,
            tail_degrees: 2.0,
            band: f64::NAN,
            liquidity_gap_probability: 1.5,
            clustering: VolatilityClustering { reaction: 0.5, persistence: 0.5 },
            correlation: Correlation::Uniform(1.0),
            ..SimulatorSettings::default()
        };
        settings.instruments[1].symbol = "BTC-USD".to_owned();
        settings.instruments[2].volatility = 0.0;
        settings.instruments[3].price_decimals = Some(13);
        let found = keys(&settings);
        for key in [
            "step",
            "ticks_per_step",
            "liquidity_gap_probability",
            "tail_degrees",
            "band",
            "clustering",
            "instruments[0].price",
            "instruments[1].symbol",
            "instruments[2].volatility",
            "instruments[3].price_decimals",
            "correlation",
        ] {
            assert!(found.iter().any(|other| other == key), "{key} in {found:?}");
        }
    }

    #[test]
    fn a_correlation_matrix_must_be_one() {
        let two = vec![SimulatedInstrument::new("A", 1.0), SimulatedInstrument::new("B", 1.0)];
        for (matrix, key) in [
            (vec![vec![1.0, 0.5]], "correlation"),
            (vec![vec![1.0, 0.5], vec![0.4, 1.0]], "correlation[0][1]"),
            (vec![vec![0.9, 0.5], vec![0.5, 1.0]], "correlation[0][0]"),
            (vec![vec![1.0, f64::NAN], vec![f64::NAN, 1.0]], "correlation[0][1]"),
            (vec![vec![1.0, 1.0], vec![1.0, 1.0]], "correlation"),
        ] {
            let correlation = Correlation::Matrix(matrix);
            let settings =
                SimulatorSettings { correlation, instruments: two.clone(), ..SimulatorSettings::default() };
            assert_eq!(keys(&settings), [key]);
        }
    }

    #[test]
    fn grids_suit_the_price() {
        for (price, price_scale, quantity_scale) in
            [(42_000.0, 2, 6), (2_500.0, 3, 5), (100.0, 4, 4), (0.002, 9, 0)]
        {
            let instrument = SimulatedInstrument::new("X", price);
            assert_eq!(
                (instrument.price_scale(), instrument.quantity_scale()),
                (price_scale, quantity_scale)
            );
        }
    }
}
