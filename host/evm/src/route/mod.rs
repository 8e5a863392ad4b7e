//! Ways of trading: what they would bring, and the calls that trade.
//!
//! Purchases ask for an exact amount of the base token and sales give one, so that an order is executed whole or not at
//! all. Tokens that keep a part of transfers are the exception: there the amount given is exact.

mod v2;
pub(crate) mod v3;

use alloy::primitives::{Address, Bytes, U256};
use alloy::rpc::types::TransactionRequest;
use alloy::sol_types::SolCall;
use bulkhead_core::order::Side;
use futures_util::future::join_all;

use crate::amounts::basis_points_of;
use crate::chain::{At, Chain, ChainError};
use crate::settings::{Market, Route, TransferFees};

/// Two servers' quotes of one way may be so far apart, in basis points: one may be a block ahead of the other.
const MOST_APART_BPS: u32 = 100;

/// What a route would bring at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// The way.
    pub route: Route,
    /// What is given, in the smallest units.
    pub amount_in: U256,
    /// What comes back.
    pub amount_out: U256,
    /// Whether all servers that answered quote the same. If not, one has a block that another has not.
    pub is_agreed: bool,
}

/// A trade, ready to be put into a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swap {
    /// The contract.
    pub router: Address,
    /// What it is called with.
    pub data: Bytes,
    /// Native currency that goes along, in wei.
    pub value: U256,
}

/// What a trade is about besides its route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms<'a> {
    /// The instrument.
    pub market: &'a Market,
    /// Bought or sold.
    pub side: Side,
    /// How much of the base token, in its smallest units.
    pub quantity: U256,
    /// The most quote token that is paid, or the least that must come.
    pub limit: U256,
    /// Who pays and gets.
    pub account: Address,
    /// After this time the router refuses, in seconds since 1970.
    pub deadline: u64,
    /// Whether the base token may keep a part of transfers.
    pub keeps_a_part: bool,
    /// How much worse than quoted the trade may be, in basis points.
    pub slippage_bps: u32,
}

/// What each way would bring, the best first. Ways that can't be had at the moment are left out; the error is of the last
/// when none can.
///
/// # Errors
///
/// [`ChainError`] when no way can be had.
pub async fn quotes<C: Chain>(
    chain: &C,
    market: &Market,
    side: Side,
    quantity: U256,
) -> Result<Vec<Quote>, ChainError> {
    let mut found = Vec::new();
    let mut problem = ChainError::Refused("no route is configured".to_owned());
    // At the same time: quotes don't last.
    for quoted in join_all(market.routes.iter().map(|route| quote(chain, route, side, quantity))).await {
        match quoted {
            Ok(quote) => found.push(quote),
            Err(error) => problem = error,
        }
    }
    match side {
        Side::Buy => found.sort_by_key(|quote| quote.amount_in),
        Side::Sell => found.sort_by_key(|quote| std::cmp::Reverse(quote.amount_out)),
    }
    if found.is_empty() { Err(problem) } else { Ok(found) }
}

/// What one way would bring for this much of the base token. Every server is asked, and the quote that is hardest to meet
/// counts: what is given and wanted at least follows from it, so a server that makes a worse one up gets nobody to trade
/// at it. One that is far from most others does not count.
///
/// # Errors
///
/// [`ChainError`] when it can't be had, [`ChainError::Disagreement`] when the servers' quotes are far apart.
pub async fn quote<C: Chain>(
    chain: &C,
    route: &Route,
    side: Side,
    quantity: U256,
) -> Result<Quote, ChainError> {
    let amounts = match route {
        Route::V2 { router, path } => v2::quote(chain, *router, path, side, quantity).await,
        Route::V3 { quoter, path, fees, .. } => v3::quote(chain, *quoter, path, fees, side, quantity).await,
    }?;
    let (least, most) = believed(amounts)?;
    let (amount_in, amount_out) = match side {
        Side::Buy => (least, quantity),
        Side::Sell => (quantity, most),
    };
    Ok(Quote { route: route.clone(), amount_in, amount_out, is_agreed: least == most })
}

/// The least and the most of what servers quote, without what most others contradict.
fn believed(mut amounts: Vec<U256>) -> Result<(U256, U256), ChainError> {
    amounts.sort_unstable();
    let (count, middle) = (amounts.len(), amounts.get(amounts.len() / 2).copied().unwrap_or_default());
    let bound = basis_points_of(middle, MOST_APART_BPS);
    let is_near = |amount: &U256| amount.abs_diff(middle) <= bound;
    let near: Vec<U256> = amounts.iter().copied().filter(is_near).collect();
    let (least, most) = (amounts.first().copied(), amounts.last().copied());
    if near.len() < count {
        tracing::warn!(
            ?least,
            ?most,
            "servers quote what is far apart; `bulkhead doctor` shows how they are"
        );
    }
    match (near.first(), near.last()) {
        (Some(least), Some(most)) if near.len() * 2 > count => Ok((*least, *most)),
        _ => Err(ChainError::Disagreement(format!(
            "one quotes {} where another quotes {}, in the smallest unit",
            least.unwrap_or_default(),
            most.unwrap_or_default()
        ))),
    }
}

