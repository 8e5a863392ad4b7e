//! An account's wallet, with what the books say is there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bulkhead_core::engine::Engine;
use bulkhead_core::venue::stage::SignedTransaction;
use bulkhead_venue::reconcile::books::{Books, Market, Token as BookedToken, Traded};
use bulkhead_venue::reconcile::figures::{Beside, ChainName, Figures, Permission, PermissionKind};
use bulkhead_venue::reconcile::{Unread, Wallet};
use rust_decimal::Decimal;
use solana_account::Account;
use solana_address::Address;

use super::cost::most_cost;
use crate::amounts::from_units;
use crate::cluster::{Cluster as _, ClusterError, Level};
use crate::holding::{Holding, holding};
use crate::programs::{SOL_DECIMALS, WRAPPED_SOL};
use crate::rpc::Endpoints;
use crate::settings::{FeeValue, SolanaSettings, Token};

/// An account's wallet on a cluster.
#[derive(Debug, Clone)]
pub struct SolanaWallet {
    /// Who is asked.
    pub endpoints: Arc<Endpoints>,
    /// What the account trades.
    pub settings: SolanaSettings,
    /// Whose funds.
    pub owner: Address,
}

#[async_trait]
impl Wallet for SolanaWallet {
    fn books(&self, engine: &Engine) -> Books {
        books(engine, &self.settings)
    }

    async fn is_on_its_chain(&self) -> Result<bool, Unread> {
        let found = self.endpoints.genesis_hash().await.map_err(Unread::new)?;
        Ok(found == self.settings.genesis_hash)
    }

    async fn figures(&self) -> Result<Figures, Unread> {
        self.read().await.map_err(Unread::new)
    }

    fn poll(&self) -> Duration {
        self.settings.poll
    }
}

/// What of an engine's books the cluster can contradict.
#[must_use]
pub fn books(engine: &Engine, settings: &SolanaSettings) -> Books {
    let market = |market: &crate::settings::Market| Market {
        instrument: market.instrument,
        base: booked(&market.base),
        quote: booked(&market.quote),
    };
    let cost = |transaction: &SignedTransaction| sol(most_cost(&transaction.raw));
    let traded = Traded {
        markets: settings.markets.iter().map(market).collect(),
        paid_in_currency: settings.fee_value == FeeValue::Native,
        most_cost: &cost,
    };
    Books::of(engine, &traded)
}

fn booked(token: &Token) -> BookedToken {
    let (id, symbol) = (token.mint.to_string(), token.symbol.clone());
    BookedToken { id, symbol, is_native: token.is_native() }
}

fn sol(lamports: u64) -> Decimal {
    from_units(lamports, SOL_DECIMALS)
}

impl SolanaWallet {
    /// The books are kept by blocks of this level.
    fn level(&self) -> Level {
        self.settings.finality.level()
    }

    /// What is traded, by its mint, each once.
    fn traded(&self) -> BTreeMap<Address, &Token> {
        let tokens = self.settings.markets.iter().flat_map(|market| [&market.quote, &market.base]);
        tokens.map(|token| (token.mint, token)).collect()
    }

    async fn read(&self) -> Result<Figures, ClusterError> {
        let tokens = self.traded();
        let own: Vec<(&Token, Address)> =
            tokens.values().map(|token| (*token, token.account_of(self.owner))).collect();
        let addresses: Vec<Address> =
            [self.owner].into_iter().chain(own.iter().map(|(_, account)| *account)).collect();
        let snapshot = self.endpoints.snapshot(&addresses, self.level()).await?;
        let all = self.endpoints.token_accounts_at(self.owner, self.level()).await?;
        let (wallet, accounts) = match snapshot.accounts.split_first() {
            Some((wallet, accounts)) => (wallet.as_ref(), accounts),
            None => (None, &[][..]),
        };
        let mut figures = Figures {
            chain: ChainName::Solana(self.settings.genesis_hash.clone()),
            address: self.owner.to_string(),
            block: snapshot.slot,
            timestamp: None,
            native: sol(wallet.map_or(0, |wallet| wallet.lamports)),
            balances: BTreeMap::new(),
            permissions: Vec::new(),
            transactions: None,
            beside: Some(self.beside(&all, &tokens)),
        };
        for ((token, _), account) in own.iter().zip(accounts) {
            // One that was given away is not the wallet's any more.
            let held = account.as_ref().and_then(holding);
            let held = held.filter(|held| held.mint == token.mint && held.owner == self.owner);
            let amount = held.map_or(Decimal::ZERO, |held| from_units(held.amount, token.decimals));
            if token.is_native() {
                figures.native = figures.native.saturating_add(amount);
            } else {
                figures.balances.insert(token.mint.to_string(), amount);
            }
            figures.permissions.extend(held.iter().flat_map(|held| self.permissions(token, held)));
        }
        Ok(figures)
    }

    /// What somebody else may do with an account of the wallet.
    fn permissions(&self, token: &Token, held: &Holding) -> Vec<Permission> {
        let delegate = held.delegate.filter(|(who, amount)| *who != self.owner && *amount > 0);
        let delegate =
            delegate.map(|(who, amount)| (who, PermissionKind::Delegate(from_units(amount, token.decimals))));
        let closer = held.close_authority.filter(|who| *who != self.owner);
        let closer = closer.map(|who| (who, PermissionKind::CloseAuthority));
        let permission = |(who, kind): (Address, PermissionKind)| Permission {
            token: token.mint.to_string(),
            who: who.to_string(),
            kind,
        };
        delegate.into_iter().chain(closer).map(permission).collect()
    }

    /// What is in token accounts that no trade uses, and the rent of all of them.
    fn beside(&self, all: &[(Address, Account)], traded: &BTreeMap<Address, &Token>) -> Beside {
        let (mut rent, mut others) = (0_u64, BTreeSet::new());
        for (address, account) in all {
            let Some(held) = holding(account).filter(|held| held.owner == self.owner) else { continue };
            let wrapped = if held.mint == WRAPPED_SOL { held.amount } else { 0 };
            rent = rent.saturating_add(account.lamports.saturating_sub(wrapped));
            match traded.get(&held.mint) {
                _ if held.amount == 0 => {}
                Some(token) if token.account_of(self.owner) == *address => {}
                Some(token) => drop(others.insert(format!("{} in {address}", token.symbol))),
                None => drop(others.insert(held.mint.to_string())),
            }
        }
        Beside { tokens: others, rent: sol(rent), native: Token::sol().symbol }
    }
}
