//! The rows that follow from the journal: that they are what the engine says, whole, and found again.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at what it did not expect")]

mod support;

use std::collections::BTreeMap;

use bulkhead_core::engine::Engine;
use bulkhead_core::identifier::{ContentHash, InstrumentId, OrderId, StrategyId};
use bulkhead_core::money::{Money, Price, Quantity};
use bulkhead_core::order::{OrderState, Origin, Side};
use bulkhead_core::output::Output;
use bulkhead_core::strategy::FillCause;
use bulkhead_core::time::{Span, Timestamp};
use bulkhead_store::database::Database;
use bulkhead_store::journal::{Sequence, ShardId};
use bulkhead_store::read_models::{
    AuditRow, Change, Counts, FillFilter, FillRow, OrderFilter, Place as RowPlace, PluginVersionRow,
    PositionRow, Projection, SettingsRow, TradeFilter,
};
use bulkhead_store::storage::{Group, Storage as _};
use rust_decimal::Decimal;
use support::{Place, SHARD, on_both, trading};

on_both! {
    the_rows_are_what_the_engine_says,
    writing_the_same_changes_again_leaves_the_same_rows,
    a_restart_puts_wrong_positions_right,
    positions_that_open_and_close_are_right_after_each_group,
    counts_go_on_where_they_were_and_agree_with_the_rows,
    pages_follow_each_other_and_filters_narrow_them,
    orders_are_found_by_who_wanted_them,
    amounts_of_any_size_come_back_to_the_last_digit,
    versions_settings_and_audit_are_kept,
    a_text_with_a_nul_byte_keeps_nothing_from_being_written,
}

/// Runs an engine in groups of a few inputs, and keeps what it did.
struct Run {
    engine: Engine,
    outputs: Vec<Output>,
    groups: Vec<Group>,
}

fn run(minutes: i64) -> Run {
    let mut engine = trading::engine();
    let mut projection = Projection::new(SHARD, &engine, Span::from_seconds(600));
    let (mut outputs, mut groups, mut changes) = (Vec::new(), Vec::new(), Vec::new());
    let inputs = trading::inputs(minutes);
    for (sequence, input) in (1..).map(Sequence).zip(&inputs) {
        let caused = trading::step(&mut engine, input);
        projection.changes(&engine, sequence, &caused, &mut changes).unwrap();
        outputs.extend(caused);
        if sequence.0.is_multiple_of(13) || sequence.0 == inputs.len() as u64 {
            projection.account(&engine, sequence, &mut changes).unwrap();
            groups.push(Group { changes: std::mem::take(&mut changes), ..Group::default() });
        }
    }
    Run { engine, outputs, groups }
}

fn committed(place: &Place, run: &Run) -> Database {
    let mut store = place.writer();
    run.groups.iter().for_each(|group| store.commit(group).unwrap());
    store
}

fn counts_go_on_where_they_were_and_agree_with_the_rows(place: &Place) {
    let run = run(400);
    let mut store = place.writer();
    let mut kept = Counts::default();
    store.count(SHARD, &mut kept).unwrap();
    assert_eq!((kept.orders().map(|(_, count)| count).sum::<u64>(), kept.fills().count()), (0, 0));
    for (number, group) in run.groups.iter().enumerate() {
        store.commit(group).unwrap();
        if number % 3 == 0 {
            continue;
        }
        store.count(SHARD, &mut kept).unwrap();
        let mut orders = BTreeMap::new();
        for order in store.orders(SHARD, &OrderFilter::default(), None, 10_000).unwrap() {
            *orders.entry(order.state).or_default() += 1;
        }
        let counted: BTreeMap<_, u64> = kept.orders().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, orders, "after group {number}");
        let mut fills = BTreeMap::new();
        for fill in store.fills(SHARD, &FillFilter::default(), None, 10_000).unwrap() {
            *fills.entry(fill.strategy).or_default() += 1;
        }
        assert_eq!(kept.fills().collect::<BTreeMap<_, u64>>(), fills, "after group {number}");
    }
    let mut anew = Counts::default();
    store.count(SHARD, &mut anew).unwrap();
    let sorted =
        |counts: &Counts| counts.orders().filter(|(_, count)| *count > 0).collect::<BTreeMap<_, _>>();
    assert_eq!(sorted(&anew), sorted(&kept));
    assert!(anew.orders().any(|(state, count)| state.is_final() && count > 10));
}

