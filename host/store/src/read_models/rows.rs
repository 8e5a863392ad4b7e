//! One row type a table. Money is in the account's currency, prices in the instrument's quote currency, times
//! in nanoseconds since 1970 UTC.

use bulkhead_core::identifier::{ContentHash, InstrumentId, OrderId, OrderTag, StrategyId};
use bulkhead_core::input::StrategyMode;
use bulkhead_core::money::{Money, Price, Quantity};
use bulkhead_core::order::{OrderState, Side};
use bulkhead_core::strategy::FillCause;
use bulkhead_core::time::Timestamp;
use rust_decimal::Decimal;

use crate::database::table::table_row;
use crate::journal::{Sequence, ShardId};

table_row! {
    /// The account in sum. Shadows don't count.
    AccountRow in "accounts"
    key {
        /// Whose journal.
        shard: ShardId,
    }
    rest {
        /// The last input that it shows.
        sequence: Sequence,
        /// Event time of that input.
        time: Timestamp,
        /// The pool and all strategies' cash.
        cash: Money,
        /// Money that belongs to no strategy.
        pool: Money,
        /// All that was deposited, less what was taken away or written off.
        deposited: Money,
        /// Cash and positions at the last prices.
        equity: Money,
        /// Profit of all sales, after fees.
        realised: Money,
        /// All fees, gas and charges paid.
        fees: Money,
        /// Why trading is halted, if it is.
        halted: Option<String>,
    }
}

table_row! {
    /// What can be traded.
    InstrumentRow in "instruments"
    key {
        /// Whose journal.
        shard: ShardId,
        /// Its number.
        instrument: InstrumentId,
    }
    rest {
        /// What people call it.
        symbol: String,
    }
}

table_row! {
    /// A strategy's slot and its books.
    SlotRow in "slots"
    key {
        /// Whose journal.
        shard: ShardId,
        /// Its number.
        strategy: StrategyId,
    }
    rest {
        /// The input since which it stands so.
        sequence: Sequence,
        /// Event time of that input.
        time: Timestamp,
        /// What people call it.
        name: String,
        /// What runs in it, or ran last.
        version: ContentHash,
        /// What becomes of its proposals.
        mode: StrategyMode,
        /// What it is doing: running, restarting, quarantined or removed.
        status: String,
        /// Its share of the capital, 0 to 1.
        weight: Decimal,
        /// Its cash, with what is reserved.
        cash: Money,
        /// Cash set aside for working buys.
        reserved: Money,
        /// Deposits and transfers in, less transfers out.
        funded: Money,
        /// Profit of all its sales, after fees.
        realised: Money,
        /// All fees, gas and charges it paid.
        fees: Money,
        /// Faults since it was first deployed.
        faults: u64,
    }
}

table_row! {
    /// An order that passed the gate, as it stands.
    OrderRow in "orders"
    key {
        /// Whose journal.
        shard: ShardId,
        /// Its number, rising in the account.
        id: OrderId,
    }
    rest {
        /// The last input that changed it.
        sequence: Sequence,
        /// Whose sub-ledger pays.
        strategy: StrategyId,
        /// The strategy's own number; 0 for the host's orders.
        tag: OrderTag,
        /// What to trade.
        instrument: InstrumentId,
        /// Buy or sell.
        side: Side,
        /// How much.
        quantity: Quantity,
        /// At this price or better; at the market when `None`.
        limit_price: Option<Price>,
        /// Who wanted it: `strategy`, `manual`, or the exit that was reached, such as `stop-loss`.
        origin: String,
        /// When it passed the gate.
        created: Timestamp,
        /// The price that the gate reckoned with.
        reference_price: Price,
        /// How sure the strategy was, 0 to 1.
        confidence: f64,
        /// Why the strategy wanted it.
        reason: String,
        /// Where it stands.
        state: OrderState,
        /// Quantity executed so far.
        filled: Quantity,
        /// When it came to stand there.
        changed: Timestamp,
        /// Why it ended without a fill; else empty.
        end_reason: String,
    }
}

table_row! {
    /// A step in the life of an order.
    TransitionRow in "order_transitions"
    key {
        /// Whose journal.
        shard: ShardId,
        /// The input that caused it.
        sequence: Sequence,
        /// Its place among what the input caused.
        ordinal: u32,
    }
    rest {
        /// Which order.
        order_id: OrderId,
        /// When.
        time: Timestamp,
        /// Where the order stood after it.
        state: OrderState,
        /// Quantity executed by then.
        filled: Quantity,
        /// Why, for an end without a fill.
        reason: String,
    }
}

table_row! {
    /// An execution.
    FillRow in "fills"
    key {
        /// Whose journal.
        shard: ShardId,
        /// The input that caused it.
        sequence: Sequence,
        /// Its place among what the input caused.
        ordinal: u32,
    }
    rest {
        /// Of which order.
        order_id: OrderId,
        /// Whose.
        strategy: StrategyId,
        /// The strategy's own number of the order; 0 for the host's.
        tag: OrderTag,
        /// What was traded.
        instrument: InstrumentId,
        /// Bought or sold.
        side: Side,
        /// How much.
        quantity: Quantity,
        /// At what price.
        price: Price,
        /// The venue's fee and gas.
        fee: Money,
        /// When.
        time: Timestamp,
        /// Why.
        cause: FillCause,
    }
}

