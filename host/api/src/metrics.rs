//! Figures for Prometheus. They are read when they are asked for; only the requests to this API are counted here.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bulkhead_store::database::Database;
use bulkhead_store::journal::ShardId;
use bulkhead_store::read_models::Counts;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Bucket, Histogram, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{
    Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder,
};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use tokio::sync::Mutex;

use crate::api::Api;
use crate::call_meter::Calls;
use crate::live::Hub;
use crate::names::Names;
use crate::problem::{Kind, Problem};

/// Requests to the API, by route and status.
#[derive(Clone)]
pub(crate) struct RequestCounts {
    requests: IntCounterVec,
    seconds: HistogramVec,
}

impl RequestCounts {
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        let options = Opts::new("bulkhead_api_requests_total", "Requests to the admin API.");
        let requests = IntCounterVec::new(options, &["method", "route", "status"])?;
        let options = HistogramOpts::new("bulkhead_api_request_seconds", "Time until the answer began.")
            .buckets(vec![0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0]);
        let seconds = HistogramVec::new(options, &["method", "route"])?;
        Ok(Self { requests, seconds })
    }

    /// Counts one. `route` is its pattern, so that there are few of them.
    pub(crate) fn count(&self, method: &str, route: &str, status: u16, took: Duration) {
        self.requests.with_label_values(&[method, route, &status.to_string()]).inc();
        self.seconds.with_label_values(&[method, route]).observe(took.as_secs_f64());
    }
}

/// How many orders and fills there were when it was asked last, so that asking again reads what is new alone.
pub(crate) type KeptCounts = Arc<Mutex<BTreeMap<ShardId, Counts>>>;