fn the_rows_are_what_the_engine_says(place: &Place) {
    let run = run(400);
    let mut store = committed(place, &run);
    let engine = &run.engine;

    let account = store.account(SHARD).unwrap().unwrap();
    assert_eq!(account.cash, engine.ledger().cash());
    assert_eq!(account.equity, engine.equity().unwrap());
    assert_eq!(account.time, engine.now());
    assert_eq!(account.halted, None);

    let fills = store.fills(SHARD, &FillFilter::default(), None, 10_000).unwrap();
    let caused = run.outputs.iter().filter_map(|output| match output {
        Output::Filled(fill) => Some((fill.order, fill.quantity, fill.price, fill.fee, fill.cause)),
        _ => None,
    });
    let caused: Vec<_> = caused.collect();
    assert!(caused.len() > 100, "it trades often: {}", caused.len());
    let stored: Vec<_> =
        fills.iter().rev().map(|it| (it.order_id, it.quantity, it.price, it.fee, it.cause)).collect();
    assert_eq!(stored, caused);

    let orders = store.orders(SHARD, &OrderFilter::default(), None, 10_000).unwrap();
    let mut expected = BTreeMap::new();
    for output in &run.outputs {
        match output {
            Output::OrderAccepted(terms) => {
                expected.insert(terms.id, (OrderState::Accepted, Quantity::ZERO, terms.reason.clone()));
            }
            Output::OrderChanged(change) => {
                let order = expected.get_mut(&change.order).unwrap();
                (order.0, order.1) = (change.state, change.filled);
            }
            _ => {}
        }
    }
    let stored: BTreeMap<_, _> =
        orders.iter().map(|it| (it.id, (it.state, it.filled, it.reason.clone()))).collect();
    assert_eq!(stored, expected);
    assert!(
        orders.iter().any(
            |order| order.reason.contains('ü') && order.confidence.to_bits() == (1.0_f64 / 3.0).to_bits()
        )
    );
    assert!(orders.iter().any(|order| order.state == OrderState::Rejected && !order.end_reason.is_empty()));

    let life = store.order_transitions(SHARD, orders.last().unwrap().id).unwrap();
    assert_eq!(life.first().unwrap().state, OrderState::Accepted);
    assert!(life.len() >= 2);

    let closed = run.outputs.iter().filter(|output| matches!(output, Output::TradeClosed(_))).count();
    let trades = store.trades(SHARD, &TradeFilter::default(), None, 10_000).unwrap();
    assert_eq!(trades.len(), closed);
    let charged = run.outputs.iter().filter(|output| matches!(output, Output::Charged { .. })).count();
    assert_eq!(store.charges(SHARD, None, 10_000).unwrap().len(), charged);
    assert!(closed > 10 && charged > 10, "{closed} {charged}");

    assert_positions(&mut store, engine);
    let slots = store.slots(SHARD).unwrap();
    let names: Vec<_> =
        slots.iter().map(|slot| (slot.name.as_str(), slot.mode.name(), slot.status.as_str())).collect();
    assert_eq!(names, [("real", "live", "running"), ("shadow", "shadow", "running")]);
    assert_eq!(slots[0].cash, engine.ledger().sub_ledger(StrategyId(0)).unwrap().cash());
    assert_eq!(account.realised, slots[0].realised, "a shadow does not count");
    let symbols: Vec<_> = store.instruments(SHARD).unwrap().into_iter().map(|row| row.symbol).collect();
    assert_eq!(symbols, ["BTC-USD", "ETH-USD"]);

    // 400 minutes hold 40 periods of ten; the first has begun when the engine starts.
    let equity = store.equity(SHARD, None, 10_000).unwrap();
    assert_eq!(equity.len(), 40);
    assert!(equity.is_sorted_by_key(|row| row.time));
    assert_eq!(store.equity(SHARD, Some(equity[37].time), 10).unwrap(), equity[38..]);

    let audit = store.audit(SHARD, None, 100).unwrap();
    let actions: Vec<_> =
        audit.iter().rev().take(4).map(|row| (row.action.as_str(), row.subject.as_str())).collect();
    let expected = [
        ("slot-started", "real"),
        ("slot-started", "shadow"),
        ("trading-halted", ""),
        ("trading-resumed", ""),
    ];
    assert_eq!(actions, expected);
}

