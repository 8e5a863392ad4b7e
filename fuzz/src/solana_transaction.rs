use std::collections::BTreeSet;

use bulkhead_solana::jupiter::{AccountMeta, Instruction, Parts, assemble};
use bulkhead_solana::programs::{ASSOCIATED_TOKEN, JUPITER, SYSTEM, TOKEN};
use bulkhead_solana::settings::Token;
use bulkhead_solana::verify::{Asked, Tables, decode, read_route, verify};
use solana_address::Address;
use solana_hash::Hash;
use solana_message::VersionedMessage;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;

const AMOUNT: u64 = 1_000_000;
const QUOTED: u64 = 500_000;
const ROUTE_V2: [u8; 8] = [187, 100, 250, 204, 49, 196, 175, 20];

fn key(number: u8) -> Address {
    Address::new_from_array([number; 32])
}

fn token(number: u8) -> Token {
    Token { symbol: "T".to_owned(), mint: key(number), program: TOKEN, decimals: 6 }
}

/// What the transactions of this fuzzer were asked to do.
fn asked() -> Asked {
    Asked {
        owner: key(1),
        given: token(2),
        got: token(3),
        amount: AMOUNT,
        least: QUOTED / 1_000 * 995,
        router: JUPITER,
        most_priority: 1_000,
        tip: None,
        blockhash: Hash::new_from_array([9; 32]),
        untouched: BTreeSet::from([key(66)]),
    }
}

/// A transaction that does what was asked for.
#[must_use]
pub fn honest() -> Vec<u8> {
    let asked = asked();
    let account =
        |pubkey: Address, is_signer: bool, is_writable: bool| AccountMeta { pubkey, is_signer, is_writable };
    let (source, destination) = (asked.given.account_of(asked.owner), asked.got.account_of(asked.owner));
    let create = Instruction {
        program_id: ASSOCIATED_TOKEN,
        accounts: vec![
            account(asked.owner, true, true),
            account(destination, false, true),
            account(asked.owner, false, false),
            account(asked.got.mint, false, false),
            account(SYSTEM, false, false),
            account(TOKEN, false, false),
        ],
        data: vec![1],
    };
    let mut data = ROUTE_V2.to_vec();
    data.extend(AMOUNT.to_le_bytes());
    data.extend(QUOTED.to_le_bytes());
    data.extend(50_u16.to_le_bytes());
    data.extend([0, 0, 0, 0, 1, 0, 0, 0, 7, 16, 39, 0, 1]);
    let swap = Instruction {
        program_id: JUPITER,
        accounts: vec![
            account(asked.owner, true, false),
            account(source, false, true),
            account(destination, false, true),
            account(asked.given.mint, false, false),
            account(asked.got.mint, false, false),
            account(TOKEN, false, false),
            account(TOKEN, false, false),
            account(JUPITER, false, false),
            account(key(20), false, false),
            account(JUPITER, false, false),
            account(key(21), false, true),
        ],
        data,
    };
    let parts = Parts { instructions: vec![create, swap], tables: Vec::new() };
    let message = assemble(asked.owner, &parts, &[], asked.blockhash, 200_000, 1_000);
    written(&message.expect("it fits"))
}

fn written(message: &VersionedMessage) -> Vec<u8> {
    let signatures = vec![Signature::default(); usize::from(message.header().num_required_signatures)];
    let transaction = VersionedTransaction { signatures, message: message.clone() };
    wincode::serialize(&transaction).expect("what was read can be written")
}

/// The bytes are a transaction that somebody else made.
///
/// It is refused, or it gives just what was to be given, from the wallet's own account, for at least what was to come, into
/// the wallet's own account, and offers no more than the cap. What is read is written in the same way again.
pub fn check(bytes: &[u8]) {
    let accounts: Vec<Address> = bytes.iter().take(14).map(|byte| key(*byte)).collect();
    if let Ok(route) = read_route(bytes, &accounts, JUPITER) {
        let _ = route.least();
    }
    let Ok(message) = decode(bytes) else { return };
    assert_eq!(written(&message), bytes, "one transaction is written in one way");
    let (asked, tables) = (asked(), Tables::new());
    let Ok(verified) = verify(&message, &tables, &asked) else { return };
    let summary = verified.summary();
    assert!(summary.least >= asked.least && summary.priority_fee <= asked.most_priority, "{summary:?}");
    assert!(summary.tip == 0 && summary.wraps == 0, "{summary:?}");
    let keys = message.static_account_keys();
    assert_eq!(message.header().num_required_signatures, 1);
    assert_eq!(keys[0], asked.owner);
    let swaps: Vec<_> = message
        .instructions()
        .iter()
        .filter(|instruction| keys[usize::from(instruction.program_id_index)] == JUPITER)
        .collect();
    assert_eq!(swaps.len(), 1);
    let swap = swaps[0];
    let accounts: Vec<Address> = swap.accounts.iter().map(|index| keys[usize::from(*index)]).collect();
    let route = read_route(&swap.data, &accounts, JUPITER).expect("it was read before");
    assert_eq!((route.in_amount, route.platform_fee_bps), (asked.amount, 0));
    assert_eq!(route.source, asked.given.account_of(asked.owner));
    assert_eq!(route.destination, asked.got.account_of(asked.owner));
    assert!(!accounts.contains(&key(66)), "an account that is none of its business");
}
