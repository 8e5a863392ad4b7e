//! The aggregator that knows the pools: it quotes, and makes the transaction for a quote.
//!
//! Two forms of its interface are spoken, behind one trait. In the current one (`Current`) quote and instructions come
//! together, and the transaction is put together here. In the older one (`Older`) the quote is handed back unchanged,
//! with whatever undocumented is in it, and the transaction comes whole. What comes is believed in neither: see
//! [`crate::verify`].

mod api;
mod assembly;
mod current;
mod older;
mod wire;

use std::fmt;

use async_trait::async_trait;
use rust_decimal::Decimal;
use serde_json::value::RawValue;
use solana_address::Address;
use solana_message::VersionedMessage;
use tokio::time::Instant;

pub use api::{ApiKey, JupiterSettings};
pub use assembly::assemble;
pub use current::Current;
pub use older::Older;
pub use wire::{AccountMeta, Instruction};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// What is given.
    pub input: Address,
    /// What is got.
    pub output: Address,
    /// Just so much is given, in the token's smallest units.
    pub amount: u64,
    /// How much less than quoted may come, in basis points.
    pub slippage_bps: u16,
    /// Who trades.
    pub taker: Address,
    /// The kinds of pools that may be used; any when empty.
    pub venues: Vec<String>,
}

/// What the aggregator promises.
#[derive(Clone)]
pub struct Quote {
    /// How much is given.
    pub in_amount: u64,
    /// How much comes.
    pub out_amount: u64,
    /// How much comes at least.
    pub least: u64,
    /// How much the trade moves the price, as a part of 1.
    pub price_impact: Decimal,
    /// The kinds of pools on the way.
    pub venues: Vec<String>,
    /// When it was asked for.
    pub asked: Instant,
    /// As it came, to the byte.
    pub raw: Box<RawValue>,
}

impl fmt::Debug for Quote {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Quote")
            .field("in_amount", &self.in_amount)
            .field("out_amount", &self.out_amount)
            .field("least", &self.least)
            .field("price_impact", &self.price_impact)
            .field("venues", &self.venues)
            .finish_non_exhaustive()
    }
}

/// What does what was quoted.
#[derive(Debug, Clone, PartialEq)]
pub enum Offer {
    /// A whole transaction, which somebody else has put together.
    Whole(VersionedMessage),
    /// Its parts.
    Parts(Parts),
}

/// The parts of a transaction, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// All but limits and fees.
    pub instructions: Vec<Instruction>,
    /// The lookup tables that make it short enough. What is in them is read from the chain.
    pub tables: Vec<Address>,
}

/// Why the aggregator gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SwapError {
    /// It can't be asked at the moment.
    #[error("the aggregator can't be asked at the moment: {0}")]
    Unavailable(String),
    /// It says no.
    #[error("the aggregator refuses: {0}")]
    Refused(String),
    /// It answers something else than was asked.
    #[error("the aggregator's answer does not fit: {0}")]
    Misfit(String),
}

/// An aggregator.
#[async_trait]
pub trait SwapApi: Send + Sync {
    /// What a swap would bring.
    ///
    /// # Errors
    ///
    /// [`SwapError`]; only the first kind may go away by itself.
    async fn quote(&self, ask: &Ask) -> Result<Quote, SwapError>;

    /// What does a swap, for so many lamports that are offered for being taken sooner.
    ///
    /// # Errors
    ///
    /// As for [`Self::quote`].
    async fn offer(&self, quote: &Quote, taker: Address, priority_fee: u64) -> Result<Offer, SwapError>;
}
