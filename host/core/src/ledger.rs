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

use serde::{Deserialize, Serialize};

use crate::identifier::{InstrumentId, StrategyId};
use crate::money::{Money, Overflow, Price, Quantity};
use crate::position::{ClosedPart, Position};
use crate::time::Timestamp;

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

/// One strategy's cash and positions.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SubLedger {
    cash: Money,
    reserved: Money,
    /// Deposits and transfers in, less transfers out, and what was brought and taken away of positions.
    funded: Money,
    realised: Money,
    fees: Money,
    /// Sorted by instrument; only open ones.
    positions: Vec<Position>,
    /// Whether it counts to the account. A shadow's does not.
    make_believe: bool,
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

    fn find(&self, instrument: InstrumentId) -> Result<usize, usize> {
        self.positions.binary_search_by_key(&instrument, |position| position.instrument)
    }
}

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

/// The account in sum, kept along so that its value costs no walk over the strategies.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct AccountTotals {
    /// The pool and all live strategies' cash.
    cash: Money,
    /// Live strategies' quantities, sorted by instrument; none is zero.
    holdings: Vec<(InstrumentId, Quantity)>,
}

impl AccountTotals {
    /// Holdings after a purchase, or after a sale when the quantity is negative. The ledger commits them
    /// only when the whole operation succeeds.
    fn changed(&self, instrument: InstrumentId, quantity: Quantity, cash: Money) -> Result<Change, Overflow> {
        let index = self.holdings.binary_search_by_key(&instrument, |(held, _)| *held);
        let held = index.map_or(Quantity::ZERO, |index| self.holdings[index].1);
        Ok(Change { index, instrument, held: held.plus(quantity)?, cash: self.cash.plus(cash)?.booked()? })
    }

