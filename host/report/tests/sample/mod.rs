//! A made-up run with exact books: two instruments that wander, a rule that follows the trend and one that
//! trades against it, faults, refusals and a halt. The same arguments give the same run.

#![expect(clippy::unwrap_used, reason = "the numbers are made here and fit")]

use std::collections::BTreeMap;

use bulkhead_core::identifier::{ContentHash, InstrumentId, OrderId, OrderTag, StrategyId};
use bulkhead_core::input::{Actor, HaltAction, StrategyMode};
use bulkhead_core::market::Bar;
use bulkhead_core::money::{Money, Price, Quantity};
use bulkhead_core::order::{Fill, OrderState, OrderTerms, Origin, Pricing, Side};
use bulkhead_core::output::{
    ClosedTrade, Consequence, FaultReport, OrderChange, Output, RefusedProposal, TradingState,
};
use bulkhead_core::risk::{Refusal, RefusalCode};
use bulkhead_core::strategy::{FaultKind, FillCause};
use bulkhead_core::time::{Span, Timestamp};
use bulkhead_report::{
    DataFile, Final, OpenPosition, Performance, Recorder, RecorderSettings, Report, Slot, StrategyVersion,
};
use rust_decimal::Decimal;

/// What a sample run is made of.
pub(crate) struct Sample {
    /// Bars of each instrument.
    pub(crate) bars: i64,
    /// Their length.
    pub(crate) interval: Span,
    /// Names of the slots; the last one is a shadow.
    pub(crate) slots: [&'static str; 3],
    /// What orders are worth.
    pub(crate) notional: i64,
    /// Bars over which prices are averaged.
    pub(crate) patience: f64,
    /// How far from the average the price must be for a trade, as a fraction.
    pub(crate) band: f64,
}

const START: i64 = 1_640_995_200;
const SYMBOLS: [&str; 2] = ["BTC-USD", "ETH-USD"];
const CAUSES: [FillCause; 5] = [
    FillCause::StopLoss,
    FillCause::TrailingStop,
    FillCause::TakeProfit,
    FillCause::TimeStop,
    FillCause::Breakeven,
];

/// Numbers that look random (a 64-bit linear congruential generator with Knuth's constants).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(self.0 >> 32).unwrap()
    }

    /// Evenly from −1 to 1.
    fn centred(&mut self) -> f64 {
        f64::from(self.next()) / f64::from(u32::MAX) * 2.0 - 1.0
    }
}

struct Position {
    time: Timestamp,
    price: Decimal,
    quantity: Decimal,
    fee: Decimal,
    bars: u32,
}

/// What the second slot says tries to become markup, and to steer a terminal; the third says nothing.
fn reason(slot: u32, side: Side) -> String {
    match (slot, side) {
        (0, Side::Buy) => "above its average, which rises",
        (0, Side::Sell) => "below its average",
        (1, _) => "<b onclick=alert(1)> \u{1b}[31m & \"far\" from </td>",
        _ => "",
    }
    .to_owned()
}

struct Run {
    recorder: Recorder,
    cash: Decimal,
    positions: BTreeMap<(u32, u32), Position>,
    orders: u64,
}

