//! The books. Cash and positions are kept per strategy, in sub-ledgers; the account is their sum and a pool
//! of what is not allocated. This is the only place where a fill changes a balance.
//!
//! Invariants, after every operation, also one that fails:
//! - no sub-ledger's cash, reservation or free cash is negative, and no position's either;
//! - cash equals deposits, plus transfers, plus proceeds, less costs, fees and charges, to the last decimal;
//! - what is brought or taken away without a trade changes what was deposited by what the books hold it for;
//! - nothing is spent or sold that was not reserved first;
//! - every amount is one that [`Money::booked`](crate::money::Money::booked) lets pass, so that the difference of
//!   any two is exact.

mod error;
mod sub_ledger;
#[cfg(test)]
mod tests;
mod totals;

use serde::{Deserialize, Serialize};

pub use self::error::LedgerError;
pub use self::sub_ledger::SubLedger;
use self::totals::AccountTotals;
use crate::identifier::{InstrumentId, StrategyId};
use crate::money::{Money, Overflow, Price, Quantity};
use crate::position::{ClosedPart, Position};
use crate::time::Timestamp;

/// A fill as the books need it.
#[derive(Debug, Clone, Copy)]
pub struct Settlement {
    /// Whose.
    pub strategy: StrategyId,
    /// In what.
    pub instrument: InstrumentId,
    /// How much.
    pub quantity: Quantity,
    /// Price times quantity.
    pub value: Money,
    /// Fee and gas.
    pub fee: Money,
    /// When.
    pub time: Timestamp,
}

/// The account's books.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ledger {
    pool: Money,
    deposited: Money,
    sub_ledgers: Vec<SubLedger>,
    totals: AccountTotals,
}

impl Ledger {
    /// Empty books.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds money to the pool.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when the amount is negative or leaves the range.
    pub fn deposit(&mut self, amount: Money) -> Result<(), LedgerError> {
        not_negative(amount)?;
        let pool = self.pool.plus(amount)?.booked()?;
        let deposited = self.deposited.plus(amount)?.booked()?;
        let cash = self.totals.cash.plus(amount)?.booked()?;
        (self.pool, self.deposited, self.totals.cash) = (pool, deposited, cash);
        Ok(())
    }

    /// Takes money out of the pool, as the owner does or as it is lost.
    ///
    /// # Errors
    ///
    /// [`LedgerError::NotInPool`] when less is there.
    pub fn withdraw(&mut self, amount: Money) -> Result<(), LedgerError> {
        not_negative(amount)?;
        let pool = self.pool.minus(amount)?;
        if pool.is_negative() {
            return Err(LedgerError::NotInPool { free: self.pool, asked: amount });
        }
        let deposited = self.deposited.minus(amount)?.booked()?;
        let cash = self.totals.cash.minus(amount)?;
        (self.pool, self.deposited, self.totals.cash) = (pool, deposited, cash);
        Ok(())
    }

    /// Adds units that nobody sold to a position, for what they are worth. Nothing is paid for them.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when they are worth less than nothing, the strategy's money is make-believe, or an amount
    /// leaves the range.
    pub fn bring(
        &mut self,
        strategy: StrategyId,
        instrument: InstrumentId,
        quantity: Quantity,
        value: Money,
        time: Timestamp,
    ) -> Result<(), LedgerError> {
        not_negative(value)?;
        not_negative(Money(quantity.0))?;
        let deposited = self.deposited.plus(value)?.booked()?;
        let change = self.totals.changed(instrument, quantity, Money::ZERO)?;
        let books = self.real_books(strategy)?;
        let funded = books.funded.plus(value)?.booked()?;
        match books.find(instrument) {
            Ok(index) => books.positions[index].bought(quantity, value, Money::ZERO)?,
            Err(_) if quantity.is_zero() => return Ok(()),
            Err(index) => {
                let mut position = Position::open(instrument, time);
                position.bought(quantity, value, Money::ZERO)?;
                books.positions.insert(index, position);
            }
        }
        books.funded = funded;
        self.deposited = deposited;
        self.totals.commit(change);
        Ok(())
    }

