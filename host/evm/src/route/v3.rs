//! Routers like Uniswap V3's first.

use alloy::primitives::{Address, Bytes, U256};
use alloy::sol_types::SolCall as _;
use bulkhead_core::order::Side;

use super::{Swap, Terms, directed, read_everywhere};
use crate::chain::{Chain, ChainError};
use crate::contracts::{QuoterV3 as Quoter, RouterV3 as Router};

/// What each server says would be given, or come.
pub(super) async fn quote<C: Chain>(
    chain: &C,
    quoter: Address,
    path: &[Address],
    fees: &[u32],
    side: Side,
    quantity: U256,
) -> Result<Vec<U256>, ChainError> {
    // Ways to exact outputs are written from what comes to what is given.
    let path = way(path, fees, Side::Sell);
    match side {
        Side::Buy => {
            let function = Quoter::quoteExactOutputCall { path, amountOut: quantity };
            read_everywhere(chain, quoter, &function).await
        }
        Side::Sell => {
            let function = Quoter::quoteExactInputCall { path, amountIn: quantity };
            read_everywhere(chain, quoter, &function).await
        }
    }
}

pub(super) fn swap(router: Address, path: &[Address], fees: &[u32], terms: &Terms<'_>) -> Swap {
    let Terms { market, side, quantity, limit, account, .. } = *terms;
    let deadline = U256::from(terms.deadline);
    let (native_in, native_out) = match side {
        Side::Buy => (market.quote.native, market.base.native),
        Side::Sell => (market.base.native, market.quote.native),
    };
    // Native currency is unwrapped at the router, which must get it first: the zero address stands for the router.
    let recipient = if native_out { Address::ZERO } else { account };
    let path = way(path, fees, Side::Sell);
    let (trade, value) = match side {
        Side::Buy => {
            let params = Router::ExactOutputParams {
                path,
                recipient,
                deadline,
                amountOut: quantity,
                amountInMaximum: limit,
            };
            let value = if native_in { limit } else { U256::ZERO };
            (Router::exactOutputCall { params }.abi_encode(), value)
        }
        Side::Sell => {
            let params = Router::ExactInputParams {
                path,
                recipient,
                deadline,
                amountIn: quantity,
                amountOutMinimum: limit,
            };
            let value = if native_in { quantity } else { U256::ZERO };
            (Router::exactInputCall { params }.abi_encode(), value)
        }
    };
    let mut calls: Vec<Bytes> = vec![trade.into()];
    if native_out {
        let least = if side == Side::Buy { quantity } else { limit };
        let unwrap = Router::unwrapWETH9Call { amountMinimum: least, recipient: account };
        calls.push(unwrap.abi_encode().into());
    }
    if native_in && side == Side::Buy {
        // What is sent and not needed stays at the router, for anybody to take, unless it is asked back.
        calls.push(Router::refundETHCall {}.abi_encode().into());
    }
    let data = match calls.as_slice() {
        [single] => single.clone(),
        _ => Router::multicallCall { data: calls }.abi_encode().into(),
    };
    Swap { router, data, value }
}

/// The router takes what is bought itself, and hands it on only if it is all there.
pub(super) fn probe(router: Address, path: &[Address], fees: &[u32], terms: &Terms<'_>) -> Swap {
    let Terms { market, quantity, limit, account, .. } = *terms;
    let params = Router::ExactOutputParams {
        path: way(path, fees, Side::Sell),
        recipient: Address::ZERO,
        deadline: U256::from(terms.deadline),
        amountOut: quantity,
        amountInMaximum: limit,
    };
    let sweep =
        Router::sweepTokenCall { token: market.base.address, amountMinimum: quantity, recipient: account };
    let data = vec![Router::exactOutputCall { params }.abi_encode().into(), sweep.abi_encode().into()];
    let value = if market.quote.native { limit } else { U256::ZERO };
    Swap { router, data: Router::multicallCall { data }.abi_encode().into(), value }
}

/// The way of a purchase, or back, as routers read it.
pub(crate) fn way(path: &[Address], fees: &[u32], side: Side) -> Bytes {
    let path = directed(path, side);
    match side {
        Side::Buy => encoded(&path, fees),
        Side::Sell => encoded(&path, &fees.iter().rev().copied().collect::<Vec<_>>()),
    }
}

/// Addresses of 20 bytes with fees of 3 between them.
fn encoded(path: &[Address], fees: &[u32]) -> Bytes {
    let mut bytes = Vec::with_capacity(path.len() * 23);
    for (place, token) in path.iter().enumerate() {
        if let Some(fee) = place.checked_sub(1).and_then(|pool| fees.get(pool)) {
            bytes.extend(fee.to_be_bytes().iter().skip(1));
        }
        bytes.extend(token.as_slice());
    }
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_addresses_with_fees_between() {
        let (a, b, c) = (Address::repeat_byte(1), Address::repeat_byte(2), Address::repeat_byte(3));
        let bytes = encoded(&[a, b, c], &[3_000, 500]);
        assert_eq!(bytes.len(), 66);
        assert_eq!(bytes.get(20..23).unwrap(), [0, 0x0b, 0xb8]);
        assert_eq!(bytes.get(43..46).unwrap(), [0, 0x01, 0xf4]);
        assert_eq!(bytes.get(46..).unwrap(), c.as_slice());
        assert_eq!(way(&[a, b, c], &[3_000, 500], Side::Sell), encoded(&[c, b, a], &[500, 3_000]));
    }
}
