//! What a trade really brought, read from what the chain wrote down of it. A quote is never booked.

use alloy::primitives::{Address, U256};
use alloy::rpc::types::{Log, TransactionReceipt};
use alloy::sol_types::SolEvent as _;
use bulkhead_core::order::Side;

use crate::chain::Receipt;
use crate::contracts::{Erc20, WrappedNative};
use crate::settings::{Market, Token};

/// What came and went, in the tokens' smallest units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traded {
    /// Of the base token.
    pub base: U256,
    /// Of the quote token.
    pub quote: U256,
}

/// A receipt that does not fit the trade.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the receipt shows that {incoming} {token} came and {outgoing} went, which does not fit the trade; compare the \
         balances with `bulkhead reconcile`"
)]
pub struct Unexplained {
    /// Of which token.
    pub token: String,
    /// What came.
    pub incoming: U256,
    /// What went.
    pub outgoing: U256,
}

/// Reads a trade from its receipt.
///
/// # Errors
///
/// [`Unexplained`] when something came that should have gone, or nothing moved at all.
pub fn traded(
    receipt: &TransactionReceipt,
    market: &Market,
    side: Side,
    account: Address,
    router: Address,
) -> Result<Traded, Unexplained> {
    let logs = receipt.logs();
    let (given, got) = match side {
        Side::Buy => (&market.quote, &market.base),
        Side::Sell => (&market.base, &market.quote),
    };
    let went = moved(logs, given, account, router, true)?;
    let came = moved(logs, got, account, router, false)?;
    Ok(match side {
        Side::Buy => Traded { base: came, quote: went },
        Side::Sell => Traded { base: went, quote: came },
    })
}

/// The net amount that went out, or came in.
fn moved(
    logs: &[Log],
    token: &Token,
    account: Address,
    router: Address,
    outgoing: bool,
) -> Result<U256, Unexplained> {
    let (came, went) =
        if token.native { wrapped(logs, token, router) } else { transfers(logs, token, account) };
    let (more, less) = if outgoing { (went, came) } else { (came, went) };
    match more.checked_sub(less) {
        Some(net) if !net.is_zero() => Ok(net),
        _ => Err(Unexplained { token: token.symbol.clone(), incoming: came, outgoing: went }),
    }
}

fn transfers(logs: &[Log], token: &Token, account: Address) -> (U256, U256) {
    let mut sums = (U256::ZERO, U256::ZERO);
    for log in logs.iter().filter(|log| log.address() == token.address) {
        let Ok(transfer) = Erc20::Transfer::decode_log(&log.inner) else { continue };
        if transfer.to == account {
            sums.0 = sums.0.saturating_add(transfer.value);
        }
        if transfer.from == account {
            sums.1 = sums.1.saturating_add(transfer.value);
        }
    }
    sums
}

/// The router wraps just what the trade takes of native currency, and unwraps what it brings.
fn wrapped(logs: &[Log], token: &Token, router: Address) -> (U256, U256) {
    let mut sums = (U256::ZERO, U256::ZERO);
    for log in logs.iter().filter(|log| log.address() == token.address) {
        if let Ok(event) = WrappedNative::Withdrawal::decode_log(&log.inner)
            && event.owner == router
        {
            sums.0 = sums.0.saturating_add(event.value);
        }
        if let Ok(event) = WrappedNative::Deposit::decode_log(&log.inner)
            && event.owner == router
        {
            sums.1 = sums.1.saturating_add(event.value);
        }
    }
    sums
}

/// What a transaction in a block cost its sender besides what it moved, in wei.
#[must_use]
pub fn cost(receipt: &Receipt) -> U256 {
    let Receipt { transaction, data_fee } = receipt;
    let gas = U256::from(transaction.gas_used).saturating_mul(U256::from(transaction.effective_gas_price));
    gas.saturating_add(data_fee.unwrap_or_default())
}
