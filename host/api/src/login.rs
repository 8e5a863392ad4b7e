//! Logging in and out of the dashboard: a token is shown once, or a wallet signs once, and a cookie stands for it from
//! then on.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::{Extension, Json};
use bulkhead_store::clock::now;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::addressing::signs_for;
use crate::api::{Api, Body};
use crate::authorisation::{Caller, from_own_page, holder, wallet_holder};
use crate::client_address::ClientAddress;
use crate::documents::time;
use crate::problem::{Kind, Problem};
use crate::server::Settings;
use crate::sessions::{Credential, ending_header};
use crate::wallets::{NoAddress, WalletAddress};

/// A login.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginBody {
    /// As `bulkhead token create` showed it.
    token: String,
}

/// Who is logged in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Login {
    /// The token's name.
    name: String,
    /// viewer, trader, operator or admin.
    role: String,
    /// The only account that it is for; null when it is for all.
    account: Option<String>,
    /// When the token or the login ends; null for a token that does not expire.
    expires: Option<String>,
}

impl Login {
    fn of(caller: &Caller) -> Self {
        Self {
            name: caller.name.clone(),
            role: caller.role.name().to_owned(),
            account: caller.account.clone(),
            expires: caller.expires.map(time),
        }
    }
}

/// Logs a browser in: the answer sets a cookie that scripts can't read.
#[utoipa::path(
    post,
    path = "/api/v1/session",
    tag = "session",
    request_body = LoginBody,
    responses(
        (status = 200, description = "Logged in", body = Login),
        (status = 400, description = "The body can't be understood", body = crate::problem::ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "No valid token", body = crate::problem::ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "The page is of another origin", body = crate::problem::ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "Too many logins", body = crate::problem::ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "The database does not answer", body = crate::problem::ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn log_in(
    State(api): State<Api>,
    from: Option<Extension<ClientAddress>>,
    headers: HeaderMap,
    body: Result<Body<LoginBody>, Problem>,
) -> Result<Response, Problem> {
    from_own_page(&api, &headers)?;
    count(&api, from)?;
    // What is wrong with it is not repeated: it may be the token, in the wrong place.
    let Body(body) = body.map_err(|problem| match problem.kind {
        Kind::BadBody => Problem::new(Kind::BadBody, "an object with nothing but a token is expected"),
        _ => problem,
    })?;
    let caller = holder(&api, body.token.trim()).await?;
    let caller = caller.ok_or_else(|| {
        Problem::new(
            Kind::Unauthorised,
            "this is no valid token; `bulkhead token create --name NAME --role admin` makes one",
        )
    })?;
    let credential = Credential::Token(caller.name.clone());
    begin(&api, caller, credential)
}

/// Begins a login and sets its cookie.
fn begin(api: &Api, caller: Caller, credential: Credential) -> Result<Response, Problem> {
    let (now, lasts) = (now(), api.settings.session);
    let secret = api.sessions.begin(credential, now, lasts).map_err(no_random_bits)?;
    let ends = now.plus(lasts);
    let expires = Some(caller.expires.map_or(ends, |expires| expires.min(ends)));
    let cookie = secret.header(lasts, api.settings.secure_cookies());
    let login = Json(Login::of(&Caller { expires, ..caller }));
    Ok((AppendHeaders([(header::SET_COOKIE, cookie)]), login).into_response())
}

fn no_random_bits(error: getrandom::Error) -> Problem {
    tracing::error!(%error, "no login can begin: the system gives no random bits");
    Problem::new(Kind::Internal, "the login could not begin; the host's log says why")
}

/// Whose wallet is to sign.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChallengeBody {
    /// 0x and 40 hexadecimal digits, or a base58 public key of Solana.
    address: String,
}

/// What the wallet is to sign, as it is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChallengeText {
    /// The text.
    message: String,
    /// Until when it must be answered.
    expires: String,
}

/// A challenge that was signed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnswerBody {
    /// The address that the challenge was for.
    address: String,
    /// As `personal_sign` makes it: 0x and 130 hexadecimal digits; of Solana: ed25519 in base58.
    signature: String,
}

