//! Trading by hand: orders, taking them back, and the exits of a position.

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use bulkhead_core::identifier::OrderId;
use bulkhead_core::input::{Command, ManualAmount, ManualOrder};
use bulkhead_core::money::{Money, Price, Quantity};
use bulkhead_core::order::{Pricing, Side};
use bulkhead_core::strategy::{ExitPlan, TakeProfit};
use bulkhead_core::time::Span;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::{Api, At, Body};
use crate::authorisation::Caller;
use crate::changes::{ChangeState, change};
use crate::paging;
use crate::problem::{Kind, Problem};

/// Longest holding that can be asked for, in seconds: some thirty years.
const LONGEST_HOLDING: u32 = 1_000_000_000;

/// Bought or sold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SideKind {
    /// Money goes out.
    Buy,
    /// Money comes in.
    Sell,
}

/// An order by hand. Just one of quantity, notional and all says how much.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrderBody {
    /// In whose books.
    strategy: String,
    /// The symbol of what to trade.
    instrument: String,
    /// Buy or sell.
    side: SideKind,
    /// Units of the base asset, a decimal string. Moved down to the lot grid.
    #[serde(default)]
    quantity: Option<String>,
    /// Money, a decimal string, at the limit or else the last price.
    #[serde(default)]
    notional: Option<String>,
    /// The whole position; only for sales.
    #[serde(default)]
    all: bool,
    /// At this price or better, a decimal string; at the market when left out.
    #[serde(default)]
    limit_price: Option<String>,
    /// What guards a purchase; the configured default when left out.
    #[serde(default)]
    exits: Option<ExitsBody>,
}

/// The exits of a position. Fractions are of the entry price or the highest since: 0.15 is 15 %. What is left out is not
/// there, as far as the operator's bounds allow.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExitsBody {
    /// Sell all when the price falls this far below the entry.
    #[serde(default)]
    stop_loss: Option<f64>,
    /// Once the price was this far above the entry, the stop moves up to the entry.
    #[serde(default)]
    breakeven: Option<f64>,
    /// Sell all when the price falls this far below its highest since entry.
    #[serde(default)]
    trailing: Option<f64>,
    /// Partial sales, by rising gain.
    #[serde(default)]
    take_profits: Vec<TierBody>,
    /// Sell all when the position is so many seconds old.
    #[serde(default)]
    max_holding_seconds: Option<u32>,
}

/// A profit tier.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TierBody {
    /// How far above the entry the price must be.
    gain: f64,
    /// How much of the quantity first bought to sell, 0 to 1.
    share: f64,
}

impl TryFrom<ExitsBody> for ExitPlan {
    type Error = Problem;

    fn try_from(body: ExitsBody) -> Result<Self, Problem> {
        let ExitsBody { stop_loss, breakeven, trailing, take_profits, max_holding_seconds } = body;
        let max_holding = max_holding_seconds
            .map(|seconds| match seconds {
                1..=LONGEST_HOLDING => Ok(Span::from_seconds(seconds.into())),
                _ => Err(Problem::new(
                    Kind::BadBody,
                    format!("max_holding_seconds: a number from 1 to {LONGEST_HOLDING} is expected"),
                )),
            })
            .transpose()?;
        let take_profits =
            take_profits.into_iter().map(|TierBody { gain, share }| TakeProfit { gain, share }).collect();
        Ok(Self { stop_loss, breakeven, trailing, take_profits, max_holding })
    }
}

fn amount(key: &str, text: &str) -> Result<Decimal, Problem> {
    let amount = Decimal::from_str_exact(text).ok().filter(|amount| *amount > Decimal::ZERO);
    amount.ok_or_else(|| {
        Problem::new(Kind::BadBody, format!("{key} = \"{text}\": a decimal number above 0 is expected"))
    })
}

impl OrderBody {
    fn amount(&self) -> Result<ManualAmount, Problem> {
        match (&self.quantity, &self.notional, self.all) {
            (Some(text), None, false) => Ok(ManualAmount::Quantity(Quantity(amount("quantity", text)?))),
            (None, Some(text), false) => Ok(ManualAmount::Notional(Money(amount("notional", text)?))),
            (None, None, true) => Ok(ManualAmount::All),
            _ => {
                Err(Problem::new(Kind::BadBody, "just one of quantity, notional and all = true is expected"))
            }
        }
    }

