//! Swaps at routers that are as Uniswap's first router for V3, `SwapRouter`.
//!
//! This router keeps what nobody collects, and whoever comes next can take it. So a swap may leave something there only
//! in a `multicall` that collects it in the same transaction: `unwrapWETH9` for native currency that was bought,
//! `refundETH` for native currency that was not spent.

use alloy_primitives::{Address, U256};

use super::{Asset, Context, Swap, ends, strict};
use crate::policy::Refusal;
use crate::policy::contracts::RouterV3 as Router;

/// One swap inside the call.
struct Terms {
    method: &'static str,
    /// Whether the whole of `most` is spent, whatever the price.
    is_exact_input: bool,
    most: U256,
    least: U256,
    path: Vec<Address>,
    recipient: Address,
    deadline: U256,
}

/// What the parts of the call add up to.
#[derive(Default)]
struct Parts {
    swap: Option<Terms>,
    unwrapped: Option<Router::unwrapWETH9Call>,
    refunds: bool,
}

pub(super) fn decode(input: &[u8], context: &Context) -> Result<Swap, Refusal> {
    let parts = match strict::<Router::multicallCall>(input) {
        Some(call) => parts(&call, context)?,
        None => Parts { swap: swap(input, context)?, ..Parts::default() },
    };
    let Some(terms) = parts.swap else {
        return Err(context.not_understood("it is no swap that a V3 router knows, or not encoded strictly"));
    };
    let (first, last) = ends(&terms.path, context)?;
    let mut bought = Asset::Token(last);
    let mut least = terms.least;
    match &parts.unwrapped {
        None => context.is_own(terms.recipient)?,
        Some(unwrap) => {
            // The router stands for itself with the zero address.
            if !terms.recipient.is_zero() {
                return Err(Refusal::Recipient { recipient: terms.recipient });
            }
            context.is_own(unwrap.recipient)?;
            context.wrapped(last)?;
            bought = Asset::Native;
            least = least.max(unwrap.amountMinimum);
        }
    }
    let spends_native = !context.value.is_zero();
    if spends_native {
        context.wrapped(first)?;
        if context.value != terms.most {
            return Err(context.not_understood("the native currency sent along is not what the swap spends"));
        }
        if !terms.is_exact_input && !parts.refunds {
            return Err(context.not_understood("what is left of the native currency is not asked back"));
        }
    }
    Ok(Swap {
        method: terms.method,
        spent: if spends_native { Asset::Native } else { Asset::Token(first) },
        most: terms.most,
        bought,
        least,
        path: terms.path,
        deadline: terms.deadline,
    })
}

/// One swap, and after it what it left behind, each at most once.
fn parts(call: &Router::multicallCall, context: &Context) -> Result<Parts, Refusal> {
    let mut parts = Parts::default();
    for data in &call.data {
        if parts.swap.is_none() {
            parts.swap = swap(data, context)?;
            if parts.swap.is_none() {
                return Err(context.not_understood("its multicall does not begin with a swap"));
            }
        } else if let Some(unwrap) = strict::<Router::unwrapWETH9Call>(data)
            && parts.unwrapped.is_none()
        {
            parts.unwrapped = Some(unwrap);
        } else if strict::<Router::refundETHCall>(data).is_some() && !parts.refunds {
            parts.refunds = true;
        } else {
            return Err(context
                .not_understood("its multicall has another part than a swap and what collects its rest"));
        }
    }
    Ok(parts)
}

fn swap(data: &[u8], context: &Context) -> Result<Option<Terms>, Refusal> {
    if let Some(call) = strict::<Router::exactInputSingleCall>(data) {
        let params = call.params;
        // A swap that stops at a price leaves a part unspent, in the router if it was native.
        without_price_limit(params.sqrtPriceLimitX96.is_zero(), context)?;
        return Ok(Some(Terms {
            method: "exactInputSingle",
            is_exact_input: true,
            most: params.amountIn,
            least: params.amountOutMinimum,
            path: vec![params.tokenIn, params.tokenOut],
            recipient: params.recipient,
            deadline: params.deadline,
        }));
    }
    if let Some(call) = strict::<Router::exactInputCall>(data) {
        let params = call.params;
        return Ok(Some(Terms {
            method: "exactInput",
            is_exact_input: true,
            most: params.amountIn,
            least: params.amountOutMinimum,
            path: tokens(&params.path, context)?,
            recipient: params.recipient,
            deadline: params.deadline,
        }));
    }
    if let Some(call) = strict::<Router::exactOutputSingleCall>(data) {
        let params = call.params;
        without_price_limit(params.sqrtPriceLimitX96.is_zero(), context)?;
        return Ok(Some(Terms {
            method: "exactOutputSingle",
            is_exact_input: false,
            most: params.amountInMaximum,
            least: params.amountOut,
            path: vec![params.tokenIn, params.tokenOut],
            recipient: params.recipient,
            deadline: params.deadline,
        }));
    }
    if let Some(call) = strict::<Router::exactOutputCall>(data) {
        let params = call.params;
        // From what is bought to what is spent.
        let mut path = tokens(&params.path, context)?;
        path.reverse();
        return Ok(Some(Terms {
            method: "exactOutput",
            is_exact_input: false,
            most: params.amountInMaximum,
            least: params.amountOut,
            path,
            recipient: params.recipient,
            deadline: params.deadline,
        }));
    }
    Ok(None)
}

fn without_price_limit(is_zero: bool, context: &Context) -> Result<(), Refusal> {
    if is_zero { Ok(()) } else { Err(context.not_understood("it has a price limit")) }
}

/// The tokens of a packed path: a token, then a fee of three bytes and a token for each pool.
fn tokens(path: &[u8], context: &Context) -> Result<Vec<Address>, Refusal> {
    const TOKEN: usize = 20;
    const HOP: usize = 23;
    let malformed = || context.not_understood("its path is no chain of tokens and fees");
    let (first, hops) = path.split_at_checked(TOKEN).ok_or_else(malformed)?;
    let (hops, rest) = hops.as_chunks::<HOP>();
    if !rest.is_empty() {
        return Err(malformed());
    }
    let mut tokens = vec![Address::from_slice(first)];
    tokens.extend(hops.iter().map(|hop| Address::from_slice(&hop[HOP - TOKEN..])));
    Ok(tokens)
}
