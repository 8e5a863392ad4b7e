//! Rules of single parts, on arbitrary inputs.

use bulkhead_core::allocation::{Claim, rebalance};
use bulkhead_core::bar_aggregation::BarAggregator;
use bulkhead_core::exits::{GuardedPosition, PositionKeeper};
use bulkhead_core::identifier::{InstrumentId, OrderId, OrderTag, StrategyId};
use bulkhead_core::instrument::Instrument;
use bulkhead_core::ledger::Ledger;
use bulkhead_core::market::Bar;
use bulkhead_core::money::{Money, Price, Quantity};
use bulkhead_core::order::{OrderTerms, Origin, Pricing, Side};
use bulkhead_core::strategy::{ExitPlan, FillCause, TakeProfit};
use bulkhead_core::time::{Span, Timestamp};
use bulkhead_core::venue::Venue as _;
use bulkhead_core::venue::paper::{BarPhase, PaperSettings, PaperVenue};
use bulkhead_core::venue::{Report, ReportedEvent};
use proptest::prelude::*;
use rust_decimal::Decimal;

const X: InstrumentId = InstrumentId(0);

fn money() -> impl Strategy<Value = Money> {
    // With and without digits behind the cent, as fees leave them.
    (0_i64..1_000_000_000_000, 0_u32..=12).prop_map(|(mantissa, scale)| Money(Decimal::new(mantissa, scale)))
}

prop_compose! {
    fn any_bar()(minute in 0_i64..1_000, open in 1.0..1_000.0_f64, path in prop::collection::vec(0.7..1.4_f64, 3),
                 volume in prop_oneof![Just(0.0), 0.001..1e6_f64]) -> Bar {
        let prices: Vec<f64> = path.iter().map(|step| open * step).collect();
        let high = prices.iter().fold(open, |high, price| high.max(*price));
        let low = prices.iter().fold(open, |low, price| low.min(*price));
        Bar {
            instrument: X,
            interval: Span::MINUTE,
            open_time: Timestamp::from_seconds(minute * 60),
            open,
            high,
            low,
            close: prices[0],
            volume,
        }
    }
}

