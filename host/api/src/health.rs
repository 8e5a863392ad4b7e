//! Whether the host is there, for those who watch over it.
#![allow(unused_qualifications, reason = "the macro that describes routes makes them")]

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::{Answer, Api};
use crate::authorisation::Caller;
use crate::documents::time;
use crate::problem::{Kind, Problem, ProblemDocument};

/// Whether the host is alive or ready.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// ok.
    status: String,
}

/// Whether the API answers at all.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "monitoring",
    responses((status = 200, description = "It does", body = Health))
)]
pub(crate) async fn healthz() -> Answer<Health> {
    Ok(axum::Json(Health { status: "ok".to_owned() }))
}

/// The host itself.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HostStatus {
    /// The program's version.
    version: String,
    /// What orders do: paper trades make-believe money.
    mode: String,
    /// When it started, by the machine's clock.
    started: String,
    /// The accounts at work that the caller may see.
    accounts: Vec<String>,
    /// Whether the dashboard was built into it.
    dashboard: bool,
}

/// What runs here, since when, and which accounts are at work.
#[utoipa::path(
    get,
    path = "/api/v1/host",
    tag = "monitoring",
    responses((status = 200, description = "How it stands", body = HostStatus))
)]
pub(crate) async fn host(State(api): State<Api>, Extension(caller): Extension<Caller>) -> Answer<HostStatus> {
    let accounts = api.hub.streams().map(|(name, _)| name).filter(|name| caller.may_see(name));
    Ok(axum::Json(HostStatus {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        mode: api.settings.mode.clone(),
        started: time(api.started),
        accounts: accounts.map(str::to_owned).collect(),
        dashboard: crate::pages::are_built(),
    }))
}

/// Whether the database answers and holds an account.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "monitoring",
    responses(
        (status = 200, description = "It does", body = Health),
        (status = 503, description = "It does not", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn readyz(State(api): State<Api>) -> Result<Response, Problem> {
    let accounts = api.readers.ask(|database| Ok(database.account_names()?.len())).await?;
    if accounts == 0 {
        return Err(Problem::new(Kind::Unavailable, "there is no account in the database yet"));
    }
    Ok((StatusCode::OK, axum::Json(Health { status: "ok".to_owned() })).into_response())
}
