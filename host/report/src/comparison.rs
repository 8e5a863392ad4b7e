//! Two accounts side by side that were to do the same: one on paper and one on a chain, as a rule.
//!
//! What is compared is what was executed. By how much a price is worse is said from the second account's side, so what
//! a venue costs beyond what paper assumed is above zero.

use std::collections::BTreeMap;

use bulkhead_core::money::{Money, Overflow, Price, Quantity};
use bulkhead_core::order::Side;
use rust_decimal::Decimal;
use serde::Serialize;

use crate::amount::Amount;

/// One execution of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// The symbol of what was traded.
    pub instrument: String,
    /// Bought or sold.
    pub side: Side,
    /// How much.
    pub quantity: Quantity,
    /// At what price.
    pub price: Price,
    /// What the venue took beside that, gas included.
    pub fee: Money,
}

/// What became of the same strategies in two accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// The names of the accounts, the one that is compared with first.
    pub accounts: [String; 2],
    /// One for each instrument that either of them traded, by symbol.
    pub instruments: Vec<InstrumentComparison>,
}

/// What became of one instrument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InstrumentComparison {
    /// Its symbol.
    pub instrument: String,
    /// Of each account.
    pub totals: [Totals; 2],
    /// How much more the second holds.
    pub held_difference: Amount,
    /// By how many hundredths of a percent the second bought dearer; nothing when one of them did not buy.
    pub bought_worse_bps: Option<Amount>,
    /// By how many hundredths of a percent the second sold cheaper; nothing when one of them did not sell.
    pub sold_worse_bps: Option<Amount>,
    /// How much more the second paid in fees and gas.
    pub fees_difference: Amount,
}

/// What one account did in an instrument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Executions.
    pub fills: u64,
    /// Units bought.
    pub bought: Amount,
    /// Units sold.
    pub sold: Amount,
    /// Units bought and not sold.
    pub held: Amount,
    /// The mean price of purchases; nothing without one.
    pub mean_bought: Option<Amount>,
    /// The mean price of sales; nothing without one.
    pub mean_sold: Option<Amount>,
    /// Fees and gas of the executions.
    pub fees: Amount,
}

/// Digits behind the point of a mean price, and of a difference in hundredths of a percent.
const PRICE_DIGITS: u32 = 12;
const BPS_DIGITS: u32 = 2;

/// Sums of one side.
#[derive(Debug, Default, Clone, Copy)]
struct SideSum {
    quantity: Quantity,
    value: Money,
}

impl SideSum {
    fn mean(self) -> Option<Decimal> {
        self.value.0.checked_div(self.quantity.0).map(|mean| mean.round_dp(PRICE_DIGITS))
    }
}

/// Sums of one account in one instrument.
#[derive(Debug, Default, Clone, Copy)]
struct Sums {
    fills: u64,
    bought: SideSum,
    sold: SideSum,
    fees: Money,
}

impl Sums {
    fn add(&mut self, execution: &Execution) -> Result<(), Overflow> {
        let side = match execution.side {
            Side::Buy => &mut self.bought,
            Side::Sell => &mut self.sold,
        };
        side.value = side.value.plus(execution.price.value_of(execution.quantity)?)?;
        side.quantity = side.quantity.plus(execution.quantity)?;
        self.fees = self.fees.plus(execution.fee)?;
        self.fills = self.fills.saturating_add(1);
        Ok(())
    }

    fn held(self) -> Result<Quantity, Overflow> {
        self.bought.quantity.minus(self.sold.quantity)
    }

    fn totals(self) -> Result<Totals, Overflow> {
        Ok(Totals {
            fills: self.fills,
            bought: Amount(self.bought.quantity.0),
            sold: Amount(self.sold.quantity.0),
            held: Amount(self.held()?.0),
            mean_bought: self.bought.mean().map(Amount),
            mean_sold: self.sold.mean().map(Amount),
            fees: Amount(self.fees.0),
        })
    }
}

