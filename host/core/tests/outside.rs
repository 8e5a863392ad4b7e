//! Orders at a venue outside: nothing is executed before the venue says so, what it says is booked to the last digit,
//! and what can't be halts the account.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

mod support;

use bulkhead_core::engine::{Engine, EngineSettings};
use bulkhead_core::exits::ExitPolicy;
use bulkhead_core::identifier::{InstrumentId, OrderId, StrategyId};
use bulkhead_core::input::{Command, HaltAction, Input, InputKind, StrategyMode};
use bulkhead_core::instrument::Instrument;
use bulkhead_core::money::{Money, Quantity};
use bulkhead_core::order::{OrderState, Side};
use bulkhead_core::output::Output;
use bulkhead_core::risk::RiskLimits;
use bulkhead_core::sizing::Sizing;
use bulkhead_core::strategy::{Action, Amount, Event, Intent};
use bulkhead_core::venue::outside::Request;
use bulkhead_core::venue::paper::PaperSettings;
use bulkhead_core::venue::stage::{Purpose, SignedTransaction, Stage, TransactionId, Uniqueness};
use bulkhead_core::venue::{Execution, ReportedEvent, VenueMessage, VenueNews};
use rust_decimal::Decimal;
use support::*;

const X: InstrumentId = InstrumentId(0);
const TRADER: StrategyId = StrategyId(0);

fn settings() -> EngineSettings {
    let mut settings =
        EngineSettings::new(vec![Instrument::new("X-USD", 2, 8)], Money(Decimal::from(10_000)));
    settings.venue = PaperSettings::exact(Decimal::TEN);
    settings.risk = RiskLimits::none();
    settings.risk.reserve_margin = Decimal::new(2, 2);
    settings.risk.exits = ExitPolicy::default();
    settings.sizing = Sizing::Quantity(Quantity(Decimal::TWO));
    settings
}

/// Buys two at the first bar, and has an exit at a fall of 10 %.
fn source() -> NativeSource {
    NativeSource::default().with("script", |_| {
        let mut count = 0;
        Box::new(Scripted(move |event: &Event, actions: &mut Vec<Action>| {
            if matches!(event, Event::Bar(_)) {
                if count == 0 {
                    actions.push(market(1, X, Intent::Buy(Amount::Standard)));
                }
                count += 1;
            }
            Ok(())
        }))
    })
}

fn bar_at(minute: i64, price: f64) -> Input {
    bar(0, minute, price, price, price, price)
}

struct Account {
    engine: Engine,
    outputs: Vec<Output>,
}

impl Account {
    fn new(mode: StrategyMode) -> Self {
        let mut account =
            Self { engine: engine(settings(), source()).executing(Execution::Outside), outputs: Vec::new() };
        account.step(&deploy_as("script", "script", Decimal::ONE, mode));
        account.step(&bar_at(0, 100.0));
        account
    }

    /// A command of now.
    fn command(&mut self, asked: Command) -> &[Output] {
        let time = self.engine.now();
        self.step(&Input { time, ..command(asked) })
    }

    fn step(&mut self, input: &Input) -> &[Output] {
        self.outputs.clear();
        self.engine.step(input, &mut self.outputs);
        &self.outputs
    }

    fn hear(&mut self, order: u64, news: VenueNews) -> &[Output] {
        let message = VenueMessage { order: OrderId(order), news };
        let time = self.engine.now();
        self.step(&Input { time, kind: InputKind::Venue(Box::new(message)) })
    }

    fn report(&mut self, order: u64, event: ReportedEvent) -> &[Output] {
        self.hear(order, VenueNews::Report(event))
    }

    fn stage(&mut self, order: u64, stage: Stage) -> &[Output] {
        self.hear(order, VenueNews::Stage(Box::new(stage)))
    }

    fn held(&self) -> Decimal {
        let books = self.engine.ledger().sub_ledger(TRADER).unwrap();
        books.position(X).map_or(Decimal::ZERO, |position| position.quantity.0)
    }

