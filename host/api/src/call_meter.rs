//! What the calls of a strategy cost. The thread that calls it counts, with plain loads and stores and no lock; whoever
//! wants to know reads at any moment, and may find a call counted in one figure and not yet in another. They are read in the
//! reverse of the order in which they are written, so that no part is ever more than its whole.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

/// Shortest time that is told apart: 2⁷ ns; all shorter ones are one.
const SHORTEST: u32 = 7;

/// Longest: 2³⁵ ns, half a minute and more than any deadline; all longer ones are one.
const LONGEST: u32 = 35;

/// Each doubling of the time is told apart in so many steps, so that a quantile is at most an eighth too long.
const STEPS: usize = 8;

const BUCKETS: usize = (LONGEST - SHORTEST) as usize * STEPS + 1;

/// Counts one strategy's calls with events. Only one thread may count at a time.
#[derive(Debug)]
pub struct CallMeter {
    budget: u64,
    calls: AtomicU64,
    fuel: AtomicU64,
    last_fuel: AtomicU64,
    most_fuel: AtomicU64,
    timed_nanos: AtomicU64,
    longest_nanos: AtomicU64,
    timed: [AtomicU64; BUCKETS],
}

impl CallMeter {
    /// Of a strategy each call of which may use so much fuel.
    pub(crate) fn new(budget: u64) -> Self {
        Self {
            budget,
            calls: AtomicU64::new(0),
            fuel: AtomicU64::new(0),
            last_fuel: AtomicU64::new(0),
            most_fuel: AtomicU64::new(0),
            timed_nanos: AtomicU64::new(0),
            longest_nanos: AtomicU64::new(0),
            timed: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// A call used so much fuel and took so long, if that was measured.
    pub fn called(&self, fuel: u64, took: Option<Duration>) {
        add(&self.calls, 1);
        add(&self.fuel, fuel);
        raise(&self.most_fuel, fuel);
        self.last_fuel.store(fuel, Ordering::Release);
        if let Some(took) = took {
            let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
            add(&self.timed_nanos, nanos);
            raise(&self.longest_nanos, nanos);
            if let Some(bucket) = self.timed.get(bucket(nanos)) {
                add(bucket, 1);
            }
        }
    }

    /// Begins anew.
    pub(crate) fn reset(&self) {
        let single = [
            &self.calls,
            &self.fuel,
            &self.last_fuel,
            &self.most_fuel,
            &self.timed_nanos,
            &self.longest_nanos,
        ];
        for counter in single.into_iter().chain(&self.timed) {
            counter.store(0, Ordering::Relaxed);
        }
    }

    /// What was counted so far.
    pub(crate) fn read(&self) -> Calls {
        let read = |counter: &AtomicU64| counter.load(Ordering::Acquire);
        let buckets = self.timed.iter().map(read).collect();
        let (longest_nanos, timed_nanos) = (read(&self.longest_nanos), read(&self.timed_nanos));
        let (last, most) = (read(&self.last_fuel), read(&self.most_fuel));
        let total = read(&self.fuel);
        let calls = read(&self.calls);
        let fuel = Fuel { total, last, most, budget: self.budget };
        Calls { calls, fuel, timed_nanos, longest_nanos, buckets }
    }
}

/// Without a bus lock, as nobody else writes.
fn add(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(by), Ordering::Release);
}

fn raise(counter: &AtomicU64, to: u64) {
    if to > counter.load(Ordering::Relaxed) {
        counter.store(to, Ordering::Release);
    }
}

/// Where a time is counted. Bucket 0 holds what is shorter than the shortest; each bucket excludes its bound.
fn bucket(nanos: u64) -> usize {
    let exponent = 63 - nanos.max(1).leading_zeros();
    if exponent < SHORTEST {
        return 0;
    }
    if exponent >= LONGEST {
        return BUCKETS - 1;
    }
    // The bits after the highest say which step it is.
    let step = (nanos >> (exponent - STEPS.trailing_zeros())) & (STEPS as u64 - 1);
    (exponent - SHORTEST) as usize * STEPS + usize::try_from(step).unwrap_or(0) + 1
}

/// The bound that a bucket's times are shorter than, in nanoseconds.
fn bound(bucket: usize) -> u64 {
    let (octave, step) = (bucket / STEPS, bucket % STEPS);
    let start = 1_u64 << (SHORTEST as usize + octave).min(62);
    start + (start >> STEPS.trailing_zeros()) * step as u64
}

/// What was counted of a strategy's calls at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Calls {
    pub(crate) calls: u64,
    pub(crate) fuel: Fuel,
    timed_nanos: u64,
    longest_nanos: u64,
    buckets: Vec<u64>,
}

impl Calls {
    pub(crate) fn latency(&self) -> Latency {
        let timed: u64 = self.buckets.iter().sum();
        let quantile = |part| self.quantile(timed, part);
        Latency {
            timed,
            p50_seconds: quantile(50),
            p99_seconds: quantile(99),
            longest_seconds: (timed > 0).then(|| seconds(self.longest_nanos)),
        }
    }

