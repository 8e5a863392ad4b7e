//! Why a contract refused, in words.

use alloy::primitives::Bytes;
use alloy::sol_types::{Panic, Revert, SolError as _};

/// What a contract gave back when it refused: the words of `revert("…")`, the meaning of a panic, or the selector of a
/// custom error with its data.
#[must_use]
pub fn decode(data: &Bytes) -> String {
    if data.is_empty() {
        return "it gave no reason".to_owned();
    }
    if let Ok(Revert { reason }) = Revert::abi_decode(data) {
        return printable(&reason);
    }
    if let Ok(panic) = Panic::abi_decode(data) {
        let kind = panic.kind().map_or_else(|| format!("code {}", panic.code), |kind| kind.to_string());
        return format!("panic: {kind}");
    }
    match data.get(..4) {
        Some(selector) => {
            let rest = data.get(4..).unwrap_or_default();
            let shown = rest.get(..rest.len().min(96)).unwrap_or_default();
            let more = if rest.len() > shown.len() { "…" } else { "" };
            let (selector, shown) = (alloy::hex::encode(selector), alloy::hex::encode(shown));
            format!("custom error 0x{selector} with data 0x{shown}{more}")
        }
        None => format!("0x{}", alloy::hex::encode(data)),
    }
}

/// Strangers wrote these words: no control characters, and not too many.
fn printable(reason: &str) -> String {
    let clean: String =
        reason.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(200).collect();
    if clean.is_empty() { "it gave an empty reason".to_owned() } else { clean }
}

/// What traders should know of reasons that routers are known to give.
#[must_use]
pub fn advice(reason: &str) -> Option<&'static str> {
    let known = [
        ("INSUFFICIENT_OUTPUT_AMOUNT", "the price moved further than the slippage allows"),
        ("EXCESSIVE_INPUT_AMOUNT", "the price moved further than the slippage allows"),
        ("Too little received", "the price moved further than the slippage allows"),
        ("Too much requested", "the price moved further than the slippage allows"),
        ("EXPIRED", "it came into a block after its deadline"),
        ("Transaction too old", "it came into a block after its deadline"),
        ("UniswapV2: K", "the token keeps a part of each transfer, which this kind of swap does not allow"),
        (
            "TRANSFER_FROM_FAILED",
            "the router could not take the token: is it approved, and enough of it there?",
        ),
        ("STF", "the router could not take the token: is it approved, and enough of it there?"),
        ("INSUFFICIENT_LIQUIDITY", "the pool does not hold so much"),
    ];
    known.iter().find(|(mark, _)| reason.contains(mark)).map(|(_, meaning)| *meaning)
}

#[cfg(test)]
mod tests {
    use alloy::sol;

    use super::*;

    sol! {
        error Frozen(address who, uint256 amount);
    }

    #[test]
    fn words_panics_and_custom_errors_are_told_apart() {
        let words: Bytes = Revert::from("UniswapV2Router: EXPIRED").abi_encode().into();
        assert_eq!(decode(&words), "UniswapV2Router: EXPIRED");
        assert!(advice(&decode(&words)).unwrap().contains("deadline"));
        let overflow: Bytes = Panic::from(0x11_u64).abi_encode().into();
        assert!(decode(&overflow).contains("arithmetic"), "{}", decode(&overflow));
        let custom = Frozen { who: alloy::primitives::Address::ZERO, amount: alloy::primitives::U256::ONE };
        let custom: Bytes = custom.abi_encode().into();
        assert!(decode(&custom).starts_with("custom error 0x"), "{}", decode(&custom));
        assert_eq!(decode(&Bytes::new()), "it gave no reason");
        assert_eq!(decode(&Bytes::from_static(&[1, 2])), "0x0102");
    }

    #[test]
    fn what_a_stranger_wrote_is_made_harmless() {
        let nasty: Bytes = Revert::from(format!("\u{1b}[31m{}", "x".repeat(5_000))).abi_encode().into();
        let shown = decode(&nasty);
        assert!(!shown.contains('\u{1b}') && shown.chars().count() == 200, "{shown}");
    }
}
