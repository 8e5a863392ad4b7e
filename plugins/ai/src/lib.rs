//! AI: buys when an ensemble of models thinks that it pays after costs, and says what moved them.
//!
//! # The rule
//!
//! On each complete one-minute bar a hundred named features of the instrument are computed (`bulkhead_ai_features`, the
//! code that models are trained with). While nothing is held, or a position is, the granted model is asked: a linear
//! model, gradient-boosted trees and a small neural network, each with a calibrated probability that buying now pays.
//!
//! - Their mean, weighted as they did in validation, is the **probability**. The more they disagree, the less it counts:
//!   the **confidence** is the probability less their weighted standard deviation.
//! - It buys when the confidence is at least 0.65, and the **rug risk** is not above 0.6: the chance that the pool's
//!   liquidity is taken away or that a large holder sells out, from the signals `holder-risk` and `liquidity-risk` where
//!   an operator feeds them. A position whose rug risk rises above that is closed at once, whatever the models think.
//! - The exit plan is what the models were trained on: they say themselves for how many bars and how many times the usual
//!   move. Before that the strategy closes when the probability falls below 0.25.
//! - The reason of an order names the features that moved the probability most: each in turn is replaced by its
//!   neutral value, and the model is asked again.
//!
//! After a refused order, and after a position is closed, it proposes nothing for the instrument for five minutes. All
//! numbers above are parameters' defaults. What the models were trained on, and how they did, says the card beside them.
//!
//! Where to start reading: [`Ai`]'s `on_bar`.

mod ensemble;
mod hesitation;
mod reason;
mod rug_risk;

use bulkhead_ai_features::{BAR_SECONDS, Extractor, Name, Row, SignalKind, WARM_UP_BARS};
use bulkhead_sdk::prelude::*;

use crate::ensemble::Ensemble;
use crate::hesitation::Hesitation;

/// What the operator can set.
#[state]
#[derive(Debug, Clone, Parameters)]
pub struct Settings {
    /// Model that is asked; the operator grants it to the slot.
    #[parameter(default = "ai-ensemble")]
    pub model: String,
    /// Confidence from which it buys.
    #[parameter(default = 0.65, min = 0.5, max = 0.99)]
    pub threshold: f64,
    /// How much of their disagreement, a standard deviation, is taken from the models' probability.
    #[parameter(default = 1.0, min = 0, max = 10)]
    pub disagreement: f64,
    /// Probability below which it closes a position; below the threshold.
    #[parameter(default = 0.25, min = 0, max = 0.98)]
    pub exit_below: f64,
    /// Rug risk above which it neither buys nor holds, from 0 to 1.
    #[parameter(default = 0.6, min = 0, max = 1)]
    pub maximum_rug_risk: f64,
    /// Seconds without proposals after a refused order or a closed position.
    #[parameter(default = 300, min = 0, max = 86_400)]
    pub pause_seconds: u32,
}

/// What the strategy remembers of all instruments.
#[state]
#[derive(Debug)]
pub struct Ai {
    settings: Settings,
    extractor: Extractor,
    /// The instruments by the numbers that the extractor knows them by.
    symbols: Vec<(u32, String)>,
    /// Until when nothing is proposed, by the instrument's symbol.
    pauses: Vec<(String, Timestamp)>,
    /// The features at the end of the bar that is being handled.
    #[serde(skip)]
    row: Option<Row>,
    /// Whether this instance has compared the numbers with the host's, which stay as they are for as long as it lives.
    #[serde(skip)]
    is_numbered: bool,
    /// Asked for anew by each instance, as another one may be granted another model.
    #[serde(skip)]
    ensemble: Option<Ensemble>,
    /// For the log alone, so an instance counts for itself.
    #[serde(skip)]
    hesitation: Hesitation,
}

impl Strategy for Ai {
    type Parameters = Settings;

    const SCOPE: Scope = Scope::AllInstruments;

    fn needs(_: &Settings) -> Needs {
        let needs = Needs::bars(BAR_SECONDS).quotes().warm_up(WARM_UP_BARS);
        SignalKind::ALL.into_iter().fold(needs, |needs, kind| needs.signal(kind.name()))
    }

    fn new(settings: &Settings) -> Self {
        Self {
            settings: settings.clone(),
            extractor: Extractor::new(),
            symbols: Vec::new(),
            pauses: Vec::new(),
            row: None,
            is_numbered: false,
            ensemble: None,
            hesitation: Hesitation::default(),
        }
    }

    fn check(settings: &Settings) -> Result<(), String> {
        if settings.exit_below >= settings.threshold {
            return Err("exit_below must be below threshold".to_owned());
        }
        Ensemble::granted(&settings.model).map(drop)
    }

    fn observe(&mut self, bar: &Bar) {
        if !self.awaits_numbers() {
            self.row = self.extractor.on_bar(bar);
        }
    }

