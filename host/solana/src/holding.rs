use solana_account::Account;
use solana_address::Address;

use crate::programs::{TOKEN, TOKEN_2022};

/// The bytes of a token account before its extensions.
pub(crate) const TOKEN_ACCOUNT: usize = 165;

/// Where the parts of a token account stand.
const MINT_AT: usize = 0;
const OWNER_AT: usize = 32;
const AMOUNT_AT: usize = 64;
const DELEGATE_AT: usize = 72;
const STATE_AT: usize = 108;
const DELEGATED_AT: usize = 121;
const CLOSE_AUTHORITY_AT: usize = 129;

/// The state of one that can be used: it was made, and is not frozen.
const USABLE: u8 = 1;

/// A token account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding {
    /// Of which token.
    pub mint: Address,
    /// Whose.
    pub owner: Address,
    /// How much is in it.
    pub amount: u64,
    /// Who may take from it beside its owner, and how much.
    pub delegate: Option<(Address, u64)>,
    /// Who may close it; its owner, when nobody is named.
    pub close_authority: Option<Address>,
    /// Whether nothing can be done with it, mostly because it is frozen.
    pub is_stuck: bool,
}

impl Holding {
    /// Whether somebody has been given a say over it, or has frozen it.
    #[must_use]
    pub const fn is_encumbered(&self) -> bool {
        self.delegate.is_some() || self.close_authority.is_some() || self.is_stuck
    }
}

/// Reads a token account; `None` when it is none.
#[must_use]
pub fn holding(account: &Account) -> Option<Holding> {
    let is_token = account.owner == TOKEN || account.owner == TOKEN_2022;
    let data = account.data.get(..TOKEN_ACCOUNT).filter(|_| is_token)?;
    let key = |at: usize| data.get(at..)?.first_chunk().map(|bytes| Address::new_from_array(*bytes));
    let amount = |at: usize| data.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    let is_there = |at: usize| data.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes) != 0);
    // What may be missing has four bytes before it that say so.
    let optional = |at: usize| Some(if is_there(at)? { Some(key(at + 4)?) } else { None });
    let delegated = amount(DELEGATED_AT)?;
    Some(Holding {
        mint: key(MINT_AT)?,
        owner: key(OWNER_AT)?,
        amount: amount(AMOUNT_AT)?,
        delegate: optional(DELEGATE_AT)?.map(|delegate| (delegate, delegated)),
        close_authority: optional(CLOSE_AUTHORITY_AT)?,
        is_stuck: data.get(STATE_AT) != Some(&USABLE),
    })
}
