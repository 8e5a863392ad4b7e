//! From bytes to a message whose every account is known.

use solana_address::Address;
use solana_message::{VersionedMessage, v0};
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;

use super::Refused;
use super::tables::{TableError, Tables};

/// The most bytes that a transaction may have.
pub const MOST_BYTES: usize = 1_232;

/// Why bytes are no transaction that could be signed here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Longer than any node takes.
    #[error("it has {0} bytes, and at most {MOST_BYTES} can be sent")]
    TooLong(usize),
    /// No transaction.
    #[error("it is no transaction")]
    NoTransaction,
    /// The same transaction is written in another way than nodes write it.
    #[error("it is not written as nodes write it")]
    NotCanonical,
    /// Another version than 0.
    #[error("it is of another version than 0")]
    OtherVersion,
    /// What it says of itself can't be.
    #[error("it contradicts itself")]
    Contradiction,
    /// Somebody has signed it already.
    #[error("somebody has signed it already")]
    SignedBefore,
}

/// Reads an unsigned transaction of version 0, and nothing else: there is one way to write each.
///
/// # Errors
///
/// [`Malformed`] says what it is not.
pub fn decode(bytes: &[u8]) -> Result<VersionedMessage, Malformed> {
    if bytes.len() > MOST_BYTES {
        return Err(Malformed::TooLong(bytes.len()));
    }
    let transaction: VersionedTransaction =
        wincode::deserialize(bytes).map_err(|_| Malformed::NoTransaction)?;
    let again = wincode::serialize(&transaction).map_err(|_| Malformed::NoTransaction)?;
    if again != bytes {
        return Err(Malformed::NotCanonical);
    }
    let VersionedTransaction { signatures, message } = transaction;
    if signatures.iter().any(|signature| *signature != Signature::default()) {
        return Err(Malformed::SignedBefore);
    }
    if signatures.len() != usize::from(message.header().num_required_signatures) {
        return Err(Malformed::Contradiction);
    }
    checked(&message)?;
    Ok(message)
}

pub(super) fn checked(message: &VersionedMessage) -> Result<&v0::Message, Malformed> {
    let VersionedMessage::V0(inner) = message else { return Err(Malformed::OtherVersion) };
    message.sanitize().map_err(|_| Malformed::Contradiction)?;
    Ok(inner)
}

/// A message with the addresses of its lookup tables.
pub(super) struct Resolved {
    pub(super) message: v0::Message,
    /// Those in the message, then those of tables that may be written to, then those that may be read.
    pub(super) keys: Vec<Address>,
}

/// An instruction with its accounts.
pub(super) struct Called<'a> {
    /// From 1.
    pub(super) number: usize,
    pub(super) program: Address,
    pub(super) accounts: Vec<Address>,
    pub(super) data: &'a [u8],
}

pub(super) fn resolve(message: &VersionedMessage, tables: &Tables) -> Result<Resolved, Refused> {
    let message = checked(message)?;
    let mut keys = message.account_keys.clone();
    for writable in [true, false] {
        for lookup in &message.address_table_lookups {
            let key = lookup.account_key;
            let refused = |why| Refused::Table { table: key, why };
            let table = tables.get(&key).ok_or_else(|| refused(TableError::NotThere))?;
            let indexes = if writable { &lookup.writable_indexes } else { &lookup.readonly_indexes };
            for index in indexes {
                let address = table.get(usize::from(*index));
                let short = TableError::TooShort { has: table.len(), wanted: *index };
                keys.push(*address.ok_or_else(|| refused(short))?);
            }
        }
    }
    Ok(Resolved { message: message.clone(), keys })
}

impl Resolved {
    pub(super) fn instructions(&self) -> impl Iterator<Item = Result<Called<'_>, Malformed>> {
        self.message.instructions.iter().enumerate().map(|(index, instruction)| {
            // A program is never one of a lookup table.
            let program = self.message.account_keys.get(usize::from(instruction.program_id_index));
            let program = *program.ok_or(Malformed::Contradiction)?;
            let accounts =
                instruction.accounts.iter().map(|index| self.keys.get(usize::from(*index)).copied());
            let accounts = accounts.collect::<Option<Vec<_>>>().ok_or(Malformed::Contradiction)?;
            Ok(Called { number: index + 1, program, accounts, data: &instruction.data })
        })
    }
}
