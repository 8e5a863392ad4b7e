//! Before a purchase: can the token be sold again? A token that can't is worth nothing, whatever its pool says.

use std::time::Duration;

use alloy::primitives::{Address, U256};
use bulkhead_core::identifier::InstrumentId;
use bulkhead_venue::Journal;
use tokio::time::Instant;

use super::Pursuit;
use crate::chain::Chain;
use crate::pools::round_trip::{RoundTrip, RoundTripError, Verdict};
use crate::settings::{GasValue, Market, Route, TransferFees};

/// Basis points that rounding may look like.
const ROUNDING_BPS: u32 = 1;

/// Why a token is not bought.
pub(super) enum Unsellable {
    /// It can't be sold, or too much is kept on the way.
    Found(String),
    /// It can't be found out at the moment.
    Unknown(String),
}

impl<C: Chain, J: Journal> Pursuit<C, J> {
    /// Tries a purchase and a sale without sending anything, unless that was done a short while ago. The native currency
    /// needs no trial.
    pub(super) async fn ensure_sellable(
        &self,
        market: &Market,
        route: &Route,
        amount: U256,
    ) -> Result<(), Unsellable> {
        let desk = &self.desk;
        let Some(lasts) = desk.settings.resale_known_for else { return Ok(()) };
        let wrapped_native = wrapped_native(&desk.settings.gas_value, market);
        if market.base.native
            || market.base.address == wrapped_native
            || self.is_known(market.instrument, lasts)
        {
            return Ok(());
        }
        let trip = RoundTrip { route: route.clone(), wrapped_native, amount };
        let symbol = &market.base.symbol;
        let verdict = desk.chain.try_round_trip(&trip).await.map_err(|error| match error {
            RoundTripError::Chain(error) => Unsellable::Unknown(error.to_string()),
            RoundTripError::NoFunds { .. } | RoundTripError::NoAmount | RoundTripError::NoWay => Unsellable::Found(format!(
                "whether {symbol} can be sold again can't be tried: {error}; evm.execution.resale_known_for = \"off\" buys without"
            )),
        })?;
        let most = match market.transfer_fees {
            TransferFees::Refused => ROUNDING_BPS,
            // On the way in and on the way out.
            TransferFees::UpTo(fee) => fee.saturating_mul(2).saturating_add(ROUNDING_BPS),
        };
        if verdict.is_within(most) {
            self.note(market.instrument);
            return Ok(());
        }
        Err(Unsellable::Found(match verdict {
            Verdict::Sellable { buy_tax_bps, sell_tax_bps } => format!(
                "{symbol} keeps {buy_tax_bps} basis points of a purchase and {sell_tax_bps} of a sale; that is more than \
                 transfer_fee_bps allows"
            ),
            Verdict::NoMarket { reason } => format!("there is no market for {symbol}: {reason}"),
            Verdict::NotBuyable { reason } => format!("{symbol} can't be bought: {reason}"),
            Verdict::NotApprovable { reason } | Verdict::NotSellable { reason } => {
                format!("{symbol} could not be sold again: {reason}")
            }
        }))
    }

    fn is_known(&self, instrument: InstrumentId, lasts: Duration) -> bool {
        let sellable = self.desk.sellable.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        sellable.get(&instrument).is_some_and(|at| at.elapsed() < lasts)
    }

    fn note(&self, instrument: InstrumentId) {
        let mut sellable = self.desk.sellable.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        sellable.insert(instrument, Instant::now());
    }
}

/// What wraps the native currency.
fn wrapped_native(gas_value: &GasValue, market: &Market) -> Address {
    match gas_value {
        GasValue::Native => market.quote.address,
        GasValue::Route(Route::V2 { path, .. } | Route::V3 { path, .. }) => {
            path.last().copied().unwrap_or_default()
        }
    }
}
