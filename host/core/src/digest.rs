//! One number for all orders and fills of a run: two runs that did the same have the same digest.

use std::fmt;

use rust_decimal::Decimal;
use sha2::{Digest as _, Sha256};

use crate::order::{Fill, OrderTerms, Pricing, Side};

/// A running SHA-256 over orders and fills in the order in which they came about.
///
/// Names instead of numbers go in, so that the digest does not depend on the order in which strategies were
/// loaded; amounts are normalised, so that 1.50 and 1.5 are the same.
#[derive(Debug, Clone, Default)]
pub struct RunDigest {
    hasher: Sha256,
}

impl RunDigest {
    /// Adds an order that passed the gate.
    pub fn order(&mut self, terms: &OrderTerms, slot: &str, symbol: &str) {
        self.hasher.update([1]);
        self.common(slot, symbol, terms.created.nanos(), terms.side);
        self.amount(terms.quantity.0);
        match terms.pricing {
            Pricing::Market => self.hasher.update([0]),
            Pricing::Limit(limit) => {
                self.hasher.update([1]);
                self.amount(limit.0);
            }
        }
        self.text(terms.origin.cause().name());
    }

    /// Adds an execution.
    pub fn fill(&mut self, fill: &Fill, slot: &str, symbol: &str) {
        self.hasher.update([2]);
        self.common(slot, symbol, fill.time.nanos(), fill.side);
        self.amount(fill.quantity.0);
        self.amount(fill.price.0);
        self.amount(fill.fee.0);
        self.text(fill.cause.name());
    }

    fn common(&mut self, slot: &str, symbol: &str, nanos: i64, side: Side) {
        self.text(slot);
        self.text(symbol);
        self.hasher.update(nanos.to_le_bytes());
        self.hasher.update([u8::from(side == Side::Sell)]);
    }

    /// Length first, so that no two sequences of texts look the same.
    fn text(&mut self, text: &str) {
        self.hasher.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_le_bytes());
        self.hasher.update(text.as_bytes());
    }

    fn amount(&mut self, amount: Decimal) {
        self.hasher.update(amount.normalize().serialize());
    }
}

impl fmt::Display for RunDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hasher.clone().finalize().iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}
