//! Who asks, and whether they may. Everything but the two routes that say whether the host is alive needs a token.

use std::sync::PoisonError;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use bulkhead_core::time::Span;

use crate::api::{Api, now};
use crate::problem::{Kind, Problem};
use crate::tokens::{Role, Shown};

/// How exact a token's last use is kept.
const NOTED_EVERY: Span = Span::from_seconds(60);

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The token's name.
    pub(crate) name: String,
}

/// Lets those pass whose token has this role or a higher one.
pub(crate) async fn authorise(
    State((api, needed)): State<(Api, Role)>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (name, role) = identify(&api, request.headers().clone()).await?;
    api.limits.token(&name)?;
    if role < needed {
        return Err(Problem::new(
            Kind::Forbidden,
            format!(
                "the token \"{name}\" has the role {role}, and {needed} is needed; make one with \
                 `bulkhead token create --name NAME --role {needed}`"
            ),
        ));
    }
    note_use(&api, &name);
    request.extensions_mut().insert(Caller { name });
    Ok(next.run(request).await)
}

async fn identify(api: &Api, headers: HeaderMap) -> Result<(String, Role), Problem> {
    // One answer for all that is wrong with a token, so that nobody learns which names there are.
    let refused = || {
        Problem::new(
            Kind::Unauthorised,
            "send a valid token as \"Authorization: Bearer TOKEN\"; `bulkhead token create` makes one",
        )
    };
    let header = headers.get(header::AUTHORIZATION).ok_or_else(refused)?;
    let (scheme, secret) = header.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(refused)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(refused());
    }
    let shown = Shown::read(secret.trim()).ok_or_else(refused)?;
    let name = shown.name.clone();
    let known = api.readers.ask(move |database| Ok(database.token(&name)?)).await?;
    let role = shown.role(known.as_ref(), now()).ok_or_else(refused)?;
    Ok((shown.name, role))
}

/// Writes down that a token was used, beside the request, which does not wait for it.
fn note_use(api: &Api, name: &str) {
    let now = now();
    {
        let mut noted = api.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.get(name).is_some_and(|last| now < last.plus(NOTED_EVERY)) {
            return;
        }
        noted.insert(name.to_owned(), now);
    }
    let (api, name) = (api.clone(), name.to_owned());
    tokio::spawn(async move {
        let used = name.clone();
        if let Err(problem) = api.readers.ask(move |database| Ok(database.token_used(&used, now)?)).await {
            tracing::debug!(token = name, why = problem.detail, "the use of a token was not noted");
        }
    });
}
