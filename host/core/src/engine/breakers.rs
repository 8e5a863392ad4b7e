//! What the breakers are told, and what follows when one opens.
//!
//! What changes about them is made known at once where that is safe: not while a venue's reports are being
//! booked, as an opening breaker takes working purchases back.

use super::Engine;
use crate::identifier::StrategyId;
use crate::money::Money;
use crate::order::{Order, Pricing, Side, Transition};
use crate::output::Output;
use crate::risk::{BreakerState, Breakers, EquityFacts, OrderEnd};
use crate::time::{Span, Timestamp};

impl Engine {
    /// The account's breakers.
    #[must_use]
    pub const fn breakers(&self) -> &Breakers {
        &self.breakers
    }

    /// Makes known what changed about the breakers. One that opened takes working purchases back: they would
    /// open positions in spite of it.
    pub(super) fn report_breakers(&mut self, outputs: &mut Vec<Output>) {
        loop {
            let changes = self.breakers.take_changes();
            if changes.is_empty() {
                return;
            }
            let opened = changes.iter().any(|change| matches!(change.state, BreakerState::Open { .. }));
            outputs.extend(changes.into_iter().map(Output::BreakerChanged));
            if opened {
                self.cancel_purchases("a breaker opened", outputs);
            }
        }
    }

    /// Moves the breakers on before time passes from the last moment to this one. A moment is judged when it
    /// is over, since the prices that belong to it come one by one.
    pub(super) fn pass_time_of_breakers(&mut self, before: Timestamp, outputs: &mut Vec<Output>) {
        let settings = &self.settings.risk.breakers;
        if self.now > before && settings.stale_data.is_some() {
            let stale = self.stale_price(before);
            self.breakers.prices_judged(self.now, stale, &self.settings.risk.breakers);
        }
        self.breakers.pass_time(self.now);
        self.report_breakers(outputs);
    }

    /// The numbers of an instrument that the account holds or has an order in, and whose price was stale at
    /// a moment. A bar that is due is waited for: with bars of an hour a price may be an hour old.
    fn stale_price(&self, moment: Timestamp) -> Option<String> {
        let after = self.settings.risk.breakers.stale_data?.after;
        let held = self.ledger.holdings().iter().map(|(instrument, _)| *instrument);
        let ordered = self.orders.values().map(Order::terms);
        let ordered = ordered.filter(|terms| !self.is_make_believe(terms.strategy));
        held.chain(ordered.map(|terms| terms.instrument)).find_map(|id| {
            let market = self.prices.market(id)?;
            let interval = market.last_bar().map_or(Span::ZERO, |bar| bar.interval);
            let age = moment.since(market.last_time()?);
            let symbol = &self.instrument(id).ok()?.symbol;
            (moment > market.last_time()?.plus(interval).plus(after))
                .then(|| format!("symbol={symbol} age={age} limit={after}"))
        })
    }

    /// An order was accepted.
    pub(super) fn note_accepted(&mut self, order: &Order) {
        let terms = order.terms();
        if terms.side == Side::Buy && !self.breakers.are_closed() && !self.is_make_believe(terms.strategy) {
            self.breakers.entry_accepted(terms.id);
        }
    }

    /// An order ended. A market order that found no price in time has failed.
    pub(super) fn note_ended(&mut self, order: &Order, transition: Transition) {
        let terms = order.terms();
        if self.is_make_believe(terms.strategy) {
            return;
        }
        let executed_some = order.filled().is_positive();
        if !executed_some {
            self.breakers.nothing_executed(terms.id);
        }
        let end = match transition {
            Transition::Reject => OrderEnd::Failed,
            _ if executed_some => OrderEnd::Executed,
            Transition::Expire if terms.pricing == Pricing::Market => OrderEnd::Failed,
            // Taken back before anything was executed: that tells nothing.
            _ => return,
        };
        self.breakers.order_ended(self.now, terms.id, end, &self.settings.risk.breakers);
    }

    /// A position was closed whole.
    pub(super) fn note_position_closed(&mut self, strategy: StrategyId, result: Money) {
        if !self.is_make_believe(strategy) {
            self.breakers.position_closed(self.now, result, &self.settings.risk.breakers);
        }
    }

    /// The account's equity may have changed. One that can't be computed trips nothing: the gate refuses
    /// every order then.
    pub(super) fn note_equity(&mut self, equity: Money) {
        let facts = EquityFacts {
            equity,
            day_start: self.day_start_equity,
            peak: self.peak_equity,
            next_day: self.next_day,
        };
        let _ = self.breakers.equity_moved(self.now, &facts, &self.settings.risk);
    }
}