fn assert_positions(store: &mut Database, engine: &Engine) {
    let mut expected = Vec::new();
    for (strategy, books) in (0..).map(StrategyId).zip(engine.ledger().sub_ledgers()) {
        let held = |it: &bulkhead_core::position::Position| {
            (strategy, it.instrument, it.quantity, it.cost, it.realised)
        };
        expected.extend(books.positions().iter().map(held));
    }
    let stored = store.positions(SHARD).unwrap();
    let stored: Vec<_> =
        stored.iter().map(|it| (it.strategy, it.instrument, it.quantity, it.cost, it.realised)).collect();
    assert_eq!(stored, expected);
}

fn everything(store: &mut Database) -> String {
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?}",
        store.account(SHARD).unwrap(),
        store.slots(SHARD).unwrap(),
        store.orders(SHARD, &OrderFilter::default(), None, 10_000).unwrap(),
        store.fills(SHARD, &FillFilter::default(), None, 10_000).unwrap(),
        store.trades(SHARD, &TradeFilter::default(), None, 10_000).unwrap(),
        store.positions(SHARD).unwrap(),
        store.equity(SHARD, None, 10_000).unwrap(),
        store.audit(SHARD, None, 10_000).unwrap(),
    )
}

fn writing_the_same_changes_again_leaves_the_same_rows(place: &Place) {
    let run = run(150);
    let mut store = committed(place, &run);
    let once = everything(&mut store);
    run.groups.iter().for_each(|group| store.commit(group).unwrap());
    assert_eq!(everything(&mut store), once);
    // The same in one group: rows that one group writes twice.
    let changes = run.groups.iter().flat_map(|group| group.changes.clone()).collect();
    store.commit(&Group { changes, ..Group::default() }).unwrap();
    assert_eq!(everything(&mut store), once);
}

fn a_restart_puts_wrong_positions_right(place: &Place) {
    // The run ends with open positions.
    let run = run(32);
    let mut store = committed(place, &run);
    assert_ne!(store.positions(SHARD).unwrap(), []);
    let stale = PositionRow { strategy: StrategyId(7), ..store.positions(SHARD).unwrap()[0].clone() };
    store.commit(&Group { changes: vec![Change::Position(stale)], ..Group::default() }).unwrap();

    let mut changes = Vec::new();
    let mut restarted = Projection::new(SHARD, &run.engine, Span::ZERO);
    restarted.account(&run.engine, Sequence(99), &mut changes).unwrap();
    store.commit(&Group { changes, ..Group::default() }).unwrap();
    assert_positions(&mut store, &run.engine);

    // Nothing has happened since, so there is nothing to write.
    let mut changes = Vec::new();
    restarted.account(&run.engine, Sequence(100), &mut changes).unwrap();
    assert_eq!(changes, []);
}

fn positions_that_open_and_close_are_right_after_each_group(place: &Place) {
    let mut store = place.writer();
    let mut engine = trading::engine();
    let mut projection = Projection::new(SHARD, &engine, Span::ZERO);
    let (mut open, mut closed) = (0, 0);
    for (sequence, input) in (1..).map(Sequence).zip(&trading::inputs(60)) {
        trading::step(&mut engine, input);
        let mut changes = Vec::new();
        projection.account(&engine, sequence, &mut changes).unwrap();
        store.commit(&Group { changes, ..Group::default() }).unwrap();
        assert_positions(&mut store, &engine);
        let now = store.positions(SHARD).unwrap().len();
        closed += usize::from(now < open);
        open = now;
    }
    assert!(closed > 0, "no position closes");
}

