//! The kill switch at work: halting, resuming, and closing what is held.
//!
//! Flattening is a standing order, not one attempt. While a halt that flattens is in force, each price of an
//! instrument closes what the account still holds of it and no market sale is about to sell. So a position
//! without a price waits for its first one, a failed or expired sale is tried again at the next price, and a
//! purchase that the venue could no longer take back is closed as soon as it shows.

use super::{Engine, StepError};
use crate::identifier::{InstrumentId, StrategyId};
use crate::input::{Actor, HaltAction};
use crate::order::{OrderTerms, Origin, Pricing, Side};
use crate::output::{Output, TradingState};
use crate::risk::Halt;

impl Engine {
    /// The halt in force, if one is.
    #[must_use]
    pub const fn halt(&self) -> Option<&Halt> {
        self.halted.as_ref()
    }

    /// What a halt that flattens has still to close: nothing when no such halt is in force.
    #[must_use]
    pub fn left_to_flatten(&self) -> Vec<(StrategyId, InstrumentId)> {
        if !self.flattens() {
            return Vec::new();
        }
        let live = self.slots.iter().filter_map(|slot| Some((slot.id, self.ledger.sub_ledger(slot.id)?)));
        live.filter(|(_, books)| !books.is_make_believe())
            .flat_map(|(id, books)| books.positions().iter().map(move |position| (id, position.instrument)))
            .collect()
    }

    pub(super) fn stop_trading(
        &mut self,
        reason: &str,
        actor: &Actor,
        action: HaltAction,
        outputs: &mut Vec<Output>,
    ) {
        let halt = Halt { reason: reason.to_owned(), actor: actor.clone(), action, since: self.now };
        let halt = halt.on_top_of(self.halted.take());
        outputs.push(Output::TradingState(TradingState {
            time: self.now,
            halted: true,
            reason: halt.reason.clone(),
            actor: actor.clone(),
            action: Some(halt.action),
        }));
        self.halted = Some(halt);
        // A purchase that still works would open a position in spite of the halt.
        self.cancel_purchases("trading was halted", outputs);
        if action >= HaltAction::CancelOrders {
            let live = self.live();
            let own = |terms: &OrderTerms| terms.origin == Origin::Strategy && live.contains(&terms.strategy);
            self.cancel_where(own, "trading was halted", outputs);
        }
        for (strategy, instrument) in self.left_to_flatten() {
            self.flatten_or_report(strategy, instrument, outputs);
        }
    }

    pub(super) fn resume_trading(
        &mut self,
        actor: &Actor,
        outputs: &mut Vec<Output>,
    ) -> Result<(), StepError> {
        // A person has looked: losses count from here.
        let equity = self.equity()?;
        self.halted = None;
        (self.day_start_equity, self.peak_equity) = (equity, equity);
        outputs.push(Output::TradingState(TradingState {
            time: self.now,
            halted: false,
            reason: String::new(),
            actor: actor.clone(),
            action: None,
        }));
        self.breakers.resume(self.now);
        self.report_breakers(outputs);
        Ok(())
    }

    /// Tries what a halt has still to close of an instrument, now that it has a price.
    pub(super) fn flatten_at_price(&mut self, instrument: InstrumentId, outputs: &mut Vec<Output>) {
        if !self.flattens() {
            return;
        }
        for (strategy, held) in self.left_to_flatten() {
            if held == instrument {
                self.flatten_or_report(strategy, instrument, outputs);
            }
        }
    }

    /// Whether the next price may close something of the strategy's.
    pub(super) fn is_flattening(&self, strategy: StrategyId) -> bool {
        self.flattens() && self.left_to_flatten().iter().any(|(whose, _)| *whose == strategy)
    }

    fn flattens(&self) -> bool {
        self.halted.as_ref().is_some_and(|halt| halt.action == HaltAction::Flatten)
    }

    /// Those whose money is the account's.
    fn live(&self) -> Vec<StrategyId> {
        let ids = (0..).map(StrategyId).zip(self.ledger.sub_ledgers());
        ids.filter(|(_, books)| !books.is_make_believe()).map(|(id, _)| id).collect()
    }

    /// One position that can't be closed must not keep the others open.
    fn flatten_or_report(
        &mut self,
        strategy: StrategyId,
        instrument: InstrumentId,
        outputs: &mut Vec<Output>,
    ) {
        if let Err(error) = self.flatten(strategy, instrument, outputs) {
            outputs.push(Output::InputRefused { time: self.now, reason: error.to_string() });
        }
    }

    fn flatten(
        &mut self,
        strategy: StrategyId,
        instrument: InstrumentId,
        outputs: &mut Vec<Output>,
    ) -> Result<(), StepError> {
        let Some(price) = self.price(instrument) else { return Ok(()) };
        // A market sale under way does what is wanted; a limit sale may wait for ever.
        let waits = |terms: &OrderTerms| {
            (terms.strategy, terms.instrument, terms.side) == (strategy, instrument, Side::Sell)
                && matches!(terms.pricing, Pricing::Limit(_))
        };
        self.cancel_where(waits, "its position is to be closed", outputs);
        let free = self.free_quantity(strategy, instrument)?;
        if free.is_zero() {
            return Ok(());
        }
        self.sell_at_market(strategy, instrument, price, free, "flattened by a halt", outputs)
    }
}