    fn on_bar(&mut self, bar: &Bar, context: &mut Context) {
        let was_left_out = self.awaits_numbers();
        self.know(context);
        if was_left_out {
            self.row = self.extractor.on_bar(bar);
        }
        let Some(row) = self.row.take() else { return };
        if !self.extractor.is_ready(bar.instrument) || self.is_paused(context) {
            return;
        }
        match context.stance() {
            Stance::Flat => self.enter(&row, context),
            Stance::Long => self.leave(&row, context),
            Stance::Entering | Stance::Changing => {}
        }
    }

    fn on_quote(&mut self, quote: &Quote, context: &mut Context) {
        self.know(context);
        self.extractor.on_quote(quote);
    }

    fn on_signal(&mut self, signal: &Signal, context: &mut Context) {
        self.know(context);
        if let Some(kind) = context.signal_name(signal.id).and_then(SignalKind::from_name) {
            self.extractor.on_signal(signal.instrument, kind, signal.time, signal.value);
        }
    }

    fn on_order_update(&mut self, update: &OrderUpdate, context: &mut Context) {
        if matches!(update.status, OrderStatus::Denied | OrderStatus::Rejected) {
            self.pause(context);
        }
    }

    fn on_fill(&mut self, fill: &Fill, context: &mut Context) {
        if fill.side == Side::Sell && context.position().quantity <= 0.0 {
            self.pause(context);
        }
    }

    /// The windows don't depend on any parameter.
    fn with_new_parameters(saved: Self, fresh: Self) -> Self {
        Self { settings: fresh.settings, ensemble: fresh.ensemble, ..saved }
    }
}

impl Ai {
    fn enter(&mut self, row: &Row, context: &mut Context) {
        if rug_risk::of(row) > self.settings.maximum_rug_risk {
            return;
        }
        let Settings { threshold, disagreement, .. } = self.settings;
        let Some(ensemble) = self.ensemble() else { return };
        let opinion = ensemble.ask(row);
        let confidence = opinion.confidence(disagreement);
        if confidence < threshold {
            self.hesitation.hold_back(context.now(), confidence, threshold);
            return;
        }
        let plan = ensemble.exit_plan(row);
        let reason = reason::entry(&opinion, &ensemble.contributions(row, &opinion));
        context.buy().exits(plan).confidence(confidence).reason(reason);
        self.hesitation.end();
    }

    fn leave(&mut self, row: &Row, context: &mut Context) {
        let risk = rug_risk::of(row);
        if risk > self.settings.maximum_rug_risk {
            context.close().confidence(risk).reason(format!("rug risk {risk:.2}"));
            return;
        }
        let exit_below = self.settings.exit_below;
        let Some(ensemble) = self.ensemble() else { return };
        let opinion = ensemble.ask(row);
        if opinion.probability() < exit_below {
            let contributions = ensemble.contributions(row, &opinion);
            context
                .close()
                .confidence(1.0 - opinion.probability())
                .reason(reason::exit(&opinion, &contributions));
        }
    }

    /// The model is there, as the start was refused without it.
    fn ensemble(&mut self) -> Option<&Ensemble> {
        if self.ensemble.is_none() {
            self.ensemble = Ensemble::granted(&self.settings.model).ok();
        }
        self.ensemble.as_ref()
    }

    /// Whether what is remembered has the numbers of an earlier start, which may stand for other instruments by now.
    fn awaits_numbers(&self) -> bool {
        !self.is_numbered && !self.symbols.is_empty()
    }

    /// Learns which instrument has which number. The host may count them anew at a restart; what is remembered goes on under
    /// the new numbers.
    fn know(&mut self, context: &Context) {
        if std::mem::replace(&mut self.is_numbered, true) {
            return;
        }
        let now = context.instruments();
        if !self.symbols.is_empty() {
            let symbols = &self.symbols;
            self.extractor.renumber(|number| {
                let (_, symbol) = symbols.iter().find(|(known, _)| *known == number)?;
                now.iter().find(|instrument| instrument.symbol == *symbol).map(|instrument| instrument.id)
            });
        }
        self.symbols = now.iter().map(|instrument| (instrument.id, instrument.symbol.clone())).collect();
    }

    fn is_paused(&self, context: &Context) -> bool {
        let symbol = &context.instrument().symbol;
        self.pauses.iter().any(|(paused, until)| paused == symbol && context.now() < *until)
    }

    fn pause(&mut self, context: &Context) {
        let symbol = &context.instrument().symbol;
        let until = context.now().plus_seconds(self.settings.pause_seconds);
        match self.pauses.iter_mut().find(|(paused, _)| paused == symbol) {
            Some((_, end)) => *end = until,
            None => self.pauses.push((symbol.clone(), until)),
        }
    }
}

/// Realised volatility of the last hour for one bar, as a fraction.
fn usual_move(row: &Row) -> f64 {
    0.001 * libm::exp(f64::from(row.get(Name::Volatility60)))
}

bulkhead_sdk::export!(Ai);

#[cfg(test)]
mod tests;
