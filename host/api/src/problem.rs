//! Errors as they are told: problem details for HTTP APIs, RFC 9457.

use axum::extract::rejection::{BytesRejection, JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bulkhead_store::storage::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

/// What kind of problem; each has a type that stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Misdirected,
    Unauthorised,
    Forbidden,
    TooManyRequests,
    UnknownRoute,
    WrongMethod,
    Unknown,
    BadFilter,
    BadBody,
    BodyTooLarge,
    MissingKey,
    KeyReused,
    Exists,
    BadName,
    PluginRefused,
    UpgradeRequired,
    Refused,
    TimedOut,
    Busy,
    StandsStill,
    Unavailable,
    Internal,
}

impl Kind {
    /// Name, title, status.
    const fn facts(self) -> (&'static str, &'static str, StatusCode) {
        match self {
            Self::Misdirected => {
                ("misdirected", "The host does not go by this name", StatusCode::MISDIRECTED_REQUEST)
            }
            Self::Unauthorised => ("unauthorised", "A valid token is needed", StatusCode::UNAUTHORIZED),
            Self::Forbidden => ("forbidden", "The token's role does not allow it", StatusCode::FORBIDDEN),
            Self::TooManyRequests => {
                ("too-many-requests", "Too many requests", StatusCode::TOO_MANY_REQUESTS)
            }
            Self::UnknownRoute => ("unknown-route", "There is nothing here", StatusCode::NOT_FOUND),
            Self::WrongMethod => {
                ("wrong-method", "The method does not fit the route", StatusCode::METHOD_NOT_ALLOWED)
            }
            Self::Unknown => ("unknown", "There is no such thing", StatusCode::NOT_FOUND),
            Self::BadFilter => {
                ("bad-filter", "A query parameter can't be understood", StatusCode::BAD_REQUEST)
            }
            Self::BadBody => ("bad-body", "The body can't be understood", StatusCode::BAD_REQUEST),
            Self::BodyTooLarge => ("body-too-large", "The body is too large", StatusCode::PAYLOAD_TOO_LARGE),
            Self::MissingKey => {
                ("missing-idempotency-key", "An idempotency key is needed", StatusCode::BAD_REQUEST)
            }
            Self::KeyReused => (
                "idempotency-key-reused",
                "The idempotency key belongs to another request",
                StatusCode::CONFLICT,
            ),
            Self::Exists => ("exists", "There is such a thing already", StatusCode::CONFLICT),
            Self::BadName => ("bad-name", "This can't be a name", StatusCode::BAD_REQUEST),
            Self::PluginRefused => {
                ("plugin-refused", "The plugin can't run here", StatusCode::UNPROCESSABLE_ENTITY)
            }
            Self::UpgradeRequired => {
                ("upgrade-required", "This route speaks WebSocket", StatusCode::UPGRADE_REQUIRED)
            }
            Self::Refused => ("refused", "The engine refused it", StatusCode::UNPROCESSABLE_ENTITY),
            Self::TimedOut => ("timed-out", "It took too long", StatusCode::REQUEST_TIMEOUT),
            Self::Busy => ("busy", "Too much is asked at once", StatusCode::TOO_MANY_REQUESTS),
            Self::StandsStill => {
                ("stands-still", "The account takes nothing up", StatusCode::SERVICE_UNAVAILABLE)
            }
            Self::Unavailable => {
                ("database-unavailable", "The database does not answer", StatusCode::SERVICE_UNAVAILABLE)
            }
            Self::Internal => ("internal", "The host failed to answer", StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

/// An error, as `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ProblemDocument {
    /// What kind of problem; it stays the same for ever.
    #[schema(example = "urn:bulkhead:problem:bad-filter")]
    r#type: String,
    /// The kind in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What was found, where, and what to do.
    detail: String,
    /// The number of the request, also in the header `x-request-id` and in the log.
    request_id: String,
}

/// What is answered instead of what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) kind: Kind,
    pub(crate) detail: String,
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    /// There is no such thing.
    pub(crate) fn unknown(what: &str, name: impl std::fmt::Display, list: &str) -> Self {
        Self::new(Kind::Unknown, format!("there is no {what} \"{name}\"; {list} lists those that there are"))
    }

    /// As it is sent, once the request's number is known.
    pub(crate) fn document(self, request_id: &str) -> Response {
        let (name, title, status) = self.kind.facts();
        let document = ProblemDocument {
            r#type: format!("urn:bulkhead:problem:{name}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: self.detail,
            request_id: request_id.to_owned(),
        };
        let mut response = (status, axum::Json(document)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        match self.kind {
            Kind::Unauthorised => {
                let scheme = HeaderValue::from_static("Bearer realm=\"bulkhead\"");
                response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
            }
            Kind::TooManyRequests | Kind::Busy | Kind::StandsStill | Kind::Unavailable => {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

/// The outermost layer, which knows the request's number, makes the document of it.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (_, _, status) = self.kind.facts();
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::KeyReused { .. } => Self::new(
                Kind::KeyReused,
                "this token has used the key for a request that asks for something else; give every new \
                 request a key of its own",
            ),
            StoreError::Unavailable(why) => {
                tracing::warn!(why, "the API could not reach the database");
                Self::new(Kind::Unavailable, "the database does not answer; trading is not concerned by this")
            }
            // Its words may name files and servers, which are for the log.
            error => {
                tracing::error!(%error, "the API could not use the database");
                Self::new(Kind::Internal, "the database could not be used; the host's log says why")
            }
        }
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        let kind = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Kind::BodyTooLarge,
            _ => Kind::BadBody,
        };
        Self::new(kind, format!("{}; see /api/v1/openapi.json", rejection.body_text()))
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        let kind = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Kind::BodyTooLarge,
            _ => Kind::BadBody,
        };
        Self::new(kind, rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(Kind::BadFilter, rejection.body_text())
    }
}

impl From<PathRejection> for Problem {
    fn from(_: PathRejection) -> Self {
        Self::new(Kind::UnknownRoute, "the path can't be read; /api/v1/openapi.json lists all routes")
    }
}
