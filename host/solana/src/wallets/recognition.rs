//! What a transaction was for a wallet, by what was in its accounts before and after. Instructions are not looked at: who
//! wants to look like a trader can call any program, but not keep what was given away.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;
use solana_address::Address;

use crate::programs::{SOL_DECIMALS, WRAPPED_SOL};
use crate::rpc::history::Parsed;
use crate::settlement::{Moved, TokenBalance};

/// An account that comes to be explains at most so many lamports as its rent: as much as the largest accounts of exchanges
/// hold.
const MOST_RENT: u64 = 25_000_000;

/// What is no leg of a swap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Costs {
    /// Who gets tips for taking a transaction sooner.
    pub tips: BTreeSet<Address>,
    /// A change of so many lamports or fewer, in either direction, is taken for costs that nothing explains: tips to
    /// others, rent that came back. A swap of so little native currency is not recognised.
    pub noise: u64,
}

impl Default for Costs {
    /// 0.005 SOL.
    fn default() -> Self {
        Self { tips: BTreeSet::new(), noise: 5_000_000 }
    }
}

/// A side of a swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leg {
    /// Which token; native currency is the one that wraps it.
    pub mint: Address,
    /// How much of it, above zero.
    pub amount: Decimal,
}

/// One token less, another one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swap {
    /// What went.
    pub given: Leg,
    /// What came.
    pub got: Leg,
}

/// What a transaction was for a wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Movement {
    /// It failed: only its fee was paid.
    Failed,
    /// Nothing of the wallet's changed but by costs.
    Nothing,
    /// One token came or went.
    Transfer,
    /// One went for another.
    Swap(Swap),
    /// More than that, as when liquidity is added: or two came, or two went.
    Several,
    /// It names an amount or a token's digits so that it can't be counted.
    Uncountable,
}

/// Says what a transaction was for a wallet.
#[must_use]
pub fn recognise(parsed: &Parsed, wallet: Address, costs: &Costs) -> Movement {
    let moved = &parsed.moved;
    if moved.error.is_some() {
        return Movement::Failed;
    }
    let mut changes = token_changes(moved, wallet);
    let native = native_change(moved, wallet, costs);
    if native.unsigned_abs() > u128::from(costs.noise) {
        changes.insert(WRAPPED_SOL, native);
    }
    changes.retain(|_, change| *change != 0);
    let mut changes = changes.into_iter();
    match (changes.next(), changes.next(), changes.next()) {
        (None, ..) => Movement::Nothing,
        (Some(_), None, _) => Movement::Transfer,
        (Some(one), Some(other), None) if (one.1 > 0) != (other.1 > 0) => {
            let (given, got) = if one.1 < 0 { (one, other) } else { (other, one) };
            match (leg(parsed, given), leg(parsed, got)) {
                (Some(given), Some(got)) => Movement::Swap(Swap { given, got }),
                _ => Movement::Uncountable,
            }
        }
        _ => Movement::Several,
    }
}

fn leg(parsed: &Parsed, (mint, change): (Address, i128)) -> Option<Leg> {
    let decimals = if mint == WRAPPED_SOL { SOL_DECIMALS } else { *parsed.decimals.get(&mint)? };
    let amount = Decimal::try_from_i128_with_scale(change.checked_abs()?, decimals.into()).ok()?;
    Some(Leg { mint, amount: amount.normalize() })
}

/// What came of each token but native currency, in all of the wallet's accounts; below zero if it went.
fn token_changes(moved: &Moved, wallet: Address) -> BTreeMap<Address, i128> {
    let mut changes: BTreeMap<Address, i128> = BTreeMap::new();
    for (balances, sign) in [(&moved.tokens_before, -1), (&moved.tokens_after, 1)] {
        for balance in balances.iter().filter(|one| one.owner == wallet && one.mint != WRAPPED_SOL) {
            let change = changes.entry(balance.mint).or_default();
            *change = change.saturating_add(sign * i128::from(balance.amount));
        }
    }
    changes
}

