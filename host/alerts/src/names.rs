//! What people call the strategies and instruments of an account, and which strategies trade make-believe money.

use bulkhead_core::engine::Engine;
use bulkhead_core::identifier::{InstrumentId, StrategyId};

/// The names of an account at a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Names {
    symbols: Vec<String>,
    /// In the order of their numbers, with whether they are shadows.
    strategies: Vec<(String, bool)>,
}

impl Names {
    pub(crate) fn read(engine: &Engine) -> Self {
        let strategy = |slot: &bulkhead_core::engine::Slot| {
            let books = engine.ledger().sub_ledger(slot.id());
            (slot.name().to_owned(), books.is_some_and(bulkhead_core::ledger::SubLedger::is_make_believe))
        };
        Self {
            symbols: engine.settings().instruments.iter().map(|known| known.symbol.clone()).collect(),
            strategies: engine.slots().iter().map(strategy).collect(),
        }
    }

    /// Whether they are those of this engine. Names are only ever added; whether a strategy is a shadow can change.
    pub(crate) fn are_current(&self, engine: &Engine) -> bool {
        let is_shadow = |id| {
            engine.ledger().sub_ledger(id).is_some_and(bulkhead_core::ledger::SubLedger::is_make_believe)
        };
        self.symbols.len() == engine.settings().instruments.len()
            && self.strategies.len() == engine.slots().len()
            && engine
                .slots()
                .iter()
                .zip(&self.strategies)
                .all(|(slot, known)| is_shadow(slot.id()) == known.1)
    }

    pub(crate) fn symbol(&self, id: InstrumentId) -> String {
        let symbol = usize::try_from(id.0).ok().and_then(|place| self.symbols.get(place));
        symbol.cloned().unwrap_or_else(|| id.to_string())
    }

    pub(crate) fn strategy(&self, id: StrategyId) -> String {
        let found = usize::try_from(id.0).ok().and_then(|place| self.strategies.get(place));
        found.map_or_else(|| id.to_string(), |(name, _)| name.clone())
    }

    /// Whether its money is make-believe.
    pub(crate) fn is_shadow(&self, id: StrategyId) -> bool {
        let found = usize::try_from(id.0).ok().and_then(|place| self.strategies.get(place));
        found.is_some_and(|(_, shadow)| *shadow)
    }
}

#[cfg(test)]
impl Names {
    pub(crate) fn of(symbols: &[&str], strategies: &[(&str, bool)]) -> Self {
        Self {
            symbols: symbols.iter().map(|symbol| (*symbol).to_owned()).collect(),
            strategies: strategies.iter().map(|(name, shadow)| ((*name).to_owned(), *shadow)).collect(),
        }
    }
}
