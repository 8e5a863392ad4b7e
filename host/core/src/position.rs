//! A strategy's holding of one instrument, at average cost.

use serde::{Deserialize, Serialize};

use crate::identifier::InstrumentId;
use crate::money::{Money, Overflow, Price, Quantity};
use crate::time::Timestamp;

/// An open position. It exists only while its quantity is above zero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// In what.
    pub instrument: InstrumentId,
    /// How much is held, with what is set aside for working sales.
    pub quantity: Quantity,
    /// Set aside for working sales.
    pub reserved: Quantity,
    /// What the held quantity cost, without fees.
    pub cost: Money,
    /// The entry fees of the held quantity.
    pub entry_fees: Money,
    /// When the position was opened.
    pub opened: Timestamp,
    /// All that was bought since it was opened.
    pub entered: Quantity,
    /// Profit of the parts sold since it was opened, after fees.
    pub realised: Money,
}

/// What selling a part of a position amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClosedPart {
    /// When the position was opened.
    pub opened: Timestamp,
    /// Average entry price.
    pub entry_price: Price,
    /// Entry fees of this part.
    pub entry_fees: Money,
    /// Proceeds less cost and all fees.
    pub pnl: Money,
    /// The same of all parts sold since the position was opened, this one with them.
    pub realised: Money,
}

impl Position {
    pub(crate) const fn open(instrument: InstrumentId, opened: Timestamp) -> Self {
        Self {
            instrument,
            quantity: Quantity::ZERO,
            reserved: Quantity::ZERO,
            cost: Money::ZERO,
            entry_fees: Money::ZERO,
            opened,
            entered: Quantity::ZERO,
            realised: Money::ZERO,
        }
    }

    /// What can be sold: the quantity that no working sale has set aside.
    ///
    /// # Errors
    ///
    /// [`Overflow`] never happens for a position that the ledger keeps.
    pub fn free(&self) -> Result<Quantity, Overflow> {
        self.quantity.minus(self.reserved)
    }

    /// Average entry price, without fees.
    ///
    /// # Errors
    ///
    /// [`Overflow`] when the quotient leaves the range of the books.
    pub fn average_price(&self) -> Result<Price, Overflow> {
        self.cost.per_unit(self.quantity)
    }

    /// Profit if the position were sold at this price without a fee, entry fees counted.
    ///
    /// # Errors
    ///
    /// [`Overflow`] when the value leaves the range of the books.
    pub fn unrealised(&self, price: Price) -> Result<Money, Overflow> {
        price.value_of(self.quantity)?.minus(self.cost)?.minus(self.entry_fees)
    }

    pub(crate) fn bought(&mut self, quantity: Quantity, cost: Money, fee: Money) -> Result<(), Overflow> {
        let entered = self.entered.plus(quantity)?;
        let held = self.quantity.plus(quantity)?;
        let total_cost = self.cost.plus(cost)?;
        let entry_fees = self.entry_fees.plus(fee)?;
        (self.entered, self.quantity, self.cost, self.entry_fees) = (entered, held, total_cost, entry_fees);
        Ok(())
    }

    /// Takes out a part that was not sold, with its share of cost and entry fees, which is given back.
    pub(crate) fn taken_away(&mut self, quantity: Quantity) -> Result<Money, Overflow> {
        let cost = self.cost.share(quantity, self.quantity)?;
        let entry_fees = self.entry_fees.share(quantity, self.quantity)?;
        let (rest, rest_cost) = (self.quantity.minus(quantity)?, self.cost.minus(cost)?);
        let (rest_fees, held_for) = (self.entry_fees.minus(entry_fees)?, cost.plus(entry_fees)?);
        (self.quantity, self.cost, self.entry_fees) = (rest, rest_cost, rest_fees);
        Ok(held_for)
    }

    /// Takes a sold part out. What remains keeps its average cost; the sums of the parts equal the whole to
    /// the last decimal, because the remainder is what the part left over.
    pub(crate) fn sold(
        &mut self,
        quantity: Quantity,
        proceeds: Money,
        fee: Money,
    ) -> Result<ClosedPart, Overflow> {
        let entry_price = self.average_price()?;
        let cost = self.cost.share(quantity, self.quantity)?;
        let entry_fees = self.entry_fees.share(quantity, self.quantity)?;
        let pnl = proceeds.minus(cost)?.minus(entry_fees)?.minus(fee)?;
        let realised = self.realised.plus(pnl)?;
        let (rest, rest_cost) = (self.quantity.minus(quantity)?, self.cost.minus(cost)?);
        self.entry_fees = self.entry_fees.minus(entry_fees)?;
        (self.quantity, self.cost, self.realised) = (rest, rest_cost, realised);
        Ok(ClosedPart { opened: self.opened, entry_price, entry_fees, pnl, realised })
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;

    use super::*;

    fn money(text: &str) -> Money {
        Money(text.parse().unwrap())
    }

    fn quantity(text: &str) -> Quantity {
        Quantity(text.parse().unwrap())
    }

    #[test]
    fn averaging_in_and_selling_a_part() {
        let mut position = Position::open(InstrumentId(0), Timestamp::EPOCH);
        position.bought(quantity("1"), money("100"), money("0.1")).unwrap();
        position.bought(quantity("3"), money("360"), money("0.3")).unwrap();
        assert_eq!(position.average_price().unwrap(), Price(Decimal::from(115)));

        let part = position.sold(quantity("1"), money("125"), money("0.2")).unwrap();
        assert_eq!(part.pnl, money("9.7"));
        assert_eq!(position.cost, money("345"));
        assert_eq!(position.average_price().unwrap(), Price(Decimal::from(115)));
    }

    #[test]
    fn parts_sum_to_the_whole_even_when_they_do_not_divide() {
        let mut position = Position::open(InstrumentId(0), Timestamp::EPOCH);
        position.bought(quantity("3"), money("100"), money("1")).unwrap();
        for _ in 0..3 {
            position.sold(quantity("1"), money("40"), money("0")).unwrap();
        }
        assert_eq!((position.cost, position.entry_fees), (Money::ZERO, Money::ZERO));
        assert_eq!(position.realised, money("19"));
    }
}
