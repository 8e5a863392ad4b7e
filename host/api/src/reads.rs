//! Reading: what there is, from the read models.
#![expect(unused_qualifications, reason = "the macro that describes routes makes them")]

use axum::extract::State;
use axum::{Extension, Json};
use bulkhead_core::identifier::OrderId;
use bulkhead_core::order::{OrderState, Origin};
use bulkhead_core::strategy::FillCause;
use bulkhead_store::journal::Sequence;
use bulkhead_store::read_models::{FillFilter, OrderFilter, SlotRow, TradeFilter};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api::{Answer, Api, At, Query};
use crate::authorisation::Caller;
use crate::documents::{
    Account, AccountSummary, AuditEntry, Charge, Equity, Fill, Instrument, Order, OrderDetail, PluginVersion,
    Position, Settings, Strategy, Trade, Transition,
};
use crate::names::{Names, shard};
use crate::paging::{self, Page};
use crate::problem::{Kind, Problem};

/// Fills that are shown with an order.
const FILLS_OF_ORDER: usize = 1000;

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paging {
    /// The `next` of the page before.
    pub(crate) after: Option<String>,
    /// Rows of the page, 1 to 1000; 100 when left out.
    pub(crate) limit: Option<String>,
}

/// Which orders, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OrdersQuery {
    /// Where they stand, such as working.
    status: Option<String>,
    /// The symbol of what they trade.
    instrument: Option<String>,
    /// Whose they are.
    strategy: Option<String>,
    /// Who wanted them: strategy, manual, or the exit that was reached: stop-loss, breakeven, trailing-stop, take-profit,
    /// time-stop, operator.
    origin: Option<String>,
    /// Made at this moment or later, RFC 3339.
    from: Option<String>,
    /// Made before this moment, RFC 3339.
    until: Option<String>,
    /// The `next` of the page before.
    after: Option<String>,
    /// Rows of the page, 1 to 1000; 100 when left out.
    limit: Option<String>,
}

/// Which fills or trades, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExecutionsQuery {
    /// The symbol of what was traded.
    instrument: Option<String>,
    /// Whose they are.
    strategy: Option<String>,
    /// At this moment or later, RFC 3339; a trade's moment is its exit.
    from: Option<String>,
    /// Before this moment, RFC 3339.
    until: Option<String>,
    /// The `next` of the page before.
    after: Option<String>,
    /// Rows of the page, 1 to 1000; 100 when left out.
    limit: Option<String>,
}

fn state(text: Option<&str>) -> Result<Option<OrderState>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let found = OrderState::ALL.into_iter().find(|state| state.name() == text);
    found.map(Some).ok_or_else(|| {
        let all = OrderState::ALL.map(OrderState::name).join(", ");
        Problem::new(Kind::BadFilter, format!("status = \"{text}\": one of {all} is expected"))
    })
}

const ORIGINS: [Origin; 8] = [
    Origin::Strategy,
    Origin::Manual,
    Origin::Exit(FillCause::StopLoss),
    Origin::Exit(FillCause::Breakeven),
    Origin::Exit(FillCause::TrailingStop),
    Origin::Exit(FillCause::TakeProfit),
    Origin::Exit(FillCause::TimeStop),
    Origin::Exit(FillCause::Operator),
];

fn origin(text: Option<&str>) -> Result<Option<Origin>, Problem> {
    let Some(text) = text else { return Ok(None) };
    ORIGINS.into_iter().find(|origin| origin.name() == text).map(Some).ok_or_else(|| {
        let all = ORIGINS.map(Origin::name).join(", ");
        Problem::new(Kind::BadFilter, format!("origin = \"{text}\": one of {all} is expected"))
    })
}

/// All accounts, and how they stand.
#[utoipa::path(
    get,
    path = "/api/v1/accounts",
    tag = "reading",
    responses(
        (status = 200, description = "What there is", body = Vec<AccountSummary>),
    ),
)]
pub(crate) async fn accounts(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
) -> Answer<Vec<AccountSummary>> {
    api.readers
        .ask(move |database| {
            let mut accounts = Vec::new();
            for row in database.account_names()?.into_iter().filter(|row| caller.may_see(&row.name)) {
                let account = database.account(row.shard)?.map(|found| Account::of(found, &row.name));
                accounts.push(AccountSummary { name: row.name, account });
            }
            Ok(accounts)
        })
        .await
        .map(Json)
}