    /// The time that so many of a hundred timed calls kept within, rounded up to a bucket's bound.
    fn quantile(&self, timed: u64, of_hundred: u64) -> Option<f64> {
        let rank = timed.saturating_mul(of_hundred).div_ceil(100);
        let mut so_far = 0;
        let within = self.buckets.iter().position(|count| {
            so_far += count;
            so_far >= rank
        });
        let nanos = within.filter(|_| timed > 0).map(|within| bound(within).min(self.longest_nanos));
        nanos.map(seconds)
    }

    /// Sum of all timed calls, in seconds.
    pub(crate) fn timed_seconds(&self) -> f64 {
        seconds(self.timed_nanos)
    }

    /// How many timed calls were shorter than each of these bounds, in seconds: a power of two of nanoseconds each.
    pub(crate) fn cumulative(&self) -> Vec<(f64, u64)> {
        // Every second octave is enough for a graph.
        let octaves = (SHORTEST + 2..LONGEST).step_by(2);
        octaves
            .map(|exponent| {
                let below = (exponent - SHORTEST) as usize * STEPS + 1;
                let count = self.buckets.iter().take(below).sum();
                (seconds(1 << exponent), count)
            })
            .collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a double counts nanoseconds exactly for a hundred days")]
fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

/// What the calls of a strategy used of its fuel (instructions) since the host started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct Fuel {
    /// Of all calls together.
    pub total: u64,
    /// Of the last call.
    pub last: u64,
    /// Of the call that used most.
    pub most: u64,
    /// What one call may use; 0 when nothing is known of the strategy's calls.
    pub budget: u64,
}

/// How long the calls of a strategy took since the host started. When there are more than a thousand a second, some of them
/// are timed.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, ToSchema)]
pub struct Latency {
    /// How many calls were timed.
    pub timed: u64,
    /// Half of them took no longer, at most an eighth too high; null before the first.
    pub p50_seconds: Option<f64>,
    /// 99 of a hundred took no longer, at most an eighth too high; null before the first.
    pub p99_seconds: Option<f64>,
    /// None took longer; null before the first.
    pub longest_seconds: Option<f64>,
}

/// What the calls of a strategy cost since the host started, as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CallCosts {
    /// How often it was handed events.
    pub calls: u64,
    /// What it used of its fuel.
    pub fuel: Fuel,
    /// How long it took.
    pub latency: Latency,
}

impl From<&Calls> for CallCosts {
    fn from(calls: &Calls) -> Self {
        Self { calls: calls.calls, fuel: calls.fuel, latency: calls.latency() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_is_within_its_bucket() {
        let times = (0..40).flat_map(|exponent| {
            let power = 1_u64 << exponent;
            [power - 1, power, power + 1, power + power / 3, power + power / 2, power * 2 - 1]
        });
        for nanos in times.chain([0, u64::MAX]) {
            let at = bucket(nanos);
            if at < BUCKETS - 1 {
                assert!(nanos < bound(at), "{nanos} ns in bucket {at} below {}", bound(at));
            }
            if at > 0 {
                assert!(nanos >= bound(at - 1), "{nanos} ns in bucket {at} from {}", bound(at - 1));
            }
        }
    }

    #[test]
    fn quantiles_are_at_most_an_eighth_too_long() {
        let meter = CallMeter::new(100);
        for micros in 1..=1_000 {
            meter.called(7, Some(Duration::from_micros(micros)));
        }
        let latency = meter.read().latency();
        let [half, nearly_all] = [latency.p50_seconds, latency.p99_seconds].map(Option::unwrap);
        assert!((0.0005..=0.000_563).contains(&half), "{half}");
        assert!((0.00099..=0.001).contains(&nearly_all), "{nearly_all}");
        assert_eq!(latency.longest_seconds, Some(0.001), "never beyond what was measured");
        assert_eq!(latency.timed, 1_000);
        let cumulative = meter.read().cumulative();
        assert!(cumulative.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{cumulative:?}");
        let below = |wanted: f64| cumulative.iter().find(|(bound, _)| *bound > wanted).unwrap();
        assert_eq!(below(0.000_1).1, 131, "those below 131.072 µs");
    }

    #[test]
    fn calls_are_counted_whether_or_not_they_are_timed() {
        let meter = CallMeter::new(1_000);
        assert_eq!(meter.read().latency(), Latency::default());
        meter.called(300, None);
        meter.called(200, Some(Duration::from_nanos(500)));
        let calls = meter.read();
        assert_eq!((calls.calls, calls.latency().timed), (2, 1));
        assert_eq!(calls.fuel, Fuel { total: 500, last: 200, most: 300, budget: 1_000 });
        meter.reset();
        assert_eq!(meter.read(), CallMeter::new(1_000).read());
    }
}
