use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulkhead_core::identifier::InstrumentId;
use bulkhead_solana::programs::{TOKEN, WRAPPED_SOL};
use bulkhead_solana::rpc::history::{Parsed, read_transaction};
use bulkhead_solana::settings::{Market, Token};
use bulkhead_solana::wallets::new_pools::{PoolProgram, made};
use bulkhead_solana::wallets::recognition::{Costs, Movement, recognise};
use bulkhead_solana::wallets::settings::WatchName;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use solana_address::Address;
use solana_signature::Signature;

fn key(number: u8) -> Address {
    Address::new_from_array([number; 32])
}

/// What a node tells of a transaction in which a wallet paid one token and got another, and a pool came to be.
#[must_use]
pub fn swap() -> Value {
    let wallet = key(1);
    let balance = |index: u64, mint: u8, owner: u8, amount: &str| {
        json!({
            "accountIndex": index, "mint": key(mint).to_string(), "owner": key(owner).to_string(),
            "programId": TOKEN.to_string(),
            "uiTokenAmount": {"amount": amount, "decimals": 6, "uiAmount": null, "uiAmountString": amount}
        })
    };
    let program = key(9).to_string();
    json!({
        "slot": 7, "blockTime": 1_790_000_000, "version": 0,
        "transaction": [transaction(wallet), "base64"],
        "meta": {
            "err": null, "status": {"Ok": null}, "fee": 5_000, "innerInstructions": [], "rewards": [],
            "preBalances": [100_000_000, 2_039_280, 2_039_280, 0, 0],
            "postBalances": [95_000_000, 2_039_280, 2_039_280, 2_039_280, 2_039_280],
            "preTokenBalances": [balance(1, 2, 1, "500"), balance(2, 3, 1, "0")],
            "postTokenBalances": [
                balance(1, 2, 1, "400"), balance(2, 3, 1, "900"), balance(3, 2, 4, "100"), balance(4, 3, 4, "50")
            ],
            "logMessages": [
                format!("Program {program} invoke [1]"), "Program log: initialize", format!("Program {program} success")
            ]
        }
    })
}

/// A transaction with five accounts and no instruction, whose signature is nothing.
fn transaction(wallet: Address) -> String {
    use solana_message::{MessageHeader, VersionedMessage, v0};
    use solana_transaction::versioned::VersionedTransaction;
    let message = v0::Message {
        header: MessageHeader { num_required_signatures: 1, ..MessageHeader::default() },
        account_keys: vec![wallet, key(11), key(12), key(13), key(14)],
        ..v0::Message::default()
    };
    let message = VersionedMessage::V0(message);
    let transaction = VersionedTransaction { signatures: vec![Signature::default()], message };
    let bytes = wincode::serialize(&transaction).expect("a transaction can be written");
    STANDARD.encode(bytes)
}

/// Checks what is made of what a node says of a transaction.
///
/// # Panics
///
/// When a swap has a side that is nothing, or both are of one token, or a pool is.
pub fn check(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return };
    let Some(parsed) = read_transaction(value, Signature::default()) else { return };
    let costs = Costs::default();
    for wallet in (1..4).map(key).chain(parsed.moved.keys.first().copied()) {
        is_one_for_another(recognise(&parsed, wallet, &costs));
    }
    pools(&parsed);
}

fn program() -> PoolProgram {
    PoolProgram {
        name: WatchName::new("amm").expect("a name"),
        program: key(9),
        watched: key(8),
        log: "initialize".to_owned(),
    }
}

fn is_one_for_another(movement: Movement) {
    let Movement::Swap(swap) = movement else { return };
    assert!(swap.given.amount > Decimal::ZERO && swap.got.amount > Decimal::ZERO, "{swap:?}");
    assert_ne!(swap.given.mint, swap.got.mint);
}

fn pools(parsed: &Parsed) {
    let program = program();
    let token = |mint| Token { symbol: "T".to_owned(), mint, program: TOKEN, decimals: 6 };
    let market =
        |base: u8| Market { instrument: InstrumentId(0), base: token(key(base)), quote: token(key(2)) };
    let markets = [market(3), Market { base: token(WRAPPED_SOL), ..market(3) }];
    for pool in made(parsed, Signature::default(), &program, &markets) {
        assert_ne!(pool.one.mint, pool.other.mint);
        assert!(pool.one.amount >= Decimal::ZERO && pool.other.amount >= Decimal::ZERO, "{pool:?}");
        if let Some((_, size)) = pool.quote_size(&markets) {
            assert!(size >= 0.0 && size.is_finite(), "{size}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_is_a_swap_that_makes_a_pool() {
        let parsed = read_transaction(swap(), Signature::default()).expect("it can be read");
        let movement = recognise(&parsed, key(1), &Costs::default());
        assert!(matches!(movement, Movement::Swap(swap) if swap.given.mint == key(2)), "{movement:?}");
        assert_eq!(made(&parsed, Signature::default(), &program(), &[]).len(), 1);
    }
}
