//! What every handler has at hand, and how it takes requests apart.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts};
use bulkhead_core::time::Timestamp;

use crate::limits::Limits;
use crate::metrics::RequestCounts;
use crate::problem::Problem;
use crate::readers::Readers;

/// Shared by all requests.
#[derive(Clone)]
pub(crate) struct Api(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) readers: Readers,
    pub(crate) limits: Limits,
    pub(crate) counts: RequestCounts,
    /// When the last use of each token was written down.
    pub(crate) noted: Mutex<BTreeMap<String, Timestamp>>,
}

impl Api {
    pub(crate) fn new(readers: Readers, limits: Limits, counts: RequestCounts) -> Self {
        Self(Arc::new(Shared { readers, limits, counts, noted: Mutex::default() }))
    }
}

impl std::ops::Deref for Api {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// What a handler answers.
pub(crate) type Answer<T> = Result<Json<T>, Problem>;

/// A body of JSON.
#[derive(FromRequest)]
#[from_request(via(Json), rejection(Problem))]
pub(crate) struct Body<T>(pub(crate) T);

/// The query parameters.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub(crate) struct Query<T>(pub(crate) T);

/// The variable parts of the path.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub(crate) struct At<T>(pub(crate) T);

/// By the machine's clock.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_nanos(i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX))
}