fn pages_follow_each_other_and_filters_narrow_them(place: &Place) {
    let run = run(300);
    let mut store = committed(place, &run);
    let all = store.fills(SHARD, &FillFilter::default(), None, 10_000).unwrap();
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let page = store.fills(SHARD, &FillFilter::default(), after, 7).unwrap();
        let Some(last) = page.last() else { break };
        after = Some(RowPlace { sequence: last.sequence, ordinal: last.ordinal });
        paged.extend(page);
    }
    assert_eq!(paged, all);
    let filter = FillFilter {
        instrument: Some(InstrumentId(1)),
        strategy: Some(StrategyId(0)),
        from: Some(Timestamp::from_seconds(60 * 60)),
        until: Some(Timestamp::from_seconds(60 * 120)),
        order: None,
    };
    let matches = |fill: &&FillRow| {
        fill.instrument == InstrumentId(1)
            && fill.strategy == StrategyId(0)
            && fill.time >= Timestamp::from_seconds(3_600)
            && fill.time < Timestamp::from_seconds(7_200)
    };
    let expected: Vec<_> = all.iter().filter(matches).cloned().collect();
    assert!(!expected.is_empty() && expected.len() < all.len());
    assert_eq!(store.fills(SHARD, &filter, None, 10_000).unwrap(), expected);
    let of_one = FillFilter { order: Some(expected[0].order_id), ..FillFilter::default() };
    assert!(store.fills(SHARD, &of_one, None, 10).unwrap().contains(&expected[0]));
    assert_eq!(store.fills(ShardId(2), &FillFilter::default(), None, 10).unwrap(), []);

    let orders = store.orders(SHARD, &OrderFilter::default(), None, 10_000).unwrap();
    let rejected = OrderFilter { state: Some(OrderState::Rejected), ..OrderFilter::default() };
    let expected: Vec<_> =
        orders.iter().filter(|order| order.state == OrderState::Rejected).cloned().collect();
    assert!(expected.len() > 2);
    assert_eq!(store.orders(SHARD, &rejected, None, 10_000).unwrap(), expected);
    assert_eq!(store.orders(SHARD, &rejected, Some(expected[0].id), 2).unwrap(), expected[1..3]);

    let strategy = Some(expected[0].strategy);
    let of_strategy = OrderFilter { strategy, instrument: Some(expected[0].instrument), ..rejected };
    let mut narrowed = expected.clone();
    narrowed
        .retain(|order| order.strategy == expected[0].strategy && order.instrument == expected[0].instrument);
    assert_eq!(store.orders(SHARD, &of_strategy, None, 10_000).unwrap(), narrowed);

    let trades = store.trades(SHARD, &TradeFilter::default(), None, 10_000).unwrap();
    let recent = TradeFilter { from: Some(trades[1].exit_time), ..TradeFilter::default() };
    let expected: Vec<_> =
        trades.iter().filter(|trade| trade.exit_time >= trades[1].exit_time).cloned().collect();
    assert_eq!(store.trades(SHARD, &recent, None, 10_000).unwrap(), expected);
}

fn orders_are_found_by_who_wanted_them(place: &Place) {
    let run = run(300);
    let mut store = committed(place, &run);
    let mut orders = store.orders(SHARD, &OrderFilter::default(), None, 10_000).unwrap();
    let stop = Origin::Exit(FillCause::StopLoss);
    for (row, origin) in orders.iter_mut().zip([Origin::Manual, stop, Origin::Strategy, Origin::Manual]) {
        origin.name().clone_into(&mut row.origin);
    }
    let changes = orders.iter().take(4).cloned().map(Change::Order).collect();
    store.commit(&Group { changes, ..Group::default() }).unwrap();
    for (origin, least) in [(Origin::Manual, 2), (stop, 1), (Origin::Strategy, 10)] {
        for strategy in [None, Some(StrategyId(0)), Some(StrategyId(1))] {
            let filter = OrderFilter { origin: Some(origin), strategy, ..OrderFilter::default() };
            let mut expected = orders.clone();
            expected.retain(|order| order.origin == origin.name());
            assert!(expected.len() >= least);
            expected.retain(|order| strategy.is_none_or(|strategy| order.strategy == strategy));
            assert_eq!(
                store.orders(SHARD, &filter, None, 10_000).unwrap(),
                expected,
                "{origin:?} {strategy:?}"
            );
        }
    }
}

