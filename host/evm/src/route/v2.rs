//! Routers like Uniswap V2's.

use alloy::primitives::{Address, U256};
use alloy::sol_types::SolCall as _;
use bulkhead_core::order::Side;

use super::{Swap, Terms, directed, read_everywhere};
use crate::chain::{Chain, ChainError};
use crate::contracts::RouterV2 as Router;

/// What each server says would be given, or come.
pub(super) async fn quote<C: Chain>(
    chain: &C,
    router: Address,
    path: &[Address],
    side: Side,
    quantity: U256,
) -> Result<Vec<U256>, ChainError> {
    let path = directed(path, side);
    let answers = match side {
        Side::Buy => {
            let function = Router::getAmountsInCall { amountOut: quantity, path };
            read_everywhere(chain, router, &function).await?
        }
        Side::Sell => {
            let function = Router::getAmountsOutCall { amountIn: quantity, path };
            read_everywhere(chain, router, &function).await?
        }
    };
    let other = |amounts: Vec<U256>| {
        let other = if side == Side::Buy { amounts.first() } else { amounts.last() };
        other.copied().filter(|_| amounts.len() > 1)
    };
    let quoted: Vec<U256> = answers.into_iter().filter_map(other).collect();
    if quoted.is_empty() {
        return Err(ChainError::Malformed(format!("the router {router} quotes too few amounts")));
    }
    Ok(quoted)
}

pub(super) fn swap(router: Address, path: &[Address], terms: &Terms<'_>, amount_in: U256) -> Swap {
    let Terms { market, side, quantity, limit, account: to, keeps_a_part, .. } = *terms;
    let deadline = U256::from(terms.deadline);
    let path = directed(path, side);
    let (native_in, native_out) = match side {
        Side::Buy => (market.quote.native, market.base.native),
        Side::Sell => (market.base.native, market.quote.native),
    };
    let (value, data) = match (side, keeps_a_part) {
        (Side::Buy, false) => {
            let (amount_out, most) = (quantity, limit);
            if native_in {
                (
                    most,
                    Router::swapETHForExactTokensCall { amountOut: amount_out, path, to, deadline }
                        .abi_encode(),
                )
            } else if native_out {
                let call = Router::swapTokensForExactETHCall {
                    amountOut: amount_out,
                    amountInMax: most,
                    path,
                    to,
                    deadline,
                };
                (U256::ZERO, call.abi_encode())
            } else {
                let call = Router::swapTokensForExactTokensCall {
                    amountOut: amount_out,
                    amountInMax: most,
                    path,
                    to,
                    deadline,
                };
                (U256::ZERO, call.abi_encode())
            }
        }
        // What comes is less than the pool gives, by what the token keeps.
        (Side::Buy, true) => {
            let least = terms.least_received();
            if native_in {
                let call = Router::swapExactETHForTokensSupportingFeeOnTransferTokensCall {
                    amountOutMin: least,
                    path,
                    to,
                    deadline,
                };
                (amount_in, call.abi_encode())
            } else {
                let call = Router::swapExactTokensForTokensSupportingFeeOnTransferTokensCall {
                    amountIn: amount_in,
                    amountOutMin: least,
                    path,
                    to,
                    deadline,
                };
                (U256::ZERO, call.abi_encode())
            }
        }
        (Side::Sell, _) => sale(terms, path, native_in, native_out, deadline),
    };
    Swap { router, data: data.into(), value }
}

/// The router looks at what really came in calls that are made for such tokens.
pub(super) fn probe(router: Address, path: &[Address], terms: &Terms<'_>, amount_in: U256) -> Swap {
    let deadline = U256::from(terms.deadline);
    let (least, path, to) = (terms.quantity, path.to_vec(), terms.account);
    let (value, data) = if terms.market.quote.native {
        let call = Router::swapExactETHForTokensSupportingFeeOnTransferTokensCall {
            amountOutMin: least,
            path,
            to,
            deadline,
        };
        (amount_in, call.abi_encode())
    } else {
        let call = Router::swapExactTokensForTokensSupportingFeeOnTransferTokensCall {
            amountIn: amount_in,
            amountOutMin: least,
            path,
            to,
            deadline,
        };
        (U256::ZERO, call.abi_encode())
    };
    Swap { router, data: data.into(), value }
}

fn sale(
    terms: &Terms<'_>,
    path: Vec<Address>,
    native_in: bool,
    native_out: bool,
    deadline: U256,
) -> (U256, Vec<u8>) {
    let Terms { quantity: amount_in, limit: least, account: to, keeps_a_part, .. } = *terms;
    if native_in {
        let call = Router::swapExactETHForTokensCall { amountOutMin: least, path, to, deadline };
        return (amount_in, call.abi_encode());
    }
    let data = match (native_out, keeps_a_part) {
        (true, false) => {
            Router::swapExactTokensForETHCall { amountIn: amount_in, amountOutMin: least, path, to, deadline }
                .abi_encode()
        }
        (true, true) => Router::swapExactTokensForETHSupportingFeeOnTransferTokensCall {
            amountIn: amount_in,
            amountOutMin: least,
            path,
            to,
            deadline,
        }
        .abi_encode(),
        (false, false) => Router::swapExactTokensForTokensCall {
            amountIn: amount_in,
            amountOutMin: least,
            path,
            to,
            deadline,
        }
        .abi_encode(),
        (false, true) => Router::swapExactTokensForTokensSupportingFeeOnTransferTokensCall {
            amountIn: amount_in,
            amountOutMin: least,
            path,
            to,
            deadline,
        }
        .abi_encode(),
    };
    (U256::ZERO, data)
}
