//! What happened lately in an account and is in no table: bars, refusals, faults and log lines, since the host
//! started and within bounds.

use std::collections::{BTreeMap, VecDeque};

use bulkhead_core::bar_aggregation::BarAggregator;
use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::market::Bar;
use bulkhead_core::time::Span;
use serde::Serialize;
use utoipa::ToSchema;

use super::event::LiveEvent;

/// Faults and log lines that are kept of an account.
const LINES: usize = 500;

/// Kinds of refusals that are counted apart; beyond them none is added.
const KINDS_OF_REFUSALS: usize = 4_096;

/// How often the gate refused something since the host started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct RefusalCount {
    /// Why, a stable code.
    pub(crate) code: String,
    /// Whose proposals.
    pub(crate) strategy: String,
    /// For what.
    pub(crate) instrument: String,
    /// How often.
    pub(crate) count: u64,
    /// When last.
    pub(crate) last_time: String,
    /// The numbers of the last time, as key=value pairs.
    pub(crate) last_facts: String,
}

/// A strategy's fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct FaultEntry {
    /// When.
    pub(crate) time: String,
    /// Which strategy.
    pub(crate) strategy: String,
    /// SHA-256 of its version.
    pub(crate) version: String,
    /// What kind, such as out-of-fuel.
    pub(crate) fault: String,
    /// The particulars.
    pub(crate) detail: String,
    /// When it starts again; null when it was quarantined.
    pub(crate) restart_at: Option<String>,
}

/// A strategy's log line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct LogEntry {
    /// When.
    pub(crate) time: String,
    /// Which strategy.
    pub(crate) strategy: String,
    /// debug, info, warn or error.
    pub(crate) level: String,
    /// What.
    pub(crate) message: String,
}

/// What is kept.
#[derive(Debug)]
pub(crate) struct Recent {
    bars: BTreeMap<InstrumentId, VecDeque<Bar>>,
    most_bars: usize,
    refusals: BTreeMap<(String, String, String), RefusalCount>,
    faults: VecDeque<FaultEntry>,
    logs: VecDeque<LogEntry>,
}

impl Recent {
    /// With room for so many bars of each instrument.
    pub(crate) const fn new(most_bars: usize) -> Self {
        Self {
            bars: BTreeMap::new(),
            most_bars,
            refusals: BTreeMap::new(),
            faults: VecDeque::new(),
            logs: VecDeque::new(),
        }
    }

    pub(crate) fn add_bar(&mut self, bar: Bar) {
        let kept = self.bars.entry(bar.instrument).or_default();
        // A feed that begins again must not make a chart that goes back in time.
        if kept.back().is_some_and(|last| bar.open_time <= last.open_time) {
            return;
        }
        push(kept, bar, self.most_bars);
    }

    pub(crate) fn add(&mut self, event: &LiveEvent, time: &str) {
        match event {
            LiveEvent::Refused { strategy, instrument, code, facts, .. } => {
                let key = (code.clone(), strategy.clone(), instrument.clone());
                if self.refusals.len() >= KINDS_OF_REFUSALS && !self.refusals.contains_key(&key) {
                    return;
                }
                let count = self.refusals.entry(key).or_insert_with(|| RefusalCount {
                    code: code.clone(),
                    strategy: strategy.clone(),
                    instrument: instrument.clone(),
                    count: 0,
                    last_time: String::new(),
                    last_facts: String::new(),
                });
                count.count += 1;
                time.clone_into(&mut count.last_time);
                facts.clone_into(&mut count.last_facts);
            }
            LiveEvent::Fault { strategy, version, fault, detail, restart_at } => {
                let entry = FaultEntry {
                    time: time.to_owned(),
                    strategy: strategy.clone(),
                    version: version.clone(),
                    fault: fault.clone(),
                    detail: detail.clone(),
                    restart_at: restart_at.clone(),
                };
                push(&mut self.faults, entry, LINES);
            }
            LiveEvent::Log { strategy, level, message } => {
                let entry = LogEntry {
                    time: time.to_owned(),
                    strategy: strategy.clone(),
                    level: level.clone(),
                    message: message.clone(),
                };
                push(&mut self.logs, entry, LINES);
            }
            _ => {}
        }
    }

    /// The newest bars of an instrument, oldest first: as they came, or put together to longer ones.
    pub(crate) fn bars(&self, instrument: InstrumentId, interval: Option<Span>, most: usize) -> Vec<Bar> {
        let Some(kept) = self.bars.get(&instrument) else { return Vec::new() };
        let mut bars = Vec::new();
        let base = kept.back().map(|bar| bar.interval);
        match interval.filter(|interval| base.is_none_or(|base| *interval > base)) {
            None => bars.extend(kept.iter().copied()),
            Some(interval) => {
                let mut longer = BarAggregator::new(interval);
                for bar in kept {
                    longer.update(bar, |complete| bars.push(complete));
                }
                // What is not complete yet belongs on a chart.
                bars.extend(longer.unfinished());
            }
        }
        bars.split_off(bars.len().saturating_sub(most))
    }

    pub(crate) fn refusals(&self) -> Vec<RefusalCount> {
        self.refusals.values().cloned().collect()
    }

    /// The newest first; of one strategy, or all.
    pub(crate) fn faults(&self, strategy: Option<&str>) -> Vec<FaultEntry> {
        let wanted = |entry: &&FaultEntry| strategy.is_none_or(|name| entry.strategy == name);
        self.faults.iter().rev().filter(wanted).cloned().collect()
    }

    /// The newest first; of one strategy, or all.
    pub(crate) fn logs(&self, strategy: Option<&str>) -> Vec<LogEntry> {
        let wanted = |entry: &&LogEntry| strategy.is_none_or(|name| entry.strategy == name);
        self.logs.iter().rev().filter(wanted).cloned().collect()
    }
}

fn push<T>(kept: &mut VecDeque<T>, newest: T, most: usize) {
    if kept.len() == most {
        kept.pop_front();
    }
    kept.push_back(newest);
}