    /// Takes units out of a position that nobody bought, and gives back what the books held them for: their cost and
    /// entry fees.
    ///
    /// # Errors
    ///
    /// [`LedgerError::NotEnoughQuantity`] when less is free.
    pub fn take_away(
        &mut self,
        strategy: StrategyId,
        instrument: InstrumentId,
        quantity: Quantity,
    ) -> Result<Money, LedgerError> {
        let change = self.totals.changed(instrument, Quantity(-quantity.0), Money::ZERO)?;
        let deposited = self.deposited;
        let books = self.real_books(strategy)?;
        let not_enough =
            |free| LedgerError::NotEnoughQuantity { strategy, instrument, free, asked: quantity };
        let index = books.find(instrument).map_err(|_| not_enough(Quantity::ZERO))?;
        let free = books.positions[index].free()?;
        if quantity > free || quantity.is_negative() {
            return Err(not_enough(free));
        }
        let mut after = books.positions[index].clone();
        let held_for = after.taken_away(quantity)?;
        let (funded, deposited) =
            (books.funded.minus(held_for)?.booked()?, deposited.minus(held_for)?.booked()?);
        if after.quantity.is_zero() {
            books.positions.remove(index);
        } else {
            books.positions[index] = after;
        }
        books.funded = funded;
        self.deposited = deposited;
        self.totals.commit(change);
        Ok(held_for)
    }

    /// Opens a sub-ledger for the next strategy. One of make-believe starts with money of its own, apart
    /// from the account.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when the amount is negative or leaves the range.
    pub fn open(&mut self, make_believe: Option<Money>) -> Result<StrategyId, LedgerError> {
        let funds = make_believe.unwrap_or(Money::ZERO).booked()?;
        not_negative(funds)?;
        let id = StrategyId(u32::try_from(self.sub_ledgers.len()).map_err(|_| Overflow)?);
        self.sub_ledgers.push(SubLedger {
            cash: funds,
            funded: funds,
            make_believe: make_believe.is_some(),
            ..SubLedger::default()
        });
        Ok(id)
    }

    /// Money that belongs to no strategy.
    #[must_use]
    pub const fn pool(&self) -> Money {
        self.pool
    }

    /// All that was deposited, less what was taken away.
    #[must_use]
    pub const fn deposited(&self) -> Money {
        self.deposited
    }

    /// A strategy's books.
    #[must_use]
    pub fn sub_ledger(&self, strategy: StrategyId) -> Option<&SubLedger> {
        self.sub_ledgers.get(usize::try_from(strategy.0).ok()?)
    }

    /// All strategies' books, in the order of their numbers.
    #[must_use]
    pub fn sub_ledgers(&self) -> &[SubLedger] {
        &self.sub_ledgers
    }

    /// The pool and all strategies' cash, without the shadows'.
    #[must_use]
    pub const fn cash(&self) -> Money {
        self.totals.cash
    }

    /// What the account holds of each instrument over all strategies, without the shadows, by instrument.
    #[must_use]
    pub fn holdings(&self) -> &[(InstrumentId, Quantity)] {
        &self.totals.holdings
    }

    /// The account's value at these prices, without the shadows. A holding without a price counts nothing;
    /// there is none, as nothing can be bought without one.
    ///
    /// # Errors
    ///
    /// [`Overflow`] when the sum leaves the range of the books.
    pub fn equity(&self, price: impl Fn(InstrumentId) -> Option<Price>) -> Result<Money, Overflow> {
        self.totals.holdings.iter().try_fold(self.totals.cash, |sum, (instrument, quantity)| {
            match price(*instrument) {
                Some(price) => sum.plus(price.value_of(*quantity)?),
                None => Ok(sum),
            }
        })
    }

    /// Moves free money from the pool to a strategy, or back when the amount is negative.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when the giver has less than that free.
    pub fn transfer(&mut self, strategy: StrategyId, amount: Money) -> Result<(), LedgerError> {
        let pool = self.pool.minus(amount)?.booked()?;
        let available = self.pool;
        let books = self.books(strategy)?;
        if books.make_believe {
            return Err(LedgerError::MakeBelieve(strategy));
        }
        let cash = books.cash.plus(amount)?.booked()?;
        let funded = books.funded.plus(amount)?.booked()?;
        if pool.is_negative() {
            return Err(LedgerError::NotEnoughCash { strategy, free: available, asked: amount });
        }
        if cash < books.reserved {
            return Err(LedgerError::NotEnoughCash { strategy, free: books.free(), asked: amount });
        }
        (books.cash, books.funded) = (cash, funded);
        self.pool = pool;
        Ok(())
    }