impl Run {
    fn trade(
        &mut self,
        slot: u32,
        instrument: u32,
        time: Timestamp,
        price: f64,
        quantity: Option<Decimal>,
        cause: FillCause,
    ) {
        let price = Decimal::try_from(price).unwrap().round_dp(2);
        let side = if quantity.is_some() { Side::Buy } else { Side::Sell };
        let held =
            self.positions.get(&(slot, instrument)).map_or(Decimal::ZERO, |position| position.quantity);
        let quantity = quantity.unwrap_or(held);
        let fee = (price * quantity * Decimal::new(5, 5)).round_dp(8);
        self.orders += 1;
        let (order, strategy, tag) = (OrderId(self.orders), StrategyId(slot), OrderTag(0));
        let (id, quantity_traded) = (InstrumentId(instrument), Quantity(quantity));
        self.recorder.output(&Output::OrderAccepted(OrderTerms {
            id: order,
            strategy,
            tag,
            instrument: id,
            side,
            quantity: quantity_traded,
            pricing: Pricing::Market,
            origin: if cause == FillCause::Order { Origin::Strategy } else { Origin::Exit(cause) },
            created: time,
            reference_price: Price(price),
            confidence: 0.5,
            reason: if cause == FillCause::Order { reason(slot, side) } else { String::new() },
            exits: None,
        }));
        let changed = |state| {
            Output::OrderChanged(OrderChange {
                order,
                strategy,
                time,
                state,
                filled: quantity_traded,
                reason: String::new(),
            })
        };
        if self.orders.is_multiple_of(41) {
            self.recorder.output(&changed(OrderState::Rejected));
            return;
        }
        self.recorder.output(&changed(OrderState::Filled));
        self.recorder.output(&Output::Filled(Fill {
            order,
            strategy,
            tag,
            instrument: id,
            side,
            quantity: quantity_traded,
            price: Price(price),
            fee: Money(fee),
            time,
            cause,
        }));
        let counts = slot != 2;
        if side == Side::Buy {
            self.positions.insert((slot, instrument), Position { time, price, quantity, fee, bars: 0 });
            if counts {
                self.cash -= price * quantity + fee;
            }
            return;
        }
        let entry = self.positions.remove(&(slot, instrument)).unwrap();
        if counts {
            self.cash += price * quantity - fee;
        }
        self.recorder.output(&Output::TradeClosed(ClosedTrade {
            strategy,
            instrument: id,
            side: Side::Buy,
            entry_time: entry.time,
            exit_time: time,
            entry_price: Price(entry.price),
            exit_price: Price(price),
            quantity: quantity_traded,
            fees: Money(entry.fee + fee),
            pnl: Money((price - entry.price) * quantity - entry.fee - fee),
            exit_reason: cause,
        }));
    }

    /// Equity, and the positions' part of it.
    fn worth(&self, closes: [Decimal; 2]) -> (Decimal, Decimal) {
        let held: Decimal = self
            .positions
            .iter()
            .filter(|((slot, _), _)| *slot != 2)
            .map(|((_, instrument), position)| position.quantity * closes[*instrument as usize])
            .sum();
        (self.cash + held, held)
    }
}