impl Terms<'_> {
    /// The least base token that a purchase must bring where the token may keep a part.
    fn least_received(&self) -> U256 {
        let kept = match self.market.transfer_fees {
            TransferFees::Refused => 0,
            TransferFees::UpTo(basis_points) => basis_points,
        };
        let lost = kept.saturating_add(self.slippage_bps).min(10_000);
        self.quantity.saturating_sub(basis_points_of(self.quantity, lost))
    }
}

impl Quote {
    /// The call that trades on these terms.
    #[must_use]
    pub fn swap(&self, terms: &Terms<'_>) -> Swap {
        match &self.route {
            Route::V2 { router, path } => v2::swap(*router, path, terms, self.amount_in),
            Route::V3 { router, path, fees, .. } => v3::swap(*router, path, fees, terms),
        }
    }

    /// A purchase like the one on these terms which is refused when the token keeps a part of transfers. It is tried and
    /// never sent. `None` for what keeps nothing for certain.
    #[must_use]
    pub fn probe(&self, terms: &Terms<'_>) -> Option<Swap> {
        if terms.side == Side::Sell || terms.market.base.native {
            return None;
        }
        Some(match &self.route {
            Route::V2 { router, path } => v2::probe(*router, path, terms, self.amount_in),
            Route::V3 { router, path, fees, .. } => v3::probe(*router, path, fees, terms),
        })
    }
}

/// Calls a contract's function and reads its answer.
///
/// # Errors
///
/// [`ChainError`] when there is none that makes sense.
pub async fn read<C: Chain, F: SolCall>(
    chain: &C,
    contract: Address,
    function: &F,
    at: At,
) -> Result<F::Return, ChainError> {
    let request = TransactionRequest::default().to(contract).input(function.abi_encode().into());
    decoded::<F>(contract, &chain.call(request, at).await?)
}

/// Calls a contract's function at every server, on the newest state. What makes no sense is left out as long as something
/// makes sense.
async fn read_everywhere<C: Chain, F: SolCall>(
    chain: &C,
    contract: Address,
    function: &F,
) -> Result<Vec<F::Return>, ChainError> {
    let request = TransactionRequest::default().to(contract).input(function.abi_encode().into());
    let (mut read, mut problem) = (Vec::new(), None);
    for answer in chain.call_everywhere(request).await? {
        match decoded::<F>(contract, &answer) {
            Ok(answer) => read.push(answer),
            Err(error) => problem = Some(error),
        }
    }
    match problem {
        Some(error) if read.is_empty() => Err(error),
        _ => Ok(read),
    }
}

fn decoded<F: SolCall>(contract: Address, answer: &[u8]) -> Result<F::Return, ChainError> {
    if answer.is_empty() {
        let what = format!("{contract} answers {} with nothing: is it that contract?", F::SIGNATURE);
        return Err(ChainError::Malformed(what));
    }
    F::abi_decode_returns(answer)
        .map_err(|error| ChainError::Malformed(format!("{contract}, {}: {error}", F::SIGNATURE)))
}

/// From the token that is given to the one that comes: purchases go along the path, sales against it.
pub(crate) fn directed(path: &[Address], side: Side) -> Vec<Address> {
    match side {
        Side::Buy => path.to_vec(),
        Side::Sell => path.iter().rev().copied().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(amounts: &[u64]) -> Option<(u64, u64)> {
        let found = believed(amounts.iter().copied().map(U256::from).collect()).ok()?;
        Some((found.0.to(), found.1.to()))
    }

    #[test]
    fn one_that_is_far_from_most_others_does_not_count() {
        assert_eq!(range(&[10_000]), Some((10_000, 10_000)));
        assert_eq!(range(&[10_050, 10_000]), Some((10_000, 10_050)));
        assert_eq!(range(&[10_000, 10_200]), None, "of two nobody knows which");
        assert_eq!(range(&[10_000, 7_000, 10_050]), Some((10_000, 10_050)));
        assert_eq!(range(&[10_000, 20_000, 10_000]), Some((10_000, 10_000)));
        assert_eq!(range(&[1, 10_000, 20_000, 20_000]), None);
    }
}