fn amounts_of_any_size_come_back_to_the_last_digit(place: &Place) {
    let amounts = [
        "0",
        "1",
        "-1",
        "0.0000000000000000000000000001",
        "79228162514264337593543950335",
        "-79228162514264337593543950335",
        "7.9228162514264337593543950335",
        "10000",
        "99990000",
        "0.0001",
        "0.00010001",
        "12345678.0000000100000001",
        "1234567890123.4567890123456789",
        "100000000000000000000",
    ];
    let mut store = place.writer();
    let rows: Vec<FillRow> = (1..)
        .zip(amounts)
        .map(|(sequence, amount)| FillRow {
            shard: SHARD,
            sequence: Sequence(sequence),
            ordinal: 1,
            order_id: OrderId(sequence),
            strategy: StrategyId(0),
            tag: bulkhead_core::identifier::OrderTag(u32::MAX),
            instrument: InstrumentId(0),
            side: Side::Sell,
            quantity: Quantity(amount.parse().unwrap()),
            price: Price(amount.parse().unwrap()),
            fee: Money(amount.parse().unwrap()),
            time: Timestamp::from_nanos(i64::MAX),
            cause: FillCause::TakeProfit,
        })
        .collect();
    let changes = rows.iter().cloned().map(Change::Fill).collect();
    store.commit(&Group { changes, ..Group::default() }).unwrap();
    let mut stored = store.fills(SHARD, &FillFilter::default(), None, 100).unwrap();
    stored.reverse();
    assert_eq!(stored, rows);
    for (row, amount) in stored.iter().zip(amounts) {
        assert_eq!(
            row.fee.0.normalize().to_string(),
            amount.parse::<Decimal>().unwrap().normalize().to_string()
        );
    }
}

fn a_text_with_a_nul_byte_keeps_nothing_from_being_written(place: &Place) {
    let mut store = place.writer();
    let audit = AuditRow {
        shard: SHARD,
        sequence: Sequence(5),
        ordinal: 0,
        time: Timestamp::EPOCH,
        actor: "ann".to_owned(),
        action: "halt".to_owned(),
        subject: String::new(),
        detail: "a\0b".to_owned(),
    };
    store.commit(&Group { changes: vec![Change::Audit(audit)], ..Group::default() }).unwrap();
    assert_eq!(store.audit(SHARD, None, 9).unwrap()[0].detail, "a\u{fffd}b");
    assert_eq!(store.token("a\0b").unwrap(), None);
}

fn versions_settings_and_audit_are_kept(place: &Place) {
    let mut store = place.writer();
    let hash = ContentHash::of(b"plugin");
    let version = PluginVersionRow {
        hash,
        name: "momentum".to_owned(),
        version: "1.2.3".to_owned(),
        shard: SHARD,
        first_sequence: Sequence(5),
        wasm: (0..=255).cycle().take(300_000).collect(),
    };
    let later = PluginVersionRow { first_sequence: Sequence(9), ..version.clone() };
    let settings = |sequence| SettingsRow {
        shard: SHARD,
        sequence: Sequence(sequence),
        time: Timestamp::EPOCH,
        actor: "ann".to_owned(),
        settings: format!("{{\"n\":{sequence}}}"),
    };
    let audit = AuditRow {
        shard: SHARD,
        sequence: Sequence(5),
        ordinal: 0,
        time: Timestamp::EPOCH,
        actor: "ann".to_owned(),
        action: "deploy".to_owned(),
        subject: "momentum".to_owned(),
        detail: String::new(),
    };
    let changes = vec![
        Change::PluginVersion(version.clone()),
        Change::Settings(settings(1)),
        Change::Settings(settings(5)),
        Change::Audit(audit.clone()),
    ];
    store.commit(&Group { changes, ..Group::default() }).unwrap();
    store.commit(&Group { changes: vec![Change::PluginVersion(later)], ..Group::default() }).unwrap();
    assert_eq!(store.plugin_version(&hash).unwrap(), Some(version), "the first one stays");
    assert_eq!(store.plugin_versions().unwrap(), [hash]);
    assert_eq!(store.plugin_version(&ContentHash::of(b"other")).unwrap(), None);
    assert_eq!(store.settings(SHARD, None, 1).unwrap(), [settings(5)]);
    assert_eq!(store.settings(SHARD, Some(Sequence(5)), 9).unwrap(), [settings(1)]);
    assert_eq!(store.audit(SHARD, None, 9).unwrap(), [audit]);
}
