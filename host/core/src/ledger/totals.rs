use serde::{Deserialize, Serialize};

use crate::identifier::InstrumentId;
use crate::money::{Money, Overflow, Quantity};

/// The account in sum, kept along so that its value costs no walk over the strategies.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct AccountTotals {
    /// The pool and all live strategies' cash.
    pub(super) cash: Money,
    /// Live strategies' quantities, sorted by instrument; none is zero.
    pub(super) holdings: Vec<(InstrumentId, Quantity)>,
}

impl AccountTotals {
    /// Holdings after a purchase, or after a sale when the quantity is negative. The ledger commits them
    /// only when the whole operation succeeds.
    pub(super) fn changed(
        &self,
        instrument: InstrumentId,
        quantity: Quantity,
        cash: Money,
    ) -> Result<Change, Overflow> {
        let index = self.holdings.binary_search_by_key(&instrument, |(held, _)| *held);
        let held = index.map_or(Quantity::ZERO, |index| self.holdings[index].1);
        Ok(Change { index, instrument, held: held.plus(quantity)?, cash: self.cash.plus(cash)?.booked()? })
    }

    pub(super) fn commit(&mut self, change: Change) {
        self.cash = change.cash;
        match change.index {
            Ok(index) if change.held.is_zero() => {
                self.holdings.remove(index);
            }
            Ok(index) => self.holdings[index].1 = change.held,
            Err(_) if change.held.is_zero() => {}
            Err(index) => self.holdings.insert(index, (change.instrument, change.held)),
        }
    }
}

/// A change of the totals that is computed and not yet made.
#[derive(Clone, Copy)]
pub(super) struct Change {
    index: Result<usize, usize>,
    instrument: InstrumentId,
    held: Quantity,
    cash: Money,
}
