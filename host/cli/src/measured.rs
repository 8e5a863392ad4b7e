//! Strategies whose calls are counted and timed. The engine has no clock; this stands between it and the sandbox.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bulkhead_api::{CallMeter, HostFigures};
use bulkhead_core::identifier::ContentHash;
use bulkhead_core::strategy::{
    Action, Description, Event, Fault, InstanceConfig, LogLine, Needs, SavedState, Strategy, StrategySource,
};
use bulkhead_sandbox::{Sandbox, WasmStrategy};

/// Calls that are timed come no closer than this for long: reading the clock twice costs a tenth of a quick call.
const BETWEEN_TIMED: Duration = Duration::from_millis(1);

/// At most so many calls pass untimed between two that are timed.
const MOST_UNTIMED: u32 = 63;

/// A sandbox whose instances' calls are counted for an account.
pub(crate) struct MeasuredSource {
    pub(crate) sandbox: Sandbox,
    pub(crate) account: String,
    pub(crate) figures: HostFigures,
}

impl StrategySource for MeasuredSource {
    fn describe(&self, version: &ContentHash) -> Result<Description, Fault> {
        self.sandbox.describe(version)
    }

    fn needs(&self, version: &ContentHash, config: &InstanceConfig) -> Result<(Needs, u32), Fault> {
        self.sandbox.needs(version, config)
    }

    fn instantiate(
        &self,
        version: &ContentHash,
        config: &InstanceConfig,
    ) -> Result<Box<dyn Strategy>, Fault> {
        self.sandbox.instantiate(version, config)
    }

    fn instantiate_in(
        &self,
        slot: &str,
        version: &ContentHash,
        config: &InstanceConfig,
    ) -> Result<Box<dyn Strategy>, Fault> {
        let inner = self.sandbox.start(version, config)?;
        let meter = self.figures.call_meter(&self.account, slot, self.sandbox.limits().fuel_per_call);
        Ok(Box::new(Measured { inner, meter, sampling: Sampling::default() }))
    }
}

/// An instance whose calls with events are counted.
struct Measured {
    inner: WasmStrategy,
    meter: Arc<CallMeter>,
    sampling: Sampling,
}

impl Strategy for Measured {
    fn on_events(&mut self, events: &[Event], actions: &mut Vec<Action>) -> Result<usize, Fault> {
        let started = self.sampling.begin();
        let answer = self.inner.on_events(events, actions);
        self.meter.called(self.inner.last_fuel(), started.map(|started| started.elapsed()));
        answer
    }

    fn save(&mut self) -> Result<SavedState, Fault> {
        self.inner.save()
    }

    fn restore(&mut self, state: &SavedState) -> Result<(), Fault> {
        self.inner.restore(state)
    }

    fn drain_log(&mut self, lines: &mut Vec<LogLine>) {
        self.inner.drain_log(lines);
    }
}

/// Which calls are timed: all while they are few, and ever fewer the quicker they follow each other.
#[derive(Default)]
struct Sampling {
    last: Option<Instant>,
    /// Calls that pass untimed between two. It is one less than a power of two, so that every strategy of a few
    /// instruments is timed with each of them in turn.
    stride: u32,
    left: u32,
}

impl Sampling {
    /// The moment, if the call that begins is to be timed.
    fn begin(&mut self) -> Option<Instant> {
        if self.left > 0 {
            self.left -= 1;
            return None;
        }
        let now = Instant::now();
        self.stride = next_stride(self.stride, self.last.map(|last| now.saturating_duration_since(last)));
        self.left = self.stride;
        self.last = Some(now);
        Some(now)
    }
}

fn next_stride(stride: u32, since_last: Option<Duration>) -> u32 {
    match since_last {
        Some(since) if since < BETWEEN_TIMED => (2 * stride + 1).min(MOST_UNTIMED),
        _ => stride / 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_timed_while_they_are_few_and_one_in_64_when_they_are_many() {
        let (quick, slow) = (Some(Duration::from_micros(1)), Some(Duration::from_millis(2)));
        assert_eq!(next_stride(0, None), 0);
        assert_eq!(next_stride(0, slow), 0);
        let mut stride = 0;
        for expected in [1, 3, 7, 15, 31, 63, 63] {
            stride = next_stride(stride, quick);
            assert_eq!(stride, expected);
        }
        for expected in [31, 15, 7, 3, 1, 0, 0] {
            stride = next_stride(stride, slow);
            assert_eq!(stride, expected);
        }
        let mut sampling = Sampling { last: None, stride: 3, left: 3 };
        let timed = std::iter::repeat_with(|| sampling.begin().is_some()).take(4).collect::<Vec<_>>();
        assert_eq!(timed, [false, false, false, true]);
    }
}
