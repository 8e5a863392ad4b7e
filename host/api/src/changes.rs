//! Changes: each becomes a request in the database, which the host carries out as an input of the account's
//! sequencer. The same request with the same idempotency key is carried out once.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bulkhead_core::input::{Command, HaltAction, SettingsChange, StrategyMode};
use bulkhead_core::strategy::ParameterValue;
use bulkhead_store::database::{Database, RequestState};
use bulkhead_store::storage::Outcome;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::api::{Answer, Api, At, Body};
use crate::authorisation::Caller;
use crate::names::Names;
use crate::paging;
use crate::problem::{Kind, Problem};

/// How long a change may take before its caller is told to look later.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often it is looked whether the host has answered.
const INTERVAL: Duration = Duration::from_millis(20);

/// Changes of one account that may wait at a time.
const MOST_WAITING: usize = 100;

/// Longest idempotency key, in bytes.
const LONGEST_KEY: usize = 128;

/// Longest reason of a halt, in bytes.
const LONGEST_REASON: usize = 500;

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ChangeState {
    /// The request's number; `/api/v1/requests/{request}` tells what became of it.
    pub(crate) request: i64,
    /// waiting, applied or refused.
    pub(crate) state: String,
    /// The input that applied or refused it; null while it waits.
    pub(crate) sequence: Option<u64>,
    /// Why it was refused, and what to do.
    pub(crate) reason: Option<String>,
}

impl ChangeState {
    fn of(request: i64, state: RequestState) -> Self {
        let (state, sequence, reason) = match state {
            RequestState::Waiting => ("waiting", None, None),
            RequestState::Answered(Outcome::Applied { sequence }) => ("applied", Some(sequence), None),
            RequestState::Answered(Outcome::Refused { sequence, reason }) => {
                ("refused", sequence, Some(reason))
            }
        };
        let sequence = sequence.map(|sequence| sequence.0);
        Self { request, state: state.to_owned(), sequence, reason }
    }
}

/// What a halt does besides stopping new exposure; each does what those before it do, too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum HaltKind {
    /// Nothing else.
    #[default]
    StopEntries,
    /// Takes back the strategies' working sales.
    CancelOrders,
    /// Closes all positions at the market.
    Flatten,
}

impl From<HaltKind> for HaltAction {
    fn from(kind: HaltKind) -> Self {
        match kind {
            HaltKind::StopEntries => Self::StopEntries,
            HaltKind::CancelOrders => Self::CancelOrders,
            HaltKind::Flatten => Self::Flatten,
        }
    }
}

/// A halt.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HaltBody {
    /// Why, for those who find trading stopped.
    reason: String,
    /// What else to do.
    #[serde(default)]
    action: HaltKind,
}

/// Shares of the capital.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WeightsBody {
    /// By strategy, each from 0 to 1, as decimal strings. Strategies that are not named keep theirs.
    #[schema(value_type = BTreeMap<String, String>)]
    weights: BTreeMap<String, String>,
}

/// What becomes of a strategy's proposals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ModeKind {
    /// They trade the account's capital.
    Live,
    /// They trade make-believe capital.
    Shadow,
    /// The strategy isn't called. Its positions stay guarded.
    Off,
}

impl From<ModeKind> for StrategyMode {
    fn from(kind: ModeKind) -> Self {
        match kind {
            ModeKind::Live => Self::Live,
            ModeKind::Shadow => Self::Shadow,
            ModeKind::Off => Self::Off,
        }
    }
}

/// A change of mode.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModeBody {
    /// From now on.
    mode: ModeKind,
}

