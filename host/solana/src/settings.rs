use std::collections::BTreeSet;
use std::time::Duration;

use bulkhead_core::identifier::InstrumentId;
use solana_address::Address;

use crate::cluster::Level;
use crate::fees::FeeLimits;
use crate::mint::Protection;
use crate::programs::{JUPITER, TOKEN, WRAPPED_SOL, associated_account};
use crate::verify::Tip;

/// A token, or native currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What people call it.
    pub symbol: String,
    /// Its mint; of native currency the one that wraps it.
    pub mint: Address,
    /// The program that it is of.
    pub program: Address,
    /// Digits behind the point.
    pub decimals: u8,
}

impl Token {
    /// Native currency. It is wrapped for each trade and unwrapped after it.
    #[must_use]
    pub fn sol() -> Self {
        Self {
            symbol: "SOL".to_owned(),
            mint: WRAPPED_SOL,
            program: TOKEN,
            decimals: crate::programs::SOL_DECIMALS,
        }
    }

    /// Whether it is native currency.
    #[must_use]
    pub fn is_native(&self) -> bool {
        self.mint == WRAPPED_SOL
    }

    /// A wallet's own account of it.
    #[must_use]
    pub fn account_of(&self, wallet: Address) -> Address {
        associated_account(wallet, self.mint, self.program)
    }
}

/// An instrument and what it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Market {
    /// The instrument's number.
    pub instrument: InstrumentId,
    /// What is bought and sold.
    pub base: Token,
    /// What it is paid with: the account's currency.
    pub quote: Token,
}

/// When what landed counts as final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Finality {
    /// When two thirds of the stake have voted for its block. No block that was confirmed has ever left the chain.
    Confirmed,
    /// When so many blocks stand on it that it can't leave.
    #[default]
    Finalized,
}

impl Finality {
    /// How sure a block is that counts as final.
    #[must_use]
    pub const fn level(self) -> Level {
        match self {
            Self::Confirmed => Level::Confirmed,
            Self::Finalized => Level::Finalized,
        }
    }
}

/// How native currency, which fees are paid in, is worth something in the account's currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeeValue {
    /// The account's currency is the native one.
    Native,
    /// By what the aggregator says.
    Quoted,
}

/// How an account trades on a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SolanaSettings {
    /// The cluster's name, the hash of its first block, against which every endpoint is held.
    pub genesis_hash: String,
    /// What can be traded.
    pub markets: Vec<Market>,
    /// What fees are worth.
    pub fee_value: FeeValue,
    /// The aggregator's program, the only one that may swap.
    pub router: Address,
    /// The names of the kinds of pools that may be used; any when empty.
    pub venues: BTreeSet<String>,
    /// Bounds of what is paid for a transaction.
    pub fees: FeeLimits,
    /// How much worse than quoted an order may be executed, in basis points.
    pub slippage_bps: u16,
    /// How much worse than the price that the risk gate reckoned with a market order may be quoted, in basis points.
    pub most_off_reference_bps: Option<u32>,
    /// The most that an order may move the price of its pools, in basis points.
    pub price_impact_bps: u32,
    /// A quote that is older is not traded on.
    pub quote_lasts: Duration,
    /// A market order that is not sent in this time expires.
    pub market_order_timeout: Duration,
    /// When what landed counts as final.
    pub finality: Finality,
    /// How often the cluster is looked at.
    pub poll: Duration,
    /// What is not seen by then is sent again.
    pub resend_after: Duration,
    /// An order that waits for its price asks for it so often.
    pub quote_pause: Duration,
    /// What is paid besides to those who take bundles. Only where the transaction is put together here.
    pub tip: Option<Tip>,
    /// Lamports that are never spent but on fees and rent.
    pub reserve: u64,
    /// What is put up with in a token that is bought.
    pub protection: Protection,
    /// The most that buying and selling again may cost in the trial before a purchase, in basis points.
    pub round_trip_bps: u32,
    /// Before a purchase the token is looked at and its sale tried, unless that was done so short a while ago. Nothing is
    /// when absent.
    pub safe_for: Option<Duration>,
}

impl SolanaSettings {
    /// The safe defaults for this cluster and these markets.
    #[must_use]
    pub fn new(genesis_hash: String, markets: Vec<Market>, fee_value: FeeValue) -> Self {
        Self {
            genesis_hash,
            markets,
            fee_value,
            router: JUPITER,
            venues: BTreeSet::new(),
            fees: FeeLimits::default(),
            slippage_bps: 50,
            most_off_reference_bps: Some(500),
            price_impact_bps: 100,
            quote_lasts: Duration::from_secs(10),
            market_order_timeout: Duration::from_secs(60),
            finality: Finality::default(),
            poll: Duration::from_millis(500),
            resend_after: Duration::from_secs(2),
            quote_pause: Duration::from_secs(5),
            tip: None,
            reserve: 0,
            protection: Protection::default(),
            round_trip_bps: 300,
            safe_for: Some(Duration::from_secs(600)),
        }
    }

    /// Who may get tips.
    #[must_use]
    pub fn tip_accounts(&self) -> BTreeSet<Address> {
        self.tip.as_ref().map(|tip| tip.accounts.clone()).unwrap_or_default()
    }

    /// How an instrument is traded.
    #[must_use]
    pub fn market(&self, instrument: InstrumentId) -> Option<&Market> {
        self.markets.iter().find(|market| market.instrument == instrument)
    }
}
