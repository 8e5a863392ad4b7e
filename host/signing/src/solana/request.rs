//! What is signed and what for, and how it is said over a socket.

use std::collections::BTreeSet;

use bulkhead_solana::settings::Token;
use bulkhead_solana::verify::{Asked, Claim, MOST_BYTES, Tip, Verified};
use serde::{Deserialize, Serialize};
use solana_address::Address;
use solana_hash::Hash;
use solana_message::VersionedMessage;

use crate::request::OrderName;

/// A transaction and what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SolanaRequest {
    /// The order.
    pub order: OrderName,
    /// What it is to do, and all that it may do.
    pub asked: Asked,
    /// What lookup tables are said to hold.
    pub claims: Vec<Claim>,
    /// The bytes that are signed.
    pub(super) payload: Vec<u8>,
}

/// Bytes that are no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no message of version 0")]
pub(super) struct NoMessage;

impl SolanaRequest {
    /// For what a host has verified.
    #[must_use]
    pub fn new(order: OrderName, verified: &Verified) -> Self {
        let (asked, claims) = (verified.asked().clone(), verified.claims().to_vec());
        Self { order, asked, claims, payload: verified.signing_payload() }
    }

    /// The message whose bytes are signed.
    pub(super) fn message(&self) -> Result<VersionedMessage, NoMessage> {
        if self.payload.len() > MOST_BYTES {
            return Err(NoMessage);
        }
        let message: VersionedMessage = wincode::deserialize(&self.payload).map_err(|_| NoMessage)?;
        // One way of writing it, so that what was read is what is signed.
        if message.serialize() == self.payload { Ok(message) } else { Err(NoMessage) }
    }
}

/// The same, as JSON has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    order: OrderName,
    /// In base 58.
    payload: String,
    owner: String,
    given: WrittenToken,
    got: WrittenToken,
    amount: u64,
    least: u64,
    router: String,
    most_priority: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tip: Option<WrittenTip>,
    blockhash: String,
    claims: Vec<(String, u8, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenToken {
    symbol: String,
    mint: String,
    program: String,
    decimals: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTip {
    accounts: Vec<String>,
    most: u64,
}

/// Text that can't be read as what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not written in base 58, or of another length")]
pub(crate) struct Unreadable(String);

impl Written {
    pub(crate) fn of(request: &SolanaRequest) -> Self {
        let SolanaRequest { order, asked, claims, payload } = request;
        let token = |token: &Token| WrittenToken {
            symbol: token.symbol.clone(),
            mint: token.mint.to_string(),
            program: token.program.to_string(),
            decimals: token.decimals,
        };
        let tip = asked.tip.as_ref().map(|tip| WrittenTip {
            accounts: tip.accounts.iter().map(ToString::to_string).collect(),
            most: tip.most,
        });
        Self {
            order: order.clone(),
            payload: bs58::encode(payload).into_string(),
            owner: asked.owner.to_string(),
            given: token(&asked.given),
            got: token(&asked.got),
            amount: asked.amount,
            least: asked.least,
            router: asked.router.to_string(),
            most_priority: asked.most_priority,
            tip,
            blockhash: asked.blockhash.to_string(),
            claims: claims
                .iter()
                .map(|claim| (claim.table.to_string(), claim.index, claim.address.to_string()))
                .collect(),
        }
    }

    pub(crate) fn owner(&self) -> &str {
        &self.owner
    }

    pub(crate) fn read(self) -> Result<SolanaRequest, Unreadable> {
        let tip = self.tip.map(|tip| {
            let accounts: BTreeSet<Address> =
                tip.accounts.iter().map(|text| address(text)).collect::<Result<_, _>>()?;
            Ok(Tip { accounts, most: tip.most })
        });
        let claim = |(table, index, found): &(String, u8, String)| {
            Ok(Claim { table: address(table)?, index: *index, address: address(found)? })
        };
        let payload = bs58::decode(&self.payload).into_vec();
        Ok(SolanaRequest {
            order: self.order,
            claims: self.claims.iter().map(claim).collect::<Result<_, _>>()?,
            payload: payload.map_err(|_| Unreadable("the payload".to_owned()))?,
            asked: Asked {
                owner: address(&self.owner)?,
                given: self.given.read()?,
                got: self.got.read()?,
                amount: self.amount,
                least: self.least,
                router: address(&self.router)?,
                most_priority: self.most_priority,
                tip: tip.transpose()?,
                blockhash: self.blockhash.parse::<Hash>().map_err(|_| Unreadable(self.blockhash.clone()))?,
                // Only the host knows them; whose they are is no matter to the key's limits.
                untouched: BTreeSet::new(),
            },
        })
    }
}

impl WrittenToken {
    fn read(self) -> Result<Token, Unreadable> {
        Ok(Token {
            mint: address(&self.mint)?,
            program: address(&self.program)?,
            symbol: self.symbol,
            decimals: self.decimals,
        })
    }
}

fn address(text: &str) -> Result<Address, Unreadable> {
    text.parse().map_err(|_| Unreadable(text.to_owned()))
}