/// Plays the run and reports on it.
pub(crate) fn sample(sample: &Sample) -> Report {
    let mut settings = RecorderSettings::new(Money(Decimal::from(10_000)));
    settings.instruments = SYMBOLS.map(str::to_owned).to_vec();
    let modes = [StrategyMode::Live, StrategyMode::Live, StrategyMode::Shadow];
    settings.slots = (0..)
        .zip(sample.slots.iter().zip(modes))
        .map(|(id, (name, mode))| Slot { id: StrategyId(id), name: (*name).to_owned(), mode })
        .collect();
    let mut run = Run {
        recorder: Recorder::new(settings),
        cash: Decimal::from(10_000),
        positions: BTreeMap::new(),
        orders: 0,
    };
    let mut numbers = Numbers(7);
    let mut closes = [46_300.0, 3_700.0];
    let mut slow = closes;
    let mut exact_closes = [Decimal::ZERO; 2];
    let mut trend = 0.0;
    for step in 0..sample.bars {
        let open_time = Timestamp::from_seconds(START).plus(sample.interval.times(step));
        let time = open_time.plus(sample.interval);
        let common = numbers.centred();
        trend = 0.99 * trend + 0.000_012 * numbers.centred();
        for instrument in 0..2_u32 {
            let index = instrument as usize;
            let open = closes[index];
            let change = trend + 0.002 * common + 0.0015 * numbers.centred();
            let close = ((open * (1.0 + change)) * 100.0).round() / 100.0;
            let high = open.max(close) * (1.0 + 0.0008 * numbers.centred().abs());
            let low = open.min(close) * (1.0 - 0.0008 * numbers.centred().abs());
            let volume = (10.0 * (1.0 + change.abs() * 900.0 + numbers.centred().abs())).round();
            let (high, low) = ((high * 100.0).ceil() / 100.0, (low * 100.0).floor() / 100.0);
            let bar = Bar {
                instrument: InstrumentId(instrument),
                interval: sample.interval,
                open_time,
                open,
                high,
                low,
                close,
                volume,
            };
            run.recorder.bar(&bar);
            closes[index] = close;
            exact_closes[index] = Decimal::try_from(close).unwrap().round_dp(2);
            slow[index] += (close - slow[index]) / sample.patience;
            let above = close > slow[index] * (1.0 + sample.band);
            let below = close < slow[index] * (1.0 - sample.band);
            for slot in 0..3_u32 {
                let (enter, leave) = if slot == 0 { (above, below) } else { (below, above) };
                let held = run.positions.get_mut(&(slot, instrument)).map(|position| {
                    position.bars += 1;
                    position.bars
                });
                let chance = numbers.next();
                match held {
                    None if enter && chance.is_multiple_of(29) => {
                        run.recorder.output(&Output::Refused(RefusedProposal {
                            strategy: StrategyId(slot),
                            instrument: InstrumentId(instrument),
                            side: Side::Buy,
                            time,
                            refusal: Refusal {
                                code: [
                                    RefusalCode::ExposureLimit,
                                    RefusalCode::StrategyShare,
                                    RefusalCode::Cooldown,
                                ][(chance as usize / 29) % 3],
                                facts: "limit=1".to_owned(),
                            },
                        }));
                    }
                    None if enter && chance.is_multiple_of(3) => {
                        let quantity = (Decimal::from(sample.notional) / exact_closes[index]).round_dp(6);
                        run.trade(slot, instrument, time, close, Some(quantity), FillCause::Order);
                    }
                    Some(_) if leave => run.trade(slot, instrument, time, close, None, FillCause::Order),
                    Some(bars) if bars > 6 && chance.is_multiple_of(5) && chance.is_multiple_of(17) => {
                        let cause = CAUSES[(chance as usize / 85) % CAUSES.len()];
                        run.trade(slot, instrument, time, close, None, cause);
                    }
                    _ => {}
                }
            }
        }
        if step == sample.bars / 3 {
            run.recorder.output(&Output::StrategyFault(FaultReport {
                strategy: StrategyId(1),
                version: ContentHash::of(b"second"),
                time,
                event: u64::try_from(step).unwrap(),
                fault: FaultKind::Trap("index out of bounds in <on_events> & \u{1b}[31mred".to_owned()),
                call: None,
                consequence: Consequence::RestartAt(time.plus(Span::MINUTE)),
            }));
        }
        if step == sample.bars / 2 {
            for (halted, reason) in [(true, "daily loss of 5 %"), (false, "the operator resumed")] {
                run.recorder.output(&Output::TradingState(TradingState {
                    time,
                    halted,
                    reason: reason.to_owned(),
                    actor: Actor::Person("anna".to_owned()),
                    action: halted.then_some(HaltAction::StopEntries),
                }));
            }
        }
        let (equity, held) = run.worth(exact_closes);
        let (equity, held) = (Money(equity).approximate(), Money(held).approximate());
        run.recorder.equity(time, equity, held / equity);
    }
    finish(run, exact_closes, sample)
}

fn finish(run: Run, closes: [Decimal; 2], sample: &Sample) -> Report {
    let (equity, _) = run.worth(closes);
    let open_positions = run
        .positions
        .iter()
        .filter(|((slot, _), _)| *slot != 2)
        .map(|((slot, instrument), position)| {
            let mark = closes[*instrument as usize];
            OpenPosition {
                strategy: StrategyId(*slot),
                instrument: InstrumentId(*instrument),
                side: Side::Buy,
                entry_time: position.time,
                entry_price: Price(position.price),
                quantity: Quantity(position.quantity),
                mark_price: Price(mark),
                fees: Money(position.fee),
                unrealised_pnl: Money((mark - position.price) * position.quantity - position.fee),
            }
        })
        .collect();
    let bars = u64::try_from(sample.bars).unwrap();
    let data = SYMBOLS.iter().map(|symbol| DataFile {
        symbol: (*symbol).to_owned(),
        sha256: ContentHash::of(symbol.as_bytes()).to_string(),
        bars,
    });
    let strategies = sample.slots.iter().map(|name| StrategyVersion {
        name: (*name).to_owned(),
        version: "0.1.0".to_owned(),
        sha256: ContentHash::of(name.as_bytes()).to_string(),
    });
    let end = Final {
        equity: Money(equity),
        open_positions,
        settings: serde_json::json!({ "cash": "10000", "fee_bps": 10, "fill": "next-open", "note": "</script><!-- " }),
        data: data.collect(),
        strategies: strategies.collect(),
        digest: ContentHash::of(b"orders and fills").to_string(),
        performance: Performance::new(2 * bars, 0.25, Some(48_300_000)),
    };
    run.recorder.finish(end)
}
