//! What a transaction would change of the wallet, by a trial on the chain's state, held against what was asked for.
//!
//! Explaining instructions trusts the aggregator's program with the wallet's signature for as long as the swap runs. This
//! does not: whatever the programs do inside, the wallet may lose no more than it was to give and what the transaction
//! costs, and nobody else may end up with a say over its accounts.

use std::collections::BTreeMap;

use solana_account::Account;
use solana_address::Address;

use crate::holding::holding;
use crate::programs::{LAMPORTS_PER_SIGNATURE, SYSTEM, TOKEN, WRAPPED_SOL, associated_account};
use crate::verify::{Asked, Summary};

/// What a token account needs to stay, in lamports, at most: those with extensions are larger.
pub(crate) const MOST_RENT: u64 = 4_000_000;

/// Accounts before or after, where they are there.
pub type Accounts = BTreeMap<Address, Account>;

/// Why a transaction would do what it must not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Effect {
    /// More lamports would go than the trade and its costs explain.
    #[error("{lost} lamports would go, and at most {most} may")]
    Lamports {
        /// How many would go.
        lost: u64,
        /// The most that the trade explains.
        most: u64,
    },
    /// More would be given.
    #[error("{lost} would be given, and {most} were to be")]
    Given {
        /// How much would go.
        lost: u64,
        /// How much was to go.
        most: u64,
    },
    /// Less would come.
    #[error("{came} would come, and at least {least} must")]
    Got {
        /// How much would come.
        came: u64,
        /// How much has to.
        least: u64,
    },
    /// An account would be somebody else's, or somebody else would have a say over it.
    #[error("{0} would be under somebody else's hand")]
    Encumbered(Address),
}

/// The accounts of the wallet that a trial is to show: the wallet, and what is given and got. Its others are not in a
/// transaction that was verified, so nothing can happen to them.
#[must_use]
pub fn watched(asked: &Asked) -> [Address; 3] {
    [asked.owner, asked.given.account_of(asked.owner), asked.got.account_of(asked.owner)]
}

