use crate::identifier::{InstrumentId, StrategyId};
use crate::money::{Money, Overflow, Quantity};

/// Why the books refused an operation. They are then unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// An amount left the range of the books.
    #[error(transparent)]
    Overflow(#[from] Overflow),
    /// There is no such sub-ledger.
    #[error("{0} has no sub-ledger")]
    UnknownStrategy(StrategyId),
    /// Less is free than was asked for.
    #[error("{strategy} has {free} free, {asked} was asked for")]
    NotEnoughCash {
        /// Whose.
        strategy: StrategyId,
        /// What is free.
        free: Money,
        /// What was asked for.
        asked: Money,
    },
    /// Less of the position is free than was asked for.
    #[error("{strategy} has {free} of {instrument} free, {asked} was asked for")]
    NotEnoughQuantity {
        /// Whose.
        strategy: StrategyId,
        /// Of what.
        instrument: InstrumentId,
        /// What is free.
        free: Quantity,
        /// What was asked for.
        asked: Quantity,
    },
    /// Less was reserved than is to be spent, sold or released.
    #[error("{strategy} has reserved {reserved}, {asked} is to be used")]
    NotReserved {
        /// Whose.
        strategy: StrategyId,
        /// What is reserved, as money or as a quantity.
        reserved: String,
        /// What is to be used.
        asked: String,
    },
    /// Real and make-believe money don't mix.
    #[error("{0} trades make-believe money; nothing can be transferred to or from the account")]
    MakeBelieve(StrategyId),
    /// A strategy that holds something can't change between real and make-believe money.
    #[error("{0} still has positions or working orders; close them first")]
    NotFlat(StrategyId),
    /// The pool has less than is to be taken from it.
    #[error("{free} belongs to no strategy, {asked} was asked for")]
    NotInPool {
        /// What is there.
        free: Money,
        /// What was asked for.
        asked: Money,
    },
    /// An amount that must not be negative is.
    #[error("an amount of {0} can't be booked: it is negative")]
    Negative(Money),
}
