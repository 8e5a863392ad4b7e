//! Follows a chain block by block.
//!
//! The newest blocks are kept with their hashes, as many as a reorganisation may take back. Each look asks for the headers
//! that are new; when they don't hang on the newest block that is kept, that block is gone, and what was seen in it is
//! undone, newest first. What is in a block is asked for by its hash, so that an answer is of this very block or none.
//! Blocks that are buried deeper than a reorganisation reaches are read by height, many at a time.

use std::collections::VecDeque;

use alloy::eips::{BlockId, BlockNumberOrTag};
use alloy::primitives::{Address, B256, U256};
use alloy::rpc::types::{Filter, Header, Log, TransactionRequest};
use alloy::sol_types::SolCall as _;

use super::decode::{self, PoolEvent, Version};
use crate::chain::{At, Chain as _, ChainError};
use crate::contracts::{PairV2, PoolV3};
use crate::rpc::Endpoints;

/// What is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatcherSettings {
    /// Whose new pools are told.
    pub factories: Vec<Address>,
    /// Pools of which everything is told, with their kind.
    pub pools: Vec<(Address, Version)>,
    /// The first block that is looked at; the newest when absent.
    pub first_block: Option<u64>,
    /// Most blocks in one question for those that are buried deep.
    pub blocks_at_once: u64,
    /// So many blocks may be taken back.
    pub deepest_reorganisation: usize,
}

impl WatcherSettings {
    /// With what suits most chains and servers.
    #[must_use]
    pub const fn new(factories: Vec<Address>, pools: Vec<(Address, Version)>) -> Self {
        Self { factories, pools, first_block: None, blocks_at_once: 2_000, deepest_reorganisation: 64 }
    }
}

/// A block, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockSeen {
    /// Its height.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// Its time, in seconds since 1970.
    pub timestamp: u64,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// In which block. That of something buried deep has no timestamp: 0.
    pub block: BlockSeen,
    /// In which transaction; `None` for how things stood before the first block that was looked at.
    pub transaction: Option<B256>,
    /// What.
    pub event: PoolEvent,
}

/// What the watcher tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// It happened.
    Seen(Seen),
    /// It happened in a block that was taken back: it did not happen, unless it is told anew.
    Undone(Seen),
    /// All that happened up to this block was told.
    Reached(BlockSeen),
}

/// Why there is nothing to tell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// The chain can't be asked; the next look may go better, nothing is lost.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Answers contradict each other, as in the middle of a reorganisation; the next look may go better.
    #[error("the answers don't fit together: {0}")]
    Unsteady(String),
    /// More blocks were taken back than are kept. The watcher begins anew with the next look, and what happened in between is
    /// not told.
    #[error("more than {kept} blocks were taken back; watching begins anew at the newest block")]
    TooDeep {
        /// So many are kept.
        kept: usize,
    },
}

#[derive(Debug)]
struct Block {
    seen: BlockSeen,
    events: Vec<Seen>,
}

/// Follows a chain.
#[derive(Debug)]
pub struct Watcher {
    settings: WatcherSettings,
    filter: Filter,
    /// The newest blocks, each hanging on the one before it; never empty once the first look is over.
    kept: VecDeque<Block>,
    /// The next block of those that are buried deep.
    buried: Option<u64>,
}

impl Watcher {
    /// Nothing is asked yet.
    #[must_use]
    pub fn new(settings: WatcherSettings) -> Self {
        let mut watched = settings.factories.clone();
        watched.extend(settings.pools.iter().map(|(pool, _)| *pool));
        let filter = Filter::new().address(watched).event_signature(decode::signatures());
        let buried = settings.first_block;
        Self { settings, filter, kept: VecDeque::new(), buried }
    }

    /// Watches one pool more, from the next block on.
    pub fn watch(&mut self, pool: Address, version: Version) {
        if !self.settings.pools.iter().any(|(known, _)| *known == pool) {
            self.settings.pools.push((pool, version));
            self.filter.address.insert(pool);
        }
    }

    /// The newest block that is kept.
    #[must_use]
    pub fn newest(&self) -> Option<BlockSeen> {
        self.kept.back().map(|block| block.seen)
    }

