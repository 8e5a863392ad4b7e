//! Reading what the hub knows: how an account stands, and what happened lately.
#![allow(unused_qualifications, reason = "the macro that describes routes makes them")]

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use bulkhead_core::time::Span;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{FaultEntry, LiveBar, LiveView, LogEntry, RefusalCount, StrategyDetail};
use crate::api::{Answer, Api, At, Query};
use crate::paging;
use crate::problem::{Kind, Problem};

/// Longest interval of bars that can be asked for: a week.
const LONGEST_INTERVAL: i64 = 7 * 86_400;

/// Rows without pages.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct List<T> {
    /// The rows.
    pub(crate) items: Vec<T>,
}

/// Which bars.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct BarsQuery {
    /// Their length in seconds; those of the feed when left out or shorter.
    interval_seconds: Option<String>,
    /// How many of the newest, 1 to 1000; 100 when left out.
    limit: Option<String>,
}

fn interval(text: Option<&str>) -> Result<Option<Span>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let seconds = text.parse().ok().filter(|seconds| (1..=LONGEST_INTERVAL).contains(seconds));
    let expected = || {
        let detail =
            format!("interval_seconds = \"{text}\": a whole number from 1 to {LONGEST_INTERVAL} is expected");
        Problem::new(Kind::BadFilter, detail)
    };
    seconds.map(|seconds| Some(Span::from_seconds(seconds))).ok_or_else(expected)
}

/// How the account stands at this moment, with prices, exits and breakers.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{account}/view",
    tag = "live",
    params(("account" = String, Path, description = "The account's name")),
    responses((status = 200, description = "How it stands", body = LiveView)),
)]
pub(crate) async fn view(State(api): State<Api>, At(account): At<String>) -> Answer<LiveView> {
    let view = api.stream(&account)?.view();
    let view = view.ok_or_else(|| {
        Problem::new(Kind::Unavailable, "the account is not at work yet; ask again in a moment")
    })?;
    Ok(Json(LiveView::clone(&view)))
}

/// The newest bars of an instrument, oldest first. The last may not be complete yet.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{account}/instruments/{instrument}/bars",
    tag = "live",
    params(
        ("account" = String, Path, description = "The account's name"),
        ("instrument" = String, Path, description = "The symbol"),
        BarsQuery,
    ),
    responses((status = 200, description = "The bars", body = List<LiveBar>)),
)]
pub(crate) async fn bars(
    State(api): State<Api>,
    At((account, instrument)): At<(String, String)>,
    Query(query): Query<BarsQuery>,
) -> Answer<List<LiveBar>> {
    let interval = interval(query.interval_seconds.as_deref())?;
    let most = paging::most(query.limit.as_deref())?;
    let stream = api.stream(&account)?;
    let list = format!("/api/v1/accounts/{account}/instruments");
    let id = stream.instrument(&instrument);
    let id = id.ok_or_else(|| Problem::unknown("instrument", &instrument, &list))?;
    let bars = stream.recent(|recent| recent.bars(id, interval, most));
    let items = bars.iter().map(|bar| LiveBar::of(bar, instrument.clone())).collect();
    Ok(Json(List { items }))
}

/// How often the gate refused what, by code, strategy and instrument, since the host started.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{account}/refusals",
    tag = "reading",
    params(("account" = String, Path, description = "The account's name")),
    responses((status = 200, description = "The counts", body = List<RefusalCount>)),
)]
pub(crate) async fn refusals(State(api): State<Api>, At(account): At<String>) -> Answer<List<RefusalCount>> {
    Ok(Json(List { items: api.stream(&account)?.recent(super::recent::Recent::refusals) }))
}

/// What a strategy says of itself, and what its parameters are set to.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{account}/strategies/{strategy}/parameters",
    tag = "reading",
    params(
        ("account" = String, Path, description = "The account's name"),
        ("strategy" = String, Path, description = "The strategy's name"),
    ),
    responses((status = 200, description = "What it says", body = StrategyDetail)),
)]
pub(crate) async fn parameters(
    State(api): State<Api>,
    At((account, strategy)): At<(String, String)>,
) -> Answer<StrategyDetail> {
    let list = format!("/api/v1/accounts/{account}/strategies");
    let found = api.stream(&account)?.strategy(&strategy);
    found.map(Json).ok_or_else(|| Problem::unknown("strategy", &strategy, &list))
}

/// A strategy's faults since the host started, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{account}/strategies/{strategy}/faults",
    tag = "reading",
    params(
        ("account" = String, Path, description = "The account's name"),
        ("strategy" = String, Path, description = "The strategy's name"),
    ),
    responses((status = 200, description = "The faults", body = List<FaultEntry>)),
)]
pub(crate) async fn faults(
    State(api): State<Api>,
    At((account, strategy)): At<(String, String)>,
) -> Answer<List<FaultEntry>> {
    let stream = stream_with(&api, &account, &strategy)?;
    Ok(Json(List { items: stream.recent(|recent| recent.faults(Some(&strategy))) }))
}

/// A strategy's log lines since the host started, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{account}/strategies/{strategy}/logs",
    tag = "reading",
    params(
        ("account" = String, Path, description = "The account's name"),
        ("strategy" = String, Path, description = "The strategy's name"),
    ),
    responses((status = 200, description = "The lines", body = List<LogEntry>)),
)]
pub(crate) async fn logs(
    State(api): State<Api>,
    At((account, strategy)): At<(String, String)>,
) -> Answer<List<LogEntry>> {
    let stream = stream_with(&api, &account, &strategy)?;
    Ok(Json(List { items: stream.recent(|recent| recent.logs(Some(&strategy))) }))
}

/// The live updates of an account that has this strategy.
fn stream_with(api: &Api, account: &str, strategy: &str) -> Result<Arc<super::Stream>, Problem> {
    let stream = api.stream(account)?;
    match stream.strategy(strategy) {
        Some(_) => Ok(stream),
        None => {
            let list = format!("/api/v1/accounts/{account}/strategies");
            Err(Problem::unknown("strategy", strategy, &list))
        }
    }
}
