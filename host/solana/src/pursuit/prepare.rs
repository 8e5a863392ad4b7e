//! Quote, checks, and a transaction that was verified and tried.

use std::collections::BTreeSet;

use bulkhead_core::money::Money;
use bulkhead_core::order::{Pricing, Side};
use bulkhead_core::venue::stage::Stage;
use bulkhead_venue::Journal;
use rust_decimal::Decimal;
use solana_address::Address;
use solana_message::{AddressLookupTableAccount, VersionedMessage};
use solana_transaction_error::TransactionError;
use tokio::time::Instant;

use super::Pursuit;
use super::trade::{Stop, refused};
use crate::amounts::{from_units, share, share_up, to_units, to_units_down};
use crate::cluster::{Cluster, Lifetime, Trial};
use crate::effects::{self, Accounts};
use crate::holding::holding;
use crate::jupiter::{AccountMeta, Ask, Instruction, Offer, Parts, Quote};
use crate::programs::{MOST_UNITS, SYSTEM};
use crate::settings::{Market, Token};
use crate::verify::{self, Asked, Tables, Tip, Verified, read_table};

/// A purchase is for an exact amount of what is paid, so how much that is for a quantity is found by trying.
const MOST_QUOTES: u32 = 4;
/// It may bring so much less than was ordered, as a part of ten thousand.
const CLOSE_ENOUGH_BPS: u64 = 5;
/// So many orders in a row differ in what they may compute.
const OWN_UNITS: u64 = 1_000;
/// A whole, in basis points.
const WHOLE: u64 = 10_000;
/// What the aggregator's older form computes about, so that a price of a unit becomes a fee.
const USUAL_UNITS: u32 = 200_000;
/// The aggregator's number for a swap that would bring too little.
const SLIPPAGE_EXCEEDED: u32 = 6001;

/// A trade that has passed all checks.
pub(super) struct Prepared {
    pub(super) verified: Verified,
    pub(super) lifetime: Lifetime,
    pub(super) quoted: Instant,
    /// What must be there of what is given, and of lamports.
    given: Token,
    amount: u64,
    lamports: u64,
}

impl<C: Cluster, J: Journal> Pursuit<C, J> {
    pub(super) async fn prepare(&mut self) -> Result<Prepared, Stop> {
        let desk = self.desk.clone();
        let market = self.market().cloned().ok_or_else(|| refused("its instrument is not traded here"))?;
        let (given, got) = match self.terms.side {
            Side::Buy => (market.quote.clone(), market.base.clone()),
            Side::Sell => (market.base.clone(), market.quote.clone()),
        };
        let (quote, least) = self.find_quote(&market, &given, &got).await?;
        self.check_quote(&quote)?;
        self.must_be_near_reference(&market, &quote)?;
        let (expected, limit) = match self.terms.side {
            Side::Buy => (quote.in_amount, quote.in_amount),
            Side::Sell => (quote.out_amount, least),
        };
        let money = |units: u64| Money(from_units(units, market.quote.decimals));
        let route = quote.venues.join(", ");
        self.reach(Stage::Quoted { expected: money(expected), limit: money(limit), route }).await?;
        if self.terms.side == Side::Buy {
            self.ensure_allowed(&market).await?;
        }
        let owner = self.owner();
        let own = desk.cluster.token_accounts(owner).await?;
        let traded = [given.account_of(owner), got.account_of(owner)];
        let untouched: BTreeSet<Address> =
            own.iter().map(|(address, _)| *address).filter(|address| !traded.contains(address)).collect();
        let mut prices = desk.cluster.recent_prices(&[]).await?;
        let fees = &desk.settings.fees;
        let usual_fee = crate::fees::priority_fee(USUAL_UNITS, fees.price(&prices, USUAL_UNITS));
        let mut offer = desk.swaps.offer(&quote, owner, usual_fee).await?;
        let tip = desk.settings.tip.clone();
        if let (Offer::Parts(parts), Some(tip)) = (&mut offer, &tip) {
            parts.instructions.extend(tip_instruction(owner, tip));
        }
        let tables = self.tables(&offer).await?;
        let lifetime = desk.cluster.lifetime().await?;
        let asked = Asked {
            owner,
            given: given.clone(),
            got,
            amount: quote.in_amount,
            least,
            router: desk.settings.router,
            most_priority: fees.most_priority,
            tip,
            blockhash: lifetime.blockhash,
            untouched,
        };
        let mut verified = match &offer {
            Offer::Whole(message) => {
                let mut message = message.clone();
                message.set_recent_blockhash(lifetime.blockhash);
                verified(&message, &tables, &asked)?
            }
            Offer::Parts(parts) => {
                let message = compiled(parts, &tables, &asked, MOST_UNITS, 0)?;
                verified(&message, &tables, &asked)?
            }
        };
        let watched = effects::watched(&asked);
        let before = desk.cluster.accounts(&watched).await?;
        let trial = desk.cluster.try_out(&verified.unsigned(), &watched).await?;
        if let Some(error) = &trial.error {
            return Err(explained(error, &trial));
        }
        let (before, after) = (accounts(&watched, before), accounts(&watched, trial.accounts));
        effects::check(&before, &after, &asked, verified.summary()).map_err(|effect| {
            refused(format!("the transaction does something else than was asked for: {effect}"))
        })?;
        if self.terms.side == Side::Buy {
            self.ensure_sellable(&market, &quote).await?;
        }
        if let Offer::Parts(parts) = &offer {
            if let Ok(there) = desk.cluster.recent_prices(&writable(parts)).await {
                prices = there;
            }
            let units = fees.units(trial.units).saturating_add(self.own_units()).min(MOST_UNITS);
            let message = compiled(parts, &tables, &asked, units, fees.price(&prices, units))?;
            verified = self::verified(&message, &tables, &asked)?;
        }
        let lamports = |accounts: &Accounts| accounts.get(&owner).map_or(0, |account| account.lamports);
        let lamports = lamports(&before).saturating_sub(lamports(&after));
        let lamports = lamports.saturating_add(verified.summary().priority_fee);
        self.reach(Stage::Checked).await?;
        Ok(Prepared { verified, lifetime, quoted: quote.asked, given, amount: asked.amount, lamports })
    }

