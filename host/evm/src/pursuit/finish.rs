//! How orders end, and what that cost.

use std::time::Duration;

use alloy::primitives::{TxKind, U256};
use alloy::rpc::types::TransactionRequest;
use bulkhead_core::money::{Money, Quantity};
use bulkhead_core::order::Side;
use bulkhead_core::venue::ReportedEvent;
use bulkhead_core::venue::stage::{Attempt, Landing, TransactionId};
use bulkhead_venue::{Journal, Left};
use rust_decimal::Decimal;
use tokio::time::Instant;

use super::trade::End;
use super::{Pursuit, hash_of, unpacked};
use crate::amounts::from_units;
use crate::chain::{At, Chain, ChainError, Receipt};
use crate::route::Quote;
use crate::settings::{GasValue, Route};
use crate::{revert, route, settlement};

/// Decimals of native currency on every EVM chain.
const NATIVE_DECIMALS: u8 = 18;

/// How long the receipt of a final transaction is asked for.
const RECEIPT_PATIENCE: Duration = Duration::from_secs(5 * 60);

/// How long servers may disagree on what gas is worth.
const QUOTE_PATIENCE: Duration = Duration::from_secs(5);

/// How much native currency the worth of gas is asked for: a hundredth of a unit.
const ASKED: u64 = 10_000_000_000_000_000;

impl<C: Chain, J: Journal> Pursuit<C, J> {
    /// Ends an order of which nothing is out there.
    pub(super) async fn end(&self, end: End) -> Result<(), Left> {
        let gas = self.costs().await?;
        let order = self.terms.id.0;
        match end {
            End::Cancelled => {
                tracing::info!(order, "taken back before anything was sent");
                self.report(ReportedEvent::Cancelled { gas }).await
            }
            End::Expired if gas.is_zero() => self.report(ReportedEvent::Expired).await,
            End::Expired => {
                let reason = "its time ran out".to_owned();
                self.report(ReportedEvent::Rejected { reason, gas }).await
            }
            End::Refused(reason) => {
                tracing::warn!(order, reason, "not executed");
                self.report(ReportedEvent::Rejected { reason, gas }).await
            }
        }
    }

    /// The order's nonce was used up by what does nothing.
    pub(super) async fn report_cancelled(&self) -> Result<(), Left> {
        let gas = self.costs().await?;
        if let Some(reason) = &self.given_up_for {
            // Nobody wanted it back: its nonce had to be used up, so that those after it don't wait for ever.
            let reason = format!("no node took its transaction: {reason}");
            return self.report(ReportedEvent::Rejected { reason, gas }).await;
        }
        tracing::info!(order = self.terms.id.0, "taken back on the chain");
        self.report(ReportedEvent::Cancelled { gas }).await
    }

    /// The trade landed and did nothing.
    pub(super) async fn report_failed(&self, id: &TransactionId) -> Result<(), Left> {
        let reason = self.reason_of(id).await?;
        let gas = self.costs().await?;
        tracing::warn!(order = self.terms.id.0, %id, reason, "reverted on the chain");
        self.report(ReportedEvent::Rejected { reason: format!("reverted on the chain: {reason}"), gas }).await
    }

    /// A chain keeps no reasons: the same call is tried on the state before its block.
    async fn reason_of(&self, id: &TransactionId) -> Result<String, Left> {
        let attempt = self.attempts.as_slice().iter().find(|attempt| attempt.transaction.id == *id);
        let Some(Attempt { transaction, landing: Landing::Failed(block) }) = attempt else {
            return Ok("nobody knows why".to_owned());
        };
        let sent = unpacked(transaction)?;
        let TxKind::Call(to) = sent.to else { return Ok("nobody knows why".to_owned()) };
        let request = TransactionRequest::default()
            .from(self.account())
            .to(to)
            .input(sent.input.into())
            .value(sent.value)
            .gas_limit(sent.gas_limit);
        let at = At::Block(block.saturating_sub(1));
        let hash = hash_of(id)?;
        if let Ok(Some(receipt)) = self.desk.chain.receipt(hash).await
            && receipt.transaction.gas_used >= sent.gas_limit - sent.gas_limit / 50
        {
            return Ok(format!(
                "it ran out of gas at {}; raise gas_margin_percent",
                receipt.transaction.gas_used
            ));
        }
        Ok(match self.desk.chain.call(request, at).await {
            Err(ChainError::Reverted(data)) => {
                let reason = revert::decode(&data);
                match revert::advice(&reason) {
                    Some(advice) => format!("{reason} ({advice})"),
                    None => reason,
                }
            }
            Ok(_) => "tried again on the block before it succeeds, so what came before it in its block was the reason"
                .to_owned(),
            Err(error) => format!("nobody knows why ({error})"),
        })
    }

