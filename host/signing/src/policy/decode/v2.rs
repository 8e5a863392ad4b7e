//! Swaps at routers that are as Uniswap's `UniswapV2Router02`.

use alloy_primitives::{Address, U256};
use alloy_sol_types::SolCall;

use super::{Asset, Context, Swap, ends, strict};
use crate::policy::Refusal;
use crate::policy::contracts::RouterV2 as Router;

/// What all methods have in common, in the terms of a swap.
struct Terms {
    method: &'static str,
    spends_native: bool,
    buys_native: bool,
    most: U256,
    least: U256,
    path: Vec<Address>,
    to: Address,
    deadline: U256,
}

pub(super) fn decode(input: &[u8], context: &Context) -> Result<Swap, Refusal> {
    let terms = terms(input, context.value).ok_or_else(|| {
        context.not_understood("it is no swap that a V2 router knows, or not encoded strictly")
    })?;
    context.is_own(terms.to)?;
    let (first, last) = ends(&terms.path, context)?;
    if terms.spends_native {
        context.wrapped(first)?;
    } else if !context.value.is_zero() {
        return Err(context.not_understood("native currency is sent along with a swap of tokens"));
    }
    if terms.buys_native {
        context.wrapped(last)?;
    }
    Ok(Swap {
        method: terms.method,
        spent: if terms.spends_native { Asset::Native } else { Asset::Token(first) },
        most: terms.most,
        bought: if terms.buys_native { Asset::Native } else { Asset::Token(last) },
        least: terms.least,
        path: terms.path,
        deadline: terms.deadline,
    })
}

fn terms(input: &[u8], value: U256) -> Option<Terms> {
    macro_rules! tokens_in {
        ($call:ty, $most:ident, $least:ident, $buys_native:literal) => {
            if let Some(call) = strict::<$call>(input) {
                return Some(Terms {
                    method: method::<$call>(),
                    spends_native: false,
                    buys_native: $buys_native,
                    most: call.$most,
                    least: call.$least,
                    path: call.path,
                    to: call.to,
                    deadline: call.deadline,
                });
            }
        };
    }
    macro_rules! native_in {
        ($call:ty, $least:ident) => {
            if let Some(call) = strict::<$call>(input) {
                return Some(Terms {
                    method: method::<$call>(),
                    spends_native: true,
                    buys_native: false,
                    most: value,
                    least: call.$least,
                    path: call.path,
                    to: call.to,
                    deadline: call.deadline,
                });
            }
        };
    }
    tokens_in!(Router::swapExactTokensForTokensCall, amountIn, amountOutMin, false);
    tokens_in!(Router::swapTokensForExactTokensCall, amountInMax, amountOut, false);
    tokens_in!(Router::swapExactTokensForETHCall, amountIn, amountOutMin, true);
    tokens_in!(Router::swapTokensForExactETHCall, amountInMax, amountOut, true);
    tokens_in!(
        Router::swapExactTokensForTokensSupportingFeeOnTransferTokensCall,
        amountIn,
        amountOutMin,
        false
    );
    tokens_in!(Router::swapExactTokensForETHSupportingFeeOnTransferTokensCall, amountIn, amountOutMin, true);
    native_in!(Router::swapExactETHForTokensCall, amountOutMin);
    native_in!(Router::swapETHForExactTokensCall, amountOut);
    native_in!(Router::swapExactETHForTokensSupportingFeeOnTransferTokensCall, amountOutMin);
    None
}

/// The method's name without its arguments.
fn method<C: SolCall>() -> &'static str {
    C::SIGNATURE.split('(').next().unwrap_or(C::SIGNATURE)
}