/// An account in sum.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{account}",
    tag = "reading",
    params(("account" = String, Path, description = "The account's name")),
    responses(
        (status = 200, description = "What there is", body = AccountSummary),
    ),
)]
pub(crate) async fn account(State(api): State<Api>, At(account): At<String>) -> Answer<AccountSummary> {
    api.readers
        .ask(move |database| {
            let shard = shard(database, &account)?;
            let found = database.account(shard)?.map(|row| Account::of(row, &account));
            Ok(AccountSummary { name: account, account: found })
        })
        .await
        .map(Json)
}

/// What can be traded.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{account}/instruments",
    tag = "reading",
    params(("account" = String, Path, description = "The account's name")),
    responses(
        (status = 200, description = "What there is", body = Vec<Instrument>),
    ),
)]
pub(crate) async fn instruments(State(api): State<Api>, At(account): At<String>) -> Answer<Vec<Instrument>> {
    api.readers
        .ask(move |database| {
            let shard = shard(database, &account)?;
            let rows = database.instruments(shard)?.into_iter();
            Ok(rows.map(|row| Instrument { symbol: row.symbol }).collect())
        })
        .await
        .map(Json)
}

/// The strategies, by number of their slot.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{account}/strategies",
    tag = "reading",
    params(("account" = String, Path, description = "The account's name")),
    responses(
        (status = 200, description = "What there is", body = Vec<Strategy>),
    ),
)]
pub(crate) async fn strategies(State(api): State<Api>, At(account): At<String>) -> Answer<Vec<Strategy>> {
    let figures = api.figures.clone();
    api.readers
        .ask(move |database| {
            let shard = shard(database, &account)?;
            let of = |row: SlotRow| {
                let costs = figures.call_costs(&account, &row.name);
                Strategy::of(row, costs)
            };
            Ok(database.slots(shard)?.into_iter().map(of).collect())
        })
        .await
        .map(Json)
}

/// A strategy.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{account}/strategies/{strategy}",
    tag = "reading",
    params(("account" = String, Path, description = "The account's name"), ("strategy" = String, Path, description = "The strategy's name")),
    responses(
        (status = 200, description = "What there is", body = Strategy),
    ),
)]
pub(crate) async fn strategy(
    State(api): State<Api>,
    At((account, strategy)): At<(String, String)>,
) -> Answer<Strategy> {
    let figures = api.figures.clone();
    api.readers
        .ask(move |database| {
            let names = Names::read(database, &account)?;
            let id = names.slot(&strategy)?;
            let found = database.slots(names.shard)?.into_iter().find(|row| row.strategy == id);
            let list = format!("/api/v1/accounts/{account}/strategies");
            let costs = figures.call_costs(&account, &strategy);
            found
                .map(|row| Strategy::of(row, costs))
                .ok_or_else(|| Problem::unknown("strategy", &strategy, &list))
        })
        .await
        .map(Json)
}

/// The open positions, by strategy and instrument.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{account}/positions",
    tag = "reading",
    params(("account" = String, Path, description = "The account's name")),
    responses(
        (status = 200, description = "What there is", body = Vec<Position>),
    ),
)]
pub(crate) async fn positions(State(api): State<Api>, At(account): At<String>) -> Answer<Vec<Position>> {
    api.readers
        .ask(move |database| {
            let names = Names::read(database, &account)?;
            let rows = database.positions(names.shard)?.into_iter();
            Ok(rows.map(|row| Position::of(&row, &names)).collect())
        })
        .await
        .map(Json)
}

