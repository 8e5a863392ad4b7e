//! The last bars of every instrument and interval, and the making of longer bars.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::bar_aggregation::BarAggregator;
use crate::identifier::InstrumentId;
use crate::market::Bar;
use crate::strategy::History;
use crate::time::Span;

/// Bounded bar history of all instruments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct BarHistory {
    capacity: usize,
    instruments: Vec<InstrumentBars>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct InstrumentBars {
    /// As the feed delivers them.
    base: VecDeque<Bar>,
    /// By falling interval.
    longer: Vec<(BarAggregator, VecDeque<Bar>)>,
}

impl BarHistory {
    pub(super) fn new(instruments: usize, capacity: usize) -> Self {
        Self { capacity, instruments: (0..instruments).map(|_| InstrumentBars::default()).collect() }
    }

    /// Makes room for this many instruments. What longer bars are made of the new ones must be wanted again.
    pub(super) fn extend(&mut self, instruments: usize) {
        let instruments = instruments.max(self.instruments.len());
        self.instruments.resize_with(instruments, InstrumentBars::default);
    }

    /// How many instruments it keeps bars of.
    pub(super) const fn instruments(&self) -> usize {
        self.instruments.len()
    }

    /// From now on, makes bars of this length too. What the base history holds goes in at once.
    pub(super) fn want(&mut self, interval: Span) {
        for bars in &mut self.instruments {
            if interval <= Span::ZERO || bars.longer.iter().any(|(made, _)| made.interval() == interval) {
                continue;
            }
            let mut aggregator = BarAggregator::new(interval);
            let mut made = VecDeque::new();
            for bar in &bars.base {
                aggregator.update(bar, |bar| keep(&mut made, bar, self.capacity));
            }
            let index = bars.longer.partition_point(|(other, _)| other.interval() > interval);
            bars.longer.insert(index, (aggregator, made));
        }
    }

    /// Takes a base bar; hands the longer bars that it completes to `emit`, longest first.
    pub(super) fn update(&mut self, bar: &Bar, mut emit: impl FnMut(Bar)) {
        let Some(bars) =
            usize::try_from(bar.instrument.0).ok().and_then(|index| self.instruments.get_mut(index))
        else {
            return;
        };
        keep(&mut bars.base, *bar, self.capacity);
        for (aggregator, made) in &mut bars.longer {
            aggregator.update(bar, |bar| {
                keep(made, bar, self.capacity);
                emit(bar);
            });
        }
    }

    /// The last bars of an instrument as the feed delivered them, oldest first.
    pub(super) fn base(&self, instrument: InstrumentId) -> impl Iterator<Item = &Bar> {
        let bars = usize::try_from(instrument.0).ok().and_then(|index| self.instruments.get(index));
        bars.into_iter().flat_map(|bars| &bars.base)
    }

    /// The last bars of an instrument and interval, at most `most`, column by column.
    pub(super) fn recent(&self, instrument: InstrumentId, interval: Span, most: usize) -> Option<History> {
        let bars = self.instruments.get(usize::try_from(instrument.0).ok()?)?;
        let wanted = |bar: &&Bar| interval == Span::ZERO || bar.interval == interval;
        let made = bars.longer.iter().find(|(made, _)| made.interval() == interval).map(|(_, made)| made);
        let source: Vec<&Bar> = match made {
            Some(made) if !made.is_empty() => made.iter().collect(),
            _ => bars.base.iter().filter(wanted).collect(),
        };
        let recent = &source[source.len().saturating_sub(most)..];
        let mut history = History { instrument, interval: recent.first()?.interval, ..History::default() };
        for bar in recent {
            history.open_time.push(bar.open_time);
            history.open.push(bar.open);
            history.high.push(bar.high);
            history.low.push(bar.low);
            history.close.push(bar.close);
            history.volume.push(bar.volume);
        }
        Some(history)
    }
}

fn keep(bars: &mut VecDeque<Bar>, bar: Bar, capacity: usize) {
    if capacity == 0 {
        return;
    }
    if bars.len() == capacity {
        bars.pop_front();
    }
    bars.push_back(bar);
}