    /// Some units of computation more, by the order's number: what two orders want alike are not the same transaction then.
    fn own_units(&self) -> u32 {
        u32::try_from(self.terms.id.0 % OWN_UNITS).unwrap_or_default()
    }

    /// The gate let a market order pass for what it is worth at the price that it saw. A limit says for itself what is too
    /// far.
    fn must_be_near_reference(&self, market: &Market, quote: &Quote) -> Result<(), Stop> {
        let most = self.desk.settings.most_off_reference_bps;
        let (Some(most), Pricing::Market) = (most, self.terms.pricing) else { return Ok(()) };
        let worth = self.terms.reference_price.value_of(self.terms.quantity);
        let worth = worth.map_err(|error| refused(error.to_string()))?;
        let worth =
            to_units_down(worth.0, market.quote.decimals).map_err(|error| refused(error.to_string()))?;
        let bound = share(worth, most.into(), WHOLE);
        let (is_far, quoted) = match self.terms.side {
            Side::Buy => (quote.in_amount > worth.saturating_add(bound), quote.in_amount),
            Side::Sell => (quote.out_amount < worth.saturating_sub(bound), quote.out_amount),
        };
        if !is_far {
            return Ok(());
        }
        let money = |units| Money(from_units(units, market.quote.decimals));
        Err(Stop::Later(format!(
            "the aggregator offers {}, and {} was reckoned with; solana.execution.most_off_reference_bps allows {most} \
             basis points",
            money(quoted),
            money(worth)
        )))
    }

