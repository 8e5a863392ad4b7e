//! Who asks, and whether they may. What is open to anybody is marked so in the table of routes; all else needs a
//! token, or the cookie that a browser got for one.

use std::sync::PoisonError;

use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use bulkhead_core::time::{Span, Timestamp};
use bulkhead_store::clock::now;
use bulkhead_store::database::TokenRow;

use crate::api::Api;
use crate::authority::CredentialKind;
use crate::problem::{Kind, Problem};
use crate::sessions::Credential;
use crate::tokens::{self, Role, Shown};
use crate::wallets::{WalletAddress, WalletHolder};

/// How exact a token's last use is kept.
const NOTED_EVERY: Span = Span::from_seconds(60);

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The token's name, or the wallet's address.
    pub(crate) name: String,
    /// What its holder may do.
    pub(crate) role: Role,
    /// The only account that it is for; all when there is none.
    pub(crate) account: Option<String>,
    /// When the token or the login ends.
    pub(crate) expires: Option<Timestamp>,
    /// The login, if it came with a cookie.
    pub(crate) login: Option<u64>,
    /// What was shown, now or at the login.
    pub(crate) credential: CredentialKind,
    /// The least role that may ask for this.
    pub(crate) needed: Role,
}

impl Caller {
    /// Whether the caller may know of this account.
    pub(crate) fn may_see(&self, account: &str) -> bool {
        self.account.as_deref().is_none_or(|only| only == account)
    }
}

/// What a route asks of its callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Needed {
    pub(crate) role: Role,
    /// Whether it tells of all accounts, which is not for a token that is for one.
    pub(crate) all_accounts: bool,
}

/// Lets those pass whose token has the role or a higher one.
pub(crate) async fn authorise(
    State((api, needed)): State<(Api, Needed)>,
    parameters: Result<RawPathParams, RawPathParamsRejection>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let parameters = parameters
        .map_err(|_| Problem::new(Kind::Unknown, "there is no such thing: the path is no UTF-8"))?;
    let account = parameters.iter().find(|(name, _)| *name == "account").map(|(_, value)| value.to_owned());
    let caller = identify(&api, request.method().clone(), request.headers().clone()).await?;
    let caller = Caller { needed: needed.role, ..caller };
    api.limits.token(&caller.name)?;
    let Caller { name, role, .. } = &caller;
    if *role < needed.role {
        let needed = needed.role;
        return Err(Problem::new(
            Kind::Forbidden,
            format!(
                "\"{name}\" has the role {role}, and {needed} is needed; make a token of that role with \
                 `bulkhead token create --name NAME --role {needed}`"
            ),
        ));
    }
    if let Some(only) = &caller.account
        && (needed.all_accounts || account.is_some_and(|account| account != *only))
    {
        return Err(Problem::new(
            Kind::Forbidden,
            format!("\"{name}\" is for the account \"{only}\" alone; use one that is for all"),
        ));
    }
    note_use(&api, name);
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

/// Who sent these headers.
pub(crate) async fn identify(api: &Api, method: Method, headers: HeaderMap) -> Result<Caller, Problem> {
    // One answer for all that is wrong with a token, so that nobody learns which names there are.
    let refused = || {
        Problem::new(
            Kind::Unauthorised,
            "send a valid token as \"Authorization: Bearer TOKEN\"; `bulkhead token create` makes one",
        )
    };
    if let Some(header) = headers.get(header::AUTHORIZATION) {
        let (scheme, secret) =
            header.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(refused)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(refused());
        }
        return holder(api, secret.trim()).await?.ok_or_else(refused);
    }
    let (_, session) = api.sessions.find(&headers, now()).ok_or_else(refused)?;
    // A page of another site must not do anything with it, should a browser send it along.
    if method != Method::GET || headers.contains_key(header::UPGRADE) {
        from_own_page(api, &headers)?;
    }
    let name = match session.credential {
        Credential::Token(name) => name,
        Credential::Wallet(address) => {
            let caller = wallet_holder(api, address).ok_or_else(refused)?;
            return Ok(Caller { expires: Some(session.expires), login: Some(session.login), ..caller });
        }
    };
    let token = api.access.ask(move |database| Ok(database.token(&name)?)).await?.ok_or_else(refused)?;
    let role = tokens::role(&token, now()).ok_or_else(refused)?;
    let expires = token.expires.map_or(session.expires, |expires| expires.min(session.expires));
    let login = Some(session.login);
    Ok(Caller { expires: Some(expires), login, ..of_token(token, role) })
}

/// The holder of a token, who asks for nothing yet.
fn of_token(token: TokenRow, role: Role) -> Caller {
    Caller {
        name: token.name,
        role,
        account: token.account,
        expires: token.expires,
        login: None,
        credential: CredentialKind::Token,
        needed: Role::Viewer,
    }
}

/// The holder of a wallet that the configuration knows.
pub(crate) fn wallet_holder(api: &Api, address: WalletAddress) -> Option<Caller> {
    let WalletHolder { account, role } = api.settings.wallets.get(&address)?.clone();
    Some(Caller {
        name: address.to_string(),
        role,
        account: Some(account),
        expires: None,
        login: None,
        credential: CredentialKind::Wallet,
        needed: Role::Viewer,
    })
}

/// Whose secret it is; `None` when it is no valid token.
pub(crate) async fn holder(api: &Api, secret: &str) -> Result<Option<Caller>, Problem> {
    let Some(shown) = Shown::read(secret) else { return Ok(None) };
    let name = shown.name.clone();
    let known = api.access.ask(move |database| Ok(database.token(&name)?)).await?;
    let role = shown.role(known.as_ref(), now());
    Ok(known.zip(role).map(|(token, role)| of_token(token, role)))
}

/// Refuses what a browser sends on behalf of a page that is neither the dashboard nor allowed.
pub(crate) fn from_own_page(api: &Api, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let origin = origin.to_str().unwrap_or_default();
    let of_page = origin.split_once("://");
    // Where this host encrypts, nothing that did not can be its page.
    let of_page = of_page.filter(|(scheme, _)| api.settings.certificate.is_none() || *scheme == "https");
    let of_page = of_page.map(|(_, host)| host);
    let allowed = api.settings.origins.iter().any(|allowed| allowed == origin);
    if allowed || (of_page.is_some() && of_page == host) {
        return Ok(());
    }
    Err(Problem::new(
        Kind::Forbidden,
        "the page that asks is of another origin; put its origin into api.origins if it may use this host",
    ))
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
        if let Err(problem) = api.access.ask(move |database| Ok(database.token_used(&used, now)?)).await {
            tracing::debug!(token = name, why = problem.detail, "the use of a token was not noted");
        }
    });
}
