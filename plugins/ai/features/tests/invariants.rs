//! What holds for every row: nothing of the future, bounds, the same bits after a restart, neutral where nothing is
//! known.

#![expect(clippy::float_cmp, reason = "flags and these numbers have no rounding")]

mod history;

use bulkhead_ai_features::{COUNT, Extractor, FEATURES, LIMIT, Name, Row, SignalKind, WARM_UP_BARS, schema};
use bulkhead_sdk::{Bar, Quote, Timestamp};
use proptest::prelude::*;

use history::{Event, bar, feed, market, rows};

fn bits(row: &Row) -> [u32; COUNT] {
    row.values().map(f32::to_bits)
}

#[test]
fn no_row_depends_on_what_came_later() {
    let events = market(3, 400);
    let whole = rows(&events);
    let other = market(99, 400);
    for cut in [1, 10, 200, 500, 900, 1_000] {
        let truncated = rows(&events[..cut]);
        let changed: Vec<Event> = events[..cut].iter().chain(&other).copied().collect();
        let changed = rows(&changed);
        for place in 0..cut {
            let expected = whole[place].as_ref().map(bits);
            assert_eq!(truncated[place].as_ref().map(bits), expected, "cut {cut}, event {place}");
            assert_eq!(changed[place].as_ref().map(bits), expected, "cut {cut}, event {place}");
        }
    }
}

#[test]
fn a_quote_or_signal_counts_from_the_next_bar_on() {
    let close = |minute: u32| Event::Bar(bar(0, 60 * minute, [10.0, 11.0, 9.0, 10.5], 1.0));
    let quote = Event::Quote(quote(120, 10.0, 10.1));
    let signal = Event::Signal(0, SignalKind::Sentiment, Timestamp::from_seconds(120), 0.5);
    let with = rows(&[close(0), close(1), quote, signal, close(2), close(3), close(4)]);
    let without = rows(&[close(0), close(1), close(2)]);
    assert_eq!(with[1].as_ref().map(bits), without[1].as_ref().map(bits));
    let known = |place: usize| {
        let row: Row = with[place].unwrap();
        (row.get(Name::QuoteKnown), row.get(Name::SentimentKnown), row.get(Name::Sentiment))
    };
    assert_eq!(known(4), (1.0, 1.0, 0.5));
    assert_eq!(known(5), (1.0, 1.0, 0.5), "120 seconds old");
    assert_eq!(known(6), (0.0, 1.0, 0.5), "180 seconds old");
}

#[test]
fn signals_are_forgotten_in_time() {
    let mut extractor = Extractor::new();
    for kind in SignalKind::ALL {
        extractor.on_signal(0, kind, Timestamp::from_seconds(60), 0.75);
        assert_eq!(SignalKind::from_name(kind.name()), Some(kind));
    }
    let mut known_at = |minute: u32| {
        let row = extractor.on_bar(&bar(0, 60 * minute, [1.0; 4], 0.0)).unwrap();
        let flags = [
            Name::SentimentKnown,
            Name::MentionsKnown,
            Name::CommunityKnown,
            Name::HolderRiskKnown,
            Name::LiquidityRiskKnown,
        ];
        (flags.map(|flag| row.get(flag)), row.get(Name::CommunityScore), row.get(Name::LiquidityRisk))
    };
    assert_eq!(known_at(60), ([1.0; 5], 0.5, 0.75));
    assert_eq!(known_at(61), ([0.0, 0.0, 1.0, 1.0, 1.0], 0.5, 0.75));
    assert_eq!(known_at(1_440), ([0.0, 0.0, 1.0, 1.0, 1.0], 0.5, 0.75));
    assert_eq!(known_at(1_441), ([0.0; 5], 0.0, 0.0));
}

#[test]
fn what_is_not_known_is_neutral() {
    let row = rows(&[Event::Bar(bar(0, 6_000, [5.0; 4], 0.0))])[0].unwrap();
    let clock = [
        Name::DaySine,
        Name::DayCosine,
        Name::WeekSine,
        Name::WeekCosine,
        Name::HourSine,
        Name::HourCosine,
        Name::Weekend,
        Name::UsSession,
    ];
    for (name, feature) in Name::ALL.into_iter().zip(FEATURES) {
        if !clock.contains(&name) {
            assert_eq!(row.get(name).to_bits(), feature.neutral.to_bits(), "{}", feature.name);
        }
    }
    assert_eq!(Row::neutral().values()[..], FEATURES.map(|feature| feature.neutral)[..]);
}

#[test]
fn goes_on_with_the_same_bits_after_a_restart() {
    let events = market(4, 400);
    let whole = rows(&events);
    for cut in [0, 1, 50, 333, 700, 1_000] {
        let mut extractor = Extractor::new();
        events[..cut].iter().for_each(|event| {
            feed(&mut extractor, event);
        });
        let saved = postcard::to_allocvec(&extractor).unwrap();
        let mut restored: Extractor = postcard::from_bytes(&saved).unwrap();
        for (place, event) in events.iter().enumerate().skip(cut) {
            let row = feed(&mut restored, event);
            assert_eq!(row.as_ref().map(bits), whole[place].as_ref().map(bits), "cut {cut}, event {place}");
        }
        assert!(saved.len() < 200_000, "{} bytes", saved.len());
    }
}

