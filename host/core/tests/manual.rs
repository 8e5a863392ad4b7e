//! What a person trades by hand: through the same gate as a strategy, whatever the slot's strategy does.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at what it did not expect")]

mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bulkhead_core::engine::{Engine, EngineSettings, SlotStatus, Taken};
use bulkhead_core::exits::ExitPolicy;
use bulkhead_core::identifier::{InstrumentId, OrderId};
use bulkhead_core::input::{Command, Deployment, HaltAction, Input, ManualAmount, ManualOrder, StrategyMode};
use bulkhead_core::instrument::Instrument;
use bulkhead_core::money::{Money, Price, Quantity};
use bulkhead_core::order::{OrderState, Origin, Pricing, Side};
use bulkhead_core::output::Output;
use bulkhead_core::risk::{RefusalCode, RiskLimits};
use bulkhead_core::strategy::{
    Action, Amount, Event, ExitPlan, Fault, FaultKind, FillCause, Intent, OrderKind, Proposal, SavedState,
    Strategy, TakeProfit,
};
use bulkhead_core::time::Span;
use bulkhead_core::venue::paper::PaperSettings;
use rust_decimal::Decimal;
use support::*;

const X: InstrumentId = InstrumentId(0);
const Y: InstrumentId = InstrumentId(1);

fn settings() -> EngineSettings {
    let instruments = vec![Instrument::new("X-USD", 2, 4), Instrument::new("Y-USD", 2, 4)];
    let mut settings = EngineSettings::new(instruments, Money(Decimal::from(10_000)));
    settings.venue = PaperSettings::exact(Decimal::TEN);
    settings.risk = RiskLimits::none();
    settings
}

/// Proposes what the script says at the numbered bars, counted from 0, and writes down what it is told.
fn script(steps: Vec<(usize, Action)>, told: &Arc<Mutex<Vec<Event>>>) -> NativeSource {
    let told = Arc::clone(told);
    NativeSource::default().with("script", move |_| {
        let (steps, told, mut count) = (steps.clone(), Arc::clone(&told), 0);
        Box::new(Scripted(move |event: &Event, actions: &mut Vec<Action>| {
            told.lock().unwrap().push(event.clone());
            if matches!(event, Event::Bar(_)) {
                actions.extend(steps.iter().filter(|(at, _)| *at == count).map(|(_, action)| action.clone()));
                count += 1;
            }
            Ok(())
        }))
    })
}

/// An engine whose one slot does nothing by itself, after a bar of each instrument at 100.
fn idle(settings: EngineSettings) -> Engine {
    let mut engine = engine(settings, script(Vec::new(), &Arc::default()));
    run(&mut engine, &[deploy("script", Decimal::ONE), flat(0, 0, 100.0), flat(1, 0, 100.0)]);
    engine
}

fn flat(instrument: u32, minute: i64, price: f64) -> Input {
    bar(instrument, minute, price, price, price, price)
}

fn run(engine: &mut Engine, inputs: &[Input]) -> Vec<Output> {
    let mut outputs = Vec::new();
    for input in inputs {
        engine.step(input, &mut outputs);
    }
    outputs
}

/// Why the command was refused, if it was, and what followed.
fn ask(engine: &mut Engine, asked: Command) -> (Option<String>, Vec<Output>) {
    let mut outputs = Vec::new();
    let input = Input { time: engine.now(), ..command(asked) };
    match engine.step(&input, &mut outputs) {
        Taken::Used => (None, outputs),
        Taken::Refused { reason } => (Some(reason), outputs),
    }
}

fn order(side: Side, amount: ManualAmount) -> ManualOrder {
    ManualOrder {
        slot: "script".to_owned(),
        instrument: X,
        side,
        amount,
        pricing: Pricing::Market,
        exits: None,
    }
}

fn units(quantity: i64) -> ManualAmount {
    ManualAmount::Quantity(Quantity(Decimal::from(quantity)))
}