    /// Looks what happened since the last time. What is told before an error stands; nothing is told twice.
    ///
    /// # Errors
    ///
    /// When the chain can't be asked or the answers don't fit together. Ask again; [`WatchError::TooDeep`] says what was lost.
    pub async fn look(
        &mut self,
        endpoints: &Endpoints,
        told: &mut Vec<Observation>,
    ) -> Result<(), WatchError> {
        if self.watches_nothing() {
            return Ok(());
        }
        let head = header(endpoints, BlockNumberOrTag::Latest.into()).await?;
        self.read_buried(endpoints, &head, told).await?;
        if self.kept.is_empty() {
            self.begin(endpoints, &head, told).await?;
        } else {
            self.undo_what_is_gone(endpoints, &head, told).await?;
        }
        while let Some(newest) = self.newest()
            && newest.number < head.number
        {
            let number = newest.number + 1;
            let header = if number == head.number {
                head.clone()
            } else {
                header(endpoints, BlockId::number(number)).await?
            };
            if header.parent_hash != newest.hash {
                // It changed while it was looked at. The next look undoes what has to be undone.
                return Err(WatchError::Unsteady(format!("block {number} hangs on another one")));
            }
            self.read(endpoints, &header, told).await?;
        }
        if let Some(newest) = self.newest() {
            told.push(Observation::Reached(newest));
        }
        Ok(())
    }

    fn watches_nothing(&self) -> bool {
        // Without an address a filter is one for everybody.
        self.settings.factories.is_empty() && self.settings.pools.is_empty()
    }

