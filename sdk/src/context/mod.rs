//! What a handler sees of the account, and how it proposes actions.

mod holding;
mod proposal;

use std::marker::PhantomData;

pub(crate) use holding::Holding;
pub use holding::WorkingOrder;
pub use proposal::{ProposedChange, ProposedOrder, Sizable, Whole};

use crate::{
    Action, Amount, Capital, ChangeExits, Event, ExitPlan, Instrument, Intent, OrderKind, Position, Proposal,
    SignalName, Submit, Timestamp,
};

/// The account as the host last told it, turned to one instrument, and the proposals made so far.
///
/// In a handler it is turned to the event's instrument (in [`Strategy::on_timer`](crate::Strategy::on_timer)
/// to the one whose turn it is): [`Context::position`], [`Context::buy`] and the like are about that one.
#[derive(Debug)]
pub struct Context {
    /// By rising id.
    instruments: Vec<Instrument>,
    /// What is held of the instrument at the same place.
    holdings: Vec<Holding>,
    signals: Vec<SignalName>,
    capital: Capital,
    now: Timestamp,
    /// The place of the instrument that the context is turned to.
    focus: usize,
    next_tag: u32,
    actions: Vec<Action>,
}

/// How the strategy stands in an instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stance {
    /// Nothing held, no order working.
    Flat,
    /// Nothing held yet, an order is working.
    Entering,
    /// A position is held, no order working.
    Long,
    /// A position is held and an order is working.
    Changing,
}

impl Context {
    pub(crate) fn new(listed: Vec<Instrument>, signals: Vec<SignalName>) -> Self {
        // Hosts list by rising id, so that this appends; a library's sort would be a tenth of a small plugin.
        let mut instruments: Vec<Instrument> = Vec::with_capacity(listed.len());
        for instrument in listed {
            let place = instruments.partition_point(|other| other.id <= instrument.id);
            instruments.insert(place, instrument);
        }
        let holdings = instruments
            .iter()
            .map(|instrument| Holding {
                position: Position { instrument: instrument.id, ..Position::default() },
                orders: Vec::new(),
            })
            .collect();
        Self {
            instruments,
            holdings,
            signals,
            capital: Capital::default(),
            now: Timestamp::default(),
            focus: 0,
            next_tag: 1,
            actions: Vec::new(),
        }
    }

    /// Event time: when the present event happened; for a bar, when it was complete.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The instrument that the context is turned to.
    #[must_use]
    pub fn instrument(&self) -> &Instrument {
        &self.instruments[self.focus]
    }

    /// All instruments that the strategy may trade, by rising id.
    #[must_use]
    pub fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    /// Turns to another instrument for the rest of the handler; `None` when it is none of the strategy's.
    pub fn focus(&mut self, instrument: u32) -> Option<&mut Self> {
        self.focus = self.place(instrument)?;
        Some(self)
    }

    /// The strategy's money.
    #[must_use]
    pub const fn capital(&self) -> &Capital {
        &self.capital
    }

    /// What is held; quantity 0 when nothing.
    #[must_use]
    pub fn position(&self) -> &Position {
        &self.holdings[self.focus].position
    }

    /// The strategy's orders that are not done, oldest first.
    #[must_use]
    pub fn working_orders(&self) -> &[WorkingOrder] {
        &self.holdings[self.focus].orders
    }

    /// The working order with this tag.
    #[must_use]
    pub fn working_order(&self, tag: u32) -> Option<&WorkingOrder> {
        self.working_orders().iter().find(|order| order.tag == tag)
    }

    /// Position and working orders in one word.
    #[must_use]
    pub fn stance(&self) -> Stance {
        let holding = &self.holdings[self.focus];
        match (holding.position.quantity > 0.0, holding.orders.is_empty()) {
            (false, true) => Stance::Flat,
            (false, false) => Stance::Entering,
            (true, true) => Stance::Long,
            (true, false) => Stance::Changing,
        }
    }

    /// The name under which the strategy asked for a signal.
    #[must_use]
    pub fn signal_name(&self, id: u32) -> Option<&str> {
        self.signals.iter().find(|signal| signal.id == id).map(|signal| signal.name.as_str())
    }