fn place(engine: &mut Engine, order: ManualOrder) -> (Option<String>, Vec<Output>) {
    ask(engine, Command::PlaceOrder(Box::new(order)))
}

/// Places an order that nothing speaks against.
fn placed(engine: &mut Engine, order: ManualOrder) -> Vec<Output> {
    let (refusal, outputs) = place(engine, order);
    assert_eq!(refusal, None);
    outputs
}

/// Places an order that the gate must refuse with this code, and nothing may change.
fn refused(engine: &mut Engine, order: ManualOrder, expected: RefusalCode) -> String {
    let before = engine.snapshot();
    let (refusal, outputs) = place(engine, order);
    let refusal = refusal.unwrap();
    assert!(refusal.starts_with(&format!("{}: ", expected.name())), "{refusal}");
    assert!(engine.snapshot() == before, "something changed");
    let [Output::Refused(proposal), Output::InputRefused { reason, .. }] = &outputs[..] else {
        panic!("{outputs:?}");
    };
    assert_eq!((proposal.refusal.code, reason), (expected, &refusal));
    refusal
}

fn holding(engine: &Engine, slot: &str, instrument: InstrumentId) -> Decimal {
    let slot = engine.slot(slot).unwrap().id();
    let books = engine.ledger().sub_ledger(slot).unwrap();
    books.position(instrument).map_or(Decimal::ZERO, |position| position.quantity.0)
}

fn fills(outputs: &[Output]) -> Vec<(FillCause, Side)> {
    let fill = |output: &Output| match output {
        Output::Filled(fill) => Some((fill.cause, fill.side)),
        _ => None,
    };
    outputs.iter().filter_map(fill).collect()
}

#[test]
fn a_purchase_and_a_sale_by_hand_go_the_way_of_every_order() {
    let told = Arc::default();
    let mut engine = engine(settings(), script(Vec::new(), &told));
    run(&mut engine, &[deploy("script", Decimal::ONE), flat(0, 0, 100.0)]);
    let outputs = placed(&mut engine, order(Side::Buy, units(3)));
    let [Output::OrderAccepted(terms), ..] = &outputs[..] else { panic!("{outputs:?}") };
    assert_eq!(
        (terms.origin, terms.reason.as_str(), terms.side),
        (Origin::Manual, "ordered by anna", Side::Buy)
    );
    let reserved = engine.ledger().sub_ledger(terms.strategy).unwrap().reserved();
    assert!(reserved >= Money(Decimal::from(300)), "{reserved}");
    let outputs = run(&mut engine, &[flat(0, 1, 110.0)]);
    assert_eq!(fills(&outputs), [(FillCause::Operator, Side::Buy)]);
    assert_eq!(holding(&engine, "script", X), Decimal::from(3));
    // 220 buy two more at the last price.
    let value = ManualAmount::Notional(Money(Decimal::from(220)));
    placed(&mut engine, order(Side::Buy, value));
    run(&mut engine, &[flat(0, 2, 110.0)]);
    assert_eq!(holding(&engine, "script", X), Decimal::from(5));
    placed(&mut engine, order(Side::Sell, units(1)));
    let outputs = run(&mut engine, &[flat(0, 3, 110.0)]);
    assert_eq!(fills(&outputs), [(FillCause::Operator, Side::Sell)]);
    placed(&mut engine, order(Side::Sell, ManualAmount::All));
    run(&mut engine, &[flat(0, 4, 110.0), flat(0, 5, 110.0)]);
    assert_eq!(holding(&engine, "script", X), Decimal::ZERO);
    // The strategy hears of fills that are not its own, as of an exit's.
    let told = told.lock().unwrap();
    let heard = told.iter().filter(|event| matches!(event, Event::Fill(fill) if fill.tag.0 == 0));
    assert_eq!(heard.count(), 4);
}

