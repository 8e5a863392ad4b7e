//! A Solana chain with a market, and an account of the real host that is to trade there.

use std::ops::Deref;
use std::path::PathBuf;

use bulkhead_solana_chain::market::LocalMarket;
use bulkhead_solana_chain::program::ROUTER;
use bulkhead_solana_chain::rpc::GENESIS_HASH;
use bulkhead_solana_chain::tokens::{associated, transfer_tokens};
use bulkhead_solana_chain::{Chain, Options};
use rust_decimal::Decimal;
use solana_signer::Signer as _;
use tokio::runtime::Runtime;

use super::outside_account::OutsideAccount;
use super::root;

/// A chain with a market, and an account that is to trade there.
pub(crate) struct Place {
    pub(crate) runtime: Runtime,
    pub(crate) chain: Chain,
    pub(crate) market: LocalMarket,
    account: OutsideAccount,
}

/// What is asked of a place is asked of its account, but for what only this chain knows.
impl Deref for Place {
    type Target = OutsideAccount;

    fn deref(&self) -> &OutsideAccount {
        &self.account
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let (chain, market) = runtime.block_on(async {
            let chain = Chain::start(Options::default()).await;
            let market = LocalMarket::open(&chain, 0).await;
            (chain, market)
        });
        let settings = vec![
            format!("solana.endpoints=[\"{}\"]", chain.url()),
            format!("solana.swaps.address={}", market.jupiter.url()),
            "solana.swaps.quote_every=100ms".to_owned(),
            "solana.execution.poll=50ms".to_owned(),
        ];
        let key = market.trader_as_json();
        let account = OutsideAccount::new(example(), "SOL-USD", settings, ("solana", &key));
        Self { runtime, chain, market, account }
    }

    /// Dollars of the wallet on the chain.
    pub(crate) fn dollars(&self) -> Decimal {
        let units = self.chain.tokens_of(self.market.trader().pubkey(), self.market.dollar);
        Decimal::from_i128_with_scale(units.into(), 6)
    }

    /// SOL of the wallet on the chain.
    pub(crate) fn sol(&self) -> Decimal {
        Decimal::from_i128_with_scale(self.chain.lamports(self.market.trader().pubkey()).into(), 9)
    }

    /// So many dollars go somewhere else with the wallet's key.
    pub(crate) fn take(&self, dollars: u64) {
        let (trader, dollar) = (self.market.trader(), self.market.dollar);
        let (owner, elsewhere) = (trader.pubkey(), self.chain.address());
        self.chain.put_tokens(elsewhere, dollar, self.chain.address(), 0);
        let program = self.chain.program_of(dollar);
        let from = associated(owner, dollar, program);
        let transfer = transfer_tokens(program, from, elsewhere, owner, dollars * 1_000_000);
        self.chain.execute(trader, &[transfer]).unwrap();
    }

    /// Transactions that the wallet paid for and that landed, whether they succeeded or not.
    pub(crate) fn transactions(&self) -> usize {
        let owner = self.market.trader().pubkey();
        let ledger = self.chain.ledger();
        ledger.all_landed().filter(|(_, landed)| landed.keys.first() == Some(&owner)).count()
    }

    /// Lets the key give so many dollars a day for SOL at the aggregator, and nothing else.
    pub(crate) fn policy(&self, dollars: u64) {
        let units = dollars * 1_000_000;
        let policy = format!(
            r#"
            [solana]
            max_priority_fee = "1_000_000"
            max_fees_per_day = "1_000_000_000"
            routers = ["{ROUTER}"]
            native = {{ per_transaction = "10_000_000_000", per_day = "10_000_000_000" }}
            [[solana.token]]
            mint = "{}"
            spend = {{ per_transaction = "{units}", per_day = "{units}" }}
            "#,
            self.market.dollar
        );
        self.replace_policy(&policy);
    }

    /// What is on the chain, as the example names it.
    pub(crate) fn addresses(&self) -> [String; 2] {
        [GENESIS_HASH.to_owned(), self.market.dollar.to_string()]
    }
}

pub(crate) fn example() -> PathBuf {
    root().join("examples/solana-local.toml").canonicalize().unwrap()
}
