//! From an order of which nothing is out there to a signed trade, or to an end before that.

use alloy::consensus::TxEip1559;
use alloy::primitives::{TxKind, U256};
use alloy::rpc::types::TransactionRequest;
use bulkhead_core::money::Money;
use bulkhead_core::order::{Pricing, Side};
use bulkhead_core::venue::stage::{Purpose, Stage};
use bulkhead_venue::{Journal, Left};
use tokio::time::Instant;

use super::Pursuit;
use super::resale::Unsellable;
use super::sending::Sending;
use crate::amounts::{basis_points_of, from_units, to_units, to_units_down};
use crate::chain::{At, Chain, ChainError, Head};
use crate::contracts::Erc20;
use crate::fees::GasPrice;
use crate::revert;
use crate::route::{self, Quote, Swap, Terms};
use crate::settings::{Market, Route, Token, TransferFees};

/// How often an order is begun anew after a transaction that could not land.
const MOST_BEGINNINGS: u32 = 3;

/// How an order ends of which nothing is out there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// It was wanted back.
    Cancelled,
    /// Its time is over.
    Expired,
    /// It can't be executed.
    Refused(String),
}

/// Why no transaction was made this time.
pub(super) enum Stop {
    /// It is for the order to end.
    End(End),
    /// It is to be tried again a little later.
    Later(String),
    /// Something else must land first, an approval as a rule: what comes next follows from it.
    First,
    /// The order stays as it is.
    Left(Left),
}

impl From<Left> for Stop {
    fn from(left: Left) -> Self {
        Self::Left(left)
    }
}

impl From<ChainError> for Stop {
    fn from(error: ChainError) -> Self {
        match error {
            ChainError::Unavailable(why) => Self::Later(why),
            // One server may be a block ahead of another.
            ChainError::Disagreement(_) => Self::Later(error.to_string()),
            ChainError::Reverted(_) | ChainError::Refused(_) | ChainError::Malformed(_) => {
                refused(error.to_string())
            }
        }
    }
}

impl From<Unsellable> for Stop {
    fn from(unsellable: Unsellable) -> Self {
        match unsellable {
            Unsellable::Found(why) => refused(why),
            Unsellable::Unknown(why) => Self::Later(why),
        }
    }
}

pub(super) fn refused(why: impl Into<String>) -> Stop {
    Stop::End(End::Refused(why.into()))
}

/// A trade that has passed all checks.
struct Prepared {
    swap: Swap,
    quoted: Instant,
    deadline: u64,
    gas_limit: u64,
    price: GasPrice,
    /// What must be there of the token that is given, and of native currency.
    needs: Needs,
}

pub(super) struct Needs {
    pub(super) given: Token,
    pub(super) amount: U256,
    pub(super) native: U256,
}

impl<C: Chain, J: Journal> Pursuit<C, J> {
    /// Tries until something is out there or the order ends without that.
    pub(super) async fn trade(&mut self) -> Result<Option<End>, Left> {
        let mut last = None;
        loop {
            if self.cancel_wanted() {
                return Ok(Some(End::Cancelled));
            }
            if self.timed_out() {
                tracing::info!(order = self.terms.id.0, why = last.as_deref(), "its time is over");
                return Ok(Some(End::Expired));
            }
            if self.given_up >= MOST_BEGINNINGS {
                let why = last.unwrap_or_else(|| "no transaction could land".to_owned());
                return Ok(Some(End::Refused(format!("after {MOST_BEGINNINGS} tries: {why}"))));
            }
            match self.try_trade().await {
                Ok(()) | Err(Stop::First) => return Ok(None),
                Err(Stop::End(end)) => return Ok(Some(end)),
                Err(Stop::Left(left)) => return Err(left),
                Err(Stop::Later(why)) => {
                    tracing::debug!(order = self.terms.id.0, why, "not yet");
                    last = Some(why);
                    let poll = self.desk.settings.poll;
                    self.pause(poll).await;
                }
            }
        }
    }

    async fn try_trade(&mut self) -> Result<(), Stop> {
        let prepared = self.prepare().await?;
        let desk = self.desk.clone();
        let lease = desk.lane.lease(&desk.chain).await?;
        // Others may have been before it for longer than the quote lasts, and have spent what it needs.
        if prepared.quoted.elapsed() > desk.settings.quote_lasts {
            return Err(Stop::Later("the quote was too old when its turn came".to_owned()));
        }
        if self.cancel_wanted() {
            return Err(Stop::End(End::Cancelled));
        }
        self.check_balances(&prepared.needs).await?;
        let transaction = self.transaction(&prepared, lease.nonce());
        match self.sign_and_send_leased(transaction, Purpose::Trade, prepared.deadline, lease).await? {
            Sending::Out => {
                if let Some(claimed) = &self.claimed {
                    claimed.sent();
                }
                Ok(())
            }
            Sending::First => Err(Stop::First),
            Sending::Later(why) => Err(Stop::Later(why)),
            Sending::NotSigned(error) => Err(refused(error.to_string())),
        }
    }

