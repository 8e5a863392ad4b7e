//! What becomes of a difference between the books and what is really there: a person books it, or says why it is fine.
//!
//! The books of an account that trades outside can go wrong without a defect: somebody moves funds with the same key, a
//! token keeps or gives something by itself. The host compares and shows; nothing is booked before a person says how.
//! What is booked so is no trade. It moves with what was deposited, at what the books held it for, so that profit of
//! trading stays what it was, and its own profit or loss is told apart: see [`BooksAdjusted`](crate::reconciliation::BooksAdjusted).

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::identifier::{InstrumentId, StrategyId};
use crate::input::Actor;
use crate::money::{Money, Price, Quantity};
use crate::time::Timestamp;

/// The most letters of what a difference is called and of a reason.
pub const LONGEST_TEXT: usize = 500;

/// The most differences that can be ignored at a time.
pub const MOST_IGNORED: usize = 1_000;

/// What the books hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asset {
    /// The account's currency.
    Cash,
    /// Units of an instrument's base asset.
    Position(InstrumentId),
}

/// A difference that is to be booked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Adjustment {
    /// In what.
    pub asset: Asset,
    /// What the books said when the difference was seen, over all strategies, without the shadows: when they say
    /// something else by then, nothing is booked, as the difference may be another one.
    pub books: Decimal,
    /// What they are to say.
    pub found: Decimal,
    /// What a unit of a position is worth, in the account's currency. Needed where units are added; what they cost is
    /// taken where units go and nothing is said.
    #[serde(default)]
    pub price: Option<Price>,
    /// Whose position. May be left out where there is only one that it can be.
    #[serde(default)]
    pub slot: Option<String>,
    /// Why, for people.
    pub reason: String,
}

/// How a difference was booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdjustmentKind {
    /// As something that the owner brought or took away.
    Adopted,
    /// As lost.
    WrittenOff,
}

impl AdjustmentKind {
    /// The stable name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Adopted => "adopted",
            Self::WrittenOff => "written-off",
        }
    }
}

/// A difference, or the part of one that one sub-ledger bears, that was booked.
///
/// What was deposited changes by `value` and `gain` together, which is what the books held it for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BooksAdjusted {
    /// When.
    pub time: Timestamp,
    /// Who had it booked.
    pub actor: Actor,
    /// Why.
    pub reason: String,
    /// How.
    pub kind: AdjustmentKind,
    /// Whose; `None` for money that belongs to no strategy.
    pub strategy: Option<StrategyId>,
    /// Units of what; `None` for cash.
    pub instrument: Option<InstrumentId>,
    /// How many units came, or went when negative; none for cash.
    pub quantity: Quantity,
    /// What the owner brought, or took away when negative. Nothing of what was lost.
    pub value: Money,
    /// Profit or loss that is none of trading: what was lost, or what units were worth more than they cost when they
    /// were taken away.
    pub gain: Money,
}

/// A difference that is known, and fine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ignored {
    /// How large it is: more is there than the books say, or less when negative. Another one is not ignored.
    pub difference: Decimal,
    /// Why it is fine.
    pub reason: String,
    /// Who says so.
    pub actor: Actor,
    /// Since when.
    pub since: Timestamp,
}

/// What is ignored from now on, or no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IgnoringChanged {
    /// When.
    pub time: Timestamp,
    /// Who says so.
    pub actor: Actor,
    /// Which difference, by the host's name of it.
    pub subject: String,
    /// How large it is; `None` when it is not ignored any more.
    pub difference: Option<Decimal>,
    /// Why.
    pub reason: String,
}

/// What the engine knows of the world outside, beside what is in its books.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OutsideFacts {
    pub(crate) ignored: BTreeMap<String, Ignored>,
    pub(crate) costs: Money,
    pub(crate) landed: u64,
}

impl OutsideFacts {
    /// The differences that are ignored, by the host's name of them.
    #[must_use]
    pub const fn ignored(&self) -> &BTreeMap<String, Ignored> {
        &self.ignored
    }

    /// What executions outside have cost, in the account's currency, as it was booked. Where that was paid in something
    /// else, so much more of the currency is there than the books say.
    #[must_use]
    pub const fn costs(&self) -> Money {
        self.costs
    }

    /// How many of the account's transactions have landed for good.
    #[must_use]
    pub const fn landed(&self) -> u64 {
        self.landed
    }
}