impl Comparison {
    /// Compares what two accounts executed.
    ///
    /// # Errors
    ///
    /// [`Overflow`] when sums leave the range of the books.
    pub fn of(accounts: [String; 2], executions: [&[Execution]; 2]) -> Result<Self, Overflow> {
        let mut sums: BTreeMap<&str, [Sums; 2]> = BTreeMap::new();
        for (which, executions) in executions.into_iter().enumerate() {
            for execution in executions {
                let both = sums.entry(&execution.instrument).or_default();
                if let Some(sums) = both.get_mut(which) {
                    sums.add(execution)?;
                }
            }
        }
        let instruments = sums.into_iter().map(|(instrument, both)| compared(instrument, both));
        Ok(Self { accounts, instruments: instruments.collect::<Result<_, _>>()? })
    }
}

fn compared(instrument: &str, [first, second]: [Sums; 2]) -> Result<InstrumentComparison, Overflow> {
    let dearer = |first: Option<Decimal>, second: Option<Decimal>| {
        let (first, second) = (first?, second?);
        let part = second.checked_sub(first)?.checked_div(first)?;
        part.checked_mul(Decimal::from(10_000)).map(|bps| bps.round_dp(BPS_DIGITS))
    };
    let bought = dearer(first.bought.mean(), second.bought.mean());
    let sold = dearer(first.sold.mean(), second.sold.mean());
    Ok(InstrumentComparison {
        instrument: instrument.to_owned(),
        totals: [first.totals()?, second.totals()?],
        held_difference: Amount(second.held()?.minus(first.held()?)?.0),
        bought_worse_bps: bought.map(Amount),
        sold_worse_bps: sold.map(|dearer| Amount(-dearer)),
        fees_difference: Amount(second.fees.minus(first.fees)?.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn execution(side: Side, quantity: i64, price: i64, fee: i64) -> Execution {
        Execution {
            instrument: "A-USD".to_owned(),
            side,
            quantity: Quantity(quantity.into()),
            price: Price(price.into()),
            fee: Money(fee.into()),
        }
    }

    fn amount(text: &str) -> Amount {
        Amount(text.parse().unwrap())
    }

    #[test]
    fn what_the_second_pays_more_and_gets_less_is_worse() {
        let paper = [execution(Side::Buy, 4, 100, 1), execution(Side::Sell, 4, 200, 1)];
        let chain = [
            execution(Side::Buy, 1, 101, 2),
            execution(Side::Buy, 2, 104, 2),
            execution(Side::Sell, 2, 199, 3),
        ];
        let names = ["paper".to_owned(), "chain".to_owned()];
        let comparison = Comparison::of(names, [&paper, &chain]).unwrap();
        let [of] = comparison.instruments.as_slice() else { panic!("{comparison:?}") };
        assert_eq!((of.totals[0].held, of.totals[1].held), (amount("0"), amount("1")));
        assert_eq!(of.held_difference, amount("1"));
        // 103 is 3 % dearer than 100, and 199 is half a percent cheaper than 200.
        assert_eq!(of.bought_worse_bps, Some(amount("300.00")));
        assert_eq!(of.sold_worse_bps, Some(amount("50.00")));
        assert_eq!((of.totals[1].fills, of.fees_difference), (3, amount("5")));
    }

    #[test]
    fn what_only_one_of_them_did_is_not_compared() {
        let names = ["a".to_owned(), "b".to_owned()];
        let comparison = Comparison::of(names, [&[], &[execution(Side::Buy, 1, 100, 0)]]).unwrap();
        let of = &comparison.instruments[0];
        assert_eq!((of.bought_worse_bps, of.sold_worse_bps), (None, None));
        assert_eq!((of.totals[0].fills, of.held_difference), (0, amount("1")));
    }

    #[test]
    fn sums_that_are_too_large_are_refused() {
        let mut huge = execution(Side::Buy, 1, 1, 0);
        huge.quantity = Quantity(Decimal::MAX);
        let names = ["a".to_owned(), "b".to_owned()];
        assert!(Comparison::of(names, [&[huge.clone(), huge], &[]]).is_err());
    }
}