/// Orders, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{account}/orders",
    tag = "reading",
    params(("account" = String, Path, description = "The account's name"), OrdersQuery),
    responses(
        (status = 200, description = "What there is", body = Page<Order>),
    ),
)]
pub(crate) async fn orders(
    State(api): State<Api>,
    At(account): At<String>,
    Query(query): Query<OrdersQuery>,
) -> Answer<Page<Order>> {
    let state = state(query.status.as_deref())?;
    let origin = origin(query.origin.as_deref())?;
    let from = paging::moment("from", query.from.as_deref())?;
    let until = paging::moment("until", query.until.as_deref())?;
    let after = paging::number(query.after.as_deref())?.map(OrderId);
    let most = paging::most(query.limit.as_deref())?;
    api.readers
        .ask(move |database| {
            let names = Names::read(database, &account)?;
            let instrument = query.instrument.map(|symbol| names.instrument(&symbol)).transpose()?;
            let strategy = query.strategy.map(|name| names.slot(&name)).transpose()?;
            let filter = OrderFilter { state, instrument, strategy, origin, from, until };
            let rows = database.orders(names.shard, &filter, after, most + 1)?;
            Ok(Page::of(rows, most, |row| row.id.0.to_string(), |row| Order::of(row, &names)))
        })
        .await
        .map(Json)
}

/// An order with its life and its fills.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{account}/orders/{order}",
    tag = "reading",
    params(("account" = String, Path, description = "The account's name"), ("order" = u64, Path, description = "The order's number")),
    responses(
        (status = 200, description = "What there is", body = OrderDetail),
    ),
)]
pub(crate) async fn order(
    State(api): State<Api>,
    At((account, order)): At<(String, String)>,
) -> Answer<OrderDetail> {
    let list = format!("/api/v1/accounts/{account}/orders");
    let id: Option<OrderId> = paging::number(Some(&order)).ok().flatten().map(OrderId);
    let id = id.ok_or_else(|| Problem::unknown("order", &order, &list))?;
    api.readers
        .ask(move |database| {
            let names = Names::read(database, &account)?;
            let Some(row) = database.order(names.shard, id)? else {
                return Err(Problem::unknown("order", id.0, &list));
            };
            let transitions = database.order_transitions(names.shard, id)?;
            let filter = FillFilter { order: Some(id), ..FillFilter::default() };
            let fills = database.fills(names.shard, &filter, None, FILLS_OF_ORDER)?;
            Ok(OrderDetail {
                order: Order::of(row, &names),
                transitions: transitions.into_iter().map(Transition::of).collect(),
                fills: fills.into_iter().map(|row| Fill::of(&row, &names)).collect(),
            })
        })
        .await
        .map(Json)
}

/// Executions, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{account}/fills",
    tag = "reading",
    params(("account" = String, Path, description = "The account's name"), ExecutionsQuery),
    responses(
        (status = 200, description = "What there is", body = Page<Fill>),
    ),
)]
pub(crate) async fn fills(
    State(api): State<Api>,
    At(account): At<String>,
    Query(query): Query<ExecutionsQuery>,
) -> Answer<Page<Fill>> {
    let from = paging::moment("from", query.from.as_deref())?;
    let until = paging::moment("until", query.until.as_deref())?;
    let after = paging::place(query.after.as_deref())?;
    let most = paging::most(query.limit.as_deref())?;
    api.readers
        .ask(move |database| {
            let names = Names::read(database, &account)?;
            let instrument = query.instrument.map(|symbol| names.instrument(&symbol)).transpose()?;
            let strategy = query.strategy.map(|name| names.slot(&name)).transpose()?;
            let filter = FillFilter { order: None, instrument, strategy, from, until };
            let rows = database.fills(names.shard, &filter, after, most + 1)?;
            Ok(Page::of(
                rows,
                most,
                |row| paging::place_text(row.sequence, row.ordinal),
                |row| Fill::of(&row, &names),
            ))
        })
        .await
        .map(Json)
}

/// Closed trades, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{account}/trades",
    tag = "reading",
    params(("account" = String, Path, description = "The account's name"), ExecutionsQuery),
    responses(
        (status = 200, description = "What there is", body = Page<Trade>),
    ),
)]
pub(crate) async fn trades(
    State(api): State<Api>,
    At(account): At<String>,
    Query(query): Query<ExecutionsQuery>,
) -> Answer<Page<Trade>> {
    let from = paging::moment("from", query.from.as_deref())?;
    let until = paging::moment("until", query.until.as_deref())?;
    let after = paging::place(query.after.as_deref())?;
    let most = paging::most(query.limit.as_deref())?;
    api.readers
        .ask(move |database| {
            let names = Names::read(database, &account)?;
            let instrument = query.instrument.map(|symbol| names.instrument(&symbol)).transpose()?;
            let strategy = query.strategy.map(|name| names.slot(&name)).transpose()?;
            let filter = TradeFilter { instrument, strategy, from, until };
            let rows = database.trades(names.shard, &filter, after, most + 1)?;
            Ok(Page::of(
                rows,
                most,
                |row| paging::place_text(row.sequence, row.ordinal),
                |row| Trade::of(&row, &names),
            ))
        })
        .await
        .map(Json)
}