/// Figures for Prometheus, in its text format.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "monitoring",
    responses(
        (status = 200, description = "Prometheus' text format", body = String, content_type = "text/plain"),
    ),
)]
pub(crate) async fn metrics(State(api): State<Api>) -> Result<Response, Problem> {
    let registry = Registry::new();
    let figures = Figures::new(&registry).map_err(|error| unmeasured(&error))?;
    registry.register(Box::new(api.counts.requests.clone())).map_err(|error| unmeasured(&error))?;
    registry.register(Box::new(api.counts.seconds.clone())).map_err(|error| unmeasured(&error))?;
    api.figures.register(&registry).map_err(|error| unmeasured(&error))?;
    figures.read_live(&api.hub);
    let calls = api.figures.calls();
    figures.read_calls(&calls);
    let seconds = CallSeconds::new(calls).map_err(|error| unmeasured(&error))?;
    registry.register(Box::new(seconds)).map_err(|error| unmeasured(&error))?;
    // Those who ask at once wait for each other here, and not in the database; all get what is true.
    let mut counts = Arc::clone(&api.counted).lock_owned().await;
    api.readers.ask(move |database| figures.read(database, &mut counts)).await?;
    let text = TextEncoder::new().encode_to_string(&registry.gather()).map_err(|error| unmeasured(&error))?;
    Ok(([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response())
}

fn unmeasured(error: &prometheus::Error) -> Problem {
    tracing::error!(%error, "the metrics could not be put together");
    Problem::new(Kind::Internal, "the metrics could not be put together; the host's log says why")
}

struct Figures {
    equity: GaugeVec,
    cash: GaugeVec,
    realised: GaugeVec,
    fees: GaugeVec,
    halted: IntGaugeVec,
    sequence: IntGaugeVec,
    positions: IntGaugeVec,
    orders: IntGaugeVec,
    fills: IntCounterVec,
    faults: IntCounterVec,
    capital: GaugeVec,
    events: IntCounterVec,
    strategy_orders: IntCounterVec,
    calls: IntCounterVec,
    fuel: IntCounterVec,
    last_fuel: IntGaugeVec,
    fuel_budget: IntGaugeVec,
    refusals: IntCounterVec,
    breakers: IntGaugeVec,
    journal_waits: IntGaugeVec,
    bars: IntCounterVec,
    rows: IntCounterVec,
    newest: IntGaugeVec,
    failures: IntCounterVec,
    failing: IntGaugeVec,
    subscribers: IntGaugeVec,
}

const OF_STRATEGY: &[&str] = &["account", "strategy"];

impl Figures {
    fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let amount = |name, help| {
            let gauges = GaugeVec::new(Opts::new(name, help), &["account"])?;
            registry.register(Box::new(gauges.clone())).map(|()| gauges)
        };
        let number = |name, help, labels: &[&str]| {
            let gauges = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(gauges.clone())).map(|()| gauges)
        };
        let total = |name, help, labels: &[&str]| {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone())).map(|()| counters)
        };
        let build = Gauge::with_opts(
            Opts::new("bulkhead_build_info", "Always 1; the label says which version runs.")
                .const_label("version", env!("CARGO_PKG_VERSION")),
        )?;
        build.set(1.0);
        registry.register(Box::new(build))?;
        Ok(Self {
            equity: amount("bulkhead_equity", "Cash and positions at the last prices.")?,
            cash: amount("bulkhead_cash", "Cash of the account.")?,
            realised: amount("bulkhead_realised_profit", "Profit of all sales, after fees.")?,
            fees: amount("bulkhead_fees", "All fees, gas and charges paid.")?,
            halted: number("bulkhead_halted", "1 while trading is halted.", &["account"])?,
            sequence: number("bulkhead_sequence", "The last input that is shown.", &["account"])?,
            positions: number("bulkhead_open_positions", "Open positions.", &["account"])?,
            orders: number("bulkhead_orders", "Orders by where they stand.", &["account", "status"])?,
            fills: total("bulkhead_fills_total", "Fills.", OF_STRATEGY)?,
            faults: total("bulkhead_strategy_faults_total", "Faults since first deployed.", OF_STRATEGY)?,
            events: total("bulkhead_strategy_events_total", "Events told to a strategy.", OF_STRATEGY)?,
            strategy_orders: total(
                "bulkhead_strategy_orders_total",
                "Orders that passed the gate since the host started.",
                OF_STRATEGY,
            )?,
            calls: total(
                "bulkhead_strategy_calls_total",
                "Calls with events since the host started.",
                OF_STRATEGY,
            )?,
            fuel: total("bulkhead_strategy_fuel_total", "Instructions of these calls.", OF_STRATEGY)?,
            last_fuel: number(
                "bulkhead_strategy_last_call_fuel",
                "Instructions of the last call.",
                OF_STRATEGY,
            )?,
            fuel_budget: number(
                "bulkhead_strategy_call_fuel_budget",
                "Instructions that a call may execute.",
                OF_STRATEGY,
            )?,
            capital: {
                let options = Opts::new("bulkhead_strategy_capital", "Cash and positions of a strategy.");
                let gauges = GaugeVec::new(options, OF_STRATEGY)?;
                registry.register(Box::new(gauges.clone()))?;
                gauges
            },
            refusals: total(
                "bulkhead_refusals_total",
                "Proposals that the risk gate refused since the host started.",
                &["account", "strategy", "code"],
            )?,
            breakers: number(
                "bulkhead_breaker_open",
                "1 while a breaker is not closed.",
                &["account", "breaker"],
            )?,
            journal_waits: number(
                "bulkhead_journal_waiting",
                "1 while the journal can't be written.",
                &["account"],
            )?,
            bars: total("bulkhead_feed_bars_total", "Bars since the host started.", &["account"])?,
            rows: total(
                "bulkhead_feed_rows_total",
                "What came of rows of market data since the host started: passed, repaired, skipped, or missing.",
                &["account", "instrument", "outcome"],
            )?,
            newest: number(
                "bulkhead_feed_newest_timestamp_seconds",
                "The time of the newest block that was read, or of the newest price.",
                &["account"],
            )?,
            failures: total(
                "bulkhead_feed_failures_total",
                "How often asking for what happens now failed since it was begun.",
                &["account"],
            )?,
            failing: number(
                "bulkhead_feed_failing",
                "1 while what happens now can't be asked for.",
                &["account"],
            )?,
            subscribers: number("bulkhead_live_subscribers", "Clients of live updates.", &["account"])?,
        })
    }

    /// What only the running host knows.
    fn read_live(&self, hub: &Hub) {
        for (name, stream) in hub.streams() {
            let subscribers = i64::try_from(stream.subscribers()).unwrap_or(i64::MAX);
            self.subscribers.with_label_values(&[name]).set(subscribers);
            for refused in stream.recent(crate::live::Recent::refusals) {
                let labels = [name, &refused.strategy, &refused.code];
                self.refusals.with_label_values(&labels).inc_by(refused.count);
            }
            let Some(view) = stream.view() else { continue };
            self.journal_waits.with_label_values(&[name]).set(i64::from(view.journal.state != "writing"));
            self.bars.with_label_values(&[name]).inc_by(view.feed.bars);
            if let Some(asking) = &view.feed.asking {
                if let Some(newest) = asking.newest_seconds {
                    self.newest.with_label_values(&[name]).set(newest);
                }
                self.failures.with_label_values(&[name]).inc_by(asking.failures);
                self.failing.with_label_values(&[name]).set(i64::from(asking.failing.is_some()));
            }
            for of in &view.feed.quality {
                let passed = of.rows.saturating_sub(of.repaired).saturating_sub(of.skipped);
                for (outcome, count) in [
                    ("passed", passed),
                    ("repaired", of.repaired),
                    ("skipped", of.skipped),
                    ("missing", of.missing),
                ] {
                    self.rows.with_label_values(&[name, &of.instrument, outcome]).inc_by(count);
                }
            }
            for breaker in &view.breakers {
                let open = i64::from(breaker.state != "closed");
                self.breakers.with_label_values(&[name, &breaker.name]).set(open);
            }
            for strategy in &view.strategies {
                let labels = [name, strategy.name.as_str()];
                self.capital.with_label_values(&labels).set(amount(strategy.capital));
                self.events.with_label_values(&labels).inc_by(strategy.events);
                self.strategy_orders.with_label_values(&labels).inc_by(strategy.orders);
            }
        }
    }

    fn read_calls(&self, of_all: &[CallsOfOne]) {
        let whole = |number| i64::try_from(number).unwrap_or(i64::MAX);
        for ((account, strategy), calls) in of_all {
            let labels = [account.as_str(), strategy.as_str()];
            self.calls.with_label_values(&labels).inc_by(calls.calls);
            self.fuel.with_label_values(&labels).inc_by(calls.fuel.total);
            self.last_fuel.with_label_values(&labels).set(whole(calls.fuel.last));
            self.fuel_budget.with_label_values(&labels).set(whole(calls.fuel.budget));
        }
    }

    fn read(&self, database: &mut Database, counts: &mut BTreeMap<ShardId, Counts>) -> Result<(), Problem> {
        for account in database.account_names()? {
            let (shard, name) = (account.shard, account.name.as_str());
            let names = Names::read(database, name)?;
            if let Some(row) = database.account(shard)? {
                self.equity.with_label_values(&[name]).set(amount(row.equity.0));
                self.cash.with_label_values(&[name]).set(amount(row.cash.0));
                self.realised.with_label_values(&[name]).set(amount(row.realised.0));
                self.fees.with_label_values(&[name]).set(amount(row.fees.0));
                self.halted.with_label_values(&[name]).set(i64::from(row.halted.is_some()));
                self.sequence.with_label_values(&[name]).set(row.sequence.0.cast_signed());
            }
            let positions = i64::try_from(database.positions(shard)?.len()).unwrap_or(i64::MAX);
            self.positions.with_label_values(&[name]).set(positions);
            let counts = counts.entry(shard).or_default();
            database.count(shard, counts)?;
            for (state, count) in counts.orders() {
                self.orders.with_label_values(&[name, state.name()]).set(count.cast_signed());
            }
            for (strategy, count) in counts.fills() {
                self.fills.with_label_values(&[name, &names.strategy(strategy)]).inc_by(count);
            }
            for slot in database.slots(shard)? {
                self.faults.with_label_values(&[name, &slot.name]).inc_by(slot.faults);
            }
        }
        Ok(())
    }
}