fn address(text: &str) -> Result<WalletAddress, Problem> {
    text.parse().map_err(|error: NoAddress| Problem::new(Kind::BadBody, format!("address: {error}")))
}

/// A text for a wallet to sign. Everybody gets one, whether or not the wallet is known here.
#[utoipa::path(
    post,
    path = "/api/v1/session/challenge",
    tag = "session",
    request_body = ChallengeBody,
    responses(
        (status = 200, description = "To be signed", body = ChallengeText),
        (status = 400, description = "The body can't be understood", body = crate::problem::ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = crate::problem::ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn challenge(
    State(api): State<Api>,
    from: Option<Extension<ClientAddress>>,
    headers: HeaderMap,
    Body(body): Body<ChallengeBody>,
) -> Result<Json<ChallengeText>, Problem> {
    count(&api, from)?;
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let Settings { listen, hosts, origins, .. } = &api.settings;
    if !signs_for(listen.ip(), hosts, origins, host) {
        let detail = "a wallet signs for a name or an address that is this host's: put it into api.hosts";
        return Err(Problem::new(Kind::Misdirected, detail));
    }
    let scheme = if api.settings.secure_cookies() { "https" } else { "http" };
    let page = format!("{scheme}://{host}");
    let challenge = api.challenges.make(address(&body.address)?, &page, now()).map_err(no_random_bits)?;
    Ok(Json(ChallengeText { message: challenge.message, expires: time(challenge.expires) }))
}

/// Logs a browser in whose wallet signed its challenge.
#[utoipa::path(
    post,
    path = "/api/v1/session/wallet",
    tag = "session",
    request_body = AnswerBody,
    responses(
        (status = 200, description = "Logged in", body = Login),
        (status = 400, description = "The body can't be understood", body = crate::problem::ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "It is not signed by a wallet that may log in", body = crate::problem::ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "The page is of another origin", body = crate::problem::ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = crate::problem::ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn log_in_with_wallet(
    State(api): State<Api>,
    from: Option<Extension<ClientAddress>>,
    headers: HeaderMap,
    Body(body): Body<AnswerBody>,
) -> Result<Response, Problem> {
    from_own_page(&api, &headers)?;
    count(&api, from)?;
    let address = address(&body.address)?;
    let signed = api.challenges.answered(address, &body.signature, now());
    // One answer for all that can be wrong, so that nobody learns which wallets are known here.
    let caller = wallet_holder(&api, address).filter(|_| signed).ok_or_else(|| {
        Problem::new(
            Kind::Unauthorised,
            "ask for a challenge and sign it with a wallet that api.wallets names, within five minutes",
        )
    })?;
    begin(&api, caller, Credential::Wallet(address))
}

/// Counts a login from an address.
fn count(api: &Api, from: Option<Extension<ClientAddress>>) -> Result<(), Problem> {
    from.map_or(Ok(()), |Extension(client)| api.limits.login(client.0))
}

/// Who is logged in. An old cookie is replaced by a new one.
#[utoipa::path(
    get,
    path = "/api/v1/session",
    tag = "session",
    responses((status = 200, description = "Who asks", body = Login)),
)]
pub(crate) async fn session(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Response {
    let login = Json(Login::of(&caller));
    match api.sessions.rotate(&headers, now()) {
        Some(secret) => {
            let cookie = secret.header(api.settings.session, api.settings.secure_cookies());
            (AppendHeaders([(header::SET_COOKIE, cookie)]), login).into_response()
        }
        None => login.into_response(),
    }
}

/// Logs a browser out.
#[utoipa::path(
    delete,
    path = "/api/v1/session",
    tag = "session",
    responses((status = 204, description = "Logged out")),
)]
pub(crate) async fn log_out(State(api): State<Api>, headers: HeaderMap) -> Response {
    api.sessions.end(&headers);
    let cookie = ending_header(api.settings.secure_cookies());
    (StatusCode::NO_CONTENT, AppendHeaders([(header::SET_COOKIE, cookie)])).into_response()
}