    /// Books what the trade really brought.
    pub(super) async fn settle(&self, id: &TransactionId) -> Result<(), Left> {
        let receipt = self.final_receipt(id).await?.transaction;
        let Some(market) = self.market() else {
            let what = format!("{id} traded what is not configured any more");
            return Err(self.contradiction(what));
        };
        let router = receipt.to.unwrap_or_default();
        let traded = settlement::traded(&receipt, market, self.terms.side, self.account(), router);
        let traded = match traded {
            Ok(traded) => traded,
            Err(unexplained) => return Err(self.contradiction(format!("{id}: {unexplained}"))),
        };
        let amounts = from_units(traded.base, market.base.decimals)
            .and_then(|base| Ok((base, from_units(traded.quote, market.quote.decimals)?)));
        let (quantity, value) = match amounts {
            Ok((base, quote)) => (Quantity(base), Money(quote)),
            Err(error) => return Err(self.contradiction(format!("{id}: {error}"))),
        };
        let fee = self.costs().await?;
        let side = if self.terms.side == Side::Buy { "bought" } else { "sold" };
        tracing::info!(order = self.terms.id.0, %id, %quantity, %value, %fee, side, "executed");
        self.report(ReportedEvent::Settled { quantity, value, fee }).await
    }

    /// The receipt of what is final. One of several servers may be behind the one that said so, so it is asked for a while.
    async fn final_receipt(&self, id: &TransactionId) -> Result<Receipt, Left> {
        let (hash, begun) = (hash_of(id)?, Instant::now());
        loop {
            match self.insist(|| self.desk.chain.receipt(hash)).await {
                Ok(Some(receipt)) => return Ok(receipt),
                Ok(None) if begun.elapsed() < RECEIPT_PATIENCE => {
                    tracing::warn!(order = self.terms.id.0, %id, "its receipt is not there; asking again");
                    tokio::time::sleep(self.desk.settings.poll).await;
                }
                Ok(None) => return Err(self.contradiction(format!("{id} was final and is gone"))),
                Err(error) => return Err(self.contradiction(format!("{id}: {error}"))),
            }
        }
    }

    /// What all transactions of the order that landed have cost, in the account's currency.
    async fn costs(&self) -> Result<Money, Left> {
        let mut wei = U256::ZERO;
        for Attempt { transaction, landing } in self.attempts.as_slice() {
            if matches!(landing, Landing::Succeeded(_) | Landing::Failed(_)) {
                let receipt = self.final_receipt(&transaction.id).await?;
                wei = wei.saturating_add(settlement::cost(&receipt));
            }
        }
        if wei.is_zero() {
            return Ok(Money::ZERO);
        }
        let native = from_units(wei, NATIVE_DECIMALS).unwrap_or(Decimal::MAX);
        let worth = self.gas_worth().await;
        Ok(Money(native.checked_mul(worth).unwrap_or_default()))
    }

    /// A quote on which servers agree, if they do within a while.
    async fn settled_quote(&self, route: &Route, asked: U256) -> Result<Quote, ChainError> {
        let begun = Instant::now();
        loop {
            let quoted = self.insist(|| route::quote(&self.desk.chain, route, Side::Sell, asked)).await;
            match quoted {
                Err(ChainError::Disagreement(_)) if begun.elapsed() < QUOTE_PATIENCE => {
                    tokio::time::sleep(self.desk.settings.poll).await;
                }
                quoted => return quoted,
            }
        }
    }

    /// What a unit of native currency is worth in the account's currency.
    async fn gas_worth(&self) -> Decimal {
        let route = match &self.desk.settings.gas_value {
            GasValue::Native => return Decimal::ONE,
            GasValue::Route(route) => route,
        };
        let asked = U256::from(ASKED);
        let quoted = self.settled_quote(route, asked).await;
        let decimals =
            self.desk.settings.markets.first().map_or(NATIVE_DECIMALS, |market| market.quote.decimals);
        let worth = quoted.ok().and_then(|quote| {
            let asked = from_units(asked, NATIVE_DECIMALS).ok()?;
            from_units(quote.amount_out, decimals).ok()?.checked_div(asked)
        });
        let mut last = self.desk.last_gas_value.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if worth.is_some() {
            *last = worth;
        }
        last.unwrap_or_else(|| {
            tracing::error!("nobody says what gas is worth, so it is not booked; check the gas route");
            Decimal::ZERO
        })
    }
}
