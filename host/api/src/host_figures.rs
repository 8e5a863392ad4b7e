//! What the parts of the host beside the engines count, for whoever scrapes the metrics.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

use crate::call_meter::{CallCosts, CallMeter, Calls};

/// Bounds of the time that a commit takes, in seconds.
const COMMIT_SECONDS: [f64; 11] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];

/// Counters of the host. Its copies count together.
#[derive(Debug, Clone)]
pub struct HostFigures {
    alerts: IntCounterVec,
    task_failures: IntCounterVec,
    commits: HistogramVec,
    spans: IntCounterVec,
    meters: Arc<Mutex<Meters>>,
}

/// By account and strategy.
type Meters = BTreeMap<(String, String), Arc<CallMeter>>;

impl HostFigures {
    /// Counters that stand at zero.
    ///
    /// # Errors
    ///
    /// When the names are not what Prometheus takes, which a test would have shown.
    pub fn new() -> Result<Self, prometheus::Error> {
        let alerts = Opts::new("bulkhead_alerts_total", "Alerts by what became of them.");
        let failures = Opts::new("bulkhead_task_failures_total", "Failures of the tasks beside the engines.");
        let spans = Opts::new("bulkhead_otlp_spans_total", "Spans of traces by what became of them.");
        let commits = HistogramOpts::new(
            "bulkhead_journal_commit_seconds",
            "Time until a group of inputs was durable.",
        )
        .buckets(COMMIT_SECONDS.to_vec());
        let spans = IntCounterVec::new(spans, &["outcome"])?;
        for outcome in ["sent", "failed", "dropped"] {
            spans.with_label_values(&[outcome]);
        }
        Ok(Self {
            alerts: IntCounterVec::new(alerts, &["channel", "outcome"])?,
            task_failures: IntCounterVec::new(failures, &["task"])?,
            commits: HistogramVec::new(commits, &["account"])?,
            spans,
            meters: Arc::default(),
        })
    }

    /// An alert was sent, has failed or was left out.
    pub fn alert(&self, channel: &str, outcome: &str) {
        self.alerts.with_label_values(&[channel, outcome]).inc();
    }

    /// So many spans of traces were sent, were not taken, or were dropped.
    pub fn spans(&self, outcome: &str, count: u64) {
        self.spans.with_label_values(&[outcome]).inc_by(count);
    }

    /// A task will be watched: from now on its count is there, at zero.
    pub fn task(&self, task: &str) {
        self.task_failures.with_label_values(&[task]);
    }

    /// A task failed.
    pub fn task_failed(&self, task: &str) {
        self.task_failures.with_label_values(&[task]).inc();
    }

    /// A commit of an account's journal took so long.
    pub fn committed(&self, account: &str, took: Duration) {
        self.commits.with_label_values(&[account]).observe(took.as_secs_f64());
    }

    /// What counts the calls of an account's strategy, each of which may use so much fuel. It is the same one for
    /// every instance that the strategy gets.
    #[must_use]
    pub fn call_meter(&self, account: &str, strategy: &str, fuel_budget: u64) -> Arc<CallMeter> {
        let mut meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        let meter = meters.entry((account.to_owned(), strategy.to_owned()));
        Arc::clone(meter.or_insert_with(|| Arc::new(CallMeter::new(fuel_budget))))
    }

    /// The account's calls so far were none of the run, but took it to where its journal ends.
    pub fn forget_calls(&self, account: &str) {
        let meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, meter) in meters.iter().filter(|((of, _), _)| of == account) {
            meter.reset();
        }
    }

    /// What the calls of a strategy cost so far.
    #[must_use]
    pub fn call_costs(&self, account: &str, strategy: &str) -> CallCosts {
        let key = (account.to_owned(), strategy.to_owned());
        let meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
        let meter = meters.get(&key).cloned();
        drop(meters);
        meter.map(|meter| CallCosts::from(&meter.read())).unwrap_or_default()
    }

    /// Of all strategies, by account and name.
    pub(crate) fn calls(&self) -> Vec<((String, String), Calls)> {
        // An account's thread may want the lock, so nothing is read under it.
        let meters: Vec<_> = {
            let meters = self.meters.lock().unwrap_or_else(PoisonError::into_inner);
            meters.iter().map(|(key, meter)| (key.clone(), Arc::clone(meter))).collect()
        };
        meters.into_iter().map(|(key, meter)| (key, meter.read())).collect()
    }

    pub(crate) fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        registry.register(Box::new(self.alerts.clone()))?;
        registry.register(Box::new(self.spans.clone()))?;
        registry.register(Box::new(self.task_failures.clone()))?;
        registry.register(Box::new(self.commits.clone()))
    }
}