/// What came in lamports, whether wrapped or not, but for the fee, tips and rent that the wallet paid. Rent in its own
/// accounts is still its own.
fn native_change(moved: &Moved, wallet: Address, costs: &Costs) -> i128 {
    let wealth = |lamports: &[u64], balances: &[TokenBalance]| {
        let own = lamports.iter().enumerate().filter(|(index, _)| {
            moved.keys.get(*index) == Some(&wallet)
                || balances.iter().any(|balance| balance.owner == wallet && balance.index == *index)
        });
        own.map(|(_, lamports)| i128::from(*lamports)).sum::<i128>()
    };
    let change = wealth(&moved.lamports_after, &moved.tokens_after)
        - wealth(&moved.lamports_before, &moved.tokens_before);
    if moved.keys.first() != Some(&wallet) {
        return change;
    }
    let change = change + i128::from(moved.fee);
    let paid = paid_elsewhere(moved, wallet, costs);
    match change {
        // Costs explain why there is less, and not why there is something.
        ..0 => (change + paid).min(0),
        // What is too little to have been sold for does not become enough by what was paid to others.
        0.. if change.unsigned_abs() <= u128::from(costs.noise) => change,
        0.. => change + paid,
    }
}

/// What others' accounts got that were made in this transaction, as far as it may be rent, and those who take tips.
fn paid_elsewhere(moved: &Moved, wallet: Address, costs: &Costs) -> i128 {
    let mut paid = 0;
    for (index, key) in moved.keys.iter().enumerate() {
        let (Some(before), Some(after)) = (moved.lamports_before.get(index), moved.lamports_after.get(index))
        else {
            continue;
        };
        let of_token = moved.tokens_after.iter().find(|balance| balance.index == index);
        if *key == wallet || of_token.is_some_and(|balance| balance.owner == wallet) {
            continue;
        }
        if costs.tips.contains(key) {
            paid += i128::from(after.saturating_sub(*before));
        } else if *before == 0 {
            let wrapped = of_token.filter(|balance| balance.mint == WRAPPED_SOL).map_or(0, |it| it.amount);
            paid += i128::from(after.saturating_sub(wrapped).min(MOST_RENT));
        }
    }
    paid
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use solana_transaction_error::TransactionError;

    use super::*;

    const WALLET: Address = Address::new_from_array([1; 32]);
    const OTHER: Address = Address::new_from_array([2; 32]);
    const TIPPED: Address = Address::new_from_array([3; 32]);
    const SOL: u64 = 1_000_000_000;
    const RENT: u64 = 2_039_280;
    const FEE: u64 = 5_000;

    fn mint(number: u8) -> Address {
        Address::new_from_array([100 + number; 32])
    }

    /// A transaction that the wallet pays for, in the making.
    struct Draft(Parsed);

    impl Draft {
        fn new() -> Self {
            let moved = Moved {
                slot: 1,
                error: None,
                fee: FEE,
                keys: vec![WALLET],
                lamports_before: vec![10 * SOL],
                lamports_after: vec![10 * SOL - FEE],
                tokens_before: Vec::new(),
                tokens_after: Vec::new(),
                logs: Vec::new(),
            };
            Self(Parsed { moved, time: None, decimals: BTreeMap::from([(WRAPPED_SOL, 9)]) })
        }

        /// The wallet itself gets so many lamports more, or fewer.
        fn lamports(mut self, change: i64) -> Self {
            let after = &mut self.0.moved.lamports_after[0];
            *after = after.checked_add_signed(change).unwrap();
            self
        }

        fn account(mut self, key: Address, before: u64, after: u64) -> Self {
            self.0.moved.keys.push(key);
            self.0.moved.lamports_before.push(before);
            self.0.moved.lamports_after.push(after);
            self
        }

        /// A token account with so much before and after; none when it is not there.
        fn tokens(self, mint: Address, owner: Address, before: Option<u64>, after: Option<u64>) -> Self {
            let index = self.0.moved.keys.len();
            let wrapped = |amount: Option<u64>| if mint == WRAPPED_SOL { amount.unwrap_or(0) } else { 0 };
            let lamports = |amount: Option<u64>| amount.map_or(0, |_| RENT + wrapped(amount));
            let key = Address::new_from_array([50 + u8::try_from(index).unwrap(); 32]);
            let mut draft = self.account(key, lamports(before), lamports(after));
            let balance = |amount| TokenBalance { index, mint, owner, amount };
            draft.0.moved.tokens_before.extend(before.map(balance));
            draft.0.moved.tokens_after.extend(after.map(balance));
            draft.0.decimals.entry(mint).or_insert(6);
            draft
        }

        fn movement(&self) -> Movement {
            let costs = Costs { tips: BTreeSet::from([TIPPED]), ..Costs::default() };
            recognise(&self.0, WALLET, &costs)
        }
    }

    fn swap(given: (Address, &str), got: (Address, &str)) -> Movement {
        let leg = |(mint, amount): (Address, &str)| Leg { mint, amount: amount.parse().unwrap() };
        Movement::Swap(Swap { given: leg(given), got: leg(got) })
    }

    fn signed(amount: u64) -> i64 {
        amount.cast_signed()
    }

    #[test]
    fn a_token_for_another_is_a_swap() {
        let draft = Draft::new()
            .tokens(mint(1), WALLET, Some(5_000_000), Some(2_000_000))
            .tokens(mint(2), WALLET, Some(0), Some(1_500_000))
            .tokens(mint(1), OTHER, Some(0), Some(3_000_000));
        assert_eq!(draft.movement(), swap((mint(1), "3"), (mint(2), "1.5")));
    }

    #[test]
    fn a_purchase_with_native_currency_is_one_without_its_costs() {
        // Its own new account, somebody else's new account, a tip and the fee.
        let spent = 2 * SOL + RENT + RENT + 1_000_000;
        let draft = Draft::new()
            .lamports(-signed(spent))
            .tokens(mint(1), WALLET, None, Some(7_000_000))
            .account(OTHER, 0, RENT)
            .account(TIPPED, 5, 1_000_005);
        assert_eq!(draft.movement(), swap((WRAPPED_SOL, "2"), (mint(1), "7")));
    }

    #[test]
    fn a_sale_that_closes_its_account_does_not_count_its_rent() {
        let draft =
            Draft::new().lamports(signed(3 * SOL + RENT)).tokens(mint(1), WALLET, Some(7_000_000), None);
        assert_eq!(draft.movement(), swap((mint(1), "7"), (WRAPPED_SOL, "3")));
    }

    #[test]
    fn wrapped_and_native_are_the_same() {
        let wraps = Draft::new().lamports(-signed(SOL)).tokens(WRAPPED_SOL, WALLET, Some(0), Some(SOL));
        assert_eq!(wraps.movement(), Movement::Nothing);
        let buys = Draft::new().tokens(WRAPPED_SOL, WALLET, Some(SOL), Some(0)).tokens(
            mint(1),
            WALLET,
            Some(0),
            Some(1),
        );
        assert_eq!(buys.movement(), swap((WRAPPED_SOL, "1"), (mint(1), "0.000001")));
    }

    #[test]
    fn two_accounts_of_a_token_are_one_holding() {
        let draft =
            Draft::new().tokens(mint(1), WALLET, Some(5), Some(0)).tokens(mint(1), WALLET, Some(0), Some(5));
        assert_eq!(draft.movement(), Movement::Nothing);
    }

    #[test]
    fn a_transfer_is_none_whoever_pays_for_the_account_and_whatever_comes_back() {
        let sent = Draft::new().lamports(-signed(RENT)).tokens(mint(1), WALLET, Some(5), Some(0)).tokens(
            mint(1),
            OTHER,
            None,
            Some(5),
        );
        assert_eq!(sent.movement(), Movement::Transfer);
        let closed = Draft::new().lamports(signed(RENT)).tokens(mint(1), WALLET, Some(5), None);
        assert_eq!(closed.movement(), Movement::Transfer);
        let native = Draft::new().lamports(-signed(SOL)).account(OTHER, SOL, 2 * SOL);
        assert_eq!(native.movement(), Movement::Transfer);
    }

    #[test]
    fn an_account_that_is_given_away_takes_along_what_is_in_it() {
        let mut draft = Draft::new().tokens(WRAPPED_SOL, WALLET, Some(SOL), Some(SOL));
        draft.0.moved.tokens_after[0].owner = OTHER;
        assert_eq!(draft.movement(), Movement::Transfer);
    }

    #[test]
    fn liquidity_is_several() {
        let added = Draft::new()
            .tokens(mint(1), WALLET, Some(5), Some(0))
            .tokens(mint(2), WALLET, Some(5), Some(0))
            .tokens(mint(3), WALLET, Some(0), Some(5));
        assert_eq!(added.movement(), Movement::Several);
        let both =
            Draft::new().tokens(mint(1), WALLET, Some(5), Some(0)).tokens(mint(2), WALLET, Some(5), Some(0));
        assert_eq!(both.movement(), Movement::Several);
    }

    #[test]
    fn costs_that_nothing_explains_are_no_leg() {
        let tipped = || Draft::new().lamports(-3_000_000).account(OTHER, SOL, SOL + 3_000_000);
        let swapped = tipped().tokens(mint(1), WALLET, Some(1_000_000), Some(0)).tokens(
            mint(2),
            WALLET,
            Some(0),
            Some(2_000_000),
        );
        assert_eq!(swapped.movement(), swap((mint(1), "1"), (mint(2), "2")));
        let claimed = tipped().tokens(mint(1), WALLET, Some(0), Some(5));
        assert_eq!(claimed.movement(), Movement::Transfer);
        // Rent of two accounts of others that came back, while another one was made.
        let closed = Draft::new()
            .lamports(signed(2 * RENT))
            .tokens(mint(1), WALLET, Some(5), Some(0))
            .account(OTHER, 0, 2 * RENT);
        assert_eq!(closed.movement(), Movement::Transfer);
    }

    #[test]
    fn what_failed_is_none_whatever_it_shows() {
        let mut draft =
            Draft::new().tokens(mint(1), WALLET, Some(5), Some(0)).tokens(mint(2), WALLET, Some(0), Some(5));
        draft.0.moved.error = Some(TransactionError::AccountNotFound);
        assert_eq!(draft.movement(), Movement::Failed);
    }

    #[test]
    fn digits_that_no_decimal_has_are_uncountable() {
        let mut draft =
            Draft::new().tokens(mint(1), WALLET, Some(5), Some(0)).tokens(mint(2), WALLET, Some(0), Some(5));
        draft.0.decimals.insert(mint(2), 29);
        assert_eq!(draft.movement(), Movement::Uncountable);
        draft.0.decimals.remove(&mint(2));
        assert_eq!(draft.movement(), Movement::Uncountable);
    }

    prop_compose! {
        fn balance()(index in 0_usize..8, number in 0_u8..4, own in any::<bool>(), amount in any::<u64>()) -> TokenBalance {
            let mint = if number == 0 { WRAPPED_SOL } else { mint(number) };
            TokenBalance { index, mint, owner: if own { WALLET } else { OTHER }, amount }
        }
    }

    proptest! {
        /// Whatever a node says, it is something, and a swap has two sides that differ.
        #[test]
        fn nothing_a_node_says_breaks_it(
            fee in any::<u64>(),
            keys in prop::collection::vec(0_u8..6, 0..7),
            before in prop::collection::vec(any::<u64>(), 0..8),
            after in prop::collection::vec(any::<u64>(), 0..8),
            tokens_before in prop::collection::vec(balance(), 0..8),
            tokens_after in prop::collection::vec(balance(), 0..8),
            decimals in prop::collection::btree_map(0_u8..4, any::<u8>(), 0..4),
        ) {
            let mut draft = Draft::new();
            let keys = keys.into_iter().map(|key| Address::new_from_array([key; 32])).collect();
            draft.0.moved = Moved {
                fee, keys, lamports_before: before, lamports_after: after, tokens_before, tokens_after,
                ..draft.0.moved
            };
            draft.0.decimals = decimals.into_iter().map(|(number, digits)| (mint(number), digits)).collect();
            if let Movement::Swap(swap) = draft.movement() {
                prop_assert_ne!(swap.given.mint, swap.got.mint);
                prop_assert!(swap.given.amount > Decimal::ZERO && swap.got.amount > Decimal::ZERO);
            }
        }

        /// Tokens or lamports that go, to new accounts or old ones, with any fee and tip, bring nothing.
        #[test]
        fn a_plain_transfer_is_never_a_swap(
            amount in 1_u64..1_000_000_000,
            left in 0_u64..1_000_000_000,
            tip in 0_u64..1_000_000,
            is_native in any::<bool>(),
            recipient_is_new in any::<bool>(),
            sender_closes in any::<bool>(),
            comes in any::<bool>(),
        ) {
            let rent = if recipient_is_new { RENT } else { 0 };
            let draft = Draft::new().lamports(-signed(tip)).account(TIPPED, 1, 1 + tip);
            let draft = match (is_native, comes) {
                (true, false) => draft
                    .lamports(-signed(amount))
                    .account(OTHER, if recipient_is_new { 0 } else { 1 }, amount),
                (true, true) => draft.lamports(signed(amount)).account(OTHER, amount, 0),
                (false, false) => {
                    let closes = sender_closes && left == 0;
                    let back = if closes { RENT } else { 0 };
                    draft
                        .lamports(signed(back) - signed(rent))
                        .tokens(mint(1), WALLET, Some(amount + left), (!closes).then_some(left))
                        .tokens(mint(1), OTHER, (!recipient_is_new).then_some(3), Some(3 + amount))
                }
                (false, true) => {
                    let (before, paid) = if recipient_is_new { (None, rent) } else { (Some(left), 0) };
                    draft
                        .lamports(-signed(paid))
                        .tokens(mint(1), WALLET, before, Some(before.unwrap_or(0) + amount))
                        .tokens(mint(1), OTHER, Some(amount), Some(0))
                }
            };
            let movement = draft.movement();
            prop_assert!(matches!(movement, Movement::Transfer | Movement::Nothing), "{:?}", movement);
        }
    }
}