/// Stops new exposure until resumed; exits go on.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/{account}/halt",
    tag = "changing",
    params(("account" = String, Path, description = "The account's name")),
    request_body = HaltBody,
    responses(
        (status = 200, description = "Applied by the input of this sequence", body = ChangeState),
        (status = 202, description = "No host has taken it up within 5 seconds; it waits", body = ChangeState),
    ),
)]
pub(crate) async fn halt(
    State(api): State<Api>,
    At(account): At<String>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Body(body): Body<HaltBody>,
) -> Result<Response, Problem> {
    if body.reason.trim().is_empty() || body.reason.len() > LONGEST_REASON {
        let expected = format!("reason: a text of at most {LONGEST_REASON} bytes is expected");
        return Err(Problem::new(Kind::BadBody, expected));
    }
    let (reason, action) = (body.reason, body.action.into());
    change(&api, caller, &headers, account, move |_| Ok(Command::Halt { reason, action })).await
}

/// Ends a halt, and closes the breakers that tripped.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/{account}/resume",
    tag = "changing",
    params(("account" = String, Path, description = "The account's name")),
    responses(
        (status = 200, description = "Applied by the input of this sequence", body = ChangeState),
        (status = 202, description = "No host has taken it up within 5 seconds; it waits", body = ChangeState),
    ),
)]
pub(crate) async fn resume(
    State(api): State<Api>,
    At(account): At<String>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    change(&api, caller, &headers, account, move |_| Ok(Command::Resume {})).await
}

/// Changes what strategies get of the capital.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/{account}/weights",
    tag = "changing",
    params(("account" = String, Path, description = "The account's name")),
    request_body = WeightsBody,
    responses(
        (status = 200, description = "Applied by the input of this sequence", body = ChangeState),
        (status = 202, description = "No host has taken it up within 5 seconds; it waits", body = ChangeState),
    ),
)]
pub(crate) async fn set_weights(
    State(api): State<Api>,
    At(account): At<String>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Body(body): Body<WeightsBody>,
) -> Result<Response, Problem> {
    let mut weights = BTreeMap::new();
    for (name, text) in body.weights {
        let weight = Decimal::from_str_exact(&text).ok();
        let weight = weight.filter(|weight| (Decimal::ZERO..=Decimal::ONE).contains(weight));
        let expected = || format!("weights.{name} = \"{text}\": a number from 0 to 1 is expected");
        let weight = weight.ok_or_else(|| Problem::new(Kind::BadBody, expected()))?;
        weights.insert(name, weight);
    }
    if weights.is_empty() {
        return Err(Problem::new(Kind::BadBody, "weights: at least one strategy is expected"));
    }
    change(&api, caller, &headers, account, move |names| {
        for name in weights.keys() {
            names.slot(name)?;
        }
        Ok(Command::SetWeights(weights))
    })
    .await
}

/// Changes what becomes of a strategy's proposals.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/{account}/strategies/{strategy}/mode",
    tag = "changing",
    params(("account" = String, Path, description = "The account's name"), ("strategy" = String, Path, description = "The strategy's name")),
    request_body = ModeBody,
    responses(
        (status = 200, description = "Applied by the input of this sequence", body = ChangeState),
        (status = 202, description = "No host has taken it up within 5 seconds; it waits", body = ChangeState),
    ),
)]
pub(crate) async fn set_mode(
    State(api): State<Api>,
    At((account, strategy)): At<(String, String)>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Body(body): Body<ModeBody>,
) -> Result<Response, Problem> {
    let mode = body.mode.into();
    change(&api, caller, &headers, account, move |names| {
        names.slot(&strategy)?;
        Ok(Command::SetMode { slot: strategy, mode })
    })
    .await
}

/// Settings that are to hold from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettingsBody {
    /// The version that they are a change of, as the account's view tells it: if another one holds by now, somebody else
    /// was quicker, and nothing is changed.
    version: u64,
    /// All that can be changed, as a whole, in the shape of the settings' history.
    #[schema(value_type = Object)]
    settings: Value,
}

