//! Answers as they are sent. Money is in the account's currency and prices in the instrument's quote currency, both
//! as strings, which lose no digit; times are RFC 3339 with nanoseconds, in UTC; people's names stand for numbers.

use bulkhead_core::time::Timestamp;
use bulkhead_store::read_models::{
    AccountRow, AdjustmentRow, AuditRow, ChargeRow, EquityRow, FillRow, OrderRow, PluginVersionHead,
    PositionRow, SettingsRow, SlotRow, TradeRow, TransitionRow,
};
use rust_decimal::Decimal;
use serde::Serialize;
use utoipa::ToSchema;

use crate::call_meter::{CallCosts, Fuel, Latency};
use crate::names::Names;

/// A moment as it is sent: RFC 3339 with nanoseconds, in UTC.
#[must_use]
pub fn time(moment: Timestamp) -> String {
    // Every number of nanoseconds in 64 bits is a moment that the calendar has.
    jiff::Timestamp::from_nanosecond(moment.nanos().into())
        .map(|time| format!("{time:.9}"))
        .unwrap_or_default()
}

/// An account in sum. Shadows don't count.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Account {
    /// What people call it.
    pub(crate) name: String,
    /// The last input that it shows.
    pub(crate) sequence: u64,
    /// Event time of that input.
    pub(crate) time: String,
    /// Cash and positions at the last prices.
    pub(crate) equity: Decimal,
    /// The pool and all strategies' cash.
    pub(crate) cash: Decimal,
    /// Money that belongs to no strategy.
    pub(crate) pool: Decimal,
    /// All that was ever deposited.
    pub(crate) deposited: Decimal,
    /// Profit of all sales, after fees.
    pub(crate) realised: Decimal,
    /// All fees, gas and charges paid.
    pub(crate) fees: Decimal,
    /// Why trading is halted; null while it goes on.
    pub(crate) halted: Option<String>,
}

impl Account {
    pub(crate) fn of(row: AccountRow, account: &str) -> Self {
        Self {
            name: account.to_owned(),
            sequence: row.sequence.0,
            time: time(row.time),
            equity: row.equity.0,
            cash: row.cash.0,
            pool: row.pool.0,
            deposited: row.deposited.0,
            realised: row.realised.0,
            fees: row.fees.0,
            halted: row.halted,
        }
    }
}

/// A strategy's slot and its books.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Strategy {
    /// What people call it.
    pub(crate) name: String,
    /// SHA-256 of the plugin that runs in it, or ran last.
    pub(crate) version: String,
    /// What becomes of its proposals: live, shadow or off.
    pub(crate) mode: String,
    /// What it is doing: running, restarting, quarantined or removed.
    pub(crate) status: String,
    /// Its share of the capital, 0 to 1.
    pub(crate) weight: Decimal,
    /// Its cash, with what is reserved.
    pub(crate) cash: Decimal,
    /// Cash set aside for working buys.
    pub(crate) reserved: Decimal,
    /// Deposits and transfers in, less transfers out.
    pub(crate) funded: Decimal,
    /// Profit of all its sales, after fees.
    pub(crate) realised: Decimal,
    /// All fees, gas and charges it paid.
    pub(crate) fees: Decimal,
    /// Faults since it was first deployed.
    pub(crate) faults: u64,
    /// How often it was handed events since the host started.
    pub(crate) calls: u64,
    /// What these calls used of its fuel.
    pub(crate) fuel: Fuel,
    /// How long they took.
    pub(crate) latency: Latency,
    /// The input since which it stands so.
    pub(crate) sequence: u64,
    /// Event time of that input.
    pub(crate) time: String,
}

impl Strategy {
    pub(crate) fn of(row: SlotRow, costs: CallCosts) -> Self {
        Self {
            name: row.name,
            version: row.version.to_string(),
            mode: row.mode.name().to_owned(),
            status: row.status,
            weight: row.weight,
            cash: row.cash.0,
            reserved: row.reserved.0,
            funded: row.funded.0,
            realised: row.realised.0,
            fees: row.fees.0,
            faults: row.faults,
            calls: costs.calls,
            fuel: costs.fuel,
            latency: costs.latency,
            sequence: row.sequence.0,
            time: time(row.time),
        }
    }
}

