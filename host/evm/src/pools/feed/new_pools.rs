//! Pools that come to be for what is traded, as signals.

use std::collections::{BTreeMap, VecDeque};

use alloy::primitives::{Address, B256};
use bulkhead_core::identifier::{InstrumentId, SignalId};
use rust_decimal::prelude::ToPrimitive as _;

use super::WatchedMarket;
use crate::amounts::from_units;
use crate::chain::{At, ChainError};
use crate::contracts::Erc20;
use crate::pools::decode::PoolEvent;
use crate::pools::watcher::{Observation, Seen};
use crate::route::read;
use crate::rpc::Endpoints;
use crate::settings::Token;

/// Pools that were told are remembered, this many, for when their blocks are taken back.
const REMEMBERED: usize = 256;

/// A pool that came to be, or did not after all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct News {
    pub(super) signal: SignalId,
    pub(super) instrument: InstrumentId,
    /// Of which block, in seconds since 1970.
    pub(super) timestamp: u64,
    /// What it holds of the quote token after its block, in whole units; the negative of that when it is taken back.
    pub(super) value: f64,
}

/// Which new pools are told, and as what.
#[derive(Debug)]
pub(super) struct NewPools {
    signal: SignalId,
    /// The instruments of two tokens, the one with the lower address first.
    instruments: BTreeMap<(Address, Address), Vec<(InstrumentId, Token)>>,
    told: VecDeque<(B256, Address, f64)>,
}

impl NewPools {
    pub(super) fn new(signal: SignalId, markets: &[WatchedMarket]) -> Self {
        let mut instruments: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for market in markets {
            let (one, other) = (market.base.address, market.quote.address);
            let pair = (one.min(other), one.max(other));
            instruments.entry(pair).or_default().push((market.instrument, market.quote.clone()));
        }
        Self { signal, instruments, told: VecDeque::new() }
    }

    /// What there is to tell of what the watcher saw. A pool whose funds nobody can tell is one without any.
    pub(super) async fn news(&mut self, endpoints: &Endpoints, observations: &[Observation]) -> Vec<News> {
        let mut news = Vec::new();
        for observation in observations {
            let (seen, is_undone) = match observation {
                Observation::Seen(seen) => (seen, false),
                Observation::Undone(seen) => (seen, true),
                Observation::Reached(_) => continue,
            };
            let PoolEvent::Created { pool, token0, token1, .. } = seen.event else { continue };
            let Some(instruments) = self.instruments.get(&(token0, token1)) else { continue };
            for (instrument, quote) in instruments {
                let value = if is_undone {
                    let told = self
                        .told
                        .iter()
                        .find(|(block, known, _)| (*block, *known) == (seen.block.hash, pool));
                    // That there is no empty pool after all is worth nothing, and has no sign to be told by.
                    told.map(|(_, _, value)| -value).filter(|value| *value != 0.0)
                } else {
                    let held = held(endpoints, pool, quote, seen).await.unwrap_or_else(|error| {
                        tracing::warn!(%pool, %error, "nobody says what a new pool holds; it is told as empty");
                        0.0
                    });
                    Some(held)
                };
                let (signal, instrument, timestamp) = (self.signal, *instrument, seen.block.timestamp);
                news.extend(value.map(|value| News { signal, instrument, timestamp, value }));
            }
            if let (false, Some(last)) = (is_undone, news.last()) {
                self.told.push_back((seen.block.hash, pool, last.value));
                if self.told.len() > REMEMBERED {
                    self.told.pop_front();
                }
            }
        }
        news
    }
}

/// What a pool holds of the quote token after its first block.
async fn held(endpoints: &Endpoints, pool: Address, quote: &Token, seen: &Seen) -> Result<f64, ChainError> {
    let balance = Erc20::balanceOfCall { owner: pool };
    let units = read(endpoints, quote.address, &balance, At::Block(seen.block.number)).await?;
    let amount = from_units(units, quote.decimals).ok().and_then(|amount| amount.to_f64());
    amount.ok_or_else(|| ChainError::Malformed(format!("a pool of {units} units of {}", quote.symbol)))
}