    fn cash(&self) -> Decimal {
        self.engine.ledger().cash().0
    }
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn settled(quantity: &str, value: &str, fee: &str) -> ReportedEvent {
    ReportedEvent::Settled {
        quantity: Quantity(decimal(quantity)),
        value: Money(decimal(value)),
        fee: Money(decimal(fee)),
    }
}

fn signed(id: &str) -> Stage {
    Stage::Signed(SignedTransaction {
        id: TransactionId(id.to_owned()),
        purpose: Purpose::Trade,
        sender: "0xme".to_owned(),
        uniqueness: Uniqueness::Nonce(7),
        deadline: 0,
        raw: vec![1],
    })
}

fn requests(outputs: &[Output]) -> Vec<(u64, Request)> {
    let requests = outputs.iter().filter_map(|output| match output {
        Output::VenueRequested { order, request } => Some((order.0, request.clone())),
        _ => None,
    });
    requests.collect()
}

#[test]
fn an_order_waits_for_what_the_venue_says() {
    let mut account = Account::new(StrategyMode::Live);
    let asked = requests(&account.outputs);
    assert!(
        matches!(asked[..], [(1, Request::Execute { budget })] if budget.0 > decimal("204")),
        "{asked:?}"
    );
    // Prices alone execute nothing.
    account.step(&bar_at(1, 101.0));
    assert_eq!(account.held(), Decimal::ZERO);
    assert_eq!(account.engine.orders().next().unwrap().state(), OrderState::InFlight);
}

#[test]
fn an_execution_is_booked_to_the_last_digit() {
    let mut account = Account::new(StrategyMode::Live);
    account.report(1, settled("2", "201.333333", "0.25"));
    assert_eq!(account.held(), Decimal::TWO);
    assert_eq!(account.cash(), decimal("10000") - decimal("201.583333"));
    let books = account.engine.ledger().sub_ledger(TRADER).unwrap();
    assert_eq!(books.free().0, account.cash(), "nothing stays set aside");
    assert!(account.engine.outside().unwrap().orders().next().is_none());
}

#[test]
fn an_end_is_not_believed_while_a_transaction_may_land() {
    let mut account = Account::new(StrategyMode::Live);
    account.stage(1, signed("a"));
    account.report(1, ReportedEvent::Expired);
    assert!(account.engine.halted().unwrap().contains("may still land"));
    assert_eq!(account.engine.orders().count(), 1, "it stays, with what is set aside for it");
    let failed = Stage::Confirmed { id: TransactionId("a".to_owned()), block: 9, succeeded: false };
    account.stage(1, failed);
    account.report(1, ReportedEvent::Rejected { reason: "reverted".to_owned(), gas: Money(Decimal::ONE) });
    assert_eq!(account.engine.orders().count(), 0);
    assert_eq!(account.cash(), decimal("9999"));
}

#[test]
fn a_purchase_that_brought_more_than_was_ordered_is_booked_whole() {
    let mut account = Account::new(StrategyMode::Live);
    account.report(1, settled("2.000001", "200", "0"));
    assert_eq!((account.held(), account.cash()), (decimal("2.000001"), decimal("9800")));
    assert_eq!((account.engine.orders().count(), account.engine.halted()), (0, None));
    let books = account.engine.ledger().sub_ledger(TRADER).unwrap();
    assert_eq!(books.free().0, account.cash(), "nothing stays set aside");
}

#[test]
fn more_than_was_held_is_not_booked_as_sold_and_halts() {
    let mut account = Account::new(StrategyMode::Live);
    account.report(1, settled("2", "200", "0"));
    account.step(&bar_at(1, 70.0));
    account.report(2, settled("3", "210", "0"));
    assert!(account.engine.halted().unwrap().contains("2 was ordered"), "{:?}", account.engine.halted());
    assert_eq!((account.held(), account.cash()), (Decimal::TWO, decimal("9800")));
}

/// The same input books what came and ends the order: it can't be reported twice.
#[test]
fn an_execution_that_brought_less_ends_the_order() {
    let mut account = Account::new(StrategyMode::Live);
    account.report(1, settled("1.9", "200", "0"));
    assert_eq!((account.held(), account.cash()), (decimal("1.9"), decimal("9800")));
    assert_eq!(account.engine.orders().count(), 0);
    let books = account.engine.ledger().sub_ledger(TRADER).unwrap();
    assert_eq!(books.free().0, account.cash(), "nothing stays set aside");
    account.report(1, settled("1.9", "200", "0"));
    assert_eq!(account.held(), decimal("1.9"));
}

#[test]
fn a_better_price_may_bring_more_for_the_same_money() {
    let mut account = Account::new(StrategyMode::Live);
    account.report(1, settled("2.01", "200", "0"));
    assert_eq!(account.engine.halted(), None);
    assert_eq!((account.held(), account.cash()), (decimal("2.01"), decimal("9800")));
    let books = account.engine.ledger().sub_ledger(TRADER).unwrap();
    assert_eq!(books.free().0, account.cash(), "nothing stays set aside");
    assert_eq!(account.engine.orders().count(), 0);
}

#[test]
fn a_fee_beyond_what_is_free_is_booked_as_far_as_it_goes() {
    let mut account = Account::new(StrategyMode::Live);
    let outputs = account.report(1, settled("2", "200", "20000")).to_vec();
    assert_eq!((account.held(), account.cash()), (Decimal::TWO, Decimal::ZERO));
    let said = outputs.iter().any(
        |output| matches!(output, Output::InputRefused { reason, .. } if reason.contains("10200.000000 of its fee")),
    );
    assert!(said, "{outputs:?}");
}

#[test]
fn a_cancellation_is_asked_for_once_and_ends_the_order_when_it_is_answered() {
    let mut account = Account::new(StrategyMode::Live);
    let halted = account.command(halt(HaltAction::StopEntries)).to_vec();
    assert_eq!(requests(&halted), [(1, Request::Cancel)]);
    assert_eq!(requests(account.command(halt(HaltAction::CancelOrders))), []);
    assert_eq!(account.engine.orders().count(), 1, "nobody knows yet whether it could be taken back");
    account.report(1, ReportedEvent::Cancelled { gas: Money::ZERO });
    assert_eq!(account.engine.orders().count(), 0);
    assert_eq!(account.engine.ledger().sub_ledger(TRADER).unwrap().free().0, decimal("10000"));
}

#[test]
fn an_exit_is_sold_once_however_often_its_price_comes() {
    let mut account = Account::new(StrategyMode::Live);
    account.report(1, settled("2", "200", "0"));
    let stopped = account.step(&bar_at(1, 70.0)).to_vec();
    assert_eq!(requests(&stopped).len(), 1, "{stopped:?}");
    assert_eq!(requests(account.step(&bar_at(2, 69.0))), []);
    assert_eq!(account.engine.orders().count(), 1);
    // It failed there: the next price tries again.
    account.report(2, ReportedEvent::Rejected { reason: "reverted".to_owned(), gas: Money::ZERO });
    assert_eq!(requests(account.step(&bar_at(3, 69.0))).len(), 1);
    account.report(3, settled("2", "137.5", "0"));
    assert_eq!((account.held(), account.cash()), (Decimal::ZERO, decimal("9937.5")));
}

#[test]
fn a_profit_tier_is_taken_when_its_sale_is() {
    let mut account = Account::new(StrategyMode::Live);
    account.report(1, settled("2", "200", "0"));
    assert_eq!(requests(account.step(&bar_at(1, 131.0))).len(), 1);
    account.report(2, settled("0.66", "86.4", "0"));
    assert_eq!(account.held(), decimal("1.34"));
    assert_eq!(requests(account.step(&bar_at(2, 132.0))), [], "the first tier is taken once");
    assert_eq!(requests(account.step(&bar_at(3, 176.0))).len(), 1, "the second comes at its price");
}

#[test]
fn a_shadow_stays_on_paper() {
    let mut account = Account::new(StrategyMode::Shadow);
    assert_eq!(requests(&account.outputs), []);
    account.step(&bar_at(1, 100.0));
    assert_eq!(account.held(), Decimal::TWO);
}

#[test]
fn a_snapshot_knows_what_may_land() {
    let mut account = Account::new(StrategyMode::Live);
    account.stage(1, signed("a"));
    account.step(&Input { time: account.engine.now(), kind: InputKind::Checkpoint });
    let mut restored = Engine::restore(account.engine.snapshot(), Box::new(source())).unwrap();
    let order = restored.outside().unwrap().order(OrderId(1)).unwrap();
    assert_eq!(order.attempts().as_slice().len(), 1);
    let message = VenueMessage { order: OrderId(1), news: VenueNews::Report(ReportedEvent::Expired) };
    let input = Input { time: restored.now(), kind: InputKind::Venue(Box::new(message)) };
    restored.step(&input, &mut Vec::new());
    assert!(restored.halted().is_some());
}

#[test]
fn a_sale_by_hand_of_everything_sells_what_is_free() {
    let mut account = Account::new(StrategyMode::Live);
    account.report(1, settled("2", "200", "0"));
    let close = || Command::Close { slot: "script".to_owned(), instrument: X };
    assert_eq!(requests(account.command(close())).len(), 1);
    assert_eq!(requests(account.command(close())), []);
    let sale = account.engine.orders().next().unwrap();
    assert_eq!((sale.terms().side, sale.terms().quantity.0), (Side::Sell, Decimal::TWO));
}