/// An open position, at average cost.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Position {
    /// Whose.
    pub(crate) strategy: String,
    /// In what.
    pub(crate) instrument: String,
    /// How much is held, with what is set aside for working sales.
    pub(crate) quantity: Decimal,
    /// Set aside for working sales.
    pub(crate) reserved: Decimal,
    /// What the held quantity cost, without fees.
    pub(crate) cost: Decimal,
    /// The entry fees of the held quantity.
    pub(crate) entry_fees: Decimal,
    /// When it was opened.
    pub(crate) opened: String,
    /// All that was bought since it was opened.
    pub(crate) entered: Decimal,
    /// Profit of the parts sold since it was opened, after fees.
    pub(crate) realised: Decimal,
    /// The last input that it shows.
    pub(crate) sequence: u64,
}

impl Position {
    pub(crate) fn of(row: &PositionRow, names: &Names) -> Self {
        Self {
            strategy: names.strategy(row.strategy),
            instrument: names.symbol(row.instrument),
            quantity: row.quantity.0,
            reserved: row.reserved.0,
            cost: row.cost.0,
            entry_fees: row.entry_fees.0,
            opened: time(row.opened),
            entered: row.entered.0,
            realised: row.realised.0,
            sequence: row.sequence.0,
        }
    }
}

/// An order that passed the gate, as it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Order {
    /// Its number, rising in the account.
    pub(crate) id: u64,
    /// Whose.
    pub(crate) strategy: String,
    /// What to trade.
    pub(crate) instrument: String,
    /// buy or sell.
    pub(crate) side: String,
    /// How much.
    pub(crate) quantity: Decimal,
    /// At this price or better; null for one at the market.
    pub(crate) limit_price: Option<Decimal>,
    /// Who wanted it: strategy, manual, or the exit that was reached, such as stop-loss.
    pub(crate) origin: String,
    /// When it passed the gate.
    pub(crate) created: String,
    /// The price that the gate reckoned with.
    pub(crate) reference_price: Decimal,
    /// How sure the strategy was, 0 to 1.
    pub(crate) confidence: f64,
    /// Why the strategy wanted it.
    pub(crate) reason: String,
    /// Where it stands.
    pub(crate) status: String,
    /// Quantity executed so far.
    pub(crate) filled: Decimal,
    /// When it came to stand there.
    pub(crate) changed: String,
    /// Why it ended without a fill; else empty.
    pub(crate) end_reason: String,
    /// The last input that changed it.
    pub(crate) sequence: u64,
}

impl Order {
    pub(crate) fn of(row: OrderRow, names: &Names) -> Self {
        Self {
            id: row.id.0,
            strategy: names.strategy(row.strategy),
            instrument: names.symbol(row.instrument),
            side: row.side.name().to_owned(),
            quantity: row.quantity.0,
            limit_price: row.limit_price.map(|price| price.0),
            origin: row.origin,
            created: time(row.created),
            reference_price: row.reference_price.0,
            confidence: row.confidence,
            reason: row.reason,
            status: row.state.name().to_owned(),
            filled: row.filled.0,
            changed: time(row.changed),
            end_reason: row.end_reason,
            sequence: row.sequence.0,
        }
    }
}

/// A step in the life of an order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Transition {
    /// The input that caused it.
    pub(crate) sequence: u64,
    /// When.
    pub(crate) time: String,
    /// Where the order stood after it.
    pub(crate) status: String,
    /// Quantity executed by then.
    pub(crate) filled: Decimal,
    /// Why, for an end without a fill; else empty.
    pub(crate) reason: String,
}

impl Transition {
    pub(crate) fn of(row: TransitionRow) -> Self {
        Self {
            sequence: row.sequence.0,
            time: time(row.time),
            status: row.state.name().to_owned(),
            filled: row.filled.0,
            reason: row.reason,
        }
    }
}