#[test]
fn a_limit_is_moved_to_the_grid_and_waits_at_the_venue() {
    let mut engine = idle(settings());
    let limit = |price: &str| Pricing::Limit(Price(price.parse().unwrap()));
    let buy = ManualOrder { pricing: limit("90.019"), ..order(Side::Buy, units(1)) };
    let outputs = placed(&mut engine, buy.clone());
    assert!(
        matches!(&outputs[0], Output::OrderAccepted(terms) if terms.pricing == limit("90.01")),
        "{outputs:?}"
    );
    run(&mut engine, &[flat(0, 1, 95.0)]);
    assert_eq!((holding(&engine, "script", X), engine.orders().count()), (Decimal::ZERO, 1));
    run(&mut engine, &[flat(0, 2, 89.0)]);
    assert_eq!(holding(&engine, "script", X), Decimal::ONE);
    let nothing = ManualOrder { pricing: limit("0.001"), ..buy.clone() };
    refused(&mut engine, nothing, RefusalCode::InvalidSize);
    let negative = ManualOrder { pricing: limit("-5"), ..buy };
    refused(&mut engine, negative, RefusalCode::InvalidSize);
}

#[test]
fn what_the_gate_refuses_is_refused_with_code_and_numbers_and_changes_nothing() {
    let mut settings = settings();
    settings.risk.max_position = Some(Decimal::new(5, 1));
    settings.risk.refuse_duplicates = true;
    let mut engine = idle(settings);
    let told = refused(&mut engine, order(Side::Buy, units(51)), RefusalCode::PositionLimit);
    assert!(told.contains("held=0 added=5100.00 limit=5000.0"), "{told}");
    refused(&mut engine, order(Side::Sell, units(1)), RefusalCode::NothingToSell);
    refused(&mut engine, order(Side::Sell, ManualAmount::All), RefusalCode::InvalidSize);
    refused(&mut engine, order(Side::Buy, units(0)), RefusalCode::InvalidSize);
    refused(&mut engine, order(Side::Buy, units(-4)), RefusalCode::InvalidSize);
    let vast = ManualAmount::Quantity(Quantity(Decimal::MAX));
    refused(&mut engine, order(Side::Buy, vast), RefusalCode::InvalidSize);
    placed(&mut engine, order(Side::Buy, units(2)));
    refused(&mut engine, order(Side::Buy, units(2)), RefusalCode::Duplicate);
    run(&mut engine, &[flat(0, 1, 100.0)]);
    // Explicit quantities are not cut to what is there.
    let told = refused(&mut engine, order(Side::Sell, units(3)), RefusalCode::NothingToSell);
    assert!(told.contains("quantity=3") && told.contains("free=2"), "{told}");
}

#[test]
fn an_instrument_without_a_price_is_not_traded() {
    let mut engine = engine(settings(), script(Vec::new(), &Arc::default()));
    run(&mut engine, &[deploy("script", Decimal::ONE)]);
    refused(&mut engine, order(Side::Buy, units(1)), RefusalCode::PriceUnknown);
}

#[test]
fn what_makes_no_sense_is_refused_before_the_gate() {
    let mut engine = idle(settings());
    let reason = |engine: &mut Engine, order: ManualOrder| {
        let (refusal, outputs) = place(engine, order);
        assert!(matches!(&outputs[..], [Output::InputRefused { .. }]), "{outputs:?}");
        refusal.unwrap()
    };
    let buy = || order(Side::Buy, units(1));
    let told = reason(&mut engine, ManualOrder { slot: "nobody".to_owned(), ..buy() });
    assert!(told.contains("\"nobody\"") && told.contains("script"), "{told}");
    assert!(
        reason(&mut engine, ManualOrder { instrument: InstrumentId(9), ..buy() }).contains("there are 2")
    );
    assert!(reason(&mut engine, order(Side::Buy, ManualAmount::All)).contains("for sales"));
    let exits = Some(ExitPlan { stop_loss: Some(0.1), ..ExitPlan::default() });
    assert!(
        reason(&mut engine, ManualOrder { exits, ..order(Side::Sell, units(1)) })
            .contains("come with purchases")
    );
    let exits = Some(ExitPlan { stop_loss: Some(7.0), ..ExitPlan::default() });
    assert!(reason(&mut engine, ManualOrder { exits, ..buy() }).contains("stop-loss is 7"));
}

