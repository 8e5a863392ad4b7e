//! How orders end, and what that cost.

use bulkhead_core::money::{Money, Quantity};
use bulkhead_core::venue::ReportedEvent;
use bulkhead_core::venue::stage::{Attempt, Landing, TransactionId};
use bulkhead_venue::{Journal, Left};
use rust_decimal::Decimal;

use super::prepare::is_slippage;
use super::trade::End;
use super::{FIRST_PAUSE, LONGEST_PAUSE, Pursuit, signature_of};
use crate::amounts::from_units;
use crate::cluster::Cluster;
use crate::jupiter::Ask;
use crate::programs::{SOL_DECIMALS, WRAPPED_SOL};
use crate::settings::FeeValue;
use crate::settlement::{self, Moved};

/// How much native currency the worth of fees is asked for: a hundredth of a unit, in lamports.
const ASKED: u64 = 10_000_000;
/// How often it is asked for.
const MOST_ASKED_FOR_WORTH: u32 = 20;
/// From one order to the next it is not worth that many times more or less.
const LEAP: Decimal = Decimal::TWO;
/// How often what is final is asked for before a person must look. Nodes show it some moments later.
const MOST_ASKED: u32 = 60;

impl<C: Cluster, J: Journal> Pursuit<C, J> {
    /// Ends an order of which nothing is out there.
    pub(super) async fn end(&self, end: End) -> Result<(), Left> {
        let gas = self.costs(None).await?;
        let order = self.terms.id.0;
        match end {
            End::Cancelled => {
                tracing::info!(order, "taken back while nothing of it was out there");
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

    /// The trade landed and did nothing.
    pub(super) async fn report_failed(&self, id: &TransactionId) -> Result<(), Left> {
        let moved = self.moved(id).await?;
        let reason = match &moved.error {
            Some(error) if is_slippage(error) => {
                "the price moved beyond its bound before it landed".to_owned()
            }
            Some(error) => {
                let last = moved.logs.last().map(|line| format!(" ({line})")).unwrap_or_default();
                format!("{error}{last}")
            }
            None => {
                return Err(Left::Contradiction(format!("{id} failed, and now it is said that it did not")));
            }
        };
        let gas = self.costs(Some((id, &moved))).await?;
        tracing::warn!(order = self.terms.id.0, %id, reason, "failed on the chain");
        self.report(ReportedEvent::Rejected { reason: format!("failed on the chain: {reason}"), gas }).await
    }

    /// Books what the trade really brought.
    pub(super) async fn settle(&self, id: &TransactionId) -> Result<(), Left> {
        let moved = self.moved(id).await?;
        let market = self.market().ok_or_else(|| {
            Left::Contradiction(
                "its instrument is not traded here any more, so what it brought can't be read".to_owned(),
            )
        })?;
        if moved.error.is_some() {
            return Err(Left::Contradiction(format!("{id} succeeded, and now it is said that it failed")));
        }
        let tips = self.desk.settings.tip_accounts();
        let traded = settlement::traded(&moved, market, self.terms.side, self.owner(), &tips);
        let traded = traded.map_err(|error| Left::Contradiction(format!("{id}: {error}")))?;
        let quantity = Quantity(from_units(traded.base, market.base.decimals));
        let value = Money(from_units(traded.quote, market.quote.decimals));
        let fee = self.costs(Some((id, &moved))).await?;
        tracing::info!(order = self.terms.id.0, %id, %quantity, %value, %fee, "executed");
        self.report(ReportedEvent::Settled { quantity, value, fee }).await
    }

    /// What a transaction moved that is final.
    async fn moved(&self, id: &TransactionId) -> Result<Moved, Left> {
        let (signature, level) = (signature_of(id)?, self.final_level());
        for _ in 0..MOST_ASKED {
            match self.insist(|| self.desk.cluster.moved(signature, level)).await {
                Ok(Some(moved)) => return Ok(moved),
                Ok(None) => tokio::time::sleep(self.desk.settings.poll.min(LONGEST_PAUSE)).await,
                Err(error) => return Err(Left::Contradiction(format!("{id}: {error}"))),
            }
        }
        Err(Left::Contradiction(format!("{id} was final, and no node shows what it moved")))
    }

    /// What all transactions of the order that landed have cost, in the account's currency. One of them may have been read
    /// already.
    async fn costs(&self, read: Option<(&TransactionId, &Moved)>) -> Result<Money, Left> {
        let tips = self.desk.settings.tip_accounts();
        let mut lamports = 0_i128;
        for Attempt { transaction, landing } in self.attempts.as_slice() {
            if !matches!(landing, Landing::Succeeded(_) | Landing::Failed(_)) {
                continue;
            }
            lamports += match read {
                Some((id, moved)) if *id == transaction.id => moved.costs(self.owner(), &tips),
                _ => self.moved(&transaction.id).await?.costs(self.owner(), &tips),
            };
        }
        // A closed account may give back more than the fee. Nobody is paid for trading.
        let lamports = u64::try_from(lamports.max(0)).unwrap_or(u64::MAX);
        if lamports == 0 {
            return Ok(Money::ZERO);
        }
        let worth = self.fee_value().await?;
        Ok(Money(from_units(lamports, SOL_DECIMALS).checked_mul(worth).unwrap_or_default()))
    }

    /// What a unit of native currency is worth in the account's currency.
    async fn fee_value(&self) -> Result<Decimal, Left> {
        let currency = match (self.desk.settings.fee_value, self.desk.settings.markets.first()) {
            (FeeValue::Native, _) | (_, None) => return Ok(Decimal::ONE),
            (FeeValue::Quoted, Some(market)) => &market.quote,
        };
        let ask = Ask {
            input: WRAPPED_SOL,
            output: currency.mint,
            amount: ASKED,
            slippage_bps: self.desk.settings.slippage_bps,
            taker: self.owner(),
            venues: Vec::new(),
        };
        for attempt in 0..MOST_ASKED_FOR_WORTH {
            if attempt > 0 {
                tokio::time::sleep(self.desk.settings.poll.max(FIRST_PAUSE)).await;
            }
            let Ok(quote) = self.desk.swaps.quote(&ask).await else { continue };
            let worth =
                from_units(quote.out_amount, currency.decimals).checked_div(from_units(ASKED, SOL_DECIMALS));
            let mut last = self.last_fee_value();
            // SOL's own market says what it is worth before anybody was asked.
            let reference = self.market().filter(|market| market.base.is_native());
            let reference = reference.map(|_| self.terms.reference_price.0);
            match (worth.filter(|worth| *worth > Decimal::ZERO), last.or(reference)) {
                // What it was worth at the order before is nearer to the truth than such a leap.
                (Some(worth), Some(before)) if worth > before * LEAP || worth * LEAP < before => {
                    tracing::warn!(%worth, %before, "what SOL is said to be worth is not believed");
                    return Ok(before);
                }
                (Some(worth), _) => {
                    *last = Some(worth);
                    return Ok(worth);
                }
                (None, _) => {}
            }
        }
        let last = *self.last_fee_value();
        last.ok_or_else(|| {
            let why =
                "nobody says what SOL is worth, so its fee can't be booked; see that the aggregator answers";
            Left::Contradiction(why.to_owned())
        })
    }

    fn last_fee_value(&self) -> std::sync::MutexGuard<'_, Option<Decimal>> {
        self.desk.last_fee_value.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