/// An execution.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Fill {
    /// The input that caused it.
    pub(crate) sequence: u64,
    /// Of which order.
    pub(crate) order: u64,
    /// Whose.
    pub(crate) strategy: String,
    /// What was traded.
    pub(crate) instrument: String,
    /// buy or sell.
    pub(crate) side: String,
    /// How much.
    pub(crate) quantity: Decimal,
    /// At what price.
    pub(crate) price: Decimal,
    /// The venue's fee and gas.
    pub(crate) fee: Decimal,
    /// When.
    pub(crate) time: String,
    /// Why.
    pub(crate) cause: String,
}

impl Fill {
    pub(crate) fn of(row: &FillRow, names: &Names) -> Self {
        Self {
            sequence: row.sequence.0,
            order: row.order_id.0,
            strategy: names.strategy(row.strategy),
            instrument: names.symbol(row.instrument),
            side: row.side.name().to_owned(),
            quantity: row.quantity.0,
            price: row.price.0,
            fee: row.fee.0,
            time: time(row.time),
            cause: row.cause.name().to_owned(),
        }
    }
}

/// A position, or the part of it that one execution closed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Trade {
    /// The input that closed it.
    pub(crate) sequence: u64,
    /// Whose.
    pub(crate) strategy: String,
    /// In what.
    pub(crate) instrument: String,
    /// The side of the entry: buy or sell.
    pub(crate) side: String,
    /// When the position was opened.
    pub(crate) entry_time: String,
    /// When this part was closed.
    pub(crate) exit_time: String,
    /// Average entry price.
    pub(crate) entry_price: Decimal,
    /// Exit price.
    pub(crate) exit_price: Decimal,
    /// How much was closed.
    pub(crate) quantity: Decimal,
    /// Of entry and exit, for this part.
    pub(crate) fees: Decimal,
    /// Profit after fees.
    pub(crate) pnl: Decimal,
    /// Why it was closed.
    pub(crate) exit_reason: String,
    /// Whether it was traded with make-believe money.
    pub(crate) shadow: bool,
}

impl Trade {
    pub(crate) fn of(row: &TradeRow, names: &Names) -> Self {
        Self {
            sequence: row.sequence.0,
            strategy: names.strategy(row.strategy),
            instrument: names.symbol(row.instrument),
            side: row.side.name().to_owned(),
            entry_time: time(row.entry_time),
            exit_time: time(row.exit_time),
            entry_price: row.entry_price.0,
            exit_price: row.exit_price.0,
            quantity: row.quantity.0,
            fees: row.fees.0,
            pnl: row.pnl.0,
            exit_reason: row.exit_reason.name().to_owned(),
            shadow: row.shadow,
        }
    }
}

/// A cost without a fill, such as the gas of a failed transaction.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Charge {
    /// The input that caused it.
    pub(crate) sequence: u64,
    /// Whose.
    pub(crate) strategy: String,
    /// When.
    pub(crate) time: String,
    /// How much.
    pub(crate) amount: Decimal,
}

impl Charge {
    pub(crate) fn of(row: &ChargeRow, names: &Names) -> Self {
        Self {
            sequence: row.sequence.0,
            strategy: names.strategy(row.strategy),
            time: time(row.time),
            amount: row.amount.0,
        }
    }
}

/// A difference between the books and what is really there that was booked, or the part of it that one strategy bore.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Adjusted {
    /// The input that caused it.
    pub(crate) sequence: u64,
    /// When.
    pub(crate) time: String,
    /// Who had it booked.
    pub(crate) actor: String,
    /// Why.
    pub(crate) reason: String,
    /// adopted or written-off.
    pub(crate) kind: String,
    /// Whose; null for money that belongs to no strategy.
    pub(crate) strategy: Option<String>,
    /// Units of what; null for cash.
    pub(crate) instrument: Option<String>,
    /// How many units came, or went when negative.
    pub(crate) quantity: Decimal,
    /// What the owner brought, or took away when negative.
    pub(crate) value: Decimal,
    /// Profit or loss that is none of trading.
    pub(crate) gain: Decimal,
}

