//! A million random bars against a reference that computes in whole ticks.

use bulkhead_sdk::harness::{Harness, Setup};
use sma_crossover::{Settings, SmaCrossover};

const BARS: usize = 1_000_000;

/// Knuth's MMIX generator; its high bits are random enough to make prices.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// What the rule wants after each bar, by sums of whole ticks.
struct Reference {
    closes: Vec<i128>,
    fast: usize,
    slow: usize,
    wants_long: bool,
}

impl Reference {
    fn next(&mut self, ticks: i128) -> (bool, bool) {
        self.closes.push(ticks);
        let Some(first) = self.closes.len().checked_sub(self.slow) else { return (false, false) };
        let slow: i128 = self.closes[first..].iter().sum();
        let fast: i128 = self.closes[self.closes.len() - self.fast..].iter().sum();
        // fast / fast_length against slow / slow_length, multiplied out.
        let (left, right) = (fast * self.slow as i128, slow * self.fast as i128);
        if left != right {
            self.wants_long = left > right;
        }
        (self.wants_long, left == right)
    }
}

/// Runs both and returns how many trades and how many bars with equal averages there were.
fn compare(base: i128, spread: u64, decimals: i32, bars: usize) -> (usize, usize) {
    let settings = Settings::default();
    let mut harness: Harness<SmaCrossover> =
        Setup::new().parameters(&settings).start().expect("the defaults are allowed");
    let mut reference = Reference { closes: Vec::new(), fast: 10, slow: 30, wants_long: false };
    let mut random = Random(spread);
    let (mut trades, mut ties, mut is_long) = (0, 0, false);
    for bar in 0..bars {
        // Runs of equal prices make ties of the averages frequent.
        let ticks = match reference.closes.last() {
            Some(last) if random.below(3) > 0 => *last,
            _ => base + i128::from(random.below(spread)),
        };
        let (wants_long, is_tie) = reference.next(ticks);
        ties += usize::from(is_tie);
        // The double nearest to the decimal, as a feed would parse it.
        let price = ticks as f64 / 10_f64.powi(decimals);
        let actions = harness.close(price);
        if wants_long == is_long {
            assert!(actions.is_empty(), "bar {bar}: nothing was to be done, but {actions:?}");
        } else {
            assert_eq!(actions.len(), 1, "bar {bar}: a trade was due");
            assert!(
                if wants_long { actions[0].is_buy() } else { actions[0].is_close() },
                "bar {bar}: {actions:?}"
            );
            trades += 1;
            is_long = wants_long;
        }
    }
    (trades, ties)
}

#[test]
fn a_million_bars_of_few_ticks_match_the_reference() {
    let (trades, ties) = compare(4_631_901, 3, 2, BARS);
    assert!(trades > 10_000 && ties > 10_000, "too tame a series: {trades} trades, {ties} ties");
}

#[test]
fn large_and_small_prices_match_the_reference() {
    for (base, spread, decimals) in [(1, 4, 8), (99_999_999_990, 20, 2), (1_000_003, 5, 4), (7, 1_000_000, 6)]
    {
        let (trades, _) = compare(base, spread, decimals, BARS / 10);
        assert!(trades > 1_000, "too tame a series: {trades} trades");
    }
}
