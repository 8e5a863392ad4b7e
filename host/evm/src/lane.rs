//! The one place that gives out nonces of an address on a chain.
//!
//! A nonce is given out under a lease that is held until its transaction was sent: no later one can be out there
//! before it, so a rejected transaction leaves no gap. A nonce whose transaction nobody took and that could not be used
//! up either is given back and goes out again first. After a restart the lane begins behind everything that the journal
//! says was signed and everything that the chain has seen.

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
    /// Those below `next` that nothing out there uses: what is sent behind them waits until something does.
    gaps: BTreeSet<u64>,
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
        let state = State { next: None, signed: signed.into_iter().collect(), gaps: BTreeSet::new() };
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
        if state.next.is_none() {
            state.next = Some(chain.nonce(self.address, true).await?);
        }
        let nonce = state.turn();
        Ok(Lease { state, nonce })
    }

    /// The chain knows better: somebody else uses the address too.
    pub async fn ask_again(&self) {
        self.state.lock().await.forget();
    }

    /// Nothing with this nonce is out there, and nothing could be sent to use it up.
    pub async fn is_free(&self, nonce: u64) {
        self.state.lock().await.is_free(nonce);
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
        self.state.is_signed(self.nonce);
    }

    /// The chain says that somebody else has used it.
    pub fn taken(mut self) {
        self.state.signed.remove(&self.nonce);
        self.state.forget();
    }
}

impl State {
    /// Whose turn it is: gaps first, as all others wait for them. 0 when the chain must be asked.
    fn turn(&mut self) -> u64 {
        if let Some(&gap) = self.gaps.first() {
            return gap;
        }
        let mut nonce = self.next.unwrap_or_default();
        while self.signed.contains(&nonce) {
            nonce = nonce.saturating_add(1);
        }
        self.next = Some(nonce);
        nonce
    }

    fn is_signed(&mut self, nonce: u64) {
        self.signed.insert(nonce);
        self.gaps.remove(&nonce);
        let behind = nonce.saturating_add(1);
        self.next = Some(self.next.map_or(behind, |next| next.max(behind)));
    }

    fn is_free(&mut self, nonce: u64) {
        self.signed.remove(&nonce);
        if self.next.is_some_and(|next| nonce < next) {
            self.gaps.insert(nonce);
        }
    }

    fn forget(&mut self) {
        self.next = None;
        self.gaps.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_that_nothing_uses_is_given_out_before_any_other() {
        let mut state = State { next: Some(5), signed: [6].into(), gaps: BTreeSet::new() };
        let mut next = |freed: Option<u64>| {
            freed.into_iter().for_each(|nonce| state.is_free(nonce));
            let turn = state.turn();
            state.is_signed(turn);
            turn
        };
        assert_eq!([next(None), next(None)], [5, 7], "6 is signed");
        assert_eq!([next(Some(6)), next(None)], [6, 8]);
        assert_eq!([next(Some(20)), next(None)], [9, 10], "20 was never given out");
    }
}
