//! What a handler sees of the account, and how it proposes actions.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use crate::{
    Action, Amount, Capital, ChangeExits, Event, ExitPlan, Fill, Instrument, Intent, OrderKind, OrderStatus,
    OrderUpdate, Position, Proposal, Side, SignalName, Submit, Timestamp,
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

/// What the strategy has in one instrument.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Holding {
    pub(crate) position: Position,
    /// By rising age.
    pub(crate) orders: Vec<WorkingOrder>,
}

/// An order that is not done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkingOrder {
    /// The order's number.
    pub tag: u32,
    /// What it is to achieve.
    pub intent: Intent,
    /// At what price.
    pub kind: OrderKind,
    /// When it was proposed.
    pub proposed: Timestamp,
    /// Where it stands; `None` while the host has not answered.
    pub status: Option<OrderStatus>,
    /// Quantity executed so far.
    pub filled: f64,
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

impl Holding {
    /// Counts a fill at once, so that a handler that runs before the host states the position is not misled.
    fn count(&mut self, fill: &Fill) {
        let position = &mut self.position;
        position.time = fill.time;
        match fill.side {
            Side::Buy => {
                let quantity = position.quantity + fill.quantity;
                if quantity > 0.0 {
                    let cost = position.quantity * position.average_price + fill.quantity * fill.price;
                    position.average_price = cost / quantity;
                }
                position.quantity = quantity;
            }
            Side::Sell => {
                position.realised += (fill.price - position.average_price) * fill.quantity - fill.fee;
                position.quantity -= fill.quantity;
                // What is left of a difference of decimals in binary is no position.
                if position.quantity <= fill.quantity * 1e-12 {
                    position.quantity = 0.0;
                    position.average_price = 0.0;
                }
            }
        }
    }

    fn update(&mut self, update: &OrderUpdate) {
        let Some(place) = self.orders.iter().position(|order| order.tag == update.tag) else { return };
        if is_done(update.status) {
            self.orders.remove(place);
        } else {
            let order = &mut self.orders[place];
            order.status = Some(update.status);
            order.filled = update.filled;
        }
    }
}

/// Whether nothing more can happen to an order.
const fn is_done(status: OrderStatus) -> bool {
    match status {
        OrderStatus::Accepted | OrderStatus::PartiallyFilled => false,
        OrderStatus::Filled
        | OrderStatus::Denied
        | OrderStatus::Rejected
        | OrderStatus::Cancelled
        | OrderStatus::Expired => true,
    }
}

/// Marks an order whose amount can be chosen.
#[derive(Debug)]
pub struct Sizable;

/// Marks an order whose amount follows from the position.
#[derive(Debug)]
pub struct Whole;

/// An order that was just proposed, to be told more precisely. It is at market, with full confidence and
/// the operator's exit plan, until something else is said.
#[derive(Debug)]
pub struct ProposedOrder<'a, A> {
    action: &'a mut Action,
    order: &'a mut WorkingOrder,
    amount: PhantomData<A>,
}

impl<A> ProposedOrder<'_, A> {
    /// At this price or better.
    pub fn limit(self, price: f64) -> Self {
        self.order.kind = OrderKind::Limit(price);
        self.change(|submit| submit.kind = OrderKind::Limit(price))
    }

    /// With this exit plan for the position instead of the operator's.
    pub fn exits(self, plan: ExitPlan) -> Self {
        self.change(|submit| submit.exits = Some(plan))
    }

    /// How sure the strategy is, 0 to 1; scales the operator's standard size.
    pub fn confidence(self, confidence: f64) -> Self {
        self.action.confidence = confidence;
        self
    }

    /// Why, for people. At most 200 bytes are kept.
    pub fn reason(self, reason: impl Into<String>) -> Self {
        self.action.reason = reason.into();
        self
    }

    /// The order's number, by which later events name it.
    #[must_use]
    pub const fn tag(&self) -> u32 {
        self.order.tag
    }

    fn change(self, change: impl FnOnce(&mut Submit)) -> Self {
        if let Proposal::Submit(submit) = &mut self.action.proposal {
            change(submit);
        }
        self
    }
}

impl ProposedOrder<'_, Sizable> {
    /// This many units of the base asset.
    pub fn quantity(self, quantity: f64) -> Self {
        self.amount(Amount::Quantity(quantity))
    }

    /// This much money's worth.
    pub fn notional(self, money: f64) -> Self {
        self.amount(Amount::Notional(money))
    }

    /// This fraction of the strategy's capital, above 0 and at most 1.
    pub fn capital_share(self, share: f64) -> Self {
        self.amount(Amount::CapitalShare(share))
    }

    /// This much.
    pub fn amount(self, amount: Amount) -> Self {
        let intent = match self.order.intent {
            Intent::Sell(_) => Intent::Sell(amount),
            _ => Intent::Buy(amount),
        };
        self.order.intent = intent;
        self.change(|submit| submit.intent = intent)
    }
}

/// A change that was just proposed, to be told more precisely.
#[derive(Debug)]
pub struct ProposedChange<'a> {
    action: &'a mut Action,
}

impl ProposedChange<'_> {
    /// How sure the strategy is, 0 to 1; 1 unless told otherwise.
    pub fn confidence(self, confidence: f64) -> Self {
        self.action.confidence = confidence;
        self
    }

    /// Why, for people. At most 200 bytes are kept.
    pub fn reason(self, reason: impl Into<String>) -> Self {
        self.action.reason = reason.into();
        self
    }
}
