//! Before a purchase: who has a say over the token, and can it be sold again? A token that can't is worth nothing, whatever
//! its pool says.

use bulkhead_venue::Journal;
use solana_message::AddressLookupTableAccount;
use tokio::time::Instant;

use super::Pursuit;
use super::prepare::is_slippage;
use super::trade::{Stop, refused};
use crate::amounts::share_up;
use crate::cluster::Cluster;
use crate::holding::holding;
use crate::jupiter::{Ask, Offer, Parts, Quote, SwapError};
use crate::mint::read_mint;
use crate::programs::{MOST_UNITS, TOKEN};
use crate::settings::{Market, Token};
use crate::verify::read_table;

/// The trial sells at any price: what it brings is looked at afterwards.
const ANY_PRICE_BPS: u16 = 9_900;

impl<C: Cluster, J: Journal> Pursuit<C, J> {
    /// Whether what an instrument is of was looked at a short while ago, or need not be.
    fn is_known_as_safe(&self, market: &Market) -> bool {
        let Some(lasts) = self.desk.settings.safe_for else { return true };
        let safe = self.desk.safe.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        market.base.is_native() || safe.get(&market.instrument).is_some_and(|at| at.elapsed() < lasts)
    }

    /// Refuses a token that the operator would not put up with.
    pub(super) async fn ensure_allowed(&self, market: &Market) -> Result<(), Stop> {
        if self.is_known_as_safe(market) {
            return Ok(());
        }
        let (desk, base) = (&self.desk, &market.base);
        let not_bought = |why: String| refused(format!("{} is not bought: {why}", base.symbol));
        let found = desk.cluster.accounts(&[base.mint]).await?;
        let mint = found.into_iter().next().flatten();
        let mint = mint.as_ref().map(read_mint).transpose().map_err(|error| not_bought(error.to_string()))?;
        let mint = mint.ok_or_else(|| not_bought("there is no such token".to_owned()))?;
        if (mint.program, mint.decimals) != (base.program, base.decimals) {
            let why = format!("it has {} decimals and is of {}", mint.decimals, mint.program);
            return Err(not_bought(format!("{why}, and is configured otherwise")));
        }
        let protection = &desk.settings.protection;
        protection.check(&mint).map_err(|error| not_bought(error.to_string()))?;
        if protection.largest_holders_bps.is_some() {
            let largest = desk.cluster.largest_accounts(base.mint).await?;
            protection.check_holders(&largest, mint.supply).map_err(|error| not_bought(error.to_string()))?;
        }
        Ok(())
    }

    /// Refuses a token that could not be sold again. The purchase itself was verified and tried before.
    pub(super) async fn ensure_sellable(&self, market: &Market, quote: &Quote) -> Result<(), Stop> {
        if self.is_known_as_safe(market) {
            return Ok(());
        }
        if let Some(why) = self.try_both_ways(market, quote).await? {
            // What a token of the first program does is in that program, and nobody was found to have a say over it: its own
            // program lets it be sold. One with extensions is not bought without a trial.
            if market.base.program != TOKEN {
                return Err(self.unsellable(&market.base, format!("its sale could not be tried: {why}")));
            }
            tracing::warn!(order = self.terms.id.0, why, "the sale could not be tried");
            return Ok(());
        }
        let mut safe = self.desk.safe.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        safe.insert(market.instrument, Instant::now());
        Ok(())
    }

    /// Tries the purchase and the sale of what it brings in one transaction that is never signed. The aggregator's older
    /// form gives no parts to put together.
    ///
    /// Says why it could not be tried, if so.
    async fn try_both_ways(&self, market: &Market, quote: &Quote) -> Result<Option<&'static str>, Stop> {
        const WHOLE: &str = "the aggregator gives no parts to put together";
        let (desk, owner) = (&self.desk, self.owner());
        let Offer::Parts(buy) = desk.swaps.offer(quote, owner, 0).await? else { return Ok(Some(WHOLE)) };
        let ask = Ask {
            input: market.base.mint,
            output: market.quote.mint,
            amount: quote.least,
            slippage_bps: ANY_PRICE_BPS,
            taker: owner,
            venues: desk.settings.venues.iter().cloned().collect(),
        };
        let back = desk.swaps.quote(&ask).await.map_err(|error| match error {
            SwapError::Unavailable(_) => Stop::from(error),
            error => self.unsellable(&market.base, error),
        })?;
        let Offer::Parts(sell) = desk.swaps.offer(&back, owner, 0).await? else { return Ok(Some(WHOLE)) };
        let both = Parts {
            instructions: buy.instructions.into_iter().chain(sell.instructions).collect(),
            tables: buy.tables.into_iter().chain(sell.tables).collect(),
        };
        let lifetime = desk.cluster.lifetime().await?;
        let mut tables = Vec::new();
        if !both.tables.is_empty() {
            let found = desk.cluster.accounts(&both.tables).await?;
            for (key, account) in both.tables.iter().zip(found) {
                if let Some(Ok(addresses)) = account.as_ref().map(read_table) {
                    tables.push(AddressLookupTableAccount { key: *key, addresses });
                }
            }
        }
        let message = crate::jupiter::assemble(owner, &both, &tables, lifetime.blockhash, MOST_UNITS, 0);
        let Ok(message) = message else { return Ok(Some("both ways can't be put together")) };
        let signatures = vec![Default::default(); usize::from(message.header().num_required_signatures)];
        let trip = solana_transaction::versioned::VersionedTransaction { signatures, message };
        if wincode::serialize(&trip).is_ok_and(|bytes| bytes.len() > crate::verify::MOST_BYTES) {
            return Ok(Some("both ways are too long for one trial"));
        }
        let account = market.quote.account_of(owner);
        let before = desk.cluster.accounts(&[account]).await?;
        let trial = desk.cluster.try_out(&trip, &[account]).await?;
        if let Some(error) = &trial.error {
            if is_slippage(error) {
                return Err(Stop::Later("the price moved while the sale was tried".to_owned()));
            }
            let last = trial.logs.last().map(|line| format!(" ({line})")).unwrap_or_default();
            return Err(self.unsellable(&market.base, format!("{error}{last}")));
        }
        let amount =
            |account: Option<&solana_account::Account>| account.and_then(holding).map(|held| held.amount);
        let before = before.first().and_then(|account| amount(account.as_ref()));
        let after = trial.accounts.first().and_then(|account| amount(account.as_ref()));
        if market.quote.is_native() {
            // What is wrapped comes and goes; that the sale went through has to do.
            return Ok(None);
        }
        let (Some(before), Some(after)) = (before, after) else {
            return Ok(Some("what the wallet holds of the currency is not known"));
        };
        let lost = share_up(before.saturating_sub(after), 10_000, quote.in_amount);
        let most = u64::from(desk.settings.round_trip_bps);
        if lost > most {
            let why = format!(
                "buying and selling it would cost {lost} basis points, and at most {most} are allowed"
            );
            return Err(self.unsellable(&market.base, why));
        }
        Ok(None)
    }

    fn unsellable(&self, token: &Token, why: impl std::fmt::Display) -> Stop {
        refused(format!("{} could not be sold again: {why}", token.symbol))
    }
}