    fn commit(&mut self, change: Change) {
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
struct Change {
    index: Result<usize, usize>,
    instrument: InstrumentId,
    held: Quantity,
    cash: Money,
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

impl SubLedger {
    fn reserved_less(&self, strategy: StrategyId, amount: Money) -> Result<Money, LedgerError> {
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

    fn reserved_position(
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

fn not_negative(amount: Money) -> Result<(), LedgerError> {
    if amount.is_negative() { Err(LedgerError::Negative(amount)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    use super::*;

    const BTC: InstrumentId = InstrumentId(3);

    fn settlement(strategy: StrategyId, quantity: i64, price_cents: i64, fee_cents: i64) -> Settlement {
        let quantity = Quantity(Decimal::new(quantity, 3));
        Settlement {
            strategy,
            instrument: BTC,
            quantity,
            value: Price(Decimal::new(price_cents, 2)).value_of(quantity).unwrap(),
            fee: Money(Decimal::new(fee_cents, 2)),
            time: Timestamp::from_seconds(1),
        }
    }

    fn funded(cents: i64) -> (Ledger, StrategyId) {
        let mut ledger = Ledger::new();
        ledger.deposit(Money(Decimal::new(cents, 2))).unwrap();
        let strategy = ledger.open(None).unwrap();
        ledger.transfer(strategy, Money(Decimal::new(cents, 2))).unwrap();
        (ledger, strategy)
    }

    #[test]
    fn a_purchase_is_paid_from_its_reservation_only() {
        let (mut ledger, strategy) = funded(100_000);
        let buy = settlement(strategy, 2_000, 10_000, 20);
        assert!(matches!(ledger.settle_buy(&buy, Money::ZERO), Err(LedgerError::NotReserved { .. })));
        let reserved = Money(Decimal::new(20_050, 2));
        assert!(matches!(ledger.settle_buy(&buy, reserved), Err(LedgerError::NotReserved { .. })));
        ledger.reserve(strategy, reserved).unwrap();
        ledger.settle_buy(&buy, reserved).unwrap();
        let books = ledger.sub_ledger(strategy).unwrap();
        assert_eq!(books.cash(), Money(Decimal::new(79_980, 2)));
        assert_eq!(books.reserved(), Money::ZERO);
    }

    #[test]
    fn a_sale_needs_a_reserved_quantity_and_books_the_profit() {
        let (mut ledger, strategy) = funded(100_000);
        let buy = settlement(strategy, 1_000, 10_000, 10);
        ledger.reserve(strategy, Money(Decimal::new(10_010, 2))).unwrap();
        ledger.settle_buy(&buy, Money(Decimal::new(10_010, 2))).unwrap();
        let sell = settlement(strategy, 1_000, 11_000, 11);
        assert!(matches!(ledger.settle_sell(&sell), Err(LedgerError::NotReserved { .. })));
        ledger.reserve_quantity(strategy, BTC, sell.quantity).unwrap();
        assert!(ledger.reserve_quantity(strategy, BTC, Quantity(Decimal::new(1, 3))).is_err());
        let part = ledger.settle_sell(&sell).unwrap();
        assert_eq!(part.pnl, Money(Decimal::new(979, 2)));
        let books = ledger.sub_ledger(strategy).unwrap();
        assert_eq!(books.cash(), Money(Decimal::new(100_979, 2)));
        assert!(books.positions().is_empty());
    }

    #[test]
    fn one_strategy_can_not_spend_anothers_money() {
        let (mut ledger, _) = funded(100_000);
        let other = ledger.open(None).unwrap();
        assert!(ledger.reserve(other, Money(Decimal::ONE)).is_err());
        assert!(ledger.transfer(other, Money(Decimal::ONE)).is_err());
    }

    /// An amount beyond the range can have its last digit by chance, and then nothing finer can be taken from it.
    #[test]
    fn what_is_free_is_exact_up_to_the_end_of_the_range_and_nothing_gets_past_it() {
        let finest = Money(Decimal::new(1, 16));
        let beyond: Money = Money("7972902881486.392280960350572".parse().unwrap());
        let mut ledger = Ledger::new();
        let shadow = ledger.open(Some(Money(Decimal::from(7_900_000_000_000_i64)))).unwrap();
        let mut trade = settlement(shadow, 1_000, 100, 0);
        ledger.reserve(shadow, trade.value).unwrap();
        ledger.settle_buy(&trade, trade.value).unwrap();
        ledger.reserve_quantity(shadow, BTC, trade.quantity).unwrap();
        ledger.reserve(shadow, finest).unwrap();

        let cash = ledger.sub_ledger(shadow).unwrap().cash();
        trade.value = beyond.minus(cash).unwrap();
        let before = ledger.clone();
        assert_eq!(ledger.settle_sell(&trade), Err(Overflow.into()));
        assert_eq!(ledger, before, "a refused operation must change nothing");
        trade.value = Money::LARGEST_BOOKED.minus(cash).unwrap();
        ledger.settle_sell(&trade).unwrap();
        let books = ledger.sub_ledger(shadow).unwrap();
        assert_eq!(books.cash(), Money::LARGEST_BOOKED);
        assert_eq!(books.free().plus(finest), Ok(Money::LARGEST_BOOKED));

        assert_eq!(ledger.open(Some(beyond)), Err(Overflow.into()));
        assert_eq!(ledger.deposit(beyond), Err(Overflow.into()));
    }

    #[test]
    fn make_believe_money_is_not_the_accounts() {
        let (mut ledger, _) = funded(100_000);
        ledger.open(Some(Money(Decimal::from(5_000)))).unwrap();
        assert_eq!(ledger.equity(|_| None), Ok(Money(Decimal::from(1_000))));
    }

    /// An operation with small numbers, so that refusals and successes are both common.
    #[derive(Debug, Clone)]
    enum Operation {
        Deposit(i64),
        Transfer(u32, i64),
        Buy { strategy: u32, quantity: i64, price: i64, fee: i64, surplus: i64 },
        Sell { strategy: u32, quantity: i64, price: i64, fee: i64 },
        Reserve(u32, i64),
        Release(u32, i64),
        Charge(u32, i64),
    }

    fn operation() -> impl Strategy<Value = Operation> {
        let strategy = 0_u32..3;
        prop_oneof![
            (0_i64..50_000).prop_map(Operation::Deposit),
            (strategy.clone(), -20_000_i64..20_000).prop_map(|(s, a)| Operation::Transfer(s, a)),
            (strategy.clone(), 1_i64..3_000, 1_i64..20_000, 0_i64..100, 0_i64..100).prop_map(
                |(strategy, quantity, price, fee, surplus)| Operation::Buy {
                    strategy,
                    quantity,
                    price,
                    fee,
                    surplus
                }
            ),
            (strategy.clone(), 1_i64..3_000, 1_i64..20_000, 0_i64..5_000).prop_map(
                |(strategy, quantity, price, fee)| Operation::Sell { strategy, quantity, price, fee }
            ),
            (strategy.clone(), 0_i64..10_000).prop_map(|(s, a)| Operation::Reserve(s, a)),
            (strategy.clone(), 0_i64..10_000).prop_map(|(s, a)| Operation::Release(s, a)),
            (strategy, 0_i64..500).prop_map(|(s, a)| Operation::Charge(s, a)),
        ]
    }

    proptest! {
        /// The books against a second bookkeeping that only adds up what succeeded.
        #[test]
        fn books_equal_the_sum_of_what_was_booked(operations in proptest::collection::vec(operation(), 1..120)) {
            let mut ledger = Ledger::new();
            for make_believe in [None, None, Some(Money(Decimal::from(500)))] {
                ledger.open(make_believe).unwrap();
            }
            let mut pool = Decimal::ZERO;
            let mut cash = [Decimal::ZERO, Decimal::ZERO, Decimal::from(500)];
            let mut reserved = [Decimal::ZERO; 3];
            let mut held = [Decimal::ZERO; 3];
            for operation in operations {
                let before = ledger.clone();
                let cents = |value: i64| Decimal::new(value, 2);
                let done = match operation {
                    Operation::Deposit(amount) => ledger.deposit(Money(cents(amount))).map(|()| pool += cents(amount)),
                    Operation::Transfer(s, amount) => ledger.transfer(StrategyId(s), Money(cents(amount))).map(|()| {
                        pool -= cents(amount);
                        cash[s as usize] += cents(amount);
                    }),
                    Operation::Buy { strategy, quantity, price, fee, surplus } => {
                        let buy = settlement(StrategyId(strategy), quantity, price, fee);
                        let total = Money(buy.value.0 + buy.fee.0 + cents(surplus));
                        ledger.reserve(StrategyId(strategy), total).map(|()| {
                            ledger.settle_buy(&buy, total).unwrap();
                            cash[strategy as usize] -= buy.value.0 + buy.fee.0;
                            held[strategy as usize] += buy.quantity.0;
                        })
                    }
                    Operation::Sell { strategy, quantity, price, fee } => {
                        let sell = settlement(StrategyId(strategy), quantity, price, fee);
                        ledger.reserve_quantity(StrategyId(strategy), BTC, sell.quantity).and_then(|()| {
                            let settled = ledger.settle_sell(&sell);
                            if settled.is_err() {
                                ledger.release_quantity(StrategyId(strategy), BTC, sell.quantity).unwrap();
                            }
                            settled.map(|_| {
                                cash[strategy as usize] += sell.value.0 - sell.fee.0;
                                held[strategy as usize] -= sell.quantity.0;
                            })
                        })
                    }
                    Operation::Reserve(s, amount) => ledger
                        .reserve(StrategyId(s), Money(cents(amount)))
                        .map(|()| reserved[s as usize] += cents(amount)),
                    Operation::Release(s, amount) => ledger
                        .release(StrategyId(s), Money(cents(amount)))
                        .map(|()| reserved[s as usize] -= cents(amount)),
                    Operation::Charge(s, amount) => ledger
                        .charge(StrategyId(s), Money(cents(amount)))
                        .map(|booked| cash[s as usize] -= booked.0),
                };
                if done.is_err() {
                    prop_assert_eq!(&ledger, &before, "a refused operation must change nothing");
                }
                prop_assert_eq!(ledger.pool().0, pool);
                prop_assert_eq!(ledger.cash().0, pool + cash[0] + cash[1]);
                let holding = ledger.holdings().first().map_or(Decimal::ZERO, |(_, quantity)| quantity.0);
                prop_assert_eq!(holding, held[0] + held[1]);
                prop_assert!(!ledger.pool().is_negative());
                for (index, books) in ledger.sub_ledgers().iter().enumerate() {
                    prop_assert_eq!(books.cash().0, cash[index]);
                    prop_assert_eq!(books.reserved().0, reserved[index]);
                    prop_assert!(books.reserved() <= books.cash() && !books.reserved().is_negative());
                    let quantity = books.position(BTC).map_or(Decimal::ZERO, |position| position.quantity.0);
                    prop_assert_eq!(quantity, held[index]);
                    prop_assert!(books.position(BTC).is_none_or(|p| p.quantity.is_positive() && p.reserved <= p.quantity));
                    // Money in, plus profit, is cash plus what the positions cost with their entry fees.
                    let invested: Decimal = books.positions().iter().map(|p| p.cost.0 + p.entry_fees.0).sum();
                    let rounding = (books.funded().0 + books.realised().0 - books.cash().0 - invested).abs();
                    prop_assert!(rounding < Decimal::new(1, 18), "off by {}", rounding);
                }
            }
        }
    }
}