    fn transaction(&self, prepared: &Prepared, nonce: u64) -> TxEip1559 {
        TxEip1559 {
            chain_id: self.desk.settings.chain_id,
            nonce,
            gas_limit: prepared.gas_limit,
            max_fee_per_gas: prepared.price.most,
            max_priority_fee_per_gas: prepared.price.tip,
            to: TxKind::Call(prepared.swap.router),
            value: prepared.swap.value,
            access_list: Default::default(),
            input: prepared.swap.data.clone(),
        }
    }

    /// Quotes, and looks at all that could go wrong.
    async fn prepare(&mut self) -> Result<Prepared, Stop> {
        let desk = self.desk.clone();
        let market = self.market().cloned();
        let market = market.ok_or_else(|| refused("its instrument is not traded on this chain"))?;
        let quantity = to_units(self.terms.quantity.0, market.base.decimals);
        let quantity = quantity.map_err(|error| refused(error.to_string()))?;
        let side = self.terms.side;
        let quoted = Instant::now();
        let quotes = route::quotes(&desk.chain, &market, side, quantity).await?;
        let quote = quotes.into_iter().next().ok_or_else(|| refused("no route quotes"))?;
        let limit = self.limit(&market, &quote)?;
        let expected = if side == Side::Buy { quote.amount_in } else { quote.amount_out };
        self.reach(Stage::Quoted {
            expected: self.money(expected, &market.quote),
            limit: self.money(limit, &market.quote),
            route: described(&quote.route),
        })
        .await?;
        let head = desk.chain.head().await?;
        let price = GasPrice::at(head.base_fee, desk.chain.tip().await?, &desk.settings.fees);
        let price = price.map_err(|dear| Stop::Later(dear.to_string()))?;
        let (given, amount) = match side {
            Side::Buy => (&market.quote, limit),
            Side::Sell => (&market.base, quantity),
        };
        if side == Side::Buy {
            self.ensure_sellable(&market, &quote.route, quote.amount_in).await?;
        }
        let keeps_a_part = matches!(market.transfer_fees, TransferFees::UpTo(_));
        let deadline = deadline(&head, desk.settings.deadline.as_secs());
        let terms = Terms {
            market: &market,
            side,
            quantity,
            limit,
            account: self.account(),
            deadline,
            keeps_a_part,
            slippage_bps: desk.settings.slippage_bps,
        };
        let swap = quote.swap(&terms);
        if !given.native {
            self.ensure_approved(given, quote.route.router(), amount, price).await?;
        }
        let mut needs = Needs { given: given.clone(), amount, native: swap.value };
        self.check_balances(&needs).await?;
        let request = TransactionRequest::default()
            .from(self.account())
            .to(swap.router)
            .input(swap.data.clone().into())
            .value(swap.value);
        let gas_limit = self.dry_run(request, quote.is_agreed).await?;
        if let (Some(probe), false) = (quote.probe(&terms), keeps_a_part) {
            self.refuse_kept_parts(probe, &market, &quote).await?;
        }
        let gas_cost = U256::from(gas_limit).saturating_mul(U256::from(price.most));
        needs.native = swap.value.saturating_add(gas_cost);
        self.check_balances(&needs).await?;
        self.reach(Stage::Checked).await?;
        Ok(Prepared { swap, quoted, deadline, gas_limit, price, needs })
    }

    /// The most that may be paid, or the least that must come, in units of the quote token.
    fn limit(&self, market: &Market, quote: &Quote) -> Result<U256, Stop> {
        let decimals = market.quote.decimals;
        let slippage = self.desk.settings.slippage_bps;
        let bound =
            |money: Money| to_units_down(money.0, decimals).map_err(|error| refused(error.to_string()));
        let at_limit = match self.terms.pricing {
            Pricing::Market => {
                self.must_be_near_reference(market, quote)?;
                None
            }
            Pricing::Limit(price) => {
                Some(price.value_of(self.terms.quantity).map_err(|error| refused(error.to_string()))?)
            }
        };
        match self.terms.side {
            Side::Buy => {
                let expected = quote.amount_in;
                let mut most = expected.saturating_add(basis_points_of(expected, slippage));
                if let Some(at_limit) = at_limit {
                    let at_limit = bound(at_limit)?;
                    if expected > at_limit {
                        return Err(Stop::Later("the price is above its limit".to_owned()));
                    }
                    most = most.min(at_limit);
                }
                let budget = bound(self.budget)?;
                if expected > budget {
                    let expected = self.money(expected, &market.quote);
                    let why = format!("it would cost {expected}, and {} is set aside for it", self.budget);
                    return Err(refused(why));
                }
                Ok(most.min(budget))
            }
            Side::Sell => {
                let expected = quote.amount_out;
                let mut least = expected.saturating_sub(basis_points_of(expected, slippage));
                if let Some(at_limit) = at_limit {
                    let at_limit = bound(at_limit)?;
                    if expected < at_limit {
                        return Err(Stop::Later("the price is below its limit".to_owned()));
                    }
                    least = least.max(at_limit);
                }
                if least.is_zero() {
                    return Err(refused("it would bring nothing"));
                }
                Ok(least)
            }
        }
    }

