//! Differences between the books and what is really there: booked to the last digit and apart from trading, or left
//! alone; never guessed, and never half.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

mod support;

use bulkhead_core::engine::{Engine, EngineSettings};
use bulkhead_core::identifier::{InstrumentId, OrderId, StrategyId};
use bulkhead_core::input::{Command, Input, InputKind, StrategyMode};
use bulkhead_core::instrument::Instrument;
use bulkhead_core::money::{Money, Price, Quantity};
use bulkhead_core::output::Output;
use bulkhead_core::reconciliation::{Adjustment, AdjustmentKind, Asset, BooksAdjusted};
use bulkhead_core::risk::RiskLimits;
use bulkhead_core::sizing::Sizing;
use bulkhead_core::strategy::{Action, Amount, Event, Intent};
use bulkhead_core::venue::paper::PaperSettings;
use bulkhead_core::venue::stage::{Purpose, SignedTransaction, Stage, TransactionId, Uniqueness};
use bulkhead_core::venue::{Execution, ReportedEvent, VenueMessage, VenueNews};
use proptest::prelude::*;
use rust_decimal::Decimal;
use support::*;

const X: InstrumentId = InstrumentId(0);
const CASH: i64 = 10_000;

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// Buys two at the first bar.
fn source() -> NativeSource {
    NativeSource::default().with("script", |_| {
        let mut bought = false;
        Box::new(Scripted(move |event: &Event, actions: &mut Vec<Action>| {
            if matches!(event, Event::Bar(_)) && !bought {
                bought = true;
                actions.push(market(1, X, Intent::Buy(Amount::Standard)));
            }
            Ok(())
        }))
    })
}

struct Account {
    engine: Engine,
    outputs: Vec<Output>,
}

impl Account {
    fn with(execution: Execution, slots: &[(&str, Decimal)]) -> Self {
        let mut settings =
            EngineSettings::new(vec![Instrument::new("X-USD", 2, 8)], Money(Decimal::from(CASH)));
        settings.venue = PaperSettings::exact(Decimal::TEN);
        settings.risk = RiskLimits::none();
        settings.risk.drawdown = Some(decimal("0.2"));
        settings.sizing = Sizing::Quantity(Quantity(Decimal::TWO));
        let mut account =
            Self { engine: engine(settings, source()).executing(execution), outputs: Vec::new() };
        for (slot, weight) in slots {
            account.step(&deploy_as(slot, "script", *weight, StrategyMode::Live));
        }
        account.step(&bar(0, 0, 100.0, 100.0, 100.0, 100.0));
        account
    }

    /// One strategy that was given all of the money and holds two that cost 202 with a fee of 1.
    fn holding() -> Self {
        let mut account = Self::with(Execution::Outside, &[("script", Decimal::ONE)]);
        account.stage(1, signed("0xaa"));
        account.stage(1, confirmed("0xaa"));
        let event = ReportedEvent::Settled {
            quantity: Quantity(Decimal::TWO),
            value: Money(decimal("202")),
            fee: Money(Decimal::ONE),
        };
        account.hear(1, VenueNews::Report(event));
        account
    }

    fn step(&mut self, input: &Input) -> &[Output] {
        self.outputs.clear();
        self.engine.step(input, &mut self.outputs);
        &self.outputs
    }

    fn command(&mut self, asked: Command) -> &[Output] {
        let time = self.engine.now();
        self.step(&Input { time, ..command(asked) })
    }

    fn hear(&mut self, order: u64, news: VenueNews) -> &[Output] {
        let message = VenueMessage { order: OrderId(order), news };
        let time = self.engine.now();
        self.step(&Input { time, kind: InputKind::Venue(Box::new(message)) })
    }

    fn stage(&mut self, order: u64, stage: Stage) {
        self.hear(order, VenueNews::Stage(Box::new(stage)));
    }

    fn held(&self) -> Decimal {
        self.engine.ledger().holdings().first().map_or(Decimal::ZERO, |(_, quantity)| quantity.0)
    }

    /// Changes cash by so much.
    fn cash(&mut self, kind: AdjustmentKind, change: &str) -> Result<Vec<BooksAdjusted>, String> {
        let books = self.engine.ledger().cash().0;
        self.adjust(kind, Asset::Cash, books, books + decimal(change), None)
    }

    /// Changes what is held by so much.
    fn units(
        &mut self,
        kind: AdjustmentKind,
        change: &str,
        price: Option<&str>,
    ) -> Result<Vec<BooksAdjusted>, String> {
        let (books, price) = (self.held(), price.map(|price| Price(decimal(price))));
        self.adjust(kind, Asset::Position(X), books, books + decimal(change), price)
    }