table_row! {
    /// A cost without a fill, such as the gas of a failed transaction.
    ChargeRow in "charges"
    key {
        /// Whose journal.
        shard: ShardId,
        /// The input that caused it.
        sequence: Sequence,
        /// Its place among what the input caused.
        ordinal: u32,
    }
    rest {
        /// Whose.
        strategy: StrategyId,
        /// When.
        time: Timestamp,
        /// How much.
        amount: Money,
    }
}

table_row! {
    /// A difference between the books and what is really there that was booked, or the part of it that one sub-ledger bore.
    AdjustmentRow in "adjustments"
    key {
        /// Whose journal.
        shard: ShardId,
        /// The input that caused it.
        sequence: Sequence,
        /// Its place among what the input caused.
        ordinal: u32,
    }
    rest {
        /// When.
        time: Timestamp,
        /// Who had it booked: an operator's name, or `host`.
        actor: String,
        /// Why.
        reason: String,
        /// How: `adopted` or `written-off`.
        kind: String,
        /// Whose; `None` for money that belongs to no strategy.
        strategy: Option<StrategyId>,
        /// Units of what; `None` for cash.
        instrument: Option<InstrumentId>,
        /// How many units came, or went when negative.
        quantity: Quantity,
        /// What the owner brought, or took away when negative.
        value: Money,
        /// Profit or loss that is none of trading.
        gain: Money,
    }
}

table_row! {
    /// A position, or the part of it that one execution closed.
    TradeRow in "trades"
    key {
        /// Whose journal.
        shard: ShardId,
        /// The input that closed it.
        sequence: Sequence,
        /// Its place among what the input caused.
        ordinal: u32,
    }
    rest {
        /// Whose.
        strategy: StrategyId,
        /// In what.
        instrument: InstrumentId,
        /// The side of the entry.
        side: Side,
        /// When the position was opened.
        entry_time: Timestamp,
        /// When this part was closed.
        exit_time: Timestamp,
        /// Average entry price.
        entry_price: Price,
        /// Exit price.
        exit_price: Price,
        /// How much was closed.
        quantity: Quantity,
        /// Of entry and exit, for this part.
        fees: Money,
        /// Profit after fees.
        pnl: Money,
        /// Why it was closed.
        exit_reason: FillCause,
        /// Whether it was traded with make-believe money.
        shadow: bool,
    }
}

table_row! {
    /// An open position, at average cost.
    PositionRow in "positions"
    key {
        /// Whose journal.
        shard: ShardId,
        /// Whose.
        strategy: StrategyId,
        /// In what.
        instrument: InstrumentId,
    }
    rest {
        /// The last input that it shows.
        sequence: Sequence,
        /// How much is held, with what is set aside for working sales.
        quantity: Quantity,
        /// Set aside for working sales.
        reserved: Quantity,
        /// What the held quantity cost, without fees.
        cost: Money,
        /// The entry fees of the held quantity.
        entry_fees: Money,
        /// When the position was opened.
        opened: Timestamp,
        /// All that was bought since it was opened.
        entered: Quantity,
        /// Profit of the parts sold since it was opened, after fees.
        realised: Money,
    }
}

table_row! {
    /// The account's value at a moment.
    EquityRow in "equity"
    key {
        /// Whose journal.
        shard: ShardId,
        /// The moment.
        time: Timestamp,
    }
    rest {
        /// The input that it follows.
        sequence: Sequence,
        /// Cash and positions at the last prices.
        equity: Money,
        /// The cash in it.
        cash: Money,
        /// Profit of all sales so far, after fees.
        realised: Money,
        /// All fees, gas and charges paid so far.
        fees: Money,
    }
}

table_row! {
    /// A strategy version that ran, with its file, so that the journal can be replayed.
    PluginVersionRow in "plugin_versions"
    key {
        /// SHA-256 of the file.
        hash: ContentHash,
    }
    rest {
        /// What the version calls itself.
        name: String,
        /// The number it gives itself.
        version: String,
        /// The shard that ran it first.
        shard: ShardId,
        /// The input that it ran from.
        first_sequence: Sequence,
        /// The file.
        wasm: Vec<u8>,
    }
}

table_row! {
    /// Settings that applied from an input on.
    SettingsRow in "settings_history"
    key {
        /// Whose journal.
        shard: ShardId,
        /// The input that they apply from.
        sequence: Sequence,
    }
    rest {
        /// Event time of that input.
        time: Timestamp,
        /// Who set them.
        actor: String,
        /// All of them, as JSON.
        settings: String,
    }
}

table_row! {
    /// Something that an operator or the host did.
    AuditRow in "audit"
    key {
        /// Whose journal.
        shard: ShardId,
        /// The input that caused it.
        sequence: Sequence,
        /// Its place among what the input caused, from 1; 0 is the input itself.
        ordinal: u32,
    }
    rest {
        /// When.
        time: Timestamp,
        /// Who: an operator's name, or `host`.
        actor: String,
        /// What, in a few stable words such as `slot-replaced`.
        action: String,
        /// To what: a slot's name, or empty for the account.
        subject: String,
        /// The particulars, for people.
        detail: String,
    }
}