    /// What a server says of a price may be wrong, and a price may have run away since the order was made: a market order is
    /// not executed at one that is far from what the gate reckoned with.
    fn must_be_near_reference(&self, market: &Market, quote: &Quote) -> Result<(), Stop> {
        let Some(most) = self.desk.settings.most_off_reference_bps else { return Ok(()) };
        let reference = self.terms.reference_price;
        let worth = reference.value_of(self.terms.quantity).map_err(|error| refused(error.to_string()))?;
        let worth =
            to_units_down(worth.0, market.quote.decimals).map_err(|error| refused(error.to_string()))?;
        let bound = basis_points_of(worth, most);
        let (is_far, quoted) = match self.terms.side {
            Side::Buy => (quote.amount_in > worth.saturating_add(bound), quote.amount_in),
            Side::Sell => (quote.amount_out < worth.saturating_sub(bound), quote.amount_out),
        };
        if !is_far {
            return Ok(());
        }
        let (quoted, worth) = (self.money(quoted, &market.quote), self.money(worth, &market.quote));
        Err(Stop::Later(format!(
            "the pools offer {quoted}, and {worth} was reckoned with; evm.execution.most_off_reference_bps allows {most} \
             basis points"
        )))
    }

    fn money(&self, units: U256, token: &Token) -> Money {
        Money(from_units(units, token.decimals).unwrap_or_default())
    }

    pub(super) async fn check_balances(&self, needs: &Needs) -> Result<(), Stop> {
        let (chain, account) = (&self.desk.chain, self.account());
        if !needs.given.native {
            let function = Erc20::balanceOfCall { owner: account };
            let there = route::read(chain, needs.given.address, &function, At::Latest).await?;
            if there < needs.amount {
                let (there, needed) = (shown(there, &needs.given), shown(needs.amount, &needs.given));
                return Err(refused(format!("the account holds {there}, and {needed} is needed")));
            }
        }
        let native = needs.native.saturating_add(U256::from(self.desk.settings.gas_reserve));
        let there = chain.balance(account).await?;
        if there < native {
            let why = format!(
                "the account holds {there} wei, and {native} are needed with gas; send some native currency to {account}"
            );
            return Err(refused(why));
        }
        Ok(())
    }

    /// Tries the call without sending it, and says how much gas to allow it. Where servers are not at the same block its
    /// limit may be from another than the one that it is tried at, which says nothing of the trade.
    async fn dry_run(&self, request: TransactionRequest, is_agreed: bool) -> Result<u64, Stop> {
        let explained = |error| match error {
            ChainError::Reverted(_) if !is_agreed => {
                Stop::Later("it would be reverted, at servers that see different prices".to_owned())
            }
            ChainError::Reverted(data) => {
                let reason = revert::decode(&data);
                let advice = revert::advice(&reason).map(|advice| format!(" ({advice})")).unwrap_or_default();
                refused(format!("it would be reverted: {reason}{advice}"))
            }
            error => error.into(),
        };
        self.desk.chain.call(request.clone(), At::Latest).await.map_err(explained)?;
        let gas = self.desk.chain.estimate_gas(request).await.map_err(explained)?;
        Ok(self.desk.settings.gas_limit(gas))
    }

    /// A purchase of a token that keeps a part of transfers brings less than was paid for. So does one at a price that has
    /// moved since it was quoted, which says nothing of the token.
    async fn refuse_kept_parts(&self, probe: Swap, market: &Market, quote: &Quote) -> Result<(), Stop> {
        let request = TransactionRequest::default()
            .from(self.account())
            .to(probe.router)
            .input(probe.data.into())
            .value(probe.value);
        match self.desk.chain.call(request, At::Latest).await {
            Ok(_) => Ok(()),
            Err(ChainError::Reverted(data)) => {
                let quantity = quote.amount_out;
                let now = route::quote(&self.desk.chain, &quote.route, Side::Buy, quantity).await?;
                if now != *quote {
                    return Err(Stop::Later("the price moved while it was tried".to_owned()));
                }
                let reason = revert::decode(&data);
                Err(refused(format!(
                    "{} does not arrive whole ({reason}): it keeps a part of each transfer; allow it with \
                     transfer_fees, up to a bound, if that is wanted",
                    market.base.symbol
                )))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The clock of the chain counts, which may be behind that of this machine or before it.
fn deadline(head: &Head, seconds: u64) -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_secs());
    head.timestamp.max(now).saturating_add(seconds)
}

pub(super) fn shown(units: U256, token: &Token) -> String {
    match from_units(units, token.decimals) {
        Ok(amount) => format!("{amount} {}", token.symbol),
        Err(_) => format!("{units} units of {}", token.symbol),
    }
}

fn described(route: &Route) -> String {
    match route {
        Route::V2 { path, .. } => format!("V2 over {} pools", path.len().saturating_sub(1)),
        Route::V3 { fees, .. } => {
            let fees: Vec<String> = fees.iter().map(u32::to_string).collect();
            format!("V3 over pools with fees of {}", fees.join(", "))
        }
    }
}