proptest! {
    /// Money only moves: nothing is made or lost, nobody gives what is not free, and the pool never owes.
    #[test]
    fn rebalancing_moves_free_money_and_makes_none(
        pool in money(),
        parts in prop::collection::vec((money(), money(), 0_u32..=100), 1..6),
    ) {
        let mut ledger = Ledger::new();
        let mut claims = Vec::new();
        let all: u32 = parts.iter().map(|(_, _, weight)| *weight).sum();
        let scale = Decimal::from(all.max(100));
        for (cash, reserved, weight) in &parts {
            let strategy = ledger.open(None).unwrap();
            ledger.deposit(*cash).unwrap();
            ledger.transfer(strategy, *cash).unwrap();
            ledger.reserve(strategy, (*reserved).min(*cash)).unwrap();
            let free = ledger.sub_ledger(strategy).unwrap().free();
            claims.push(Claim { strategy, weight: Decimal::from(*weight) / scale, equity: *cash, free });
        }
        ledger.deposit(pool).unwrap();
        let equity = ledger.cash();
        for transfer in rebalance(equity, ledger.pool(), &claims).unwrap() {
            prop_assert!(ledger.transfer(transfer.strategy, transfer.amount).is_ok(), "{transfer:?}");
        }
        prop_assert_eq!(ledger.cash(), equity);
        prop_assert!(!ledger.pool().is_negative());
        for ((_, reserved, _), claim) in parts.iter().zip(&claims) {
            let books = ledger.sub_ledger(claim.strategy).unwrap();
            prop_assert!(!books.free().is_negative());
            prop_assert!(books.reserved() <= *reserved);
            // Nobody gets past the share, but for what could not be taken.
            let share = equity.scaled(claim.weight).unwrap();
            prop_assert!(books.cash() <= share.max(claim.equity));
        }
    }

    /// Against a recomputation that looks at all bars at once.
    #[test]
    fn longer_bars_are_those_of_a_naive_recomputation(
        present in prop::collection::vec(prop::bool::weighted(0.8), 1..120),
        first in 0_i64..30,
        length in prop::sample::select(vec![2_i64, 3, 5, 15]),
        seed in any::<u32>(),
    ) {
        let price = |minute: i64| 100.0 + f64::from(u32::try_from(minute).unwrap().wrapping_mul(seed | 1) % 97);
        let bars: Vec<Bar> = present.iter().zip(first..).filter(|(here, _)| **here).map(|(_, minute)| Bar {
            instrument: X,
            interval: Span::MINUTE,
            open_time: Timestamp::from_seconds(minute * 60),
            open: price(minute),
            high: price(minute) + 3.0,
            low: price(minute) - 2.0,
            close: price(minute) + 1.0,
            volume: 2.0,
        }).collect();
        let interval = Span::from_seconds(60 * length);
        let mut aggregator = BarAggregator::new(interval);
        let mut made = Vec::new();
        for bar in &bars {
            aggregator.update(bar, |longer| made.push((longer, bar.close_time())));
        }
        let mut naive = Vec::new();
        if let (Some(begin), Some(end)) = (bars.first(), bars.last()) {
            let mut start = begin.open_time.floor(interval);
            while start <= end.open_time {
                let inside: Vec<&Bar> = bars.iter().filter(|b| b.open_time.floor(interval) == start).collect();
                // Whole: it began after the data did, and its end or something later was seen.
                let whole = start >= begin.open_time && end.close_time() >= start.plus(interval);
                if let (Some(one), Some(last), true) = (inside.first(), inside.last(), whole) {
                    naive.push(Bar {
                        interval,
                        open_time: start,
                        high: inside.iter().fold(0.0, |high, b| b.high.max(high)),
                        low: inside.iter().fold(f64::INFINITY, |low, b| b.low.min(low)),
                        close: last.close,
                        volume: inside.iter().map(|b| b.volume).sum(),
                        ..**one
                    });
                }
                start = start.plus(interval);
            }
        }
        for (bar, known) in &made {
            prop_assert!(bar.close_time() <= *known, "{:?} was made before its end", bar);
        }
        prop_assert_eq!(made.into_iter().map(|(bar, _)| bar).collect::<Vec<_>>(), naive);
    }

    /// The stop of an unchanged position only rises; what a bar reaches is triggered once, at no better
    /// price than the stop or the open.
    #[test]
    fn stops_only_rise_and_fire_when_reached(
        stop_loss in prop::option::of(0.001..0.99_f64),
        trailing in prop::option::of(0.001..0.99_f64),
        breakeven in prop::option::of(0.001..0.5_f64),
        gain in 0.01..0.5_f64,
        tick in prop::sample::select(vec![Decimal::new(1, 2), Decimal::new(25, 2), Decimal::new(1, 6)]),
        bars in prop::collection::vec(any_bar(), 1..40),
    ) {
        let plan = ExitPlan {
            stop_loss, breakeven, trailing,
            take_profits: vec![TakeProfit { gain, share: 0.5 }],
            max_holding: None,
        };
        let mut instrument = Instrument::new("X-USD", 2, 3);
        instrument.tick = Price(tick);
        let mut keeper = PositionKeeper::new(1);
        let position = GuardedPosition {
            strategy: StrategyId(3),
            instrument: X,
            opened: Timestamp::EPOCH,
            entry: Price(Decimal::from(100)),
            entered: Quantity(Decimal::TEN),
        };
        keeper.guard_position(&position, Some(plan), &instrument);
        let mut before = keeper.guard(StrategyId(3), X).unwrap().stop();
        for bar in &bars {
            let mut triggered = Vec::new();
            keeper.stops_on_bar(bar, &mut triggered);
            let reached = before.is_some_and(|stop| bar.low <= stop.approximate());
            prop_assert_eq!(triggered.len(), usize::from(reached));
            for exit in &triggered {
                prop_assert!(exit.price <= before.unwrap().approximate());
                prop_assert!(exit.price <= bar.open && exit.price >= bar.low);
                prop_assert!(exit.quantity.is_none() && exit.cause != FillCause::TakeProfit);
            }
            keeper.after_bar(bar, &instrument);
            let after = keeper.guard(StrategyId(3), X).unwrap().stop();
            prop_assert!(after >= before, "{before:?} became {after:?}");
            before = after;
        }
    }

    /// No order is executed better than the market was, past its limit, before it arrived, for more than it
    /// asked for, or for more than its part of the volume.
    #[test]
    fn fills_are_possible_ones(
        buys in any::<bool>(),
        limit in prop::option::of(1_i64..150_000),
        lots in 1_i64..1_000_000_000,
        latency in prop::sample::select(vec![0_i64, 250, 61_000]),
        slippage_bps in 0.0..300.0_f64,
        impact_bps in 0.0..300.0_f64,
        participation in prop::option::of(0.001..1.0_f64),
        mut bars in prop::collection::vec(any_bar(), 1..20),
    ) {
        bars.sort_by_key(|bar| bar.open_time);
        bars.dedup_by_key(|bar| bar.open_time);
        let instrument = Instrument::new("X-USD", 2, 3);
        let settings = PaperSettings {
            latency: Span::from_millis(latency), slippage_bps, impact_bps, participation,
            ..PaperSettings::exact(Decimal::TEN)
        };
        let mut venue = PaperVenue::new(settings.clone(), 1);
        let (side, limit) = (if buys { Side::Buy } else { Side::Sell }, limit.map(|cents| Price(Decimal::new(cents, 2))));
        let quantity = Quantity(Decimal::new(lots, 3));
        let terms = OrderTerms {
            id: OrderId(1), strategy: StrategyId(0), tag: OrderTag(1), instrument: X, side, quantity,
            pricing: limit.map_or(Pricing::Market, Pricing::Limit),
            origin: Origin::Strategy, created: Timestamp::EPOCH, reference_price: Price(Decimal::ONE),
            confidence: 1.0, reason: String::new(), exits: None,
        };
        let mut reports: Vec<Report> = Vec::new();
        venue.accept(&terms, Timestamp::EPOCH, &mut reports);
        let mut filled = Decimal::ZERO;
        for bar in &bars {
            reports.clear();
            for phase in [BarPhase::Open, BarPhase::Buys, BarPhase::Sales] {
                venue.on_bar(bar, phase, &instrument, &mut reports);
            }
            let mut in_bar = Decimal::ZERO;
            for report in &reports {
                let ReportedEvent::Executed { quantity, price, fee } = &report.event else { continue };
                in_bar += quantity.0;
                prop_assert!(report.time >= Timestamp::EPOCH.plus(settings.latency));
                prop_assert!(report.time >= bar.open_time && report.time <= bar.close_time());
                let paid = price.approximate();
                match side {
                    Side::Buy => {
                        prop_assert!(paid >= bar.low * (1.0 - 1e-12), "{paid} in {bar:?}");
                        prop_assert!(limit.is_none_or(|limit| *price <= limit));
                    }
                    Side::Sell => {
                        prop_assert!(paid <= bar.high * (1.0 + 1e-12), "{paid} in {bar:?}");
                        prop_assert!(limit.is_none_or(|limit| *price >= limit));
                    }
                }
                prop_assert_eq!(Ok(*fee), settings.fee(price.value_of(*quantity).unwrap()));
            }
            filled += in_bar;
            if let (Some(part), true) = (participation, bar.volume > 0.0) {
                let most = part * bar.volume * (1.0 + 1e-9);
                prop_assert!(Money(in_bar).approximate() <= most, "{in_bar} of {}", bar.volume);
            }
        }
        prop_assert!(filled <= quantity.0);
    }

    /// Parts of a position cost what the whole did, to the last unit.
    #[test]
    fn shares_of_money_leave_no_rest(total in money(), lots in prop::collection::vec(1_i64..1_000_000, 1..8)) {
        let mut whole: i64 = lots.iter().sum();
        let mut left = total;
        for part in &lots {
            let share = left.share(Quantity(Decimal::new(*part, 3)), Quantity(Decimal::new(whole, 3))).unwrap();
            prop_assert!(!share.is_negative() && share <= left);
            prop_assert_eq!(share, share.rounded_down());
            left = left.minus(share).unwrap();
            whole -= part;
        }
        prop_assert_eq!(left, Money::ZERO);
    }
}