#[test]
fn a_slot_trades_by_hand_while_it_is_off_quarantined_or_removed() {
    let mut settings = settings();
    settings.risk.strategy_share = true;
    settings.faults.quarantine_after = 1;
    let source = NativeSource::default().with("script", |_| {
        Box::new(Scripted(|event: &Event, _: &mut Vec<Action>| match event {
            Event::Bar(bar) if bar.close > 150.0 => Err(FaultKind::Trap("too high".to_owned())),
            _ => Ok(()),
        }))
    });
    let mut engine = engine(settings, source);
    let mut minute = 0;
    let mut next = |price: f64| {
        minute += 1;
        flat(0, minute, price)
    };
    run(&mut engine, &[deploy("script", Decimal::new(5, 1)), next(100.0)]);
    ask(&mut engine, Command::SetMode { slot: "script".to_owned(), mode: StrategyMode::Off });
    placed(&mut engine, order(Side::Buy, units(1)));
    run(&mut engine, &[next(100.0)]);
    assert_eq!(holding(&engine, "script", X), Decimal::ONE);

    ask(&mut engine, Command::SetMode { slot: "script".to_owned(), mode: StrategyMode::Live });
    run(&mut engine, &[next(160.0)]);
    assert_eq!(engine.slot("script").unwrap().status(), SlotStatus::Quarantined);
    placed(&mut engine, order(Side::Buy, units(1)));
    run(&mut engine, &[next(160.0)]);
    assert_eq!(holding(&engine, "script", X), Decimal::TWO);

    ask(&mut engine, Command::Remove { slot: "script".to_owned() });
    placed(&mut engine, order(Side::Sell, units(1)));
    run(&mut engine, &[next(160.0)]);
    assert_eq!(holding(&engine, "script", X), Decimal::ONE);
    // What the sale brought is still in the slot's books, and no more than that can be spent.
    refused(&mut engine, order(Side::Buy, units(2)), RefusalCode::StrategyShare);
    let cheap =
        ManualOrder { pricing: Pricing::Limit(Price(Decimal::from(150))), ..order(Side::Buy, units(1)) };
    placed(&mut engine, cheap);
    run(&mut engine, &[next(140.0)]);
    assert_eq!(holding(&engine, "script", X), Decimal::TWO);
}

#[test]
fn while_trading_is_halted_a_person_can_sell_but_not_buy() {
    let mut engine = idle(settings());
    placed(&mut engine, order(Side::Buy, units(2)));
    run(&mut engine, &[flat(0, 1, 100.0)]);
    ask(&mut engine, halt(HaltAction::StopEntries));
    refused(&mut engine, order(Side::Buy, units(1)), RefusalCode::KillSwitch);
    placed(&mut engine, order(Side::Sell, units(1)));
    run(&mut engine, &[flat(0, 2, 100.0)]);
    assert_eq!(holding(&engine, "script", X), Decimal::ONE);
}

#[test]
fn a_sale_of_all_takes_the_working_sales_of_the_position_back() {
    let mut engine = idle(settings());
    placed(&mut engine, order(Side::Buy, units(4)));
    run(&mut engine, &[flat(0, 1, 100.0)]);
    let waits =
        ManualOrder { pricing: Pricing::Limit(Price(Decimal::from(200))), ..order(Side::Sell, units(3)) };
    placed(&mut engine, waits);
    run(&mut engine, &[flat(0, 2, 100.0)]);
    let outputs = placed(&mut engine, order(Side::Sell, ManualAmount::All));
    let sold = outputs.iter().find_map(|output| match output {
        Output::OrderAccepted(terms) => Some(terms.quantity),
        _ => None,
    });
    assert_eq!((sold, engine.orders().count()), (Some(Quantity(Decimal::from(4))), 1));
}