impl Adjusted {
    pub(crate) fn of(row: &AdjustmentRow, names: &Names) -> Self {
        Self {
            sequence: row.sequence.0,
            time: time(row.time),
            actor: row.actor.clone(),
            reason: row.reason.clone(),
            kind: row.kind.clone(),
            strategy: row.strategy.map(|id| names.strategy(id)),
            instrument: row.instrument.map(|id| names.symbol(id)),
            quantity: row.quantity.0,
            value: row.value.0,
            gain: row.gain.0,
        }
    }
}

/// The account's value at a moment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Equity {
    /// The moment.
    pub(crate) time: String,
    /// The input that it follows.
    pub(crate) sequence: u64,
    /// Cash and positions at the last prices.
    pub(crate) equity: Decimal,
    /// The cash in it.
    pub(crate) cash: Decimal,
    /// Profit of all sales so far, after fees.
    pub(crate) realised: Decimal,
    /// All fees, gas and charges paid so far.
    pub(crate) fees: Decimal,
}

impl Equity {
    pub(crate) fn of(row: &EquityRow) -> Self {
        Self {
            time: time(row.time),
            sequence: row.sequence.0,
            equity: row.equity.0,
            cash: row.cash.0,
            realised: row.realised.0,
            fees: row.fees.0,
        }
    }
}

/// Something that an operator or the host did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditEntry {
    /// The input that caused it.
    pub(crate) sequence: u64,
    /// When.
    pub(crate) time: String,
    /// Who: a token's or an operator's name, or the host.
    pub(crate) actor: String,
    /// What, in a few stable words such as slot-replaced.
    pub(crate) action: String,
    /// To what: a strategy's name, or empty for the account.
    pub(crate) subject: String,
    /// The particulars, for people.
    pub(crate) detail: String,
}

impl AuditEntry {
    pub(crate) fn of(row: AuditRow) -> Self {
        Self {
            sequence: row.sequence.0,
            time: time(row.time),
            actor: row.actor,
            action: row.action,
            subject: row.subject,
            detail: row.detail,
        }
    }
}

/// What can be traded.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Instrument {
    /// What people call it.
    pub(crate) symbol: String,
}

/// An account that there is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccountSummary {
    /// What people call it.
    pub(crate) name: String,
    /// How it stands; null when nothing has happened in it yet.
    pub(crate) account: Option<Account>,
}

/// An order and how it came to stand where it does.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrderDetail {
    /// The order.
    pub(crate) order: Order,
    /// Its life, oldest step first.
    pub(crate) transitions: Vec<Transition>,
    /// Its executions, newest first, at most 1000.
    pub(crate) fills: Vec<Fill>,
}

/// Settings that applied from an input on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Settings {
    /// The input that they apply from.
    pub(crate) sequence: u64,
    /// Event time of that input.
    pub(crate) time: String,
    /// Who set them.
    pub(crate) actor: String,
    /// All of them.
    #[schema(value_type = Object)]
    pub(crate) settings: serde_json::Value,
}

impl Settings {
    pub(crate) fn of(row: SettingsRow) -> Self {
        Self {
            sequence: row.sequence.0,
            time: time(row.time),
            actor: row.actor,
            settings: serde_json::from_str(&row.settings).unwrap_or(serde_json::Value::Null),
        }
    }
}

/// A strategy version that ran.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PluginVersion {
    /// SHA-256 of the file.
    pub(crate) hash: String,
    /// What the version calls itself.
    pub(crate) name: String,
    /// The number it gives itself.
    pub(crate) version: String,
    /// Size of the file in bytes.
    pub(crate) bytes: u64,
    /// The first input that it ran from, in the account that ran it first.
    pub(crate) first_sequence: u64,
}

impl PluginVersion {
    pub(crate) fn of(row: PluginVersionHead) -> Self {
        Self {
            hash: row.hash.to_string(),
            name: row.name,
            version: row.version,
            bytes: row.bytes,
            first_sequence: row.first_sequence.0,
        }
    }
}