/// Costs without a fill, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{account}/charges",
    tag = "reading",
    params(("account" = String, Path, description = "The account's name"), Paging),
    responses(
        (status = 200, description = "What there is", body = Page<Charge>),
    ),
)]
pub(crate) async fn charges(
    State(api): State<Api>,
    At(account): At<String>,
    Query(query): Query<Paging>,
) -> Answer<Page<Charge>> {
    let after = paging::place(query.after.as_deref())?;
    let most = paging::most(query.limit.as_deref())?;
    api.readers
        .ask(move |database| {
            let names = Names::read(database, &account)?;
            let rows = database.charges(names.shard, after, most + 1)?;
            Ok(Page::of(
                rows,
                most,
                |row| paging::place_text(row.sequence, row.ordinal),
                |row| Charge::of(&row, &names),
            ))
        })
        .await
        .map(Json)
}

/// The account's value over time, oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{account}/equity",
    tag = "reading",
    params(("account" = String, Path, description = "The account's name"), Paging),
    responses(
        (status = 200, description = "What there is", body = Page<Equity>),
    ),
)]
pub(crate) async fn equity(
    State(api): State<Api>,
    At(account): At<String>,
    Query(query): Query<Paging>,
) -> Answer<Page<Equity>> {
    let after = paging::moment("after", query.after.as_deref())?;
    let most = paging::most(query.limit.as_deref())?;
    api.readers
        .ask(move |database| {
            let shard = shard(database, &account)?;
            let rows = database.equity(shard, after, most + 1)?;
            Ok(Page::of(rows, most, |row| paging::moment_text(row.time), |row| Equity::of(&row)))
        })
        .await
        .map(Json)
}

/// The settings that ever applied, the latest first.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{account}/settings",
    tag = "reading",
    params(("account" = String, Path, description = "The account's name"), Paging),
    responses(
        (status = 200, description = "What there is", body = Page<Settings>),
    ),
)]
pub(crate) async fn settings(
    State(api): State<Api>,
    At(account): At<String>,
    Query(query): Query<Paging>,
) -> Answer<Page<Settings>> {
    let after = paging::number(query.after.as_deref())?.map(Sequence);
    let most = paging::most(query.limit.as_deref())?;
    api.readers
        .ask(move |database| {
            let shard = shard(database, &account)?;
            let rows = database.settings(shard, after, most + 1)?;
            Ok(Page::of(rows, most, |row| row.sequence.0.to_string(), Settings::of))
        })
        .await
        .map(Json)
}

/// What operators and the host did, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/accounts/{account}/audit",
    tag = "reading",
    params(("account" = String, Path, description = "The account's name"), Paging),
    responses(
        (status = 200, description = "What there is", body = Page<AuditEntry>),
    ),
)]
pub(crate) async fn audit(
    State(api): State<Api>,
    At(account): At<String>,
    Query(query): Query<Paging>,
) -> Answer<Page<AuditEntry>> {
    let after = paging::place(query.after.as_deref())?;
    let most = paging::most(query.limit.as_deref())?;
    api.readers
        .ask(move |database| {
            let shard = shard(database, &account)?;
            let rows = database.audit(shard, after, most + 1)?;
            Ok(Page::of(rows, most, |row| paging::place_text(row.sequence, row.ordinal), AuditEntry::of))
        })
        .await
        .map(Json)
}

/// All strategy versions that ever ran, by name, the latest first.
#[utoipa::path(
    get,
    path = "/api/v1/plugin-versions",
    tag = "reading",
    responses(
        (status = 200, description = "What there is", body = Vec<PluginVersion>),
    ),
)]
pub(crate) async fn plugin_versions(State(api): State<Api>) -> Answer<Vec<PluginVersion>> {
    api.readers
        .ask(move |database| {
            Ok(database.plugin_version_heads()?.into_iter().map(PluginVersion::of).collect())
        })
        .await
        .map(Json)
}
