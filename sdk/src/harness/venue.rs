//! The plain venue around a strategy under test, and its books.

use super::Harness;
use crate::{
    Action, Amount, Bar, Capital, Event, Fill, FillCause, Intent, OrderKind, OrderStatus, OrderUpdate,
    Position, Proposal, Side, Strategy, Submit,
};

impl<S: Strategy> Harness<S> {
    pub(super) fn answer(&mut self, action: Action) -> Vec<Action> {
        match action.proposal {
            Proposal::Submit(submit) => {
                let update = self.update_of(&submit, OrderStatus::Accepted, 0.0, "");
                self.orders.push(submit);
                if self.fills_by_itself { self.feed(&[update]) } else { Vec::new() }
            }
            Proposal::Cancel(tag) if self.fills_by_itself => self.end(tag, OrderStatus::Cancelled, ""),
            Proposal::Cancel(_) | Proposal::ChangeExits(_) => Vec::new(),
        }
    }

    pub(super) fn match_orders(&mut self, bar: &Bar) -> Vec<Action> {
        let mut actions = Vec::new();
        for submit in self.orders.clone() {
            if submit.instrument != bar.instrument {
                continue;
            }
            let (side, quantity) = self.terms(&submit, bar.open);
            let price = match (submit.kind, side) {
                (OrderKind::Market, _) => bar.open,
                (OrderKind::Limit(limit), Side::Buy) if bar.low <= limit => limit.min(bar.open),
                (OrderKind::Limit(limit), Side::Sell) if bar.high >= limit => limit.max(bar.open),
                (OrderKind::Limit(_), _) => continue,
            };
            if quantity > 0.0 {
                actions.extend(self.execute(Some(submit), side, price, quantity, FillCause::Order));
            } else {
                actions.extend(self.deny(submit.tag, "there is nothing to trade"));
            }
        }
        actions
    }

    /// Side of an order, and the quantity still to be executed, sized at this price.
    pub(super) fn terms(&self, submit: &Submit, price: f64) -> (Side, f64) {
        let held = self.position_of(submit.instrument).quantity;
        let filled = self.filled.get(&submit.tag).copied().unwrap_or(0.0);
        let units = |amount| match amount {
            Amount::Standard => self.standard_notional / price,
            Amount::Quantity(quantity) => quantity,
            Amount::Notional(money) => money / price,
            Amount::CapitalShare(share) => share * self.equity() / price,
        };
        match submit.intent {
            Intent::Buy(amount) => (Side::Buy, units(amount) - filled),
            Intent::Sell(amount) => (Side::Sell, (units(amount) - filled).min(held)),
            Intent::Target(quantity) if quantity >= held => (Side::Buy, quantity - held),
            Intent::Target(quantity) => (Side::Sell, held - quantity),
            Intent::Close => (Side::Sell, held),
        }
    }

    pub(super) fn execute(
        &mut self,
        submit: Option<Submit>,
        side: Side,
        price: f64,
        quantity: f64,
        cause: FillCause,
    ) -> Vec<Action> {
        let instrument = submit.as_ref().map_or(self.config.instruments[0].id, |submit| submit.instrument);
        let tag = submit.as_ref().map_or(0, |submit| submit.tag);
        let wanted = submit.as_ref().map_or(quantity, |submit| self.terms(submit, price).1);
        let time = self.now;
        let mut position = self.position_of(instrument);
        position.time = time;
        match side {
            Side::Buy => {
                let cost = position.quantity * position.average_price + quantity * price;
                position.quantity += quantity;
                position.average_price = cost / position.quantity;
                self.cash -= quantity * price;
            }
            Side::Sell => {
                position.realised += (price - position.average_price) * quantity;
                position.quantity -= quantity;
                self.cash += quantity * price;
            }
        }
        if position.quantity <= 0.0 {
            position = Position { instrument, time, realised: position.realised, ..Position::default() };
        }
        self.positions.insert(instrument, position);
        self.last_price.insert(instrument, price);
        let mut events =
            vec![Event::Fill(Fill { tag, instrument, time, side, price, quantity, fee: 0.0, cause })];
        if let Some(submit) = submit {
            let is_whole = quantity >= wanted;
            let status = if is_whole { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
            let filled = self.filled.remove(&tag).unwrap_or(0.0) + quantity;
            if is_whole {
                self.orders.retain(|order| order.tag != tag);
            } else {
                self.filled.insert(tag, filled);
            }
            events.push(self.update_of(&submit, status, filled, ""));
        }
        events.push(Event::Position(position));
        let mut actions = self.feed(&events);
        actions.extend(self.tell_capital().unwrap_or_else(|error| panic!("{error}")));
        actions
    }

    pub(super) fn end(&mut self, tag: u32, status: OrderStatus, reason: &str) -> Vec<Action> {
        let Some(place) = self.orders.iter().position(|order| order.tag == tag) else { return Vec::new() };
        let submit = self.orders.remove(place);
        let update = self.update_of(&submit, status, 0.0, reason);
        self.feed(&[update])
    }

    pub(super) fn order(&self, tag: u32) -> &Submit {
        let found = self.orders.iter().find(|order| order.tag == tag);
        found.unwrap_or_else(|| panic!("no order with tag {tag} is working"))
    }

    fn update_of(&self, submit: &Submit, status: OrderStatus, filled: f64, reason: &str) -> Event {
        Event::OrderUpdate(OrderUpdate {
            tag: submit.tag,
            instrument: submit.instrument,
            time: self.now,
            status,
            filled,
            reason: reason.to_owned(),
        })
    }

    pub(super) fn tell_capital(&mut self) -> Result<Vec<Action>, String> {
        let capital = Capital { time: self.now, equity: self.equity(), free_cash: self.cash };
        Ok(self.runner.on_events(&[Event::Capital(capital)])?.actions)
    }
}