#[test]
fn an_instrument_that_the_slot_is_not_given_is_sold_but_not_bought() {
    let mut engine = engine(settings(), script(Vec::new(), &Arc::default()));
    let only_y = Command::Deploy(Deployment {
        slot: "script".to_owned(),
        version: version("script"),
        mode: StrategyMode::Live,
        weight: Decimal::ONE,
        instruments: vec![Y],
        parameters: BTreeMap::new(),
    });
    run(&mut engine, &[deploy("script", Decimal::ONE), flat(0, 0, 100.0)]);
    placed(&mut engine, order(Side::Buy, units(1)));
    run(&mut engine, &[flat(0, 1, 100.0)]);
    ask(&mut engine, only_y);
    refused(&mut engine, order(Side::Buy, units(1)), RefusalCode::InstrumentNotAllowed);
    placed(&mut engine, order(Side::Sell, units(1)));
    run(&mut engine, &[flat(0, 2, 100.0)]);
    assert_eq!(holding(&engine, "script", X), Decimal::ZERO);
}

#[test]
fn a_purchase_brings_its_exits_or_gets_the_default() {
    let mut settings = settings();
    settings.risk.exits = ExitPolicy::default();
    let mut engine = idle(settings);
    let plan = ExitPlan {
        stop_loss: Some(0.05),
        max_holding: Some(Span::from_seconds(3_600)),
        ..ExitPlan::default()
    };
    placed(&mut engine, ManualOrder { exits: Some(plan.clone()), ..order(Side::Buy, units(1)) });
    placed(&mut engine, ManualOrder { instrument: Y, ..order(Side::Buy, units(1)) });
    run(&mut engine, &[flat(0, 1, 100.0), flat(1, 1, 100.0)]);
    let slot = engine.slot("script").unwrap().id();
    assert_eq!(engine.exits().guard(slot, X).unwrap().plan(), &plan);
    assert_eq!(engine.exits().guard(slot, Y).unwrap().plan(), &ExitPolicy::default().default_plan);
    // Wider than the bound of 0.3.
    let wide = ExitPlan { stop_loss: Some(0.4), ..plan };
    let (refusal, _) = place(&mut engine, ManualOrder { exits: Some(wide), ..order(Side::Buy, units(1)) });
    assert!(refusal.unwrap().contains("risk.exits.widest_stop allows at most 0.3"));
}

#[test]
fn any_working_order_can_be_taken_back() {
    let mut purchase = market(7, X, Intent::Buy(Amount::Quantity(1.0)));
    if let Proposal::Submit(submit) = &mut purchase.proposal {
        submit.kind = OrderKind::Limit(50.0);
    }
    let mut engine = engine(settings(), script(vec![(0, purchase)], &Arc::default()));
    run(&mut engine, &[deploy("script", Decimal::ONE), flat(0, 0, 100.0), flat(0, 1, 100.0)]);
    let mine =
        ManualOrder { pricing: Pricing::Limit(Price(Decimal::from(60))), ..order(Side::Buy, units(1)) };
    placed(&mut engine, mine);
    for id in [OrderId(1), OrderId(2)] {
        let (refusal, outputs) = ask(&mut engine, Command::CancelOrder { order: id });
        assert_eq!(refusal, None);
        assert!(outputs.iter().any(|output| matches!(output, Output::OrderChanged(change)
            if change.order == id && change.state == OrderState::Cancelled && change.reason == "cancelled by anna")));
    }
    assert_eq!(engine.orders().count(), 0);
    assert!(engine.ledger().sub_ledgers()[0].reserved().is_zero());
    let (refusal, _) = ask(&mut engine, Command::CancelOrder { order: OrderId(1) });
    assert!(refusal.unwrap().contains("order-1 does not work"));
}

fn change_exits(engine: &mut Engine, plan: ExitPlan) -> Option<String> {
    ask(engine, Command::ChangeExits { slot: "script".to_owned(), instrument: X, plan }).0
}

