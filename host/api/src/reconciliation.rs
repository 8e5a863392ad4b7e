//! The books held against the chain: what differs, and what a person says becomes of it.
#![allow(unused_qualifications, reason = "the macro that describes routes makes them")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::{Extension, Json};
use bulkhead_core::input::Command;
use bulkhead_core::money::Price;
use bulkhead_core::reconciliation::{Adjustment, Asset, LONGEST_TEXT};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::{Answer, Api, At, Body, Query};
use crate::authorisation::Caller;
use crate::changes::{ChangeState, change};
use crate::documents::Adjusted;
use crate::names::{Names, shard};
use crate::paging::{self, Page};
use crate::problem::{Kind, Problem};
use crate::reads::Paging;

/// The newest comparison of each account. Its copies are of the same ones.
#[derive(Debug, Clone, Default)]
pub struct Reconciliations(Arc<Mutex<BTreeMap<String, ReconciliationTable>>>);

impl Reconciliations {
    /// Books and chain were compared.
    pub fn compared(&self, account: &str, table: ReconciliationTable) {
        self.tables().insert(account.to_owned(), table);
    }

    /// They could not be compared; what was found before stays.
    pub fn not_compared(&self, account: &str, why: String) {
        self.tables().entry(account.to_owned()).or_default().problem = Some(why);
    }

    fn of(&self, account: &str) -> Option<ReconciliationTable> {
        self.tables().get(account).cloned()
    }

    fn tables(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, ReconciliationTable>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The books held against the chain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReconciliationTable {
    /// When, by the machine's clock; null when it was not possible yet.
    pub checked: Option<String>,
    /// The number of an EVM chain; null for other chains.
    pub chain_id: Option<u64>,
    /// The hash of the first block of a Solana cluster; null for other chains.
    pub cluster: Option<String>,
    /// The account's address.
    pub address: String,
    /// The height of the block that all figures are of; its slot on Solana.
    pub block: u64,
    /// The block's time; null where the chain does not tell it.
    pub block_time: Option<String>,
    /// Native currency at the address.
    pub native: Decimal,
    /// Whether trading halts over something.
    pub halts: bool,
    /// Why they could not be compared again since; null when they could.
    pub problem: Option<String>,
    /// Everything that was compared.
    pub rows: Vec<ReconciliationRow>,
}

/// One thing that both speak of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReconciliationRow {
    /// Its name, by which a difference is ignored.
    pub subject: String,
    /// balance, allowance, delegate, close-authority, transactions, pending, other-tokens or rent.
    pub kind: String,
    /// Of which token; null for what is not about one.
    pub token: Option<String>,
    /// What the books say.
    pub books: Decimal,
    /// What the chain says.
    pub chain: Decimal,
    /// So much more is there than the books say, or less when negative.
    pub difference: Decimal,
    /// The same without what is ignored.
    pub unexplained: Decimal,
    /// The difference in the account's currency, if that is known.
    pub worth: Option<Decimal>,
    /// So large a difference is none.
    pub tolerance: Decimal,
    /// agrees, tolerated, on-the-way, ignored, noted or halts.
    pub verdict: String,
    /// In words, for what somebody has to look at; else empty.
    pub words: String,
    /// What is ignored of it; null when nothing is.
    pub ignored: Option<IgnoredDifference>,
    /// Where a token is booked, with what to send to adopt or write off the difference; empty for all else.
    pub booked: Vec<BookedPart>,
}

/// A difference that is fine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct IgnoredDifference {
    /// How large it is.
    pub difference: Decimal,
    /// Why it is fine.
    pub reason: String,
    /// Who says so.
    pub actor: String,
    /// Since when.
    pub since: String,
}

/// What is booked of a token in one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct BookedPart {
    /// The instrument; null for cash.
    pub instrument: Option<String>,
    /// What the books say there.
    pub books: Decimal,
    /// What they would say with the whole difference booked there.
    pub found: Decimal,
}

/// A difference that is to be booked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdjustmentBody {
    /// The instrument; cash when left out.
    #[serde(default)]
    instrument: Option<String>,
    /// What the books said when the difference was seen, a decimal string. When they say something else by now, nothing
    /// is booked.
    books: String,
    /// What they are to say, a decimal string.
    found: String,
    /// What a unit is worth, a decimal string. Needed where units are added.
    #[serde(default)]
    price: Option<String>,
    /// Whose position. May be left out where it can be only one.
    #[serde(default)]
    strategy: Option<String>,
    /// Why.
    reason: String,
}

/// A difference that is fine.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IgnoreBody {
    /// Which, by its name in the table.
    subject: String,
    /// How large it is, as the table says, a decimal string: another one is not ignored.
    difference: String,
    /// Why it is fine.
    reason: String,
}

/// A difference that is not fine any more.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StopIgnoringBody {
    /// Which, by its name in the table.
    subject: String,
    /// Why.
    reason: String,
}

impl AdjustmentBody {
    fn adjustment(self, names: &Names) -> Result<Adjustment, Problem> {
        let Self { instrument, books, found, price, strategy, reason } = self;
        if let Some(strategy) = &strategy {
            names.slot(strategy)?;
        }
        let asset = match instrument {
            None => Asset::Cash,
            Some(symbol) => Asset::Position(names.instrument(&symbol)?),
        };
        Ok(Adjustment {
            asset,
            books: number("books", &books)?,
            found: number("found", &found)?,
            price: price.map(|price| number("price", &price).map(Price)).transpose()?,
            slot: strategy,
            reason: text("reason", reason)?,
        })
    }
}

