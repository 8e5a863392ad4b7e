//! Tokens over the API, for admins. Their secrets are shown once, when they are made.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use bulkhead_store::clock::now;
use bulkhead_store::database::TokenRow;
use bulkhead_store::storage::StoreError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::{Answer, Api, At, Body};
use crate::authorisation::Caller;
use crate::documents::time;
use crate::live::reads::List;
use crate::paging;
use crate::problem::{Kind, Problem, ProblemDocument};
use crate::tokens::{Role, TokenError, create};

/// A token, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Token {
    /// Its name, for ever.
    name: String,
    /// viewer, trader, operator or admin.
    role: String,
    /// The only account that it is for; null when it is for all.
    account: Option<String>,
    /// When it was made.
    created: String,
    /// From when on it is not valid; null when it does not expire.
    expires: Option<String>,
    /// When it was taken back; null when it was not.
    revoked: Option<String>,
    /// When it was used last, to about a minute.
    last_used: Option<String>,
}

impl Token {
    fn of(row: TokenRow) -> Self {
        Self {
            name: row.name,
            role: row.role,
            account: row.account,
            created: time(row.created),
            expires: row.expires.map(time),
            revoked: row.revoked.map(time),
            last_used: row.last_used.map(time),
        }
    }
}

/// A token that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTokenBody {
    /// 1 to 64 letters, digits, "-", "_" and "."; unlike that of any token that ever was.
    name: String,
    /// viewer, trader, operator or admin.
    role: String,
    /// The only account that it is for; all when left out.
    #[serde(default)]
    account: Option<String>,
    /// From when on it is not valid, RFC 3339; it does not expire when left out.
    #[serde(default)]
    expires: Option<String>,
}

/// A token that was made. Its secret is not shown again.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadeToken {
    /// The token.
    token: Token,
    /// What its holder shows.
    secret: String,
}

/// All tokens that ever were, by name.
#[utoipa::path(
    get,
    path = "/api/v1/tokens",
    tag = "tokens",
    responses((status = 200, description = "The tokens", body = List<Token>)),
)]
pub(crate) async fn tokens(State(api): State<Api>) -> Answer<List<Token>> {
    let items =
        api.access.ask(|database| Ok(database.tokens()?.into_iter().map(Token::of).collect())).await?;
    Ok(Json(List { items }))
}

/// Makes a token. This is the only time that its secret is shown.
#[utoipa::path(
    post,
    path = "/api/v1/tokens",
    tag = "tokens",
    request_body = NewTokenBody,
    responses(
        (status = 201, description = "The token and its secret", body = MadeToken),
        (status = 400, description = "The body can't be understood", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "There is no such account", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "There is or was a token of this name", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn make_token(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Body(body): Body<NewTokenBody>,
) -> Result<(StatusCode, Json<MadeToken>), Problem> {
    let role = Role::named(&body.role).ok_or_else(|| {
        let all = Role::ALL.map(Role::name).join(", ");
        Problem::new(Kind::BadBody, format!("role = \"{}\": one of {all} is expected", body.role))
    })?;
    let expires = paging::moment("expires", body.expires.as_deref());
    let expires = expires.map_err(|problem| Problem { kind: Kind::BadBody, ..problem })?;
    let by = caller.name;
    let made = api
        .access
        .ask(move |database| {
            if let Some(account) = &body.account {
                crate::names::shard(database, account)?;
            }
            match create(database, &body.name, role, body.account.as_deref(), now(), expires) {
                Ok(made) => Ok(made),
                Err(error @ TokenError::Name(_)) => Err(Problem::new(Kind::BadBody, error.to_string())),
                Err(TokenError::Store(StoreError::Exists(why))) => Err(Problem::new(Kind::Exists, why)),
                Err(TokenError::Store(error)) => Err(error.into()),
                Err(error @ TokenError::Random(_)) => {
                    tracing::error!(%error, "no token can be made");
                    Err(Problem::new(Kind::Internal, "no token can be made; the host's log says why"))
                }
            }
        })
        .await?;
    tracing::info!(token = made.row.name, role = made.row.role, by, "a token was made");
    let made = MadeToken { token: Token::of(made.row), secret: made.secret };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Takes a token back: from now on it is not valid, and what was opened with it is closed.
#[utoipa::path(
    delete,
    path = "/api/v1/tokens/{token}",
    tag = "tokens",
    params(("token" = String, Path, description = "The token's name")),
    responses((status = 204, description = "It is not valid any more")),
)]
pub(crate) async fn revoke_token(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    At(token): At<String>,
) -> Result<StatusCode, Problem> {
    let name = token.clone();
    let known = api.access.ask(move |database| Ok(database.revoke_token(&name, now())?)).await?;
    if !known {
        return Err(Problem::unknown("token", &token, "/api/v1/tokens"));
    }
    tracing::info!(token, by = caller.name, "a token was taken back");
    Ok(StatusCode::NO_CONTENT)
}
