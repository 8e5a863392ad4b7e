//! Lookup tables, as they stand on the chain.

use std::collections::BTreeMap;

use solana_account::Account;
use solana_address::Address;

use crate::programs::LOOKUP_TABLES;

/// The addresses of lookup tables.
pub type Tables = BTreeMap<Address, Vec<Address>>;

/// Bytes before the addresses.
const HEAD: usize = 56;
/// The kind of an account that is a table.
const KIND: u32 = 1;
/// Where a table is not being closed.
const NEVER: u64 = u64::MAX;

/// Why a table can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// There is none.
    #[error("it is not on the chain, or is no lookup table")]
    NotThere,
    /// It is being closed: what it says now may not be what it says when the transaction lands.
    #[error("it is being closed")]
    Closing,
    /// It has fewer addresses than are asked of it.
    #[error("it has {has} addresses, and number {wanted} is asked of it")]
    TooShort {
        /// How many it has.
        has: usize,
        /// Which is wanted, from 0.
        wanted: u8,
    },
}

/// Reads a table from its account. Addresses in it are never changed, only added to.
///
/// # Errors
///
/// [`TableError`] when it is none, or won't stay.
pub fn read_table(account: &Account) -> Result<Vec<Address>, TableError> {
    if account.owner != LOOKUP_TABLES {
        return Err(TableError::NotThere);
    }
    let (head, addresses) = account.data.split_at_checked(HEAD).ok_or(TableError::NotThere)?;
    let kind = head.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
    let closed_at = head.get(4..).and_then(|rest| rest.first_chunk()).map(|bytes| u64::from_le_bytes(*bytes));
    let (addresses, rest) = addresses.as_chunks::<32>();
    if kind != Some(KIND) || !rest.is_empty() {
        return Err(TableError::NotThere);
    }
    if closed_at != Some(NEVER) {
        return Err(TableError::Closing);
    }
    Ok(addresses.iter().map(|bytes| Address::new_from_array(*bytes)).collect())
}
