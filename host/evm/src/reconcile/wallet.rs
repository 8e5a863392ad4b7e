//! An account's address, with what the books say is there.

use std::sync::Arc;
use std::time::Duration;

use alloy::consensus::TxEnvelope;
use alloy::eips::eip2718::Decodable2718 as _;
use alloy::primitives::{Address, U256};
use async_trait::async_trait;
use bulkhead_core::engine::Engine;
use bulkhead_core::venue::stage::SignedTransaction;
use bulkhead_venue::reconcile::books::{Books, Market, Token as BookedToken, Traded};
use bulkhead_venue::reconcile::figures::{
    ChainName, Figures as WalletFigures, Permission, PermissionKind, TransactionCounts,
};
use bulkhead_venue::reconcile::{Unread, Wallet};
use rust_decimal::Decimal;

use super::figures::Figures;
use crate::amounts::from_units;
use crate::chain::Chain as _;
use crate::rpc::Endpoints;
use crate::settings::{ChainSettings, GasValue, Token};

/// Decimals of native currency on every EVM chain.
const NATIVE_DECIMALS: u8 = 18;

/// The books' name of native currency, which has no contract.
const NATIVE: &str = "native";

/// An account's address on a chain.
#[derive(Debug, Clone)]
pub struct EvmWallet {
    /// Who is asked.
    pub endpoints: Arc<Endpoints>,
    /// What the account trades.
    pub settings: ChainSettings,
    /// Whose funds.
    pub address: Address,
}

#[async_trait]
impl Wallet for EvmWallet {
    fn books(&self, engine: &Engine) -> Books {
        books(engine, &self.settings)
    }

    async fn is_on_its_chain(&self) -> Result<bool, Unread> {
        let found = self.endpoints.chain_id().await.map_err(Unread::new)?;
        Ok(found == self.settings.chain_id)
    }

    async fn figures(&self) -> Result<WalletFigures, Unread> {
        let figures = Figures::read(&self.endpoints, &self.settings, self.address).await;
        Ok(in_whole_tokens(&figures.map_err(Unread::new)?, &self.settings))
    }

    fn poll(&self) -> Duration {
        self.settings.poll
    }
}

/// What of an engine's books the chain can contradict.
#[must_use]
pub fn books(engine: &Engine, settings: &ChainSettings) -> Books {
    let market = |market: &crate::settings::Market| Market {
        instrument: market.instrument,
        base: booked(&market.base),
        quote: booked(&market.quote),
    };
    let traded = Traded {
        markets: settings.markets.iter().map(market).collect(),
        paid_in_currency: settings.gas_value == GasValue::Native,
        most_cost: &most_gas,
    };
    Books::of(engine, &traded)
}

fn booked(token: &Token) -> BookedToken {
    let id = if token.native { NATIVE.to_owned() } else { token.address.to_string() };
    BookedToken { id, symbol: token.symbol.clone(), is_native: token.native }
}

/// As the books write it. What is of no token that is traded is left out.
fn in_whole_tokens(figures: &Figures, settings: &ChainSettings) -> WalletFigures {
    let traded = settings.markets.iter().flat_map(|market| [&market.quote, &market.base]);
    let tokens: Vec<&Token> = traded.filter(|token| !token.native).collect();
    let find = |address: &Address| tokens.iter().find(|token| token.address == *address);
    let balances = figures
        .tokens
        .iter()
        .filter_map(|(address, units)| Some((address.to_string(), decimal(*units, find(address)?.decimals))));
    let permissions = figures.allowances.iter().filter_map(|((address, spender), units)| {
        let kind = PermissionKind::Router(decimal(*units, find(address)?.decimals));
        Some(Permission { token: address.to_string(), who: spender.to_string(), kind })
    });
    WalletFigures {
        chain: ChainName::Evm(figures.chain_id),
        address: figures.address.to_string(),
        block: figures.block,
        timestamp: Some(figures.timestamp),
        native: decimal(figures.native, NATIVE_DECIMALS),
        balances: balances.collect(),
        permissions: permissions.collect(),
        transactions: Some(TransactionCounts { mined: figures.mined, pending: figures.pending }),
        beside: None,
    }
}

/// The most that a transaction can cost, in native currency.
fn most_gas(transaction: &SignedTransaction) -> Decimal {
    let mut raw = transaction.raw.as_slice();
    let Ok(TxEnvelope::Eip1559(signed)) = TxEnvelope::decode_2718(&mut raw) else { return Decimal::ZERO };
    let signed = signed.tx();
    let wei = U256::from(signed.gas_limit).saturating_mul(U256::from(signed.max_fee_per_gas));
    decimal(wei, NATIVE_DECIMALS)
}

/// As the books write it. More than they can write is the most that they can: no permission is larger.
fn decimal(units: U256, decimals: u8) -> Decimal {
    from_units(units, decimals).unwrap_or(Decimal::MAX)
}
