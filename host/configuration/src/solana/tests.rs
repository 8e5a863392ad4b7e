use bulkhead_core::time::Span;
use rust_decimal::Decimal;

use crate::{FeedSource, Mode, SignerPlace, read};

const WHOLE: &str = r#"
        mode = "live"
        [feed]
        source = "quotes"
        [solana]
        cluster = "devnet"
        endpoints = ["http://127.0.0.1:8899", "env:ENDPOINT"]
        currency = "USDC"
        key = "trader"
        [solana.tokens]
        USDC = { mint = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", decimals = 6 }
        SOL = { native = true }
        [solana.markets.SOL-USDC]
        base = "SOL"
        probe = "100"
        [solana.bundles]
        endpoint = "https://bundles.example.org"
        tip = "0.0001"
        tip_accounts = ["96gYZGLnJYVFmbjzopPSU6QiEV5fGqZNyN9nmNhvrZU5"]
    "#;

fn keys(from: &str, to: &str) -> Vec<String> {
    assert!(WHOLE.contains(from), "{from}");
    let error = read(&WHOLE.replace(from, to)).unwrap_err();
    error.0.into_iter().map(|problem| problem.key).collect()
}

#[test]
fn a_whole_section_is_understood() {
    let configuration = read(WHOLE).unwrap();
    let solana = configuration.solana.unwrap();
    assert_eq!((configuration.mode, configuration.feed.source), (Mode::Live, FeedSource::Quotes));
    assert_eq!(solana.genesis_hash(), "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG");
    assert_eq!((solana.execution.slippage_bps, solana.signer), (50, SignerPlace::Process));
    assert_eq!(solana.execution.quote_lasts.0, Span::from_seconds(10));
    assert_eq!(solana.fees.max_priority_fee.0, Decimal::new(1, 3));
}

#[test]
fn what_is_spoken_of_must_be_there_and_be_right() {
    assert_eq!(keys("currency = \"USDC\"", "currency = \"USDT\""), ["solana.currency"]);
    assert_eq!(keys("base = \"SOL\"", "base = \"USDC\""), ["solana.markets.SOL-USDC.base"]);
    assert_eq!(keys("probe = \"100\"", "probe = \"0\""), ["solana.markets.SOL-USDC.probe"]);
    assert_eq!(keys("native = true", "native = true, decimals = 6"), ["solana.tokens.SOL.decimals"]);
    assert_eq!(keys(", decimals = 6 }", "}"), ["solana.tokens.USDC.decimals"]);
    assert_eq!(keys("EPjFWdd5", "0"), ["solana.tokens.USDC.mint"]);
    assert_eq!(keys("cluster = \"devnet\"", "cluster = \"mainnet\""), ["solana.cluster"]);
    assert_eq!(keys("tip = \"0.0001\"", "tip = \"-1\""), ["solana.bundles.tip"]);
    assert_eq!(keys("key = \"trader\"", "timeout = \"0s\"\nkey = \"trader\""), ["solana.timeout"]);
    assert_eq!(keys("key = \"trader\"", ""), ["solana.key"]);
    assert_eq!(keys("source = \"quotes\"", "source = \"simulator\""), ["feed.source"]);
    assert_eq!(keys("source = \"quotes\"", "source = \"pools\""), ["feed.source"]);
}

#[test]
fn a_leader_has_an_address_and_a_signal_of_its_own() {
    let leader = |name: &str, address: &str, signal: u32| {
        format!("[solana.wallets.{name}]\naddress = \"{address}\"\nsignal = {signal}\n")
    };
    let (one, other) =
        ("96gYZGLnJYVFmbjzopPSU6QiEV5fGqZNyN9nmNhvrZU5", "HFqU5x63VTqvQss8hp11i4wVV8bD44PvwucfZ2bU7gRe");
    let keys = |first: &str, second: &str| {
        let error = read(&format!("{WHOLE}{first}{second}")).unwrap_err();
        error.0.into_iter().map(|problem| problem.key).collect::<Vec<_>>()
    };
    assert!(read(&format!("{WHOLE}{}{}", leader("a", one, 1), leader("b", other, 32))).is_ok());
    assert_eq!(keys(&leader("a", one, 1), &leader("b", other, 1)), ["solana.wallets.b.signal"]);
    assert_eq!(keys(&leader("a", one, 1), &leader("b", one, 2)), ["solana.wallets.b.address"]);
    assert_eq!(keys(&leader("a", one, 0), &leader("b", other, 33)).len(), 2);
    assert_eq!(keys(&leader("A", one, 1), ""), ["solana.wallets.A"]);
    let pools = |log: &str| {
        format!("[solana.pools.amm]\nprogram = \"{one}\"\nwatched = \"{other}\"\nlog = \"{log}\"\n")
    };
    assert!(read(&format!("{WHOLE}{}", pools("initialize"))).is_ok());
    assert_eq!(keys(&pools(""), ""), ["solana.pools.amm.log"]);
}

#[test]
fn an_account_trades_on_one_chain_with_a_key_of_its_own() {
    let error = read("[feed]\nsource = \"quotes\"").unwrap_err();
    assert_eq!(error.0[0].key, "solana", "{error}");
    let error = read(&format!("{WHOLE}\n[accounts.alice]\n[accounts.bob]")).unwrap_err();
    assert_eq!(error.0[0].key, "accounts.bob.solana.key", "{error}");
}

/// An instrument goes by the place of its market, so another list would make SOL of what is something else.
#[test]
fn all_accounts_trade_the_markets_that_the_feed_tells_of() {
    let own =
        "[accounts.bob]\nsolana.key = \"bob\"\n[accounts.bob.solana.markets.AAA]\nbase = \"SOL\"\nprobe = 1";
    let error = read(&format!("{WHOLE}\n[accounts.alice]\n{own}")).unwrap_err();
    assert_eq!(error.0[0].key, "accounts.bob.solana.markets", "{error}");
}

#[test]
fn what_may_hold_a_secret_is_not_shown() {
    for (from, to) in [
        ("[solana.bundles]", "[solana.watch]\npushes = [\"ws://example.org/planted\"]\n[solana.bundles]"),
        ("env:ENDPOINT", "http://example.org/v3/planted"),
        ("https://bundles.example.org", "http://example.org/planted"),
        ("[solana.bundles]", "[solana.swaps]\napi_key = \"planted\"\n[solana.bundles]"),
    ] {
        let error = read(&WHOLE.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains("solana.") && !error.contains("planted"), "{error}");
    }
}