    fn pricing(&self) -> Result<Pricing, Problem> {
        match &self.limit_price {
            Some(text) => Ok(Pricing::Limit(Price(amount("limit_price", text)?))),
            None => Ok(Pricing::Market),
        }
    }
}

/// Orders by hand. The risk gate looks at it as at a strategy's, and its code and numbers are the reason when it says no.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/{account}/orders",
    tag = "changing",
    params(("account" = String, Path, description = "The account's name")),
    request_body = OrderBody,
    responses(
        (status = 200, description = "Accepted by the input of this sequence", body = ChangeState),
        (status = 202, description = "No host has taken it up within 5 seconds; it waits", body = ChangeState),
    ),
)]
pub(crate) async fn place(
    State(api): State<Api>,
    At(account): At<String>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Body(body): Body<OrderBody>,
) -> Result<Response, Problem> {
    let (amount, pricing) = (body.amount()?, body.pricing()?);
    let exits = body.exits.map(ExitPlan::try_from).transpose()?;
    let side = match body.side {
        SideKind::Buy => Side::Buy,
        SideKind::Sell => Side::Sell,
    };
    let (slot, symbol) = (body.strategy, body.instrument);
    change(&api, caller, &headers, account, move |names| {
        names.slot(&slot)?;
        let instrument = names.instrument(&symbol)?;
        Ok(Command::PlaceOrder(Box::new(ManualOrder { slot, instrument, side, amount, pricing, exits })))
    })
    .await
}

/// Takes a working order back, whoever wanted it.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/{account}/orders/{order}/cancel",
    tag = "changing",
    params(
        ("account" = String, Path, description = "The account's name"),
        ("order" = u64, Path, description = "The order's number"),
    ),
    responses(
        (status = 200, description = "Applied by the input of this sequence", body = ChangeState),
        (status = 202, description = "No host has taken it up within 5 seconds; it waits", body = ChangeState),
    ),
)]
pub(crate) async fn cancel(
    State(api): State<Api>,
    At((account, order)): At<(String, String)>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let list = format!("/api/v1/accounts/{account}/orders");
    let id = paging::number(Some(&order)).ok().flatten().map(OrderId);
    let id = id.ok_or_else(|| Problem::unknown("order", &order, &list))?;
    change(&api, caller, &headers, account, move |_| Ok(Command::CancelOrder { order: id })).await
}

/// Replaces the exits of an open position, within the operator's bounds.
#[utoipa::path(
    post,
    path = "/api/v1/accounts/{account}/strategies/{strategy}/positions/{instrument}/exits",
    tag = "changing",
    params(
        ("account" = String, Path, description = "The account's name"),
        ("strategy" = String, Path, description = "The strategy's name"),
        ("instrument" = String, Path, description = "The symbol"),
    ),
    request_body = ExitsBody,
    responses(
        (status = 200, description = "Applied by the input of this sequence", body = ChangeState),
        (status = 202, description = "No host has taken it up within 5 seconds; it waits", body = ChangeState),
    ),
)]
pub(crate) async fn change_exits(
    State(api): State<Api>,
    At((account, strategy, instrument)): At<(String, String, String)>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Body(body): Body<ExitsBody>,
) -> Result<Response, Problem> {
    let plan = ExitPlan::try_from(body)?;
    change(&api, caller, &headers, account, move |names| {
        names.slot(&strategy)?;
        let instrument = names.instrument(&instrument)?;
        Ok(Command::ChangeExits { slot: strategy, instrument, plan })
    })
    .await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn order(more: &serde_json::Value) -> OrderBody {
        let mut body = json!({ "strategy": "s", "instrument": "A", "side": "buy" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn just_one_amount_is_taken() {
        let quantity = ManualAmount::Quantity(Quantity(Decimal::new(15, 1)));
        assert_eq!(order(&json!({ "quantity": "1.5" })).amount(), Ok(quantity));
        assert_eq!(order(&json!({ "all": true })).amount(), Ok(ManualAmount::All));
        for bad in [
            json!({}),
            json!({ "quantity": "1", "all": true }),
            json!({ "quantity": "1", "notional": "1" }),
            json!({ "quantity": "-1" }),
            json!({ "notional": "0" }),
            json!({ "quantity": "1e3" }),
            json!({ "quantity": "9".repeat(40) }),
        ] {
            assert_eq!(order(&bad).amount().unwrap_err().kind, Kind::BadBody, "{bad}");
        }
        assert_eq!(order(&json!({ "limit_price": "x" })).pricing().unwrap_err().kind, Kind::BadBody);
    }
}
