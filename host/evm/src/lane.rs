//! The one place that gives out nonces of an address on a chain.
//!
//! A nonce is given out under a lease that is held until its transaction was sent: no later one can be out there
//! before it. Whatever was signed with a nonce, its order does not end before the nonce is used up, so none is left behind
//! that those after it would wait for. After a restart the lane begins behind everything that the journal says was signed
//! and everything that the chain has seen.

use std::collections::BTreeSet;

use alloy::primitives::Address;
use tokio::sync::{Mutex, MutexGuard};

use crate::chain::{Chain, ChainError};

/// The nonces of one address on one chain.
#[derive(Debug)]
pub struct Lane {
    address: Address,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The next one, unless the chain must be asked again.
    next: Option<u64>,
    /// Those that are signed for something, and not known to be used up.
    signed: BTreeSet<u64>,
}

/// The right to use one nonce. Dropped without [`Lease::signed`], it goes to the next who asks.
#[derive(Debug)]
pub struct Lease<'a> {
    state: MutexGuard<'a, State>,
    nonce: u64,
}

impl Lane {
    /// The nonces of this address, but those that the journal says were signed and may still land.
    #[must_use]
    pub fn new(address: Address, signed: impl IntoIterator<Item = u64>) -> Self {
        let state = State { next: None, signed: signed.into_iter().collect() };
        Self { address, state: Mutex::new(state) }
    }

    /// Whose nonces these are.
    #[must_use]
    pub const fn address(&self) -> Address {
        self.address
    }

    /// Waits for its turn and gives the next nonce.
    ///
    /// # Errors
    ///
    /// [`ChainError`] when the chain must be asked and can't be.
    pub async fn lease<C: Chain>(&self, chain: &C) -> Result<Lease<'_>, ChainError> {
        let mut state = self.state.lock().await;
        let mut nonce = match state.next {
            Some(next) => next,
            None => chain.nonce(self.address, true).await?,
        };
        while state.signed.contains(&nonce) {
            nonce = nonce.saturating_add(1);
        }
        state.next = Some(nonce);
        Ok(Lease { state, nonce })
    }

    /// The chain knows better: somebody else uses the address too.
    pub async fn ask_again(&self) {
        self.state.lock().await.next = None;
    }

    /// What was signed with this nonce is over.
    pub async fn is_over(&self, nonce: u64) {
        self.state.lock().await.signed.remove(&nonce);
    }
}

impl Lease<'_> {
    /// The nonce.
    #[must_use]
    pub const fn nonce(&self) -> u64 {
        self.nonce
    }

    /// Something was signed with it, and the lane is held until this is dropped.
    pub fn signed(&mut self) {
        self.state.signed.insert(self.nonce);
        self.state.next = Some(self.nonce.saturating_add(1));
    }
}
