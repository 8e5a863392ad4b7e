//! One number for all orders and fills of a run: two runs that did the same have the same digest.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::order::{Fill, OrderTerms, Pricing, Side};

/// A chain of SHA-256 over orders and fills in the order in which they came about: each link is the hash of
/// the link before and the next order or fill.
///
/// Names instead of numbers go in, so that the digest does not depend on the order in which strategies were
/// loaded; amounts are normalised, so that 1.50 and 1.5 are the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunDigest {
    link: [u8; 32],
}

impl RunDigest {
    /// Adds an order that passed the gate.
    pub fn order(&mut self, terms: &OrderTerms, slot: &str, symbol: &str) {
        let mut link = self.next(1, slot, symbol, terms.created.nanos(), terms.side);
        link.amount(terms.quantity.0);
        match terms.pricing {
            Pricing::Market => link.0.update([0]),
            Pricing::Limit(limit) => {
                link.0.update([1]);
                link.amount(limit.0);
            }
        }
        link.text(terms.origin.cause().name());
        self.link = link.0.finalize().into();
    }

    /// Adds an execution.
    pub fn fill(&mut self, fill: &Fill, slot: &str, symbol: &str) {
        let mut link = self.next(2, slot, symbol, fill.time.nanos(), fill.side);
        link.amount(fill.quantity.0);
        link.amount(fill.price.0);
        link.amount(fill.fee.0);
        link.text(fill.cause.name());
        self.link = link.0.finalize().into();
    }

    fn next(&self, kind: u8, slot: &str, symbol: &str, nanos: i64, side: Side) -> Link {
        let mut link = Link(Sha256::new());
        link.0.update(self.link);
        link.0.update([kind]);
        link.text(slot);
        link.text(symbol);
        link.0.update(nanos.to_le_bytes());
        link.0.update([u8::from(side == Side::Sell)]);
        link
    }
}

struct Link(Sha256);

impl Link {
    /// Length first, so that no two sequences of texts look the same.
    fn text(&mut self, text: &str) {
        self.0.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_le_bytes());
        self.0.update(text.as_bytes());
    }

    fn amount(&mut self, amount: Decimal) {
        self.0.update(amount.normalize().serialize());
    }
}

impl fmt::Display for RunDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.link.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}
