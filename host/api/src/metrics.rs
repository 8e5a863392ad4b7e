//! Figures for Prometheus. They are read when they are asked for; only the requests to this API are counted here.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bulkhead_store::database::Database;
use prometheus::{Gauge, GaugeVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

use crate::api::Api;
use crate::names::Names;
use crate::problem::{Kind, Problem, ProblemDocument};

/// Requests to the API, by route and status.
#[derive(Clone)]
pub(crate) struct RequestCounts(IntCounterVec);

impl RequestCounts {
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        let options = Opts::new("bulkhead_api_requests_total", "Requests to the admin API.");
        IntCounterVec::new(options, &["method", "route", "status"]).map(Self)
    }

    /// Counts one. `route` is its pattern, so that there are few of them.
    pub(crate) fn count(&self, method: &str, route: &str, status: u16) {
        self.0.with_label_values(&[method, route, &status.to_string()]).inc();
    }
}

/// Figures for Prometheus, in its text format.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "monitoring",
    responses(
        (status = 200, description = "Prometheus' text format", body = String, content_type = "text/plain"),
        (status = 401, description = "No valid token", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "The token's role does not allow it", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "Too many requests", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "The database does not answer, or too much is asked at once", body = ProblemDocument, content_type = "application/problem+json"),
    ),
    security(("token" = [])),
)]
pub(crate) async fn metrics(State(api): State<Api>) -> Result<Response, Problem> {
    let registry = Registry::new();
    let figures = Figures::new(&registry).map_err(unmeasured)?;
    registry.register(Box::new(api.counts.0.clone())).map_err(unmeasured)?;
    api.readers.ask(move |database| figures.read(database)).await?;
    let text = TextEncoder::new().encode_to_string(&registry.gather()).map_err(unmeasured)?;
    Ok(([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response())
}

fn unmeasured(error: prometheus::Error) -> Problem {
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
}

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
        let total = |name, help| {
            let counters = IntCounterVec::new(Opts::new(name, help), &["account", "strategy"])?;
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
            fills: total("bulkhead_fills_total", "Fills.")?,
            faults: total("bulkhead_strategy_faults_total", "Faults since first deployed.")?,
        })
    }

    fn read(&self, database: &mut Database) -> Result<(), Problem> {
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
            for (state, count) in database.orders_by_state(shard)? {
                self.orders.with_label_values(&[name, state.name()]).set(count.cast_signed());
            }
            for (strategy, count) in database.fills_by_strategy(shard)? {
                self.fills.with_label_values(&[name, &names.strategy(strategy)]).inc_by(count);
            }
            for slot in database.slots(shard)? {
                self.faults.with_label_values(&[name, &slot.name]).inc_by(slot.faults);
            }
        }
        Ok(())
    }
}

/// Prometheus knows floating point numbers only; the books are exact.
fn amount(exact: Decimal) -> f64 {
    exact.to_f64().unwrap_or(f64::NAN)
}
