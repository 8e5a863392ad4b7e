//! Alerts to be read, and whether they reach anybody.
#![allow(unused_qualifications, reason = "the macro that describes routes makes them")]

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::api::{Answer, Api, At, Body, Query};
use crate::authorisation::Caller;
use crate::names::shard;
use crate::paging::{self, Page};
use crate::problem::{Kind, Problem, ProblemDocument};

/// What the API needs of those who make and deliver alerts.
pub trait AlertDesk: Send + Sync {
    /// The account's newest alerts with a number below `before`, newest first; with those of the whole host if that is
    /// wanted.
    fn newest(&self, account: &str, of_host: bool, before: Option<u64>, most: usize) -> Vec<AlertEntry>;

    /// Sends a test through one channel or all of them, once, and waits for what comes of it.
    ///
    /// # Errors
    ///
    /// [`AlertTestProblem`]; then nothing was sent.
    fn test(&self, channel: Option<&str>) -> Result<Vec<ChannelTest>, AlertTestProblem>;
}

/// Why no test was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AlertTestProblem {
    /// Nobody is told of anything.
    #[error("nobody is told of anything: there is no [alerts.telegram] and no [alerts.webhooks.NAME]")]
    NoChannel,
    /// There is no such channel; the text says which there are.
    #[error("{0}")]
    UnknownChannel(String),
}

/// An alert and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AlertEntry {
    /// Rising over all accounts, since the host started.
    pub number: u64,
    /// What it is about, such as breaker-opened.
    pub kind: String,
    /// info, warning or critical.
    pub severity: String,
    /// The account; null for what concerns the whole host.
    pub account: Option<String>,
    /// Tells alerts of a kind apart: two with the same subject repeat each other.
    pub subject: String,
    /// The strategy, if it is about one.
    pub strategy: Option<String>,
    /// The instrument, if it is about one.
    pub instrument: Option<String>,
    /// In a few words.
    pub title: String,
    /// The numbers and what to do.
    pub text: String,
    /// Event time; null for what the host itself met with.
    pub time: Option<String>,
    /// When it was made, by the machine's clock.
    pub noticed: String,
    /// The input of the journal that brought it about, if one did.
    pub sequence: Option<u64>,
    /// So many more of the same came since the one before.
    pub repeated: u64,
    /// Whether the same was told shortly before, so that it was counted and not told.
    pub repetition: bool,
    /// The channels that it was for, with what each did.
    pub deliveries: Vec<AlertDelivery>,
}

/// What a channel did with an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AlertDelivery {
    /// The channel, such as telegram or webhooks.desk.
    pub channel: String,
    /// waiting, sent, failed, left-out for want of room, or held-back as a repetition.
    pub state: String,
    /// Why it did not arrive, so far or for good; null when it did or was not tried yet.
    pub why: Option<String>,
}

/// What came of a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ChannelTest {
    /// The channel.
    pub channel: String,
    /// Whether it arrived.
    pub delivered: bool,
    /// Why it did not; null when it did.
    pub problem: Option<String>,
}

/// Which alerts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AlertsQuery {
    /// The `next` of the page before.
    after: Option<String>,
    /// Rows of the page, 1 to 1000; 100 when left out.
    limit: Option<String>,
}

/// The account's alerts since the host started, newest first: the last 500, and the last 100 that repeated another. With
/// those of the whole host, unless the token is for one account.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{account}/alerts",
    tag = "reading",
    params(("account" = String, Path, description = "The account's name"), AlertsQuery),
    responses((status = 200, description = "What there is", body = Page<AlertEntry>)),
)]
pub(crate) async fn alerts(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    At(account): At<String>,
    Query(query): Query<AlertsQuery>,
) -> Answer<Page<AlertEntry>> {
    let before = paging::number(query.after.as_deref())?;
    let most = paging::most(query.limit.as_deref())?;
    let known = account.clone();
    api.readers.ask(move |database| shard(database, &known)).await?;
    let entries = api.alerts.newest(&account, caller.account.is_none(), before, most + 1);
    Ok(Json(Page::of(entries, most, |entry| entry.number.to_string(), |entry| entry)))
}

/// Where a test goes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AlertTestBody {
    /// The channel, such as telegram or webhooks.desk; all of them when left out.
    channel: Option<String>,
}

/// Sends a test through one channel or all of them and waits for what comes of it, as `bulkhead alert test` does.
#[utoipa::path(
    post,
    path = "/api/v1/alerts/test",
    tag = "alerts",
    request_body = AlertTestBody,
    responses(
        (status = 200, description = "What came of it at each channel", body = Vec<ChannelTest>),
        (status = 400, description = "The body can't be understood", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "There is no such channel", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn test(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Body(body): Body<AlertTestBody>,
) -> Answer<Vec<ChannelTest>> {
    // Each may take as long as a channel does not answer.
    let turn = Arc::clone(&api.alert_tests)
        .try_acquire_owned()
        .map_err(|_| Problem::new(Kind::Busy, "another test is being sent; try again when that is done"))?;
    tracing::info!(channel = body.channel, by = caller.name, "a test alert was asked for");
    let desk = Arc::clone(&api.alerts);
    let done = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        desk.test(body.channel.as_deref())
    });
    let tests = done
        .await
        .map_err(|_| Problem::new(Kind::Internal, "sending the test failed; the host's log says why"))?;
    tests.map(Json).map_err(|problem| Problem::new(Kind::Unknown, problem.to_string()))
}