#[test]
fn exits_are_replaced_within_the_bounds_and_dropped_where_none_demands_them() {
    let mut settings = settings();
    settings.risk.exits =
        ExitPolicy { longest_holding: Some(Span::from_seconds(7_200)), ..ExitPolicy::default() };
    let mut engine = idle(settings);
    let fine =
        ExitPlan { stop_loss: Some(0.25), max_holding: Some(Span::from_seconds(60)), ..ExitPlan::default() };
    assert!(change_exits(&mut engine, fine.clone()).unwrap().contains("no position in X-USD"));
    placed(&mut engine, order(Side::Buy, units(1)));
    run(&mut engine, &[flat(0, 1, 100.0)]);
    let before = engine.snapshot();
    let told = |engine: &mut Engine, plan: ExitPlan| change_exits(engine, plan).unwrap();
    let wide = ExitPlan { stop_loss: Some(0.31), ..fine.clone() };
    assert!(told(&mut engine, wide).contains("risk.exits.widest_stop allows at most 0.3"));
    let none = ExitPlan { stop_loss: None, ..fine.clone() };
    assert!(told(&mut engine, none).contains("risk.exits.widest_stop demands"));
    let long = ExitPlan { max_holding: Some(Span::from_seconds(7_201)), ..fine.clone() };
    assert!(told(&mut engine, long).contains("risk.exits.longest_holding allows at most"));
    let forever = ExitPlan { max_holding: None, ..fine.clone() };
    assert!(told(&mut engine, forever).contains("risk.exits.longest_holding demands"));
    let broken = ExitPlan { trailing: Some(-1.0), ..fine.clone() };
    assert!(told(&mut engine, broken).contains("trailing is -1"));
    assert!(engine.snapshot() == before, "a refused plan changed something");
    assert_eq!(change_exits(&mut engine, fine.clone()), None);
    let slot = engine.slot("script").unwrap().id();
    assert_eq!(engine.exits().guard(slot, X).unwrap().plan(), &fine);
    assert_eq!(engine.exits().guard(slot, X).unwrap().stop(), Some(Price(Decimal::from(75))));

    let mut free = idle(self::settings());
    placed(&mut free, order(Side::Buy, units(1)));
    run(&mut free, &[flat(0, 1, 100.0)]);
    assert_eq!(change_exits(&mut free, fine), None);
    assert_eq!(change_exits(&mut free, ExitPlan::default()), None);
    assert!(free.exits().guard(slot, X).is_none());
}

#[test]
fn a_stop_is_not_widened_beyond_the_open_risk_that_is_allowed() {
    let mut settings = settings();
    settings.risk.max_open_risk = Some(Decimal::new(5, 3));
    let mut engine = idle(settings);
    let plan = |stop: f64| ExitPlan { stop_loss: Some(stop), ..ExitPlan::default() };
    placed(&mut engine, ManualOrder { exits: Some(plan(0.1)), ..order(Side::Buy, units(4)) });
    run(&mut engine, &[flat(0, 1, 100.0)]);
    // Of 400 a tenth is at risk, and 50 of 10 000 may be.
    assert_eq!(change_exits(&mut engine, plan(0.12)), None);
    let before = engine.snapshot();
    let refused = change_exits(&mut engine, plan(0.2)).unwrap();
    assert!(refused.starts_with("OPEN_RISK_LIMIT: held=48") && refused.contains("added=32"), "{refused}");
    assert!(engine.snapshot() == before, "a refused plan changed something");
    // The market falls: what is beyond the limit by itself may still be narrowed.
    assert_eq!(change_exits(&mut engine, plan(0.05)), None);
}

#[test]
fn a_changed_stop_takes_no_profit_tier_again() {
    let mut engine = idle(settings());
    let take_profits = vec![TakeProfit { gain: 0.1, share: 0.5 }, TakeProfit { gain: 0.5, share: 0.5 }];
    let plan = ExitPlan { stop_loss: Some(0.2), take_profits, ..ExitPlan::default() };
    placed(&mut engine, ManualOrder { exits: Some(plan.clone()), ..order(Side::Buy, units(4)) });
    run(&mut engine, &[flat(0, 1, 100.0), flat(0, 2, 120.0)]);
    assert_eq!(holding(&engine, "script", X), Decimal::TWO);
    assert_eq!(change_exits(&mut engine, ExitPlan { stop_loss: Some(0.1), ..plan }), None);
    run(&mut engine, &[flat(0, 3, 120.0), flat(0, 4, 120.0)]);
    assert_eq!(holding(&engine, "script", X), Decimal::TWO);
}

