#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

use bulkhead_core::identifier::{InstrumentId, OrderTag, StrategyId};
use bulkhead_core::money::{Money, Price, Quantity};
use bulkhead_core::order::{OrderTerms, Origin, Pricing, Side};
use bulkhead_core::time::Timestamp;
use bulkhead_core::venue::VenueNews;
use bulkhead_core::venue::stage::Attempts;

use super::*;

/// Keeps why the account was halted.
#[derive(Debug, Default)]
struct Halts {
    reasons: Mutex<Vec<String>>,
    is_closed: bool,
}

impl Halts {
    fn reasons(&self) -> Vec<String> {
        self.reasons.lock().unwrap().clone()
    }
}

impl Journal for Halts {
    async fn record(&self, _: OrderId, _: VenueNews) -> Result<(), JournalError> {
        Ok(())
    }

    async fn halt(&self, reason: String) -> Result<(), JournalError> {
        self.reasons.lock().unwrap().push(reason);
        if self.is_closed { Err(JournalError::Closed) } else { Ok(()) }
    }
}

/// Says what it was made to say, one thing a run, and ends when nothing is left.
struct Script(Vec<&'static str>);

impl Pursuit for Script {
    async fn run(&mut self) -> Result<(), Left> {
        match self.0.pop() {
            None => Ok(()),
            Some("closed") => Err(JournalError::Closed.into()),
            Some("breaks") => panic!("a defect"),
            Some(why) => Err(Left::Contradiction(why.to_owned())),
        }
    }
}

/// Ends when it is wanted back.
struct Patient(watch::Receiver<bool>);

impl Pursuit for Patient {
    async fn run(&mut self) -> Result<(), Left> {
        let _ = self.0.wait_for(|cancelled| *cancelled).await;
        Ok(())
    }
}

fn ticket(id: u64) -> Ticket {
    let terms = OrderTerms {
        id: OrderId(id),
        strategy: StrategyId(0),
        tag: OrderTag(0),
        instrument: InstrumentId(0),
        side: Side::Buy,
        quantity: Quantity::ZERO,
        pricing: Pricing::Market,
        origin: Origin::Strategy,
        created: Timestamp::from_seconds(1),
        reference_price: Price::ZERO,
        confidence: 1.0,
        reason: String::new(),
        exits: None,
    };
    Ticket { terms, budget: Money::ZERO, attempts: Attempts::default(), cancel_asked: false }
}

fn orders(journal: Halts) -> OrdersUnderWay<Halts> {
    OrdersUnderWay { second_look: Duration::from_millis(1), ..OrdersUnderWay::new(Arc::new(journal)) }
}

async fn all_ended(orders: &OrdersUnderWay<Halts>) {
    while orders.count() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// It is looked at again until it ends, and the same reason halts once: whoever resumes could not trade otherwise.
#[tokio::test]
async fn what_cannot_be_halts_once_for_each_reason() {
    let orders = orders(Halts::default());
    orders.pursue(ticket(7), |_, _| Script(vec!["two", "one", "one", "one"]));
    all_ended(&orders).await;
    assert_eq!(orders.journal.reasons(), ["order 7: one", "order 7: two"]);
}

#[tokio::test]
async fn an_order_that_breaks_down_halts_and_holds_up_no_other() {
    let orders = orders(Halts::default());
    orders.pursue(ticket(1), |_, _| Script(vec!["breaks"]));
    orders.pursue(ticket(2), |_, _| Script(vec!["contradiction"]));
    all_ended(&orders).await;
    let mut reasons = orders.journal.reasons();
    reasons.sort();
    let broken = "order 1: its task broke down; it is taken up again when the host is started anew";
    assert_eq!(reasons, [broken, "order 2: contradiction"]);
}

#[tokio::test]
async fn a_host_that_ends_is_no_reason_to_halt() {
    let closed = orders(Halts::default());
    closed.pursue(ticket(1), |_, _| Script(vec!["closed"]));
    all_ended(&closed).await;
    assert_eq!(closed.journal.reasons(), Vec::<String>::new());
    // Nor is anybody told a second time who does not listen.
    let ends = orders(Halts { is_closed: true, ..Halts::default() });
    ends.pursue(ticket(1), |_, _| Script(vec!["two", "one"]));
    all_ended(&ends).await;
    assert_eq!(ends.journal.reasons(), ["order 1: one"]);
}

#[tokio::test]
async fn only_the_order_that_is_wanted_back_is_told() {
    let orders = orders(Halts::default());
    for id in [1, 2] {
        orders.pursue(ticket(id), |_, cancelled| Patient(cancelled));
    }
    orders.cancel(OrderId(2));
    orders.cancel(OrderId(3));
    while orders.count() > 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(orders.cancels.lock().unwrap().contains_key(&OrderId(1)));
    // One that the journal says is wanted back is told at once.
    orders.pursue(Ticket { cancel_asked: true, ..ticket(4) }, |_, cancelled| Patient(cancelled));
    while orders.count() > 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    orders.stop().await;
}