    /// Blocks that no reorganisation reaches.
    async fn read_buried(
        &mut self,
        endpoints: &Endpoints,
        head: &Header,
        told: &mut Vec<Observation>,
    ) -> Result<(), WatchError> {
        let Some(mut next) = self.buried else { return Ok(()) };
        let depth = u64::try_from(self.settings.deepest_reorganisation).unwrap_or(u64::MAX);
        let last = head.number.saturating_sub(depth);
        let mut at_once = self.settings.blocks_at_once.max(1);
        while next < last {
            let end = (last - 1).min(next.saturating_add(at_once - 1));
            match endpoints.logs_between(&self.filter, next, end).await {
                Ok(logs) => {
                    let mut seen = Vec::new();
                    for log in &logs {
                        let number = log.block_number.unwrap_or_default();
                        if !(next..=end).contains(&number) {
                            return Err(unsteady("an entry is of a block that was not asked for"));
                        }
                        seen.extend(self.understand(log, log.block_timestamp.unwrap_or_default())?);
                    }
                    told.extend(seen.into_iter().map(Observation::Seen));
                    next = end + 1;
                    self.buried = Some(next);
                }
                // Servers count blocks or results, and say in many words that there are too many.
                Err(ChainError::Refused(_)) if end > next => at_once = (end - next).div_ceil(2),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The first block that is kept: the newest, or the first that is not buried.
    async fn begin(
        &mut self,
        endpoints: &Endpoints,
        head: &Header,
        told: &mut Vec<Observation>,
    ) -> Result<(), WatchError> {
        let first = self.buried.unwrap_or(head.number).min(head.number);
        let first = if first == head.number {
            head.clone()
        } else {
            header(endpoints, BlockId::number(first)).await?
        };
        let before = first.number.checked_sub(1);
        let mut state = Vec::new();
        if let Some(before) = before {
            let block = BlockSeen { number: before, hash: first.parent_hash, timestamp: first.timestamp };
            for (pool, version) in &self.settings.pools {
                if let Some(event) = state_of(endpoints, *pool, *version, before).await? {
                    state.push(Observation::Seen(Seen { block, transaction: None, event }));
                }
            }
        }
        let mut read = Vec::new();
        self.read(endpoints, &first, &mut read).await?;
        // Only now it is sure that this is not done a second time.
        told.append(&mut state);
        told.append(&mut read);
        self.buried = None;
        Ok(())
    }

    async fn undo_what_is_gone(
        &mut self,
        endpoints: &Endpoints,
        head: &Header,
        told: &mut Vec<Observation>,
    ) -> Result<(), WatchError> {
        while let Some(newest) = self.newest() {
            // An endpoint may be behind those that were asked before: a block is gone when there is another in its place.
            let there = match newest.number {
                number if number == head.number => head.hash,
                number if number > head.number => match endpoints.header(BlockId::number(number)).await? {
                    Some(header) => header.hash,
                    None if self.is_of_another_branch(head) => B256::ZERO,
                    None => return Err(unsteady("the endpoint is behind what was seen already")),
                },
                number => header(endpoints, BlockId::number(number)).await?.hash,
            };
            if there == newest.hash {
                return Ok(());
            }
            let gone = self.kept.pop_back();
            told.extend(
                gone.into_iter().flat_map(|block| block.events.into_iter().rev()).map(Observation::Undone),
            );
        }
        Err(WatchError::TooDeep { kept: self.settings.deepest_reorganisation })
    }

    /// Whether another block than the head is kept at its height.
    fn is_of_another_branch(&self, head: &Header) -> bool {
        let kept = self.kept.iter().find(|block| block.seen.number == head.number);
        kept.is_some_and(|block| block.seen.hash != head.hash)
    }

    /// What happened in a block, which then is the newest that is kept.
    async fn read(
        &mut self,
        endpoints: &Endpoints,
        header: &Header,
        told: &mut Vec<Observation>,
    ) -> Result<(), WatchError> {
        let seen = BlockSeen { number: header.number, hash: header.hash, timestamp: header.timestamp };
        let mut events = Vec::new();
        // The header says which contracts can't have written anything down.
        if self.filter.matches_bloom(header.logs_bloom) {
            for log in endpoints.logs_of_block(&self.filter, header.hash).await? {
                if log.block_hash != Some(header.hash) {
                    return Err(unsteady("an entry is of another block than was asked for"));
                }
                events.extend(self.understand(&log, header.timestamp)?);
            }
        }
        told.extend(events.iter().cloned().map(Observation::Seen));
        self.kept.push_back(Block { seen, events });
        while self.kept.len() > self.settings.deepest_reorganisation.max(1) {
            self.kept.pop_front();
        }
        Ok(())
    }

    fn understand(&self, log: &Log, timestamp: u64) -> Result<Vec<Seen>, WatchError> {
        let (Some(number), Some(hash), Some(transaction)) =
            (log.block_number, log.block_hash, log.transaction_hash)
        else {
            return Err(unsteady("an entry is of no block"));
        };
        if log.removed || !self.filter.rpc_matches(log) {
            return Err(unsteady("an entry that was not asked for"));
        }
        let block = BlockSeen { number, hash, timestamp };
        let is_factory = self.settings.factories.contains(&log.address());
        let fits = |event: &PoolEvent| matches!(event, PoolEvent::Created { .. }) == is_factory;
        let events = decode::decode(log).into_iter().filter(fits);
        Ok(events.map(|event| Seen { block, transaction: Some(transaction), event }).collect())
    }
}

fn unsteady(what: &str) -> WatchError {
    WatchError::Unsteady(what.to_owned())
}

async fn header(endpoints: &Endpoints, block: BlockId) -> Result<Header, WatchError> {
    endpoints.header(block).await?.ok_or_else(|| unsteady("a block that was there is gone"))
}

/// How a pool stood after a block; `None` when there was none.
async fn state_of(
    endpoints: &Endpoints,
    pool: Address,
    version: Version,
    block: u64,
) -> Result<Option<PoolEvent>, WatchError> {
    let ask = async |input: Vec<u8>| {
        let request = TransactionRequest::default().to(pool).input(input.into());
        endpoints.call(request, At::Block(block)).await
    };
    match version {
        Version::V2 => {
            let answer = ask(PairV2::getReservesCall {}.abi_encode()).await?;
            let reserves = PairV2::getReservesCall::abi_decode_returns(&answer).ok();
            Ok(reserves.map(|reserves| PoolEvent::Reserves {
                pool,
                reserve0: U256::from(reserves.reserve0),
                reserve1: U256::from(reserves.reserve1),
            }))
        }
        Version::V3 => {
            let price = ask(PoolV3::slot0Call {}.abi_encode()).await?;
            let liquidity = ask(PoolV3::liquidityCall {}.abi_encode()).await?;
            let price = PoolV3::slot0Call::abi_decode_returns(&price).ok();
            let liquidity = PoolV3::liquidityCall::abi_decode_returns(&liquidity).ok();
            Ok(price.zip(liquidity).map(|(price, liquidity)| PoolEvent::Price {
                pool,
                sqrt_price: price.sqrtPriceX96,
                liquidity,
            }))
        }
    }
}