/// Buys as much as its parameter says at its first bar, and remembers over restarts that it has.
struct Once {
    size: f64,
    done: bool,
}

impl Strategy for Once {
    fn on_events(&mut self, events: &[Event], actions: &mut Vec<Action>) -> Result<usize, Fault> {
        for (place, event) in events.iter().enumerate() {
            if matches!(event, Event::Bar(_)) && !self.done {
                self.done = true;
                actions.push(market(1, X, Intent::Buy(Amount::Quantity(self.size))));
                return Ok(place + 1);
            }
        }
        Ok(events.len())
    }

    fn save(&mut self) -> Result<SavedState, Fault> {
        Ok(SavedState { schema: 1, bytes: vec![u8::from(self.done)] })
    }

    fn restore(&mut self, state: &SavedState) -> Result<(), Fault> {
        self.done = state.bytes == [1];
        Ok(())
    }
}

#[test]
fn parameters_are_changed_with_the_state_carried_over_and_invalid_ones_all_named() {
    use bulkhead_core::strategy::{Parameter, ParameterValue};

    let seen: Arc<Mutex<Vec<f64>>> = Arc::default();
    let sizes = Arc::clone(&seen);
    let parameter = Parameter {
        name: "size".to_owned(),
        meaning: "units".to_owned(),
        default: ParameterValue::Number(1.0),
        minimum: Some(0.5),
        maximum: Some(5.0),
    };
    let source = NativeSource::default().with_parameters("script", vec![parameter], move |config| {
        let Some((_, ParameterValue::Number(size))) = config.settings.first() else { panic!("no size") };
        sizes.lock().unwrap().push(*size);
        Box::new(Once { size: *size, done: false })
    });
    let mut engine = engine(settings(), source);
    run(&mut engine, &[deploy("script", Decimal::new(5, 1)), flat(0, 0, 100.0), flat(0, 1, 100.0)]);
    assert_eq!(holding(&engine, "script", X), Decimal::ONE);
    let set = |engine: &mut Engine, parameters: &[(&str, ParameterValue)]| {
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        ask(engine, Command::SetParameters { slot: "script".to_owned(), parameters }).0
    };
    let wrong = [("size", ParameterValue::Number(9.0)), ("colour", ParameterValue::Flag(true))];
    let told = set(&mut engine, &wrong).unwrap();
    assert!(told.contains("\"size\" is 9") && told.contains("\"colour\" does not exist"), "{told}");
    assert_eq!(*seen.lock().unwrap(), [1.0], "nothing was restarted");
    assert_eq!(set(&mut engine, &[("size", ParameterValue::Number(3.0))]), None);
    assert_eq!(*seen.lock().unwrap(), [1.0, 3.0]);
    let deployment = engine.slot("script").unwrap().deployment().clone();
    assert_eq!(deployment.parameters.get("size"), Some(&ParameterValue::Number(3.0)));
    assert_eq!(deployment.weight, Decimal::new(5, 1));
    // It remembers that it has bought.
    run(&mut engine, &[flat(0, 2, 100.0), flat(0, 3, 100.0)]);
    assert_eq!(holding(&engine, "script", X), Decimal::ONE);
    // What is not named has its default again.
    assert_eq!(set(&mut engine, &[]), None);
    assert_eq!(*seen.lock().unwrap(), [1.0, 3.0, 1.0]);
    ask(&mut engine, Command::Remove { slot: "script".to_owned() });
    assert!(set(&mut engine, &[]).unwrap().contains("was removed"));
}
