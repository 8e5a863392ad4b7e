//! What market events and the passing of time do.

use super::{Engine, StepError};
use crate::allocation::{Claim, rebalance};
use crate::input::Input;
use crate::market::{Bar, MarketTrade, Quote, Signal};
use crate::money::Money;
use crate::output::Output;
use crate::strategy::Event;
use crate::time::{Span, Timestamp};
use crate::venue::paper::{BarPhase, FillTiming};

impl Engine {
    pub(super) fn on_bar(
        &mut self,
        time: Timestamp,
        bar: &Bar,
        upcoming: &[Input],
        outputs: &mut Vec<Output>,
    ) -> Result<(), StepError> {
        let instrument = self.instrument(bar.instrument)?;
        if !bar.is_sound() || bar.interval <= Span::ZERO {
            let symbol = instrument.symbol.clone();
            return Err(StepError::Input(format!("a bar of {symbol} is unusable: {bar:?}")));
        }
        if let Some(last) = self.prices.market(bar.instrument).and_then(|market| market.last_bar()) {
            // Orders and exits would be executed at prices of the past.
            let again = bar.interval == last.interval && bar.open_time <= last.open_time;
            if again || bar.close_time() < last.close_time() {
                let symbol = instrument.symbol.clone();
                return Err(StepError::Input(format!(
                    "a bar of {symbol} is not newer than the one before it: {bar:?} came after {last:?}"
                )));
            }
        }
        self.pass_time(time, outputs);
        if !self.venue.is_idle(bar.instrument) {
            self.execute_on_bar(bar, BarPhase::Open, outputs);
            self.execute_on_bar(bar, BarPhase::Buys, outputs);
        }
        if !self.keeper.is_idle(bar.instrument) {
            self.exits_on_bar(bar, outputs);
        }
        if !self.venue.is_idle(bar.instrument) {
            self.execute_on_bar(bar, BarPhase::Sales, outputs);
        }
        self.prices.observe_bar(bar);
        self.after_price(bar.instrument, outputs);

        let (slots, routes, ready) = (&mut self.slots, &self.bar_routes, &mut self.buffers.ready);
        let index = usize::try_from(bar.instrument.0).unwrap_or(usize::MAX);
        let routes = routes.get(index).map_or(&[][..], Vec::as_slice);
        let mut send = |bar: Bar, base: bool| {
            let mut told = None;
            for (interval, slot) in routes {
                let wanted = *interval == bar.interval || (base && *interval == Span::ZERO);
                // Whoever wants the feed's bars and bars of this length is told once.
                if wanted && told != Some(*slot) && slots[*slot].listens() {
                    told = Some(*slot);
                    slots[*slot].inbox.push(Event::Bar(bar));
                    ready.push(*slot);
                }
            }
        };
        self.history.update(bar, |longer| send(longer, false));
        send(*bar, true);
        self.dispatch(upcoming, outputs);

        if self.venue.settings().timing == FillTiming::SameClose && !self.venue.is_idle(bar.instrument) {
            self.execute_on_price(bar.instrument, bar.close, bar.volume, bar.close_time(), outputs);
        }
        Ok(())
    }

    pub(super) fn on_quote(
        &mut self,
        time: Timestamp,
        quote: &Quote,
        outputs: &mut Vec<Output>,
    ) -> Result<(), StepError> {
        let instrument = self.instrument(quote.instrument)?;
        if !quote.is_sound() {
            let symbol = instrument.symbol.clone();
            return Err(StepError::Input(format!("a quote of {symbol} is unusable: {quote:?}")));
        }
        self.pass_time(time, outputs);
        self.execute_on_quote(quote, outputs);
        self.exits_on_price(quote.instrument, quote.bid, quote.time, outputs);
        self.prices.observe_price(quote.instrument, quote.middle(), quote.time, quote.liquidity);
        self.after_price(quote.instrument, outputs);
        self.send_to(quote.instrument, &Event::Quote(*quote), |needs| needs.quotes);
        self.dispatch(&[], outputs);
        Ok(())
    }

    pub(super) fn on_trade(
        &mut self,
        time: Timestamp,
        trade: &MarketTrade,
        outputs: &mut Vec<Output>,
    ) -> Result<(), StepError> {
        let instrument = self.instrument(trade.instrument)?;
        if !trade.is_sound() {
            let symbol = instrument.symbol.clone();
            return Err(StepError::Input(format!("a trade of {symbol} is unusable: {trade:?}")));
        }
        self.pass_time(time, outputs);
        self.execute_on_price(trade.instrument, trade.price, trade.quantity, trade.time, outputs);
        self.exits_on_price(trade.instrument, trade.price, trade.time, outputs);
        self.prices.observe_price(trade.instrument, trade.price, trade.time, 0.0);
        self.after_price(trade.instrument, outputs);
        self.send_to(trade.instrument, &Event::Trade(*trade), |needs| needs.trades);
        self.dispatch(&[], outputs);
        Ok(())
    }