/// Replaces the account's settings as a whole: limits, sizing, exits, costs, breakers. They hold from the next event on.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/{account}/settings",
    tag = "changing",
    params(("account" = String, Path, description = "The account's name")),
    request_body = SettingsBody,
    responses(
        (status = 200, description = "They hold since the input of this sequence", body = ChangeState),
        (status = 202, description = "No host has taken it up within 5 seconds; it waits", body = ChangeState),
    ),
)]
pub(crate) async fn change_settings(
    State(api): State<Api>,
    At(account): At<String>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Body(body): Body<SettingsBody>,
) -> Result<Response, Problem> {
    let settings = serde_json::from_value(body.settings)
        .map_err(|error| Problem::new(Kind::BadBody, format!("settings: {error}")))?;
    let of = Some(body.version);
    change(&api, caller, &headers, account, move |_| {
        Ok(Command::ChangeSettings(Box::new(SettingsChange { settings, of })))
    })
    .await
}

/// New parameters of a strategy.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ParametersBody {
    /// By name. What is not named gets the version's default.
    #[schema(value_type = BTreeMap<String, serde_json::Value>)]
    parameters: BTreeMap<String, ParameterValue>,
}

/// Restarts a strategy with other parameters; its state is carried over.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/{account}/strategies/{strategy}/parameters",
    tag = "changing",
    params(("account" = String, Path, description = "The account's name"), ("strategy" = String, Path, description = "The strategy's name")),
    request_body = ParametersBody,
    responses(
        (status = 200, description = "Applied by the input of this sequence", body = ChangeState),
        (status = 202, description = "No host has taken it up within 5 seconds; it waits", body = ChangeState),
    ),
)]
pub(crate) async fn set_parameters(
    State(api): State<Api>,
    At((account, strategy)): At<(String, String)>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Body(body): Body<ParametersBody>,
) -> Result<Response, Problem> {
    change(&api, caller, &headers, account, move |names| {
        names.slot(&strategy)?;
        Ok(Command::SetParameters { slot: strategy, parameters: body.parameters })
    })
    .await
}

/// Ends a quarantine.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/{account}/strategies/{strategy}/release",
    tag = "changing",
    params(("account" = String, Path, description = "The account's name"), ("strategy" = String, Path, description = "The strategy's name")),
    responses(
        (status = 200, description = "Applied by the input of this sequence", body = ChangeState),
        (status = 202, description = "No host has taken it up within 5 seconds; it waits", body = ChangeState),
    ),
)]
pub(crate) async fn release(
    State(api): State<Api>,
    At((account, strategy)): At<(String, String)>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    change(&api, caller, &headers, account, move |names| {
        names.slot(&strategy)?;
        Ok(Command::Release { slot: strategy })
    })
    .await
}

/// Stops a strategy. Its positions stay, guarded by their exits.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/{account}/strategies/{strategy}/remove",
    tag = "changing",
    params(("account" = String, Path, description = "The account's name"), ("strategy" = String, Path, description = "The strategy's name")),
    responses(
        (status = 200, description = "Applied by the input of this sequence", body = ChangeState),
        (status = 202, description = "No host has taken it up within 5 seconds; it waits", body = ChangeState),
    ),
)]
pub(crate) async fn remove(
    State(api): State<Api>,
    At((account, strategy)): At<(String, String)>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    change(&api, caller, &headers, account, move |names| {
        names.slot(&strategy)?;
        Ok(Command::Remove { slot: strategy })
    })
    .await
}

/// Closes a strategy's position at the market.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/{account}/strategies/{strategy}/positions/{instrument}/close",
    tag = "changing",
    params(("account" = String, Path, description = "The account's name"), ("strategy" = String, Path, description = "The strategy's name"), ("instrument" = String, Path, description = "The symbol")),
    responses(
        (status = 200, description = "Applied by the input of this sequence", body = ChangeState),
        (status = 202, description = "No host has taken it up within 5 seconds; it waits", body = ChangeState),
    ),
)]
pub(crate) async fn close(
    State(api): State<Api>,
    At((account, strategy, instrument)): At<(String, String, String)>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    change(&api, caller, &headers, account, move |names| {
        names.slot(&strategy)?;
        let instrument = names.instrument(&instrument)?;
        Ok(Command::Close { slot: strategy, instrument })
    })
    .await
}

