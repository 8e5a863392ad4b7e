//! What an account trades on a chain, and within which bounds.

use std::time::Duration;

use alloy::primitives::Address;
use bulkhead_core::identifier::InstrumentId;

use crate::fees::FeeLimits;

/// A swap costs more than was estimated when it comes into a later second than the estimate was made for: then it also
/// writes down two sums of prices, which may have been empty. What is not used is not paid.
pub const LEAST_GAS_MARGIN: u64 = 60_000;

/// A token, or the chain's native currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What people call it.
    pub symbol: String,
    /// Its contract; of native currency the contract that wraps it.
    pub address: Address,
    /// Digits behind the point.
    pub decimals: u8,
    /// Whether the account holds the native currency itself. Routers wrap it on the way.
    pub native: bool,
}

/// A way of trading at a router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// At a router like Uniswap V2's.
    V2 {
        /// The router.
        router: Address,
        /// From the quote token to the base token, both included.
        path: Vec<Address>,
    },
    /// At a router like Uniswap V3's.
    V3 {
        /// The router.
        router: Address,
        /// Who tells what a swap would bring.
        quoter: Address,
        /// From the quote token to the base token, both included.
        path: Vec<Address>,
        /// The fee of the pool between each two of the path, in millionths.
        fees: Vec<u32>,
    },
}

impl Route {
    /// Who is allowed to take what is sold, and gets the transaction.
    #[must_use]
    pub const fn router(&self) -> Address {
        match self {
            Self::V2 { router, .. } | Self::V3 { router, .. } => *router,
        }
    }
}

/// What becomes of tokens that keep a part of each transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TransferFees {
    /// They are not traded.
    #[default]
    Refused,
    /// They are, at V2 routers, as long as no more than this is kept, in basis points.
    UpTo(u32),
}

/// An instrument and how it is traded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Market {
    /// The instrument's number.
    pub instrument: InstrumentId,
    /// What is bought and sold.
    pub base: Token,
    /// What it is paid with: the account's currency.
    pub quote: Token,
    /// The ways there are. The one that quotes best is taken.
    pub routes: Vec<Route>,
    /// Whether the base token may keep a part of transfers.
    pub transfer_fees: TransferFees,
}

/// How native currency, which gas is paid in, is worth something in the account's currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GasValue {
    /// The account's currency is the native one.
    Native,
    /// By what this route, from the quote token to wrapped native currency, says.
    Route(Route),
}

/// How an account trades on a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainSettings {
    /// The chain's number, against which every endpoint is held.
    pub chain_id: u64,
    /// What can be traded.
    pub markets: Vec<Market>,
    /// What gas is worth.
    pub gas_value: GasValue,
    /// Bounds of what is paid for gas.
    pub fees: FeeLimits,
    /// How much worse than quoted an order may be executed, in basis points.
    pub slippage_bps: u32,
    /// How much worse than the price that the gate reckoned with a market order may be quoted, in basis points; as much as
    /// comes when absent.
    pub most_off_reference_bps: Option<u32>,
    /// A quote that is older is not traded on.
    pub quote_lasts: Duration,
    /// A market order that is not sent in this time expires, and one that is in no block by then is taken back.
    pub market_order_timeout: Duration,
    /// A router refuses a trade that comes into a block so long after it was signed.
    pub deadline: Duration,
    /// So many blocks, its own counted, make a transaction final.
    pub confirmations: u64,
    /// A transaction that is in no block for so long is replaced by one that pays more.
    pub replace_after: Duration,
    /// How often the chain is looked at.
    pub poll: Duration,
    /// What estimates of gas are raised by, in percent, and at least by [`LEAST_GAS_MARGIN`].
    pub gas_margin_percent: u64,
    /// Native currency that is never spent but on gas, in wei.
    pub gas_reserve: u128,
    /// Before a purchase it is tried whether the token can be sold again, unless that was found so short a while ago. Nothing
    /// is tried when absent.
    pub resale_known_for: Option<Duration>,
}

impl ChainSettings {
    /// The safe defaults for this chain and these markets.
    #[must_use]
    pub fn new(chain_id: u64, markets: Vec<Market>, gas_value: GasValue) -> Self {
        Self {
            chain_id,
            markets,
            gas_value,
            fees: FeeLimits::default(),
            slippage_bps: 50,
            most_off_reference_bps: Some(500),
            quote_lasts: Duration::from_secs(10),
            market_order_timeout: Duration::from_secs(60),
            deadline: Duration::from_secs(60),
            confirmations: 3,
            replace_after: Duration::from_secs(30),
            poll: Duration::from_secs(1),
            gas_margin_percent: 20,
            gas_reserve: 0,
            resale_known_for: Some(Duration::from_secs(600)),
        }
    }

    /// What a transaction is allowed to use that was estimated to use so much.
    #[must_use]
    pub fn gas_limit(&self, estimate: u64) -> u64 {
        let margin = estimate.saturating_mul(self.gas_margin_percent) / 100;
        estimate.saturating_add(margin.max(LEAST_GAS_MARGIN))
    }

    /// How an instrument is traded.
    #[must_use]
    pub fn market(&self, instrument: InstrumentId) -> Option<&Market> {
        self.markets.iter().find(|market| market.instrument == instrument)
    }
}
