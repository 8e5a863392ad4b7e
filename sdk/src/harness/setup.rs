//! What a test starts a strategy with.

use std::collections::BTreeMap;

use super::{Harness, START};
use crate::runner::Runner;
use crate::{
    Config, History, Instrument, ParameterValue, Parameters, Position, Setting, SignalName, Strategy,
};

/// The share of the starting cash that an order of the operator's standard size is worth.
const STANDARD_SHARE: f64 = 0.1;

/// What a strategy is started with. Without more it has the default parameters, 10,000 of cash, and one
/// instrument "TEST-USD" with number 0.
#[derive(Debug, Clone)]
pub struct Setup {
    settings: Vec<Setting>,
    instruments: Vec<Instrument>,
    history: Vec<History>,
    cash: f64,
    fills_by_itself: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self::new()
    }
}

impl Setup {
    /// The default.
    #[must_use]
    pub fn new() -> Self {
        Self {
            settings: Vec::new(),
            instruments: vec![instrument(0, "TEST-USD")],
            history: Vec::new(),
            cash: 10_000.0,
            fills_by_itself: true,
        }
    }

    /// Sets all parameters.
    #[must_use]
    pub fn parameters<P: Parameters>(mut self, parameters: &P) -> Self {
        self.settings = parameters.to_settings();
        self
    }

    /// Sets one parameter, unchecked, as an operator would.
    #[must_use]
    pub fn set(mut self, name: &str, value: ParameterValue) -> Self {
        self.settings.retain(|setting| setting.name != name);
        self.settings.push(Setting { name: name.to_owned(), value });
        self
    }

    /// Trades these instruments, numbered from 0 on.
    #[must_use]
    pub fn instruments(mut self, symbols: &[&str]) -> Self {
        self.instruments = (0..).zip(symbols).map(|(id, symbol)| instrument(id, symbol)).collect();
        self
    }

    /// Starts with this much cash.
    #[must_use]
    pub const fn cash(mut self, cash: f64) -> Self {
        self.cash = cash;
        self
    }

    /// Adds past bars of an instrument for the warm-up: of no range and volume 1, just before the first bar
    /// to be fed, the last one complete when that begins.
    #[must_use]
    pub fn past_closes(mut self, instrument: u32, interval: u32, closes: &[f64]) -> Self {
        let count = u32::try_from(closes.len()).unwrap_or(u32::MAX);
        self.history.push(History {
            instrument,
            interval,
            open_time: (0..count).map(|row| START.seconds - interval * (count - row)).collect(),
            open: closes.to_vec(),
            high: closes.to_vec(),
            low: closes.to_vec(),
            close: closes.to_vec(),
            volume: vec![1.0; closes.len()],
        });
        self
    }

    /// Leaves orders unanswered, for tests that answer with [`Harness::fill`], [`Harness::deny`] and the
    /// like.
    #[must_use]
    pub const fn manual_fills(mut self) -> Self {
        self.fills_by_itself = false;
        self
    }

    /// Starts the strategy.
    ///
    /// # Errors
    ///
    /// What the operator would be told.
    pub fn start<S: Strategy>(self) -> Result<Harness<S>, String> {
        let needs = S::needs(&S::Parameters::from_settings(&self.settings)?);
        let signals = (0..)
            .zip(&needs.signals)
            .map(|(id, name)| SignalName { id, name: name.clone() })
            .collect::<Vec<_>>();
        let config = Config {
            instruments: self.instruments.clone(),
            settings: self.settings.clone(),
            signals: signals.clone(),
            history: self.history.clone(),
        };
        let positions = self
            .instruments
            .iter()
            .map(|instrument| (instrument.id, Position { instrument: instrument.id, ..Position::default() }))
            .collect();
        let mut harness = Harness {
            runner: Runner::start(config.clone())?,
            config,
            interval: needs.bar_intervals.iter().copied().filter(|seconds| *seconds > 0).min().unwrap_or(60),
            signals,
            now: START,
            next_open: BTreeMap::new(),
            last_price: BTreeMap::new(),
            positions,
            orders: Vec::new(),
            filled: BTreeMap::new(),
            cash: self.cash,
            standard_notional: self.cash * STANDARD_SHARE,
            fills_by_itself: self.fills_by_itself,
        };
        let actions = harness.tell_capital()?;
        if actions.is_empty() {
            Ok(harness)
        } else {
            Err("the strategy acted before the first event".to_owned())
        }
    }
}

fn instrument(id: u32, symbol: &str) -> Instrument {
    Instrument { id, symbol: symbol.to_owned(), tick: 0.01, lot: 1e-8, min_notional: 0.0 }
}