/// What became of a change.
#[utoipa::path(
    get,
    path = "/api/v1/requests/{request}",
    tag = "changing",
    params(("request" = i64, Path, description = "The request's number")),
    responses(
        (status = 200, description = "What became of it", body = ChangeState),
    ),
)]
pub(crate) async fn request(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    At(request): At<String>,
) -> Answer<ChangeState> {
    let unknown =
        || Problem::new(Kind::Unknown, "there is no such request; the answer to a change tells its number");
    let number = paging::number(Some(&request)).ok().flatten().and_then(|number| i64::try_from(number).ok());
    let number = number.ok_or_else(unknown)?;
    let visible = api
        .access
        .ask(move |database| {
            let shard = database.request_shard(number)?;
            let mut of = database.account_names()?.into_iter().filter(|row| Some(row.shard) == shard);
            Ok(of.any(|row| caller.may_see(&row.name)))
        })
        .await?;
    if !visible {
        return Err(unknown());
    }
    state(&api, number).await?.map(Json).ok_or_else(unknown)
}

async fn state(api: &Api, request: i64) -> Result<Option<ChangeState>, Problem> {
    let state = api.access.ask(move |database| Ok(database.request_state(request)?)).await?;
    Ok(state.map(|state| ChangeState::of(request, state)))
}

/// The key that the caller gave, made one of this token's own.
fn key(caller: &Caller, headers: &HeaderMap) -> Result<String, Problem> {
    let key = headers.get("idempotency-key").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if key.is_empty() || key.len() > LONGEST_KEY {
        return Err(Problem::new(
            Kind::MissingKey,
            format!(
                "send a header Idempotency-Key of 1 to {LONGEST_KEY} visible characters, a new one for each change"
            ),
        ));
    }
    Ok(format!("api:{}:{key}", caller.name))
}

/// Leaves the request and waits a while for what becomes of it.
pub(crate) async fn change(
    api: &Api,
    caller: Caller,
    headers: &HeaderMap,
    account: String,
    command: impl FnOnce(&Names) -> Result<Command, Problem> + Send + 'static,
) -> Result<Response, Problem> {
    let key = key(&caller, headers)?;
    // Nobody takes up what is asked of an account that this host does not run.
    api.stream(&account)?;
    let leave = move |database: &mut Database| {
        let names = Names::read(database, &account)?;
        let command = serde_json::to_string(&command(&names)?).map_err(|error| {
            Problem::new(Kind::Internal, format!("the command can't be written: {error}"))
        })?;
        let waiting = database.waiting_of(names.shard)?;
        if waiting >= MOST_WAITING {
            return Err(Problem::new(
                Kind::StandsStill,
                format!(
                    "{waiting} changes of this account wait already, as its host or its journal stands still; the account's view says why"
                ),
            ));
        }
        let authority = caller.credential.authority(caller.needed);
        Ok(database.authorised_request(names.shard, &caller.name, &command, Some(&key), &authority)?)
    };
    let request = api.access.ask(leave).await?;
    (api.poke)();
    let answered = async {
        loop {
            match state(api, request).await {
                // It is left already, so a database that does not answer at the moment is no failure of it.
                Ok(Some(state)) if state.state != "waiting" => return state,
                _ => tokio::time::sleep(INTERVAL).await,
            }
        }
    };
    match tokio::time::timeout(PATIENCE, answered).await {
        Ok(ChangeState { reason: Some(reason), .. }) => Err(Problem::new(Kind::Refused, reason)),
        Ok(state) => Ok(Json(state).into_response()),
        Err(_) => {
            let state = ChangeState::of(request, RequestState::Waiting);
            Ok((StatusCode::ACCEPTED, Json(state)).into_response())
        }
    }
}