    /// A quote for the order, and what has to come at least.
    async fn find_quote(&self, market: &Market, given: &Token, got: &Token) -> Result<(Quote, u64), Stop> {
        let quantity = to_units(self.terms.quantity.0, market.base.decimals);
        let quantity = quantity.map_err(|error| refused(error.to_string()))?;
        let down = |money: Money| {
            to_units_down(money.0, market.quote.decimals).map_err(|error| refused(error.to_string()))
        };
        let at_limit = match self.terms.pricing {
            Pricing::Market => None,
            Pricing::Limit(price) => {
                let value =
                    price.value_of(self.terms.quantity).map_err(|error| refused(error.to_string()))?;
                Some(down(value)?)
            }
        };
        let usual = self.desk.settings.slippage_bps;
        let quote = match self.terms.side {
            Side::Buy => self.quote_for(given, got, quantity, down(self.budget)?).await?,
            Side::Sell => self.quote(given, got, quantity, usual).await?,
        };
        let usual_least = share(quote.out_amount, WHOLE.saturating_sub(usual.into()), WHOLE);
        // What comes at least at the order's own limit.
        let limit_least = match (self.terms.side, at_limit) {
            (_, None) => 0,
            (Side::Buy, Some(value)) => share_up(quote.in_amount, quantity, value),
            (Side::Sell, Some(value)) => value,
        };
        if quote.out_amount < limit_least {
            return Err(Stop::Later("the price is beyond its limit".to_owned()));
        }
        let least = usual_least.max(limit_least).max(1);
        if quote.least >= least {
            return Ok((quote, least));
        }
        // The swap itself has to insist on that.
        let room = share(quote.out_amount.saturating_sub(least), WHOLE, quote.out_amount);
        let tight = u16::try_from(room).unwrap_or(usual).min(usual);
        let quote = self.quote(given, got, quote.in_amount, tight).await?;
        if quote.least < least {
            return Err(Stop::Later("the price moved towards its limit".to_owned()));
        }
        Ok((quote, least))
    }

    /// What brings about this quantity and no more, as far as the aggregator can tell.
    async fn quote_for(&self, given: &Token, got: &Token, quantity: u64, budget: u64) -> Result<Quote, Stop> {
        let usual = self.desk.settings.slippage_bps;
        let mut quote = self.quote(given, got, budget, usual).await?;
        let least = share(quantity, WHOLE - CLOSE_ENOUGH_BPS, WHOLE);
        for _ in 0..MOST_QUOTES {
            if (least..=quantity).contains(&quote.out_amount) {
                return Ok(quote);
            }
            let amount = share(quote.in_amount, quantity, quote.out_amount);
            if amount > budget {
                if matches!(self.terms.pricing, Pricing::Limit(_)) {
                    return Err(Stop::Later("the price is beyond its limit".to_owned()));
                }
                let amount = from_units(amount, given.decimals);
                return Err(refused(format!(
                    "it would cost {amount}, and {} is set aside for it",
                    self.budget
                )));
            }
            quote = self.quote(given, got, amount.max(1), usual).await?;
        }
        Err(Stop::Later("the price moves too fast to find out what it costs".to_owned()))
    }

    async fn quote(&self, given: &Token, got: &Token, amount: u64, slippage_bps: u16) -> Result<Quote, Stop> {
        let settings = &self.desk.settings;
        let ask = Ask {
            input: given.mint,
            output: got.mint,
            amount,
            slippage_bps,
            taker: self.owner(),
            venues: settings.venues.iter().cloned().collect(),
        };
        Ok(self.desk.swaps.quote(&ask).await?)
    }

    fn check_quote(&self, quote: &Quote) -> Result<(), Stop> {
        let settings = &self.desk.settings;
        if quote.asked.elapsed() > settings.quote_lasts {
            return Err(Stop::Later("the quote took too long to come".to_owned()));
        }
        if quote.out_amount == 0 {
            return Err(refused("it would bring nothing"));
        }
        let impact = quote.price_impact.saturating_mul(Decimal::from(WHOLE));
        if impact > Decimal::from(settings.price_impact_bps) {
            let impact = impact.round_dp(1);
            return Err(refused(format!(
                "it would move the price by {impact} basis points, and at most {} are allowed; make the order smaller",
                settings.price_impact_bps
            )));
        }
        let other = quote.venues.iter().find(|venue| !settings.venues.contains(*venue));
        match other {
            Some(other) if !settings.venues.is_empty() => {
                Err(refused(format!("its way leads over {other}, which is not allowed")))
            }
            _ => Ok(()),
        }
    }

    /// The lookup tables of an offer, as they stand on the chain.
    async fn tables(&self, offer: &Offer) -> Result<Tables, Stop> {
        let wanted: Vec<Address> = match offer {
            Offer::Whole(message) => {
                let lookups = message.address_table_lookups().unwrap_or_default();
                lookups.iter().map(|lookup| lookup.account_key).collect()
            }
            Offer::Parts(parts) => parts.tables.clone(),
        };
        if wanted.is_empty() {
            return Ok(Tables::new());
        }
        let found = self.desk.cluster.accounts(&wanted).await?;
        let mut tables = Tables::new();
        for (table, account) in wanted.into_iter().zip(found) {
            // One that is not needed after all may be anything; one that is will be missed.
            if let Some(Ok(addresses)) = account.as_ref().map(read_table) {
                tables.insert(table, addresses);
            }
        }
        Ok(tables)
    }