/// Holds what a trial showed against what was asked for.
///
/// # Errors
///
/// [`Effect`] with the first thing that must not be.
pub fn check(before: &Accounts, after: &Accounts, asked: &Asked, summary: &Summary) -> Result<(), Effect> {
    let wallet = after.get(&asked.owner);
    if wallet.is_some_and(|wallet| wallet.owner != SYSTEM || !wallet.data.is_empty()) {
        return Err(Effect::Encumbered(asked.owner));
    }
    let wrapped = associated_account(asked.owner, WRAPPED_SOL, TOKEN);
    let is_native = asked.given.is_native() || asked.got.is_native();
    // Lamports, wrapped or not, where they take part in the trade: what is moved between the two is neither lost nor won.
    let wealth = |accounts: &Accounts| {
        let plain = accounts.get(&asked.owner).map_or(0, |account| account.lamports);
        let wrapped = accounts.get(&wrapped).and_then(holding).filter(|_| is_native);
        plain.saturating_add(wrapped.map_or(0, |holding| holding.amount))
    };
    let (had, has) = (wealth(before), wealth(after));
    // Rent is paid for accounts that were not there, and stays in those that are there afterwards.
    let made = summary.creates.iter().filter(|made| !before.contains_key(*made) && after.contains_key(*made));
    let rent = MOST_RENT.saturating_mul(u64::try_from(made.count()).unwrap_or(u64::MAX));
    let costs = LAMPORTS_PER_SIGNATURE.saturating_add(summary.priority_fee).saturating_add(summary.tip);
    let costs = costs.saturating_add(rent);
    if asked.got.is_native() {
        let least = had.saturating_add(asked.least).saturating_sub(costs);
        if has < least {
            let came = has.saturating_add(costs).saturating_sub(had);
            return Err(Effect::Got { came, least: asked.least });
        }
    }
    let most = if asked.given.is_native() { costs.saturating_add(asked.amount) } else { costs };
    if had.saturating_sub(has) > most {
        return Err(Effect::Lamports { lost: had.saturating_sub(has), most });
    }
    let own = |token: &crate::settings::Token| token.account_of(asked.owner);
    let amount = |accounts: &Accounts, address: Address| {
        accounts.get(&address).and_then(holding).map_or(0, |holding| holding.amount)
    };
    for token in [&asked.given, &asked.got] {
        let address = own(token);
        let had = before.get(&address).and_then(holding).is_some_and(|holding| holding.is_encumbered());
        let Some(holding) = after.get(&address).and_then(holding) else { continue };
        if holding.owner != asked.owner || (holding.is_encumbered() && !had) {
            return Err(Effect::Encumbered(address));
        }
    }
    let given = own(&asked.given);
    let lost = amount(before, given).saturating_sub(amount(after, given));
    if lost > asked.amount && !asked.given.is_native() {
        return Err(Effect::Given { lost, most: asked.amount });
    }
    let got = own(&asked.got);
    let came = amount(after, got).saturating_sub(amount(before, got));
    if came < asked.least && !asked.got.is_native() {
        return Err(Effect::Got { came, least: asked.least });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use solana_hash::Hash;

    use super::*;
    use crate::holding::TOKEN_ACCOUNT;
    use crate::programs::{JUPITER, TOKEN};
    use crate::settings::Token;

    fn key(number: u8) -> Address {
        Address::new_from_array([number; 32])
    }

    fn asked() -> Asked {
        let token = |number| Token { symbol: "T".to_owned(), mint: key(number), program: TOKEN, decimals: 6 };
        Asked {
            owner: key(1),
            given: token(2),
            got: token(3),
            amount: 1_000,
            least: 500,
            router: JUPITER,
            most_priority: 0,
            tip: None,
            blockhash: Hash::new_from_array([9; 32]),
            untouched: BTreeSet::new(),
        }
    }

    fn tokens(mint: u8, amount: u64) -> Account {
        let mut data = vec![0; TOKEN_ACCOUNT];
        data[..32].fill(mint);
        data[32..64].fill(1);
        data[64..72].copy_from_slice(&amount.to_le_bytes());
        data[108] = 1;
        Account { lamports: 2_039_280, data, owner: TOKEN, executable: false, rent_epoch: 0 }
    }

    fn wallet(lamports: u64) -> Account {
        Account { lamports, data: Vec::new(), owner: SYSTEM, executable: false, rent_epoch: 0 }
    }

    /// The wallet with so many lamports, so much of what is given, and so much of what is got.
    fn accounts(lamports: u64, given: u64, got: u64) -> Accounts {
        let watched = watched(&asked());
        Accounts::from([
            (watched[0], wallet(lamports)),
            (watched[1], tokens(2, given)),
            (watched[2], tokens(3, got)),
        ])
    }

    fn judged(after: &Accounts) -> Result<(), Effect> {
        check(&accounts(1_000_000, 5_000, 0), after, &asked(), &Summary::default())
    }

    #[test]
    fn a_trade_and_its_fee_are_fine() {
        assert_eq!(judged(&accounts(995_000, 4_000, 500)), Ok(()));
    }

    #[test]
    fn each_loss_beyond_that_is_found() {
        assert_eq!(
            judged(&accounts(994_999, 4_000, 500)),
            Err(Effect::Lamports { lost: 5_001, most: 5_000 })
        );
        assert_eq!(judged(&accounts(995_000, 3_999, 500)), Err(Effect::Given { lost: 1_001, most: 1_000 }));
        assert_eq!(judged(&accounts(995_000, 4_000, 499)), Err(Effect::Got { came: 499, least: 500 }));
        let mut gone = accounts(995_000, 4_000, 500);
        gone.remove(&watched(&asked())[2]);
        assert_eq!(judged(&gone), Err(Effect::Got { came: 0, least: 500 }));
    }

    /// What was wrapped before is neither a loss nor a gain of the trade.
    #[test]
    fn native_currency_counts_wrapped_or_not() {
        let asked = Asked { got: Token::sol(), ..asked() };
        let [owner, given, wrapped] = watched(&asked);
        let there = |lamports: u64, tokens_left: u64, wrapped_amount: Option<u64>| {
            let mut accounts = Accounts::from([(owner, wallet(lamports)), (given, tokens(2, tokens_left))]);
            if let Some(amount) = wrapped_amount {
                let mut account = tokens(0, amount);
                account.data[..32].copy_from_slice(WRAPPED_SOL.as_ref());
                accounts.insert(wrapped, account);
            }
            accounts
        };
        let summary = Summary { creates: vec![wrapped], unwraps: true, ..Summary::default() };
        let judged = |before: &Accounts, after: &Accounts| check(before, after, &asked, &summary);
        let before = there(1_000_000, 5_000, Some(300));
        // The fee, 500 that came, and the 300 that were wrapped before.
        assert_eq!(judged(&before, &there(995_800, 4_000, None)), Ok(()));
        assert_eq!(
            judged(&before, &there(995_799, 4_000, None)),
            Err(Effect::Got { came: 499, least: 500 }),
            "what was there before makes up for nothing"
        );
        // An account that was there costs no rent, nor does one that is closed again.
        let plain = there(1_000_000, 5_000, None);
        assert!(judged(&plain, &there(991_500, 4_000, None)).is_err());
    }

    #[test]
    fn nobody_else_gets_a_say() {
        let [owner, given, got] = watched(&asked());
        let change = |address: Address, change: fn(&mut Account)| {
            let mut after = accounts(995_000, 4_000, 500);
            change(after.get_mut(&address).unwrap());
            judged(&after)
        };
        assert_eq!(
            change(given, |account| account.data[72] = 1),
            Err(Effect::Encumbered(given)),
            "a delegate"
        );
        assert_eq!(change(got, |account| account.data[32] = 7), Err(Effect::Encumbered(got)), "a new owner");
        assert_eq!(
            change(got, |account| account.data[129] = 1),
            Err(Effect::Encumbered(got)),
            "who may close it"
        );
        assert_eq!(change(got, |account| account.data[108] = 2), Err(Effect::Encumbered(got)), "frozen");
        assert_eq!(
            change(owner, |account| account.owner = TOKEN),
            Err(Effect::Encumbered(owner)),
            "the wallet"
        );
    }
}
