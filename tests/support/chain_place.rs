//! An EVM chain with a market, and an account of the real host that is to trade there.

use std::ops::Deref;
use std::path::PathBuf;

use bulkhead_evm_chain::market::LocalMarket;
use bulkhead_evm_chain::{Chain, Deployed};
use rust_decimal::Decimal;
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
            let chain = Chain::start().await;
            let market = LocalMarket::open(&chain).await;
            (chain, market)
        });
        let settings = vec![format!("evm.endpoints=[\"{}\"]", chain.url())];
        let key = LocalMarket::trader().to_bytes().to_string();
        let account = OutsideAccount::new(example(), "WETH-USD", settings, ("hex", &key));
        Self { runtime, chain, market, account }
    }

    /// Dollars of the address on the chain.
    pub(crate) fn dollars(&self) -> Decimal {
        let token = self.chain.deployed().tokens.dollar;
        let units = self.runtime.block_on(self.chain.balance_of(token, LocalMarket::trader().address()));
        Decimal::new(i64::try_from(units).unwrap(), 6)
    }

    pub(crate) fn coins(&self) -> Decimal {
        let token = self.chain.deployed().weth;
        let units = self.runtime.block_on(self.chain.balance_of(token, LocalMarket::trader().address()));
        Decimal::from_i128_with_scale(i128::try_from(units).unwrap(), 18)
    }

    pub(crate) fn transactions(&self) -> u64 {
        self.runtime.block_on(self.chain.transaction_count(LocalMarket::trader().address()))
    }

    /// Lets the key sign purchases and sales of so many dollars at the example's routers, and nothing else.
    pub(crate) fn policy(&self, dollars: u64) {
        let Deployed { weth, v2_router, v3_router, tokens, .. } = self.chain.deployed();
        let dollar = tokens.dollar;
        let units = dollars * 1_000_000;
        let policy = format!(
            r#"
            [[chain]]
            id = 31337
            max_fee_per_gas = "50_000_000_000"
            max_gas = 500_000
            max_fees_per_day = "1_000_000_000_000_000_000"
            max_deadline_seconds = 3600
            wrapped_native = "{weth}"
            [[chain.router]]
            address = "{v2_router}"
            kind = "uniswap-v2"
            [[chain.router]]
            address = "{v3_router}"
            kind = "uniswap-v3"
            [[chain.token]]
            address = "{dollar}"
            spend = {{ per_transaction = "{units}", per_day = "{units}" }}
            spenders = ["{v2_router}", "{v3_router}"]
            [[chain.token]]
            address = "{weth}"
            spend = {{ per_transaction = "1_000_000_000_000_000_000", per_day = "1_000_000_000_000_000_000" }}
            spenders = ["{v2_router}", "{v3_router}"]
            "#
        );
        self.replace_policy(&policy);
    }
}

pub(crate) fn example() -> PathBuf {
    root().join("examples/evm-local.toml").canonicalize().unwrap()
}
