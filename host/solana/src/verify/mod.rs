//! Before a transaction of somebody else is signed: every instruction of it is explained, or it is refused.
//!
//! The aggregator chooses pools, accounts and lookup tables, and nobody here could make the same transaction. What can be
//! known without trusting it: who pays, who signs, how long it is valid, which programs are called, that the swap takes
//! just what was to be given from the wallet's own account, brings at least what was to come to the wallet's own account,
//! and that whatever else happens is one of a few harmless things with exactly these accounts. All addresses are looked
//! at after the lookup tables were read from the chain, never as the aggregator says they are.
//!
//! Nothing here asks anybody anything, so all of it is tried with made-up and mangled bytes.

mod apart;
mod instructions;
mod message;
mod plan;
mod router;
mod tables;

use std::collections::BTreeSet;

use solana_address::Address;
use solana_hash::Hash;
use solana_message::{VersionedMessage, v0};
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;

pub use apart::{Claim, verify_apart};
pub use instructions::Summary;
pub(crate) use instructions::{SET_UNIT_LIMIT, SET_UNIT_PRICE, TRANSFER_LAMPORTS};
pub use message::{MOST_BYTES, Malformed, decode};
pub use router::{Route, RouteError, read_route};
pub use tables::{TableError, Tables, read_table};

use crate::settings::Token;

/// What a transaction is to do, and all that it may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Whose wallet trades, pays and signs.
    pub owner: Address,
    /// What is given.
    pub given: Token,
    /// What is got.
    pub got: Token,
    /// Just so much is given, in the token's smallest units.
    pub amount: u64,
    /// At least so much has to come.
    pub least: u64,
    /// The program that swaps.
    pub router: Address,
    /// The most that may be offered for being taken sooner, in lamports.
    pub most_priority: u64,
    /// A tip that may be paid.
    pub tip: Option<Tip>,
    /// The blockhash by which it expires.
    pub blockhash: Hash,
    /// Other token accounts of the wallet. The trade has nothing to do with them.
    pub untouched: BTreeSet<Address>,
}

/// A tip for those who take bundles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tip {
    /// Who may get it.
    pub accounts: BTreeSet<Address>,
    /// The most, in lamports.
    pub most: u64,
}

/// A transaction that does what was asked for and nothing else. Only [`verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    message: v0::Message,
    summary: Summary,
    asked: Asked,
    claims: Vec<Claim>,
}

/// Why a transaction is not signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It can't be read.
    #[error("it can't be read: {0}")]
    Malformed(#[from] Malformed),
    /// A lookup table is not what it must be.
    #[error("lookup table {table}: {why}")]
    Table {
        /// Which.
        table: Address,
        /// Why it can't be used.
        why: TableError,
    },
    /// Somebody else would pay for it.
    #[error("{0} would pay for it")]
    OtherPayer(Address),
    /// Somebody else would have to sign.
    #[error("{0} would have to sign as well")]
    OtherSigner(Address),
    /// It would not expire as it must, so it might land at any time.
    #[error("it has another blockhash than it was given, so nobody knows when it expires")]
    OtherBlockhash,
    /// A program is called that nothing is known of.
    #[error("instruction {number} calls {program}, which nobody asked for")]
    OtherProgram {
        /// Which instruction, from 1.
        number: usize,
        /// Which program.
        program: Address,
    },
    /// An instruction does what it must not.
    #[error("instruction {number}: {what}")]
    Instruction {
        /// Which instruction, from 1.
        number: usize,
        /// What it would do.
        what: Unexplained,
    },
    /// Nothing is swapped.
    #[error("it swaps nothing")]
    NoSwap,
    /// Native currency that is got is not unwrapped.
    #[error("what it brings would stay wrapped")]
    StaysWrapped,
    /// Too much is offered for being taken sooner.
    #[error(
        "{offered} lamports are offered for being taken sooner, and at most {most} may be; raise the cap or wait"
    )]
    TooDear {
        /// What is offered.
        offered: u64,
        /// The cap.
        most: u64,
    },
}