    /// Proposes to buy; sized by the operator's policy unless told otherwise.
    pub fn buy(&mut self) -> ProposedOrder<'_, Sizable> {
        self.submit(Intent::Buy(Amount::Standard))
    }

    /// Proposes to sell, at most what is held; sized by the operator's policy unless told otherwise.
    pub fn sell(&mut self) -> ProposedOrder<'_, Sizable> {
        self.submit(Intent::Sell(Amount::Standard))
    }

    /// Proposes to trade until the position has this quantity, 0 or more.
    pub fn target(&mut self, quantity: f64) -> ProposedOrder<'_, Whole> {
        self.submit(Intent::Target(quantity))
    }

    /// Proposes to sell the whole position.
    pub fn close(&mut self) -> ProposedOrder<'_, Whole> {
        self.submit(Intent::Close)
    }

    /// Proposes to cancel a working order. It stays among the working ones until the host says that it is
    /// done.
    pub fn cancel(&mut self, tag: u32) -> ProposedChange<'_> {
        self.propose(Proposal::Cancel(tag))
    }

    /// Proposes another exit plan for the position.
    pub fn change_exits(&mut self, plan: ExitPlan) -> ProposedChange<'_> {
        let instrument = self.instrument().id;
        self.propose(Proposal::ChangeExits(ChangeExits { instrument, plan }))
    }

    fn propose(&mut self, proposal: Proposal) -> ProposedChange<'_> {
        let action = Action { proposal, confidence: 1.0, reason: String::new() };
        ProposedChange { action: self.actions.push_mut(action) }
    }

    fn submit<A>(&mut self, intent: Intent) -> ProposedOrder<'_, A> {
        let tag = self.take_tag();
        let instrument = self.instrument().id;
        let kind = OrderKind::Market;
        let submit = Submit { tag, instrument, intent, kind, exits: None };
        let action = Action { proposal: Proposal::Submit(submit), confidence: 1.0, reason: String::new() };
        let order = WorkingOrder { tag, intent, kind, proposed: self.now, status: None, filled: 0.0 };
        ProposedOrder {
            action: self.actions.push_mut(action),
            order: self.holdings[self.focus].orders.push_mut(order),
            amount: PhantomData,
        }
    }

    /// The next number from 1 on that no working order has.
    fn take_tag(&mut self) -> u32 {
        loop {
            let tag = self.next_tag;
            self.next_tag = tag.checked_add(1).unwrap_or(1);
            let is_taken =
                self.holdings.iter().any(|holding| holding.orders.iter().any(|order| order.tag == tag));
            if !is_taken {
                return tag;
            }
        }
    }

    pub(crate) fn place(&self, instrument: u32) -> Option<usize> {
        // Hosts number instruments from 0 on, so that the id is the place.
        let guess = instrument as usize;
        match self.instruments.get(guess) {
            Some(found) if found.id == instrument => Some(guess),
            _ => self.instruments.binary_search_by_key(&instrument, |candidate| candidate.id).ok(),
        }
    }

    /// Takes in what an event says of time and account, and turns to its instrument.
    ///
    /// Returns the instrument's place; 0 for events without one.
    pub(crate) fn take_in(&mut self, event: &Event) -> Result<usize, String> {
        let (instrument, now) = match event {
            Event::Bar(bar) => (bar.instrument, bar.close_time()),
            Event::Quote(quote) => (quote.instrument, quote.time),
            Event::Trade(trade) => (trade.instrument, trade.time),
            Event::Signal(signal) => (signal.instrument, signal.time),
            Event::Fill(fill) => (fill.instrument, fill.time),
            Event::OrderUpdate(update) => (update.instrument, update.time),
            Event::Position(position) => (position.instrument, position.time),
            Event::Timer(time) => {
                self.now = *time;
                return Ok(0);
            }
            Event::Capital(capital) => {
                self.now = capital.time;
                self.capital = *capital;
                return Ok(0);
            }
        };
        let Some(place) = self.place(instrument) else { return Err(unknown_instrument(instrument)) };
        self.now = now;
        self.focus = place;
        match event {
            Event::Fill(fill) => self.holdings[place].count(fill),
            Event::OrderUpdate(update) => self.holdings[place].update(update),
            Event::Position(position) => self.holdings[place].position = *position,
            _ => {}
        }
        Ok(place)
    }

    pub(crate) const fn turn_to(&mut self, place: usize) {
        self.focus = place;
    }

    pub(crate) const fn has_acted(&self) -> bool {
        !self.actions.is_empty()
    }

    pub(crate) fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    pub(crate) const fn next_tag(&self) -> u32 {
        self.next_tag
    }

    pub(crate) fn holdings(&self) -> &[Holding] {
        &self.holdings
    }

    pub(crate) fn restore(&mut self, next_tag: u32, capital: Capital, holdings: Vec<(usize, Holding)>) {
        self.next_tag = next_tag.max(1);
        self.capital = capital;
        for (place, mut holding) in holdings {
            // The host may have numbered the instruments anew.
            holding.position.instrument = self.instruments[place].id;
            self.holdings[place] = holding;
        }
    }
}

