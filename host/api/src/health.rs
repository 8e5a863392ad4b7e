//! Whether the host is there, for those who watch over it.
#![allow(unused_qualifications, reason = "the macro that describes routes makes them")]

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::{Answer, Api};
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