/// What an instruction would do that can't be explained by what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unexplained {
    /// It is none that is needed for a swap.
    #[error("it is none that a swap needs")]
    Unknown,
    /// It is there a second time.
    #[error("it is there a second time")]
    Repeated,
    /// It comes before or after something that it must not.
    #[error("it comes at a place where it must not")]
    Misplaced,
    /// It names more or fewer accounts than it must.
    #[error("it names {found} accounts, and {wanted} are known")]
    Accounts {
        /// How many it names.
        found: usize,
        /// How many are known.
        wanted: usize,
    },
    /// An account is another one.
    #[error("{role} is {found}, and must be {wanted}")]
    OtherAccount {
        /// What the account is for.
        role: &'static str,
        /// Which it is.
        found: Address,
        /// Which it must be.
        wanted: Address,
    },
    /// A number is another one.
    #[error("{what} is {found}, and must be {wanted}")]
    OtherAmount {
        /// What is counted.
        what: &'static str,
        /// How much it is.
        found: u64,
        /// How much it must be.
        wanted: u64,
    },
    /// Less has to come than was asked for.
    #[error("as little as {found} may come, and at least {wanted} must")]
    TooLittle {
        /// What it would be content with.
        found: u64,
        /// What has to come.
        wanted: u64,
    },
    /// The wallet's tokens of something else are in it.
    #[error("it has {0} in it, an account of the wallet that the trade has nothing to do with")]
    Touches(Address),
    /// The swap can't be read.
    #[error(transparent)]
    Route(#[from] RouteError),
}

/// Explains all of a message by what was asked for.
///
/// # Errors
///
/// [`Refused`] with the first thing that can't be explained.
pub fn verify(message: &VersionedMessage, tables: &Tables, asked: &Asked) -> Result<Verified, Refused> {
    let resolved = message::resolve(message, tables)?;
    let header = resolved.message.header;
    let keys = &resolved.message.account_keys;
    // A message that can be read has a payer.
    let payer = keys.first().copied().unwrap_or_default();
    if payer != asked.owner {
        return Err(Refused::OtherPayer(payer));
    }
    if header.num_required_signatures != 1 {
        return Err(Refused::OtherSigner(keys.get(1).copied().unwrap_or_default()));
    }
    if resolved.message.recent_blockhash != asked.blockhash {
        return Err(Refused::OtherBlockhash);
    }
    let summary = instructions::explain(&resolved, asked)?;
    let claims = apart::claims(&resolved.message, tables, asked);
    Ok(Verified { message: resolved.message, summary, asked: asked.clone(), claims })
}

impl Verified {
    /// What was found in it.
    #[must_use]
    pub const fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The wallet whose signature it needs.
    #[must_use]
    pub const fn owner(&self) -> Address {
        self.asked.owner
    }

    /// What it was held against.
    #[must_use]
    pub const fn asked(&self) -> &Asked {
        &self.asked
    }

    /// What a signer that can't look at the chain has to be told of its lookup tables.
    #[must_use]
    pub fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// The bytes that are signed.
    #[must_use]
    pub fn signing_payload(&self) -> Vec<u8> {
        VersionedMessage::V0(self.message.clone()).serialize()
    }

    /// Without a signature, for a trial.
    #[must_use]
    pub fn unsigned(&self) -> VersionedTransaction {
        self.with(Signature::default())
    }

    /// With the wallet's signature; `None` when it is not that.
    #[must_use]
    pub fn signed(&self, signature: Signature) -> Option<VersionedTransaction> {
        let is_right = signature.verify(self.owner().as_ref(), &self.signing_payload());
        is_right.then(|| self.with(signature))
    }

    fn with(&self, signature: Signature) -> VersionedTransaction {
        VersionedTransaction {
            signatures: vec![signature],
            message: VersionedMessage::V0(self.message.clone()),
        }
    }
}

#[cfg(test)]
mod tests;