    fn adjust(
        &mut self,
        kind: AdjustmentKind,
        asset: Asset,
        books: Decimal,
        found: Decimal,
        price: Option<Price>,
    ) -> Result<Vec<BooksAdjusted>, String> {
        let reason = "a person looked".to_owned();
        let adjustment = Box::new(Adjustment { asset, books, found, price, slot: None, reason });
        let asked = match kind {
            Adopted => Command::Adopt(adjustment),
            WrittenOff => Command::WriteOff(adjustment),
        };
        let outputs = self.command(asked);
        if let Some(Output::InputRefused { reason, .. }) =
            outputs.iter().find(|output| matches!(output, Output::InputRefused { .. }))
        {
            return Err(reason.clone());
        }
        Ok(outputs
            .iter()
            .filter_map(|output| match output {
                Output::BooksAdjusted(adjusted) => Some(adjusted.clone()),
                _ => None,
            })
            .collect())
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

fn confirmed(id: &str) -> Stage {
    Stage::Confirmed { id: TransactionId(id.to_owned()), block: 9, succeeded: true }
}

use AdjustmentKind::{Adopted, WrittenOff};

#[test]
fn what_was_paid_outside_and_what_landed_is_counted() {
    let account = Account::holding();
    assert_eq!(account.engine.outside_facts().costs(), Money(Decimal::ONE));
    assert_eq!(account.engine.outside_facts().landed(), 1);
}

#[test]
fn cash_that_was_taken_away_is_a_withdrawal_and_no_loss_of_trading() {
    let mut account = Account::holding();
    let (deposited, profit) = (account.engine.ledger().deposited(), profit(&account));
    let marks = account.engine.equity_marks();
    let parts = account.cash(Adopted, "-5000").unwrap();
    let out: Decimal = parts.iter().map(|part| part.value.0).sum();
    assert_eq!(out, decimal("-5000"));
    assert!(parts.iter().all(|part| part.gain.is_zero() && part.reason == "a person looked"));
    assert_eq!(account.engine.ledger().deposited().0, deposited.0 - decimal("5000"));
    assert_eq!(self::profit(&account), profit);
    // Half of the money is gone, and no limit of losses is nearer than before.
    let (day, peak) = account.engine.equity_marks();
    assert_eq!((day.0, peak.0), (marks.0.0 - decimal("5000"), marks.1.0 - decimal("5000")));
    assert!(account.engine.halt().is_none());
}

#[test]
fn cash_that_came_in_is_a_deposit_that_is_given_to_the_strategies() {
    let mut account = Account::holding();
    let parts = account.cash(Adopted, "40").unwrap();
    let [BooksAdjusted { strategy: None, instrument: None, value, .. }] = parts.as_slice() else {
        panic!("{parts:?}")
    };
    assert_eq!(value.0, decimal("40"));
    assert_eq!(account.engine.ledger().deposited().0, Decimal::from(CASH) + decimal("40"));
    assert_eq!(account.engine.ledger().pool(), Money::ZERO);
}

#[test]
fn lost_cash_is_a_loss_apart_from_trading() {
    let mut account = Account::holding();
    let profit = profit(&account);
    let realised = account.engine.ledger().sub_ledger(StrategyId(0)).unwrap().realised();
    let parts = account.cash(WrittenOff, "-7.5").unwrap();
    let (values, gains): (Decimal, Decimal) =
        (parts.iter().map(|part| part.value.0).sum(), parts.iter().map(|part| part.gain.0).sum());
    assert_eq!((values, gains), (Decimal::ZERO, decimal("-7.5")));
    assert_eq!(self::profit(&account), profit);
    assert_eq!(account.engine.ledger().sub_ledger(StrategyId(0)).unwrap().realised(), realised);
}

#[test]
fn units_go_at_what_they_cost_and_what_they_were_worth_more_is_told() {
    let mut account = Account::holding();
    let cash = account.engine.ledger().cash();
    let parts = account.units(Adopted, "-1", Some("150")).unwrap();
    let [part] = parts.as_slice() else { panic!("{parts:?}") };
    // Half of 202 and of the fee of 1.
    assert_eq!((part.value.0, part.gain.0), (decimal("-150"), decimal("48.5")));
    assert_eq!((part.quantity.0, account.held()), (decimal("-1"), Decimal::ONE));
    assert_eq!(account.engine.ledger().cash(), cash);
    assert_eq!(account.engine.ledger().deposited().0, Decimal::from(CASH) - decimal("101.5"));
    // Without a price they are worth what they cost.
    let parts = account.units(Adopted, "-0.5", None).unwrap();
    assert_eq!((parts[0].value.0, parts[0].gain.0), (decimal("-50.75"), Decimal::ZERO));
    let parts = account.units(WrittenOff, "-0.5", Some("150")).unwrap();
    assert_eq!((parts[0].value.0, parts[0].gain.0), (Decimal::ZERO, decimal("-50.75")));
    assert!(account.engine.ledger().holdings().is_empty());
    assert!(!account.engine.exits().guards_any(StrategyId(0)));
}

#[test]
fn units_that_came_are_worth_what_a_person_says_and_are_guarded() {
    let mut account = Account::with(Execution::Outside, &[("script", Decimal::ONE)]);
    assert!(account.units(Adopted, "3", None).unwrap_err().contains("what a unit of X-USD is worth"));
    let parts = account.units(Adopted, "3", Some("90")).unwrap();
    assert_eq!((parts[0].value.0, parts[0].strategy), (decimal("270"), Some(StrategyId(0))));
    let position = account.engine.ledger().sub_ledger(StrategyId(0)).unwrap().position(X).cloned().unwrap();
    assert_eq!((position.quantity.0, position.cost.0), (decimal("3"), decimal("270")));
    let wanted = !account.engine.settings().risk.exits.bounded(None).is_empty();
    assert_eq!(account.engine.exits().guard(StrategyId(0), X).is_some(), wanted);
}

#[test]
fn whose_units_came_has_to_be_said_where_it_can_be_several() {
    let half = decimal("0.5");
    let mut account = Account::with(Execution::Outside, &[("a", half), ("b", half)]);
    let why = account.units(Adopted, "1", Some("100")).unwrap_err();
    assert!(why.contains("name one of a, b"), "{why}");
    let adjustment = Adjustment {
        asset: Asset::Position(X),
        books: Decimal::ZERO,
        found: Decimal::ONE,
        price: Some(Price(Decimal::ONE_HUNDRED)),
        slot: Some("b".to_owned()),
        reason: "sent there".to_owned(),
    };
    account.command(Command::Adopt(Box::new(adjustment)));
    assert!(account.engine.ledger().sub_ledger(StrategyId(1)).unwrap().position(X).is_some());
}

#[test]
fn a_difference_that_is_another_one_by_now_is_not_booked() {
    let mut account = Account::holding();
    let before = account.engine.ledger().clone();
    let there = before.cash().0;
    let why = account.adjust(Adopted, Asset::Cash, there + Decimal::ONE, there, None).unwrap_err();
    assert!(why.contains("compare again"), "{why}");
    // Asked for twice, it is booked once.
    account.adjust(Adopted, Asset::Cash, there, there - Decimal::TEN, None).unwrap();
    assert!(account.adjust(Adopted, Asset::Cash, there, there - Decimal::TEN, None).is_err());
    assert_eq!(account.engine.ledger().cash().0, there - Decimal::TEN);
}

#[test]
fn what_can_not_be_booked_changes_nothing() {
    let mut account = Account::holding();
    let before = account.engine.ledger().clone();
    let there = before.cash().0;
    for (kind, asset, books, found, price) in [
        (Adopted, Asset::Cash, there, -Decimal::ONE, None),
        (Adopted, Asset::Cash, there, there, None),
        (WrittenOff, Asset::Cash, there, there + Decimal::ONE, None),
        (Adopted, Asset::Cash, there, Decimal::MAX, None),
        (Adopted, Asset::Position(X), Decimal::TWO, Decimal::MAX, Some(Price(Decimal::ONE))),
        (Adopted, Asset::Position(X), Decimal::TWO, decimal("3"), Some(Price(-Decimal::ONE))),
        (Adopted, Asset::Position(X), Decimal::TWO, Decimal::ONE, Some(Price(Decimal::MAX))),
        (Adopted, Asset::Position(InstrumentId(9)), Decimal::ZERO, Decimal::ONE, None),
    ] {
        assert!(account.adjust(kind, asset, books, found, price).is_err(), "{asset:?} {found}");
        assert_eq!(*account.engine.ledger(), before);
    }
}

#[test]
fn what_working_orders_have_set_aside_stays() {
    let mut account = Account::with(Execution::Outside, &[("script", Decimal::ONE)]);
    let reserved = account.engine.ledger().sub_ledger(StrategyId(0)).unwrap().reserved();
    assert!(reserved.is_positive());
    let before = account.engine.ledger().clone();
    let why = account.cash(WrittenOff, &(-before.cash().0).to_string()).unwrap_err();
    assert!(why.contains("take working orders back first"), "{why}");
    assert_eq!(*account.engine.ledger(), before);
}

#[test]
fn on_paper_the_books_are_all_that_there_is() {
    let mut account = Account::with(Execution::Paper, &[("script", Decimal::ONE)]);
    assert!(account.cash(Adopted, "5").unwrap_err().contains("trades on paper"));
}

#[test]
fn what_is_ignored_is_in_the_snapshot_with_who_said_so() {
    let mut account = Account::holding();
    let subject = || "USDC".to_owned();
    let ignore = Command::Ignore {
        subject: subject(),
        difference: decimal("12.5"),
        reason: "of another use".to_owned(),
    };
    let outputs = account.command(ignore);
    assert!(
        matches!(outputs, [Output::IgnoringChanged(changed)] if changed.difference == Some(decimal("12.5")))
    );
    account.step(&Input { time: account.engine.now(), kind: InputKind::Checkpoint });
    let restored = Engine::restore(account.engine.snapshot(), Box::new(source())).unwrap();
    let ignored = &restored.outside_facts().ignored()["USDC"];
    assert_eq!((ignored.difference, ignored.reason.as_str()), (decimal("12.5"), "of another use"));
    assert_eq!(restored.outside_facts().costs(), Money(Decimal::ONE));

    let stop = || Command::StopIgnoring { subject: subject(), reason: "it is gone".to_owned() };
    account.command(stop());
    assert!(account.engine.outside_facts().ignored().is_empty());
    assert!(matches!(account.command(stop()), [Output::InputRefused { .. }]));
    let silent = Command::Ignore { subject: subject(), difference: Decimal::ONE, reason: " ".to_owned() };
    assert!(matches!(account.command(silent), [Output::InputRefused { .. }]));
}

/// What trading brought, at what positions cost.
fn profit(account: &Account) -> Decimal {
    let ledger = account.engine.ledger();
    let books = ledger.sub_ledgers().iter().filter(|books| !books.is_make_believe());
    let invested: Decimal = books
        .flat_map(|books| books.positions())
        .map(|position| position.cost.0 + position.entry_fees.0)
        .sum();
    ledger.cash().0 + invested - ledger.deposited().0
}

#[derive(Debug, Clone)]
enum Operation {
    Cash(bool, i64),
    Units(bool, i64, Option<i64>),
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let cash =
        (any::<bool>(), -900_000_i64..900_000).prop_map(|(adopt, cents)| Operation::Cash(adopt, cents));
    let price = proptest::option::of(0_i64..50_000);
    let units = (any::<bool>(), -3_000_i64..3_000, price)
        .prop_map(|(adopt, thousandths, price)| Operation::Units(adopt, thousandths, price));
    proptest::collection::vec(prop_oneof![cash, units], 1..24)
}

proptest! {
    /// Whatever is booked, trading's profit stays, what the owner did and what was lost sums up to what changed, and
    /// the books say what was found.
    #[test]
    fn adjustments_never_touch_what_trading_brought(operations in operations()) {
        let mut account = Account::holding();
        let before = profit(&account);
        let mut deposited = account.engine.ledger().deposited().0;
        for operation in operations {
            let ledger = account.engine.ledger().clone();
            let (held, cash) = (account.held(), ledger.cash().0);
            let kind = |adopt| if adopt { Adopted } else { WrittenOff };
            let (wanted, done) = match operation {
                Operation::Cash(adopt, cents) => {
                    let change = Decimal::new(cents, 2);
                    ((cash + change, held), account.cash(kind(adopt), &change.to_string()))
                }
                Operation::Units(adopt, thousandths, price) => {
                    let change = Decimal::new(thousandths, 3);
                    let price = price.map(|cents| Decimal::new(cents, 2).to_string());
                    ((cash, held + change), account.units(kind(adopt), &change.to_string(), price.as_deref()))
                }
            };
            let Ok(parts) = done else {
                prop_assert_eq!(account.engine.ledger(), &ledger);
                continue;
            };
            prop_assert!(!parts.is_empty());
            prop_assert_eq!((account.engine.ledger().cash().0, account.held()), wanted);
            deposited += parts.iter().map(|part| part.value.0 + part.gain.0).sum::<Decimal>();
            prop_assert_eq!(account.engine.ledger().deposited().0, deposited);
            prop_assert_eq!(profit(&account), before);
            let books = account.engine.ledger().sub_ledger(StrategyId(0)).unwrap();
            let invested: Decimal = books.positions().iter().map(|p| p.cost.0 + p.entry_fees.0).sum();
            prop_assert_eq!(books.funded().0 + books.realised().0, books.cash().0 + invested);
            prop_assert!(!books.cash().is_negative() && books.reserved() <= books.cash());
        }
    }
}