#[test]
fn numbers_of_instruments_can_change() {
    let mut extractor = Extractor::new();
    for event in market(5, 300) {
        feed(&mut extractor, &event);
    }
    let mut renumbered = extractor.clone();
    renumbered.renumber(|instrument| [Some(7), None, Some(1)][instrument as usize]);
    assert!(renumbered.is_ready(7) && renumbered.is_ready(1) && !renumbered.is_ready(0));
    let next = bar(0, history::START + 60 * 300, [30_000.0, 30_010.0, 29_990.0, 30_005.0], 3.0);
    let expected = extractor.on_bar(&next).unwrap();
    assert_eq!(bits(&renumbered.on_bar(&Bar { instrument: 7, ..next }).unwrap()), bits(&expected));
}

#[test]
fn is_ready_when_every_window_is_full() {
    let mut extractor = Extractor::new();
    let events = market(6, WARM_UP_BARS + 1);
    // The last to come are scores of 240 values that need 15 bars each.
    let mut last_neutral = 0;
    let mut bars = 0;
    for event in events.iter().filter(|event| matches!(event, Event::Bar(bar) if bar.instrument == 0)) {
        bars += 1;
        let row = feed(&mut extractor, event).unwrap();
        if row.get(Name::VolatilityScore240) == 0.0 {
            last_neutral = bars;
        }
        assert_eq!(extractor.is_ready(0), bars >= WARM_UP_BARS);
    }
    assert!(last_neutral < WARM_UP_BARS && last_neutral > 240, "{last_neutral}");
}

#[test]
fn skips_what_is_no_bar_of_a_minute() {
    let good = bar(0, 600, [2.0, 3.0, 1.0, 2.5], 1.0);
    let skipped = [
        Bar { interval: 300, ..good },
        Bar { close: f64::NAN, ..good },
        Bar { low: 0.0, ..good },
        Bar { low: -1.0, ..good },
        Bar { high: 2.2, ..good },
        Bar { high: f64::INFINITY, ..good },
        Bar { open: 0.5, ..good },
    ];
    let mut extractor = Extractor::new();
    for bar in skipped {
        assert!(extractor.on_bar(&bar).is_none(), "{bar:?}");
    }
    assert!(extractor.on_bar(&good).is_some());
    assert!(extractor.on_bar(&good).is_none(), "the same minute again");
    assert!(extractor.on_bar(&bar(0, 540, [2.0; 4], 1.0)).is_none(), "an earlier one");
}

fn quote(seconds: u32, bid: f64, ask: f64) -> Quote {
    let time = Timestamp::from_seconds(seconds);
    Quote { instrument: 0, time, bid, ask, bid_size: 1.0, ask_size: 2.0, liquidity: 5e5 }
}

/// Numbers that feeds should never give, among some that they do.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => 0.5..2.0f64,
        2 => 1e-9..1e9f64,
        1 => any::<f64>(),
        1 => prop::sample::select(vec![0.0, -0.0, f64::NAN, f64::INFINITY, f64::MAX, 5e-324, 1e15, 1e-15]),
    ]
}

fn any_event() -> impl Strategy<Value = Event> {
    let bar = (0..2u32, 0..400u32, [number(), number(), number(), number()], number()).prop_map(
        |(instrument, minute, prices, volume)| {
            // Mostly in order, so that bars are taken.
            let [open, close, a, b] = prices;
            let high = [open, close, a, b].into_iter().fold(f64::MIN, f64::max);
            let low = [open, close, a, b].into_iter().fold(f64::MAX, f64::min);
            Event::Bar(bar(instrument, 60 * minute, [open, high, low, close], volume))
        },
    );
    let quote = (0..2u32, 0..24_000u32, [number(), number(), number(), number(), number()]).prop_map(
        |(instrument, seconds, [bid, ask, bid_size, ask_size, liquidity])| {
            let time = Timestamp::from_seconds(seconds);
            Event::Quote(Quote { instrument, time, bid, ask, bid_size, ask_size, liquidity })
        },
    );
    let signal =
        (0..2u32, 0..5usize, 0..24_000u32, number()).prop_map(|(instrument, kind, seconds, value)| {
            Event::Signal(instrument, SignalKind::ALL[kind], Timestamp::from_seconds(seconds), value)
        });
    prop_oneof![6 => bar, 1 => quote, 1 => signal]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rows_are_finite_and_bounded_whatever_comes(
        mut events in prop::collection::vec(any_event(), 1..900),
        in_order in any::<bool>(),
    ) {
        if in_order {
            let mut minute = 0;
            for event in &mut events {
                if let Event::Bar(bar) = event {
                    minute += 1;
                    bar.open_time = Timestamp::from_seconds(60 * minute);
                }
            }
        }
        let mut extractor = Extractor::new();
        for event in &events {
            if let Some(row) = feed(&mut extractor, event) {
                for (value, feature) in row.values().iter().zip(FEATURES) {
                    prop_assert!(value.is_finite() && value.abs() <= LIMIT, "{}: {value}", feature.name);
                    let is_flag = feature.name.ends_with("_known");
                    prop_assert!(!is_flag || *value == 0.0 || *value == 1.0, "{}: {value}", feature.name);
                }
            }
        }
        let saved = postcard::to_allocvec(&extractor).unwrap();
        prop_assert!(postcard::from_bytes::<Extractor>(&saved).is_ok());
    }
}

/// The bits of all rows of a made-up market in one number.
fn fingerprint() -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for row in rows(&market(7, 400)).iter().flatten() {
        for byte in row.values().iter().flat_map(|value| value.to_bits().to_le_bytes()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}

/// A model must not be asked about rows that are computed in another way than those that it has learnt from. When this
/// fails, raise `REVISION` in `table.rs` unless a definition changed too, and train the shipped model anew.
#[test]
fn another_way_of_computing_is_another_schema() {
    assert_eq!((schema().as_str(), fingerprint()), ("858645cb05d13d45", 15_627_045_959_487_391_682));
}