#[cold]
pub(crate) fn unknown_instrument(instrument: u32) -> String {
    format!("the host speaks of instrument {instrument}, which it did not list at the start")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fill, OrderStatus, OrderUpdate, Side};

    fn context(ids: &[u32]) -> Context {
        let instrument = |id: &u32| Instrument {
            id: *id,
            symbol: format!("I{id}-USD"),
            tick: 0.01,
            lot: 0.001,
            min_notional: 10.0,
        };
        Context::new(ids.iter().map(instrument).collect(), Vec::new())
    }

    fn fill(side: Side, price: f64, quantity: f64) -> Event {
        let (tag, instrument, time, fee) = (1, 0, Timestamp::from_seconds(9), 0.5);
        Event::Fill(Fill {
            tag,
            instrument,
            time,
            side,
            price,
            quantity,
            fee,
            cause: crate::FillCause::Order,
        })
    }

    fn update(tag: u32, status: OrderStatus, filled: f64) -> Event {
        let (instrument, time) = (0, Timestamp::from_seconds(9));
        Event::OrderUpdate(OrderUpdate { tag, instrument, time, status, filled, reason: String::new() })
    }

    #[test]
    fn a_proposal_says_what_was_asked_for() {
        let mut context = context(&[0]);
        let plan = ExitPlan::none().stop_loss(0.02);
        let tag = context
            .buy()
            .quantity(2.0)
            .limit(99.5)
            .exits(plan.clone())
            .confidence(0.8)
            .reason("because")
            .tag();
        let [action] = context.take_actions().try_into().unwrap();
        let expected = Submit {
            tag,
            instrument: 0,
            intent: Intent::Buy(Amount::Quantity(2.0)),
            kind: OrderKind::Limit(99.5),
            exits: Some(plan),
        };
        assert_eq!(
            action,
            Action { proposal: Proposal::Submit(expected), confidence: 0.8, reason: "because".to_owned() }
        );
        let order = context.working_order(tag).unwrap();
        assert_eq!((order.intent, order.kind), (Intent::Buy(Amount::Quantity(2.0)), OrderKind::Limit(99.5)));
    }

    #[test]
    fn every_kind_of_proposal_has_its_words() {
        let mut context = context(&[0]);
        context.buy();
        context.buy().notional(50.0);
        context.sell().capital_share(0.5);
        context.target(3.0);
        context.close();
        context.cancel(1).reason("late").confidence(0.5);
        context.change_exits(ExitPlan::none());
        let actions = context.take_actions();
        let intents: Vec<_> =
            actions.iter().filter_map(|action| action.submit()).map(|submit| submit.intent).collect();
        assert_eq!(
            intents,
            [
                Intent::Buy(Amount::Standard),
                Intent::Buy(Amount::Notional(50.0)),
                Intent::Sell(Amount::CapitalShare(0.5)),
                Intent::Target(3.0),
                Intent::Close
            ]
        );
        assert_eq!(actions[5].proposal, Proposal::Cancel(1));
        assert_eq!((actions[5].confidence, actions[5].reason.as_str()), (0.5, "late"));
        assert!(matches!(&actions[6].proposal, Proposal::ChangeExits(change) if change.instrument == 0));
        assert!((actions[0].confidence - 1.0).abs() < f64::EPSILON, "full confidence unless told otherwise");
    }

    #[test]
    fn tags_are_not_used_twice_and_never_zero() {
        let mut context = context(&[0, 1]);
        assert_eq!(context.buy().tag(), 1);
        context.next_tag = u32::MAX;
        assert_eq!(context.focus(1).unwrap().buy().tag(), u32::MAX);
        assert_eq!(context.buy().tag(), 2, "1 is still working, in another instrument");
    }

    #[test]
    fn stance_follows_orders_and_position() {
        let mut context = context(&[0]);
        assert_eq!(context.stance(), Stance::Flat);
        let tag = context.buy().tag();
        assert_eq!(context.stance(), Stance::Entering);
        context.take_in(&update(tag, OrderStatus::Accepted, 0.0)).unwrap();
        assert_eq!(context.working_order(tag).unwrap().status, Some(OrderStatus::Accepted));
        context.take_in(&fill(Side::Buy, 100.0, 1.0)).unwrap();
        context.take_in(&update(tag, OrderStatus::PartiallyFilled, 1.0)).unwrap();
        assert_eq!(context.stance(), Stance::Changing);
        context.take_in(&fill(Side::Buy, 110.0, 1.0)).unwrap();
        context.take_in(&update(tag, OrderStatus::Filled, 2.0)).unwrap();
        assert_eq!(context.stance(), Stance::Long);
        let position = context.position();
        assert!((position.quantity - 2.0).abs() < 1e-12 && (position.average_price - 105.0).abs() < 1e-12);
        context.take_in(&fill(Side::Sell, 120.0, 2.0)).unwrap();
        assert_eq!(context.stance(), Stance::Flat);
    }

    #[test]
    fn every_end_of_an_order_ends_it_here() {
        use OrderStatus as S;
        for status in [S::Filled, S::Denied, S::Rejected, S::Cancelled, S::Expired] {
            let mut context = context(&[0]);
            let tag = context.buy().tag();
            context.take_in(&update(tag, status, 0.0)).unwrap();
            assert!(context.working_orders().is_empty(), "{status:?}");
        }
    }

    #[test]
    fn the_hosts_word_on_position_and_capital_holds() {
        let mut context = context(&[0]);
        context.take_in(&fill(Side::Buy, 100.0, 1.0)).unwrap();
        let position = Position { quantity: 5.0, average_price: 7.0, ..Position::default() };
        context.take_in(&Event::Position(position)).unwrap();
        assert_eq!(*context.position(), position);
        let capital = Capital { time: Timestamp::from_seconds(3), equity: 10.0, free_cash: 4.0 };
        context.take_in(&Event::Capital(capital)).unwrap();
        assert_eq!(*context.capital(), capital);
        assert_eq!(context.now(), Timestamp::from_seconds(3));
    }

    #[test]
    fn finds_instruments_however_they_are_numbered() {
        let mut context = context(&[900, 1, 0, 17]);
        for (place, id) in [0, 1, 17, 900].into_iter().enumerate() {
            assert_eq!(context.place(id), Some(place));
        }
        assert_eq!(context.place(2), None);
        assert!(context.focus(2).is_none());
        assert_eq!(context.focus(900).unwrap().instrument().symbol, "I900-USD");
    }

    #[test]
    fn an_unknown_instrument_is_an_error() {
        let quote = crate::Quote {
            instrument: 3,
            time: Timestamp::default(),
            bid: 1.0,
            ask: 1.0,
            bid_size: 0.0,
            ask_size: 0.0,
            liquidity: 0.0,
        };
        let error = context(&[0]).take_in(&Event::Quote(quote)).unwrap_err();
        assert_eq!(error, "the host speaks of instrument 3, which it did not list at the start");
    }
}