    pub(super) fn on_signal(
        &mut self,
        time: Timestamp,
        signal: &Signal,
        outputs: &mut Vec<Output>,
    ) -> Result<(), StepError> {
        self.instrument(signal.instrument)?;
        let name =
            usize::try_from(signal.id.0).ok().and_then(|index| self.settings.signals.get(index)).cloned();
        let Some(name) = name.filter(|_| signal.value.is_finite()) else {
            return Err(StepError::Input(format!("a signal is unusable: {signal:?}")));
        };
        self.pass_time(time, outputs);
        self.send_to(signal.instrument, &Event::Signal(*signal), |needs| needs.signals.contains(&name));
        self.dispatch(&[], outputs);
        Ok(())
    }

    fn send_to(
        &mut self,
        instrument: crate::identifier::InstrumentId,
        event: &Event,
        wanted: impl Fn(&crate::strategy::Needs) -> bool,
    ) {
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if slot.listens() && wanted(&slot.description.needs) && slot.trades(instrument) {
                slot.inbox.push(event.clone());
                self.buffers.ready.push(index);
            }
        }
    }

    /// Moves event time on and does what is due by then.
    pub(super) fn pass_time(&mut self, time: Timestamp, outputs: &mut Vec<Output>) {
        let before = std::mem::replace(&mut self.now, time);
        if time >= self.next_day {
            self.next_day = time.floor(Span::DAY).plus(Span::DAY);
            // Without a value the gate refuses every order, so the old one does no harm.
            self.day_start_equity = self.equity().unwrap_or(self.day_start_equity);
        }
        self.pass_time_of_breakers(before, outputs);
        if time >= self.next_rebalance {
            let first = self.next_rebalance == Timestamp::EPOCH;
            let every = self.settings.rebalance_every;
            self.next_rebalance = time.floor(every).plus(every);
            if !first {
                self.rebalance_or_report(outputs);
            }
        }
        if self.next_wake.is_some_and(|wake| time >= wake) {
            self.wake(time, outputs);
        }
    }

    /// Moves capital where that can be computed. Nothing else may depend on it: market events must reach
    /// orders, exits and strategies also when an amount leaves the range of the books.
    pub(super) fn rebalance_or_report(&mut self, outputs: &mut Vec<Output>) {
        if let Err(error) = self.rebalance() {
            let reason = format!("capital was not moved to the weights: {error}");
            outputs.push(Output::InputRefused { time: self.now, reason });
        }
    }

    /// Moves free cash towards the weights.
    fn rebalance(&mut self) -> Result<(), StepError> {
        let mut claims = Vec::with_capacity(self.slots.len());
        for slot in &self.slots {
            let books = self.books(slot.id)?;
            if books.is_make_believe() {
                continue;
            }
            let equity = self.slot_equity(slot.id)?;
            claims.push(Claim { strategy: slot.id, weight: slot.share(), equity, free: books.free() });
        }
        for transfer in rebalance(self.equity()?, self.ledger.pool(), &claims)? {
            self.ledger.transfer(transfer.strategy, transfer.amount)?;
        }
        Ok(())
    }

    /// Fires due timers and restarts due strategies, and works out when to look again.
    fn wake(&mut self, time: Timestamp, outputs: &mut Vec<Output>) {
        for index in 0..self.slots.len() {
            self.restart_if_due(index, outputs);
            let slot = &mut self.slots[index];
            let (Some(due), Some(interval)) = (slot.next_timer, slot.description.needs.timer) else {
                continue;
            };
            if time >= due {
                let passed = time.floor(interval);
                slot.next_timer = Some(passed.plus(interval));
                if slot.listens() {
                    slot.inbox.push(Event::Timer(passed));
                    self.buffers.ready.push(index);
                }
            }
        }
        self.plan_wake();
    }

    /// Works out when timers and restarts are due next.
    pub(super) fn plan_wake(&mut self) {
        self.next_wake = self.slots.iter().filter_map(super::slot::Slot::next_wake).min();
    }

    /// What the account does about a new price of something that is held, before strategies see it.
    fn after_price(&mut self, instrument: crate::identifier::InstrumentId, outputs: &mut Vec<Output>) {
        if self.ledger.holdings().iter().any(|(held, _)| *held == instrument) {
            self.watch_equity();
            self.flatten_at_price(instrument, outputs);
        }
        self.report_breakers(outputs);
    }

    /// Keeps the highest equity, which the drawdown limit and sizing look at, and shows it to the breakers. Equity that can't be computed
    /// is no new high.
    pub(super) fn watch_equity(&mut self) {
        if self.settings.risk.look_at_equity()
            && let Ok(equity) = self.equity()
        {
            self.peak_equity = self.peak_equity.max(equity);
            self.note_equity(equity);
        }
    }

    /// How far equity is below its highest, 0 to 1.
    pub(super) fn drawdown(&self, equity: Money) -> f64 {
        let peak = self.peak_equity.approximate();
        if peak > 0.0 { (1.0 - equity.approximate() / peak).clamp(0.0, 1.0) } else { 0.0 }
    }
}