    /// What is needed is there, asked as late as can be.
    pub(super) async fn check_balances(&self, prepared: &Prepared) -> Result<(), Stop> {
        let (owner, settings) = (self.owner(), &self.desk.settings);
        let given = prepared.given.account_of(owner);
        let found = self.desk.cluster.accounts(&[owner, given]).await?;
        let found = accounts(&[owner, given], found);
        if !prepared.given.is_native() {
            let there = found.get(&given).and_then(holding).map_or(0, |holding| holding.amount);
            if there < prepared.amount {
                let shown = |units| from_units(units, prepared.given.decimals);
                return Err(refused(format!(
                    "the wallet holds {} {}, and {} is needed",
                    shown(there),
                    prepared.given.symbol,
                    shown(prepared.amount)
                )));
            }
        }
        let there = found.get(&owner).map_or(0, |account| account.lamports);
        let needed = prepared.lamports.saturating_add(settings.reserve);
        if there < needed {
            return Err(refused(format!(
                "the wallet holds {there} lamports, and {needed} are needed with fees and rent; send some SOL to {owner}"
            )));
        }
        Ok(())
    }
}

/// All of a tip, to one of those who may get it.
fn tip_instruction(owner: Address, tip: &Tip) -> Option<Instruction> {
    let account = |pubkey, is_signer| AccountMeta { pubkey, is_signer, is_writable: true };
    let to = *tip.accounts.first()?;
    let data = [&[2, 0, 0, 0][..], &tip.most.to_le_bytes()].concat();
    Some(Instruction { program_id: SYSTEM, accounts: vec![account(owner, true), account(to, false)], data })
}

fn verified(message: &VersionedMessage, tables: &Tables, asked: &Asked) -> Result<Verified, Stop> {
    verify::verify(message, tables, asked).map_err(|why| {
        tracing::error!(%why, "a transaction was not what was asked for, and not signed");
        refused(format!("the aggregator's transaction is not what was asked for: {why}"))
    })
}

/// Puts the parts together.
fn compiled(
    parts: &Parts,
    tables: &Tables,
    asked: &Asked,
    units: u32,
    price: u64,
) -> Result<VersionedMessage, Stop> {
    let tables: Vec<AddressLookupTableAccount> = tables
        .iter()
        .map(|(key, addresses)| AddressLookupTableAccount { key: *key, addresses: addresses.clone() })
        .collect();
    crate::jupiter::assemble(asked.owner, parts, &tables, asked.blockhash, units, price)
        .map_err(|why| refused(format!("the aggregator's instructions make no transaction: {why}")))
}

fn writable(parts: &Parts) -> Vec<Address> {
    let accounts = parts.instructions.iter().flat_map(|instruction| &instruction.accounts);
    let writable: BTreeSet<Address> =
        accounts.filter(|account| account.is_writable).map(|account| account.pubkey).collect();
    // No node takes more.
    writable.into_iter().take(128).collect()
}

fn accounts(addresses: &[Address], found: Vec<Option<solana_account::Account>>) -> Accounts {
    let pairs = addresses.iter().copied().zip(found);
    pairs.filter_map(|(address, account)| Some((address, account?))).collect()
}

/// A trial that failed: either the price moved, which may pass, or it can't be done.
fn explained(error: &TransactionError, trial: &Trial) -> Stop {
    match error {
        TransactionError::BlockhashNotFound => {
            Stop::Later("the node does not know the blockhash yet".to_owned())
        }
        error if is_slippage(error) => Stop::Later("the price moved beyond what was quoted".to_owned()),
        error => {
            let last = trial.logs.last().map(|line| format!(" ({line})")).unwrap_or_default();
            refused(format!("it would fail: {error}{last}"))
        }
    }
}

/// Whether a swap undid itself because it would have brought too little.
pub(super) fn is_slippage(error: &TransactionError) -> bool {
    matches!(
        error,
        TransactionError::InstructionError(
            _,
            solana_instruction_error::InstructionError::Custom(SLIPPAGE_EXCEEDED)
        )
    )
}
