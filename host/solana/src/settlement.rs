//! What a trade really brought, read from what the chain wrote down of it. A quote is never booked.

use std::collections::BTreeSet;

use bulkhead_core::order::Side;
use solana_address::Address;
use solana_transaction_error::TransactionError;

use crate::programs::WRAPPED_SOL;
use crate::settings::{Market, Token};

/// What a transaction moved, as the chain wrote it down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The slot of its block.
    pub slot: u64,
    /// How it failed, if it did.
    pub error: Option<TransactionError>,
    /// What it cost, in lamports: signatures and what was offered for being taken sooner.
    pub fee: u64,
    /// Its accounts.
    pub keys: Vec<Address>,
    /// Lamports of each before.
    pub lamports_before: Vec<u64>,
    /// Lamports of each after.
    pub lamports_after: Vec<u64>,
    /// Token accounts before.
    pub tokens_before: Vec<TokenBalance>,
    /// Token accounts after.
    pub tokens_after: Vec<TokenBalance>,
    /// The last lines that its programs wrote, for people.
    pub logs: Vec<String>,
}

/// What was in a token account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenBalance {
    /// Its number among the transaction's accounts.
    pub index: usize,
    /// Of which token.
    pub mint: Address,
    /// Whose.
    pub owner: Address,
    /// How much.
    pub amount: u64,
}

/// What came and went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traded {
    /// Of the base token, in its smallest units.
    pub base: u64,
    /// Of the quote token.
    pub quote: u64,
    /// What was paid for it, in lamports: the fee, the tip, and the rent of accounts that were made. Below zero when an
    /// account was closed whose rent was more than that.
    pub costs: i128,
}

/// What was written down does not fit the trade.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the chain shows that {change} of the smallest units of {token} moved, which does not fit the trade; compare the \
     balances with `bulkhead reconcile`"
)]
pub struct Unexplained {
    /// Of which token.
    pub token: String,
    /// What came; below zero if it went.
    pub change: i128,
}

/// Reads a trade.
///
/// # Errors
///
/// [`Unexplained`] when something came that should have gone, or nothing moved at all.
pub fn traded(
    moved: &Moved,
    market: &Market,
    side: Side,
    owner: Address,
    tips: &BTreeSet<Address>,
) -> Result<Traded, Unexplained> {
    let (base, quote) = (moved.change(&market.base, owner, tips), moved.change(&market.quote, owner, tips));
    let amount = |token: &Token, change: i128, wanted: i128| {
        let amount = u64::try_from(change * wanted).ok().filter(|amount| *amount > 0);
        amount.ok_or_else(|| Unexplained { token: token.symbol.clone(), change })
    };
    let wanted = if side == Side::Buy { 1 } else { -1 };
    Ok(Traded {
        base: amount(&market.base, base, wanted)?,
        quote: amount(&market.quote, quote, -wanted)?,
        costs: moved.costs(owner, tips),
    })
}

impl Moved {
    /// What came of a token; below zero if it went.
    fn change(&self, token: &Token, owner: Address, tips: &BTreeSet<Address>) -> i128 {
        if token.is_native() {
            // Whatever the wallet has in lamports, in whichever account, and what it cost besides the trade.
            return self.wealth(owner) + i128::from(self.fee) + self.tips(tips);
        }
        let sum = |balances: &[TokenBalance]| {
            let own = balances.iter().filter(|balance| balance.owner == owner && balance.mint == token.mint);
            own.map(|balance| i128::from(balance.amount)).sum::<i128>()
        };
        sum(&self.tokens_after) - sum(&self.tokens_before)
    }

    /// What was paid besides the trade, in lamports.
    #[must_use]
    pub fn costs(&self, owner: Address, tips: &BTreeSet<Address>) -> i128 {
        i128::from(self.fee) + self.tips(tips) + self.rent(owner)
    }

    /// The change of lamports of the wallet and all its token accounts.
    fn wealth(&self, owner: Address) -> i128 {
        self.change_of(|index| {
            self.keys.get(index) == Some(&owner) || self.token_accounts(owner).any(|own| own.index == index)
        })
    }

    /// What went into token accounts so that they stay, in lamports. What is wrapped in them is no rent.
    fn rent(&self, owner: Address) -> i128 {
        let all = self.change_of(|index| self.token_accounts(owner).any(|own| own.index == index));
        let wrapped = |balances: &[TokenBalance]| {
            let own = balances.iter().filter(|own| own.owner == owner && own.mint == WRAPPED_SOL);
            own.map(|own| i128::from(own.amount)).sum::<i128>()
        };
        all - (wrapped(&self.tokens_after) - wrapped(&self.tokens_before))
    }

    fn tips(&self, tips: &BTreeSet<Address>) -> i128 {
        self.change_of(|index| self.keys.get(index).is_some_and(|key| tips.contains(key)))
    }

    fn token_accounts(&self, owner: Address) -> impl Iterator<Item = &TokenBalance> {
        self.tokens_before.iter().chain(&self.tokens_after).filter(move |balance| balance.owner == owner)
    }

    fn change_of(&self, counts: impl Fn(usize) -> bool) -> i128 {
        let pairs = self.lamports_before.iter().zip(&self.lamports_after).enumerate();
        pairs
            .filter(|(index, _)| counts(*index))
            .map(|(_, (before, after))| i128::from(*after) - i128::from(*before))
            .sum()
    }
}