    /// Sets cash aside.
    ///
    /// # Errors
    ///
    /// [`LedgerError::NotEnoughCash`] when less is free.
    pub fn reserve(&mut self, strategy: StrategyId, amount: Money) -> Result<(), LedgerError> {
        not_negative(amount)?;
        let books = self.books(strategy)?;
        let reserved = books.reserved.plus(amount)?;
        if reserved > books.cash {
            return Err(LedgerError::NotEnoughCash { strategy, free: books.free(), asked: amount });
        }
        books.reserved = reserved;
        Ok(())
    }

    /// Frees cash that was set aside.
    ///
    /// # Errors
    ///
    /// [`LedgerError::NotReserved`] when less was set aside.
    pub fn release(&mut self, strategy: StrategyId, amount: Money) -> Result<(), LedgerError> {
        not_negative(amount)?;
        let books = self.books(strategy)?;
        books.reserved = books.reserved_less(strategy, amount)?;
        Ok(())
    }

    /// Sets a part of a position aside for a sale.
    ///
    /// # Errors
    ///
    /// [`LedgerError::NotEnoughQuantity`] when less is free.
    pub fn reserve_quantity(
        &mut self,
        strategy: StrategyId,
        instrument: InstrumentId,
        quantity: Quantity,
    ) -> Result<(), LedgerError> {
        let books = self.books(strategy)?;
        let index = books.find(instrument).map_err(|_| LedgerError::NotEnoughQuantity {
            strategy,
            instrument,
            free: Quantity::ZERO,
            asked: quantity,
        })?;
        let position = &mut books.positions[index];
        let reserved = position.reserved.plus(quantity)?;
        if reserved > position.quantity || quantity.is_negative() {
            let free = position.free()?;
            return Err(LedgerError::NotEnoughQuantity { strategy, instrument, free, asked: quantity });
        }
        position.reserved = reserved;
        Ok(())
    }

    /// Frees a part of a position that was set aside.
    ///
    /// # Errors
    ///
    /// [`LedgerError::NotReserved`] when less was set aside.
    pub fn release_quantity(
        &mut self,
        strategy: StrategyId,
        instrument: InstrumentId,
        quantity: Quantity,
    ) -> Result<(), LedgerError> {
        let position = self.books(strategy)?.reserved_position(strategy, instrument, quantity)?;
        position.reserved = position.reserved.minus(quantity)?;
        Ok(())
    }

    /// Books a purchase: `reserved` of the cash set aside is used up, cost and fee are paid from it.
    ///
    /// # Errors
    ///
    /// [`LedgerError::NotReserved`] when cost and fee exceed `reserved`, or `reserved` what is set aside.
    pub fn settle_buy(&mut self, settlement: &Settlement, reserved: Money) -> Result<(), LedgerError> {
        let Settlement { strategy, instrument, quantity, value, fee, time } = *settlement;
        not_negative(value)?;
        not_negative(fee)?;
        let total = value.plus(fee)?;
        if total > reserved {
            return Err(LedgerError::NotReserved {
                strategy,
                reserved: reserved.to_string(),
                asked: total.to_string(),
            });
        }
        let change = self.totals.changed(instrument, quantity, Money(-total.0))?;
        let books = self.books(strategy)?;
        let left = books.reserved_less(strategy, reserved)?;
        let (cash, fees) = (books.cash.minus(total)?, books.fees.plus(fee)?.booked()?);
        match books.find(instrument) {
            Ok(index) => books.positions[index].bought(quantity, value, fee)?,
            Err(index) => {
                let mut position = Position::open(instrument, time);
                position.bought(quantity, value, fee)?;
                books.positions.insert(index, position);
            }
        }
        (books.reserved, books.cash, books.fees) = (left, cash, fees);
        if !books.make_believe {
            self.totals.commit(change);
        }
        Ok(())
    }

