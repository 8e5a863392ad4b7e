use serde::{Deserialize, Serialize};

use super::LedgerError;
use crate::identifier::{InstrumentId, StrategyId};
use crate::money::{Money, Overflow, Price, Quantity};
use crate::position::Position;

/// One strategy's cash and positions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SubLedger {
    pub(super) cash: Money,
    pub(super) reserved: Money,
    /// Deposits and transfers in, less transfers out, and what was brought and taken away of positions.
    pub(super) funded: Money,
    pub(super) realised: Money,
    pub(super) fees: Money,
    /// Sorted by instrument; only open ones.
    pub(super) positions: Vec<Position>,
    /// Whether it counts to the account. A shadow's does not.
    pub(super) make_believe: bool,
}

impl SubLedger {
    /// Cash, with what is reserved.
    #[must_use]
    pub const fn cash(&self) -> Money {
        self.cash
    }

    /// Cash set aside for working buys.
    #[must_use]
    pub const fn reserved(&self) -> Money {
        self.reserved
    }

    /// Cash that may be reserved or transferred.
    #[must_use]
    pub fn free(&self) -> Money {
        // Both are booked amounts and reserved never exceeds cash, so the difference exists.
        self.cash.minus(self.reserved).unwrap_or(Money::ZERO)
    }

    /// Deposits and transfers in, less transfers out; also of positions, at what the books hold them for.
    #[must_use]
    pub const fn funded(&self) -> Money {
        self.funded
    }

    /// Profit of all sales, after fees.
    #[must_use]
    pub const fn realised(&self) -> Money {
        self.realised
    }

    /// All fees, gas and charges paid.
    #[must_use]
    pub const fn fees(&self) -> Money {
        self.fees
    }

    /// Whether it is a shadow's, apart from the account.
    #[must_use]
    pub const fn is_make_believe(&self) -> bool {
        self.make_believe
    }

    /// The open positions, by instrument.
    #[must_use]
    pub fn positions(&self) -> &[Position] {
        &self.positions
    }

    /// The position in an instrument, if one is open.
    #[must_use]
    pub fn position(&self, instrument: InstrumentId) -> Option<&Position> {
        self.find(instrument).ok().map(|index| &self.positions[index])
    }

    /// Cash plus the positions' value at these prices. A position without a price counts at cost.
    ///
    /// # Errors
    ///
    /// [`Overflow`] when the sum leaves the range of the books.
    pub fn equity(&self, price: impl Fn(InstrumentId) -> Option<Price>) -> Result<Money, Overflow> {
        self.positions.iter().try_fold(self.cash, |sum, position| {
            let value = match price(position.instrument) {
                Some(price) => price.value_of(position.quantity)?,
                None => position.cost,
            };
            sum.plus(value)
        })
    }

    pub(super) fn find(&self, instrument: InstrumentId) -> Result<usize, usize> {
        self.positions.binary_search_by_key(&instrument, |position| position.instrument)
    }

    pub(super) fn reserved_less(&self, strategy: StrategyId, amount: Money) -> Result<Money, LedgerError> {
        let left = self.reserved.minus(amount)?;
        if left.is_negative() {
            return Err(LedgerError::NotReserved {
                strategy,
                reserved: self.reserved.to_string(),
                asked: amount.to_string(),
            });
        }
        Ok(left)
    }

    pub(super) fn reserved_position(
        &mut self,
        strategy: StrategyId,
        instrument: InstrumentId,
        quantity: Quantity,
    ) -> Result<&mut Position, LedgerError> {
        let not_reserved = |reserved: Quantity| LedgerError::NotReserved {
            strategy,
            reserved: format!("{reserved} of {instrument}"),
            asked: quantity.to_string(),
        };
        match self.find(instrument) {
            Ok(index) if self.positions[index].reserved >= quantity && !quantity.is_negative() => {
                Ok(&mut self.positions[index])
            }
            Ok(index) => Err(not_reserved(self.positions[index].reserved)),
            Err(_) => Err(not_reserved(Quantity::ZERO)),
        }
    }
}