/// An account, a strategy of it, and what its calls cost.
type CallsOfOne = ((String, String), Calls);

/// How long calls took. They were put into buckets where they were made.
struct CallSeconds {
    description: Desc,
    calls: Vec<CallsOfOne>,
}

impl CallSeconds {
    const NAME: &str = "bulkhead_strategy_call_seconds";
    const HELP: &str = "Time of calls with events; some are timed when there are many.";

    fn new(calls: Vec<CallsOfOne>) -> Result<Self, prometheus::Error> {
        let labels = OF_STRATEGY.iter().map(|&label| label.to_owned()).collect();
        let description = Desc::new(Self::NAME.to_owned(), Self::HELP.to_owned(), labels, HashMap::new())?;
        Ok(Self { description, calls })
    }
}

impl Collector for CallSeconds {
    fn desc(&self) -> Vec<&Desc> {
        vec![&self.description]
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let label = |name: &str, value: &str| {
            let mut label = LabelPair::default();
            label.set_name(name.to_owned());
            label.set_value(value.to_owned());
            label
        };
        let metric = |((account, strategy), calls): &CallsOfOne| {
            let bucket = |(bound, count)| {
                let mut bucket = Bucket::default();
                bucket.set_upper_bound(bound);
                bucket.set_cumulative_count(count);
                bucket
            };
            let mut histogram = Histogram::default();
            histogram.set_sample_count(calls.latency().timed);
            histogram.set_sample_sum(calls.timed_seconds());
            histogram.set_bucket(calls.cumulative().into_iter().map(bucket).collect());
            let mut metric = Metric::from_label(vec![label("account", account), label("strategy", strategy)]);
            metric.set_histogram(histogram);
            metric
        };
        let mut family = MetricFamily::default();
        family.set_name(Self::NAME.to_owned());
        family.set_help(Self::HELP.to_owned());
        family.set_field_type(MetricType::HISTOGRAM);
        family.set_metric(self.calls.iter().map(metric).collect());
        vec![family]
    }
}

/// Prometheus knows floating point numbers only; the books are exact.
fn amount(exact: Decimal) -> f64 {
    exact.to_f64().unwrap_or(f64::NAN)
}