fn number(key: &str, text: &str) -> Result<Decimal, Problem> {
    Decimal::from_str_exact(text)
        .map_err(|_| Problem::new(Kind::BadBody, format!("{key} = \"{text}\": a decimal number is expected")))
}

fn text(key: &str, text: String) -> Result<String, Problem> {
    if text.trim().is_empty() || text.chars().count() > LONGEST_TEXT {
        let expected = format!("{key}: a text of at most {LONGEST_TEXT} letters is expected");
        return Err(Problem::new(Kind::BadBody, expected));
    }
    Ok(text)
}

/// The newest comparison of the account's books with the chain. There is none for an account that trades on paper.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{account}/reconciliation",
    tag = "reading",
    params(("account" = String, Path, description = "The account's name")),
    responses((status = 200, description = "What differs", body = ReconciliationTable)),
)]
pub(crate) async fn reconciliation(
    State(api): State<Api>,
    At(account): At<String>,
) -> Answer<ReconciliationTable> {
    let name = account.clone();
    api.readers.ask(move |database| shard(database, &name)).await?;
    let table = api.reconciliations.of(&account);
    table.map(Json).ok_or_else(|| {
        let what = format!(
            "the books of \"{account}\" are held against no chain: it trades on paper, or has not been opened"
        );
        Problem::new(Kind::Unknown, what)
    })
}

/// Differences that were booked, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{account}/adjustments",
    tag = "reading",
    params(("account" = String, Path, description = "The account's name"), Paging),
    responses((status = 200, description = "What there is", body = Page<Adjusted>)),
)]
pub(crate) async fn adjustments(
    State(api): State<Api>,
    At(account): At<String>,
    Query(query): Query<Paging>,
) -> Answer<Page<Adjusted>> {
    let after = paging::place(query.after.as_deref())?;
    let most = paging::most(query.limit.as_deref())?;
    api.readers
        .ask(move |database| {
            let names = Names::read(database, &account)?;
            let rows = database.adjustments(names.shard, after, most + 1)?;
            Ok(Page::of(
                rows,
                most,
                |row| paging::place_text(row.sequence, row.ordinal),
                |row| Adjusted::of(&row, &names),
            ))
        })
        .await
        .map(Json)
}

/// Books a difference as something that the owner brought or took away.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/{account}/reconciliation/adopt",
    tag = "changing",
    params(("account" = String, Path, description = "The account's name")),
    request_body = AdjustmentBody,
    responses(
        (status = 200, description = "Applied by the input of this sequence", body = ChangeState),
        (status = 202, description = "No host has taken it up within 5 seconds; it waits", body = ChangeState),
    ),
)]
pub(crate) async fn adopt(
    State(api): State<Api>,
    At(account): At<String>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Body(body): Body<AdjustmentBody>,
) -> Result<Response, Problem> {
    let command = move |names: &Names| Ok(Command::Adopt(Box::new(body.adjustment(names)?)));
    change(&api, caller, &headers, account, command).await
}

/// Books what is missing as lost.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/{account}/reconciliation/write-off",
    tag = "changing",
    params(("account" = String, Path, description = "The account's name")),
    request_body = AdjustmentBody,
    responses(
        (status = 200, description = "Applied by the input of this sequence", body = ChangeState),
        (status = 202, description = "No host has taken it up within 5 seconds; it waits", body = ChangeState),
    ),
)]
pub(crate) async fn write_off(
    State(api): State<Api>,
    At(account): At<String>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Body(body): Body<AdjustmentBody>,
) -> Result<Response, Problem> {
    let command = move |names: &Names| Ok(Command::WriteOff(Box::new(body.adjustment(names)?)));
    change(&api, caller, &headers, account, command).await
}

/// Says that a difference is fine as it is.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/{account}/reconciliation/ignore",
    tag = "changing",
    params(("account" = String, Path, description = "The account's name")),
    request_body = IgnoreBody,
    responses(
        (status = 200, description = "Applied by the input of this sequence", body = ChangeState),
        (status = 202, description = "No host has taken it up within 5 seconds; it waits", body = ChangeState),
    ),
)]
pub(crate) async fn ignore(
    State(api): State<Api>,
    At(account): At<String>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Body(body): Body<IgnoreBody>,
) -> Result<Response, Problem> {
    let IgnoreBody { subject, difference, reason } = body;
    let (subject, reason) = (text("subject", subject)?, text("reason", reason)?);
    let difference = number("difference", &difference)?;
    let command = move |_: &Names| Ok(Command::Ignore { subject, difference, reason });
    change(&api, caller, &headers, account, command).await
}

/// Has a difference count again.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/{account}/reconciliation/stop-ignoring",
    tag = "changing",
    params(("account" = String, Path, description = "The account's name")),
    request_body = StopIgnoringBody,
    responses(
        (status = 200, description = "Applied by the input of this sequence", body = ChangeState),
        (status = 202, description = "No host has taken it up within 5 seconds; it waits", body = ChangeState),
    ),
)]
pub(crate) async fn stop_ignoring(
    State(api): State<Api>,
    At(account): At<String>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Body(body): Body<StopIgnoringBody>,
) -> Result<Response, Problem> {
    let (subject, reason) = (text("subject", body.subject)?, text("reason", body.reason)?);
    let command = move |_: &Names| Ok(Command::StopIgnoring { subject, reason });
    change(&api, caller, &headers, account, command).await
}