    /// Books a sale of a quantity that was set aside. The fee is paid from the proceeds and the free cash.
    ///
    /// # Errors
    ///
    /// [`LedgerError::NotReserved`] when less was set aside, [`LedgerError::NotEnoughCash`] when proceeds
    /// and free cash do not cover the fee.
    pub fn settle_sell(&mut self, settlement: &Settlement) -> Result<ClosedPart, LedgerError> {
        let Settlement { strategy, instrument, quantity, value, fee, .. } = *settlement;
        not_negative(value)?;
        not_negative(fee)?;
        let change = self.totals.changed(instrument, Quantity(-quantity.0), value.minus(fee)?)?;
        let books = self.books(strategy)?;
        let cash = books.cash.plus(value)?.minus(fee)?.booked()?;
        if cash < books.reserved {
            return Err(LedgerError::NotEnoughCash { strategy, free: books.free(), asked: fee });
        }
        let (fees, realised) = (books.fees.plus(fee)?.booked()?, books.realised);
        let position = books.reserved_position(strategy, instrument, quantity)?;
        let reserved = position.reserved.minus(quantity)?;
        let mut after = position.clone();
        let part = after.sold(quantity, value, fee)?;
        after.reserved = reserved;
        let realised = realised.plus(part.pnl)?.booked()?;
        let closed = after.quantity.is_zero();
        *position = after;
        if closed {
            books.positions.retain(|position| position.instrument != instrument);
        }
        (books.cash, books.fees, books.realised) = (cash, fees, realised);
        if !books.make_believe {
            self.totals.commit(change);
        }
        Ok(part)
    }

    /// Books a cost that no fill brought, such as the gas of a failed transaction; at most the free cash.
    /// Returns what was booked.
    ///
    /// # Errors
    ///
    /// [`LedgerError`] when the amount is negative or leaves the range.
    pub fn charge(&mut self, strategy: StrategyId, amount: Money) -> Result<Money, LedgerError> {
        not_negative(amount)?;
        let account_cash = self.totals.cash;
        let books = self.books(strategy)?;
        let amount = amount.min(books.free());
        let (cash, fees) = (books.cash.minus(amount)?, books.fees.plus(amount)?.booked()?);
        let realised = books.realised.minus(amount)?.booked()?;
        let account_cash = account_cash.minus(amount)?;
        (books.cash, books.fees, books.realised) = (cash, fees, realised);
        if !books.make_believe {
            self.totals.cash = account_cash;
        }
        Ok(amount)
    }

    /// Gives a flat strategy make-believe money, or takes it away again. Its real cash goes to the pool.
    ///
    /// # Errors
    ///
    /// [`LedgerError::NotFlat`] when it holds or has reserved anything.
    pub fn refit(&mut self, strategy: StrategyId, make_believe: Option<Money>) -> Result<(), LedgerError> {
        let funds = make_believe.unwrap_or(Money::ZERO).booked()?;
        not_negative(funds)?;
        let books = self.books(strategy)?;
        if !books.positions.is_empty() || !books.reserved.is_zero() {
            return Err(LedgerError::NotFlat(strategy));
        }
        let returned = if books.make_believe { Money::ZERO } else { books.cash };
        let pool = self.pool.plus(returned)?.booked()?;
        let books = self.books(strategy)?;
        *books = SubLedger {
            cash: funds,
            funded: funds,
            make_believe: make_believe.is_some(),
            ..SubLedger::default()
        };
        self.pool = pool;
        Ok(())
    }

    /// The books of a strategy whose money is the account's.
    fn real_books(&mut self, strategy: StrategyId) -> Result<&mut SubLedger, LedgerError> {
        let books = self.books(strategy)?;
        if books.make_believe { Err(LedgerError::MakeBelieve(strategy)) } else { Ok(books) }
    }

    fn books(&mut self, strategy: StrategyId) -> Result<&mut SubLedger, LedgerError> {
        usize::try_from(strategy.0)
            .ok()
            .and_then(|index| self.sub_ledgers.get_mut(index))
            .ok_or(LedgerError::UnknownStrategy(strategy))
    }
}

fn not_negative(amount: Money) -> Result<(), LedgerError> {
    if amount.is_negative() { Err(LedgerError::Negative(amount)) } else { Ok(()) }
}
