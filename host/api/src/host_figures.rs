//! What the parts of the host beside the engines count, for whoever scrapes the metrics.

use std::time::Duration;

use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

/// Bounds of the time that a commit takes, in seconds.
const COMMIT_SECONDS: [f64; 11] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];

/// Counters of the host. Its copies count together.
#[derive(Debug, Clone)]
pub struct HostFigures {
    alerts: IntCounterVec,
    task_failures: IntCounterVec,
    commits: HistogramVec,
}

impl HostFigures {
    /// Counters that stand at zero.
    ///
    /// # Errors
    ///
    /// When the names are not what Prometheus takes, which a test would have shown.
    pub fn new() -> Result<Self, prometheus::Error> {
        let alerts = Opts::new("bulkhead_alerts_total", "Alerts by what became of them.");
        let failures = Opts::new("bulkhead_task_failures_total", "Failures of the tasks beside the engines.");
        let commits = HistogramOpts::new(
            "bulkhead_journal_commit_seconds",
            "Time until a group of inputs was durable.",
        )
        .buckets(COMMIT_SECONDS.to_vec());
        Ok(Self {
            alerts: IntCounterVec::new(alerts, &["channel", "outcome"])?,
            task_failures: IntCounterVec::new(failures, &["task"])?,
            commits: HistogramVec::new(commits, &["account"])?,
        })
    }

    /// An alert was sent, has failed or was left out.
    pub fn alert(&self, channel: &str, outcome: &str) {
        self.alerts.with_label_values(&[channel, outcome]).inc();
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

    pub(crate) fn register(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        registry.register(Box::new(self.alerts.clone()))?;
        registry.register(Box::new(self.task_failures.clone()))?;
        registry.register(Box::new(self.commits.clone()))
    }
}
