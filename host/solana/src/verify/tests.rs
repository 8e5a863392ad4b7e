use std::collections::BTreeMap;

use proptest::prelude::*;
use solana_instruction::{AccountMeta, Instruction};
use solana_message::AddressLookupTableAccount;

use super::*;
use crate::programs::{ASSOCIATED_TOKEN, COMPUTE_BUDGET, JUPITER, SYSTEM, TOKEN, TOKEN_2022};

pub(super) fn key(number: u8) -> Address {
    Address::new_from_array([number; 32])
}

const OWNER: u8 = 1;
pub(super) const AMOUNT: u64 = 1_000_000;
const QUOTED: u64 = 500_000;

fn token(number: u8) -> Token {
    Token { symbol: "T".to_owned(), mint: key(number), program: TOKEN, decimals: 6 }
}

pub(super) fn asked() -> Asked {
    Asked {
        owner: key(OWNER),
        given: token(2),
        got: token(3),
        amount: AMOUNT,
        least: QUOTED * 995 / 1_000,
        router: JUPITER,
        most_priority: 1_000_000,
        tip: None,
        blockhash: Hash::new_from_array([9; 32]),
        untouched: BTreeSet::from([key(66)]),
    }
}

/// The numbers of the current form.
fn route_v2_data() -> Vec<u8> {
    let mut data = vec![187, 100, 250, 204, 49, 196, 175, 20];
    data.extend(AMOUNT.to_le_bytes());
    data.extend(QUOTED.to_le_bytes());
    data.extend(50_u16.to_le_bytes());
    data.extend([0; 4]);
    data.extend(1_u32.to_le_bytes());
    data.extend([7, 16, 39, 0, 1]);
    data
}

/// The older form, whose plan passes one pool of this kind with these arguments.
fn route_data(kind: u8, arguments: &[u8]) -> Vec<u8> {
    let mut data = vec![229, 23, 203, 151, 122, 227, 173, 42];
    data.extend(1_u32.to_le_bytes());
    data.push(kind);
    data.extend(arguments);
    data.extend([100, 0, 1]);
    data.extend(AMOUNT.to_le_bytes());
    data.extend(QUOTED.to_le_bytes());
    data.extend(50_u16.to_le_bytes());
    data.push(0);
    data
}

fn swap(asked: &Asked) -> Instruction {
    let (source, destination) = (asked.given.account_of(asked.owner), asked.got.account_of(asked.owner));
    let accounts = vec![
        AccountMeta::new_readonly(asked.owner, true),
        AccountMeta::new(source, false),
        AccountMeta::new(destination, false),
        AccountMeta::new_readonly(asked.given.mint, false),
        AccountMeta::new_readonly(asked.got.mint, false),
        AccountMeta::new_readonly(asked.given.program, false),
        AccountMeta::new_readonly(asked.got.program, false),
        AccountMeta::new_readonly(JUPITER, false),
        AccountMeta::new_readonly(key(20), false),
        AccountMeta::new_readonly(JUPITER, false),
        AccountMeta::new(key(21), false),
        AccountMeta::new(key(22), false),
    ];
    Instruction { program_id: JUPITER, accounts, data: route_v2_data() }
}

fn budget(kind: u8, number: &[u8]) -> Instruction {
    Instruction { program_id: COMPUTE_BUDGET, accounts: Vec::new(), data: [&[kind], number].concat() }
}

fn create(asked: &Asked) -> Instruction {
    let accounts = vec![
        AccountMeta::new(asked.owner, true),
        AccountMeta::new(asked.got.account_of(asked.owner), false),
        AccountMeta::new_readonly(asked.owner, false),
        AccountMeta::new_readonly(asked.got.mint, false),
        AccountMeta::new_readonly(SYSTEM, false),
        AccountMeta::new_readonly(asked.got.program, false),
    ];
    Instruction { program_id: ASSOCIATED_TOKEN, accounts, data: vec![1] }
}

pub(super) fn transfer(from: Address, to: Address, lamports: u64) -> Instruction {
    let mut data = vec![2, 0, 0, 0];
    data.extend(lamports.to_le_bytes());
    Instruction {
        program_id: SYSTEM,
        accounts: vec![AccountMeta::new(from, true), AccountMeta::new(to, false)],
        data,
    }
}

pub(super) fn usual(asked: &Asked) -> Vec<Instruction> {
    vec![
        budget(2, &200_000_u32.to_le_bytes()),
        budget(3, &1_000_u64.to_le_bytes()),
        create(asked),
        swap(asked),
    ]
}

pub(super) fn compile(instructions: &[Instruction], asked: &Asked, tables: &Tables) -> VersionedMessage {
    let tables: Vec<_> = tables
        .iter()
        .map(|(key, addresses)| AddressLookupTableAccount { key: *key, addresses: addresses.clone() })
        .collect();
    let message = v0::Message::try_compile(&asked.owner, instructions, &tables, asked.blockhash);
    VersionedMessage::V0(message.unwrap())
}

fn judged(instructions: &[Instruction], asked: &Asked) -> Result<Verified, Refused> {
    let tables = Tables::new();
    verify(&compile(instructions, asked, &tables), &tables, asked)
}

fn written(message: &VersionedMessage) -> Vec<u8> {
    let signatures = vec![Signature::default(); usize::from(message.header().num_required_signatures)];
    wincode::serialize(&VersionedTransaction { signatures, message: message.clone() }).unwrap()
}

#[test]
fn what_was_asked_for_is_explained() {
    let asked = asked();
    let verified = judged(&usual(&asked), &asked).unwrap();
    let summary = verified.summary();
    assert_eq!((summary.units, summary.price, summary.priority_fee), (Some(200_000), 1_000, 200));
    assert_eq!(summary.creates, [asked.got.account_of(asked.owner)]);
    assert_eq!(summary.least, 497_500);
}

#[test]
fn the_least_is_that_of_the_swap_itself() {
    let asked = Asked { least: 497_501, ..asked() };
    let refused = judged(&usual(&asked), &asked).unwrap_err();
    let what = Unexplained::TooLittle { found: 497_500, wanted: 497_501 };
    assert_eq!(refused, Refused::Instruction { number: 4, what });
}

#[test]
fn a_fee_above_the_cap_is_refused_even_when_no_limit_is_set() {
    let asked = Asked { most_priority: 199, ..asked() };
    assert_eq!(judged(&usual(&asked), &asked), Err(Refused::TooDear { offered: 200, most: 199 }));
    // Without a limit of its own it may compute all that the chain lets it.
    let instructions = &usual(&asked)[1..];
    assert_eq!(judged(instructions, &asked), Err(Refused::TooDear { offered: 1_400, most: 199 }));
}

#[test]
fn another_account_of_the_wallet_is_not_touched() {
    let asked = asked();
    let mut instructions = usual(&asked);
    instructions[3].accounts.push(AccountMeta::new(key(66), false));
    let what = Unexplained::Touches(key(66));
    assert_eq!(judged(&instructions, &asked), Err(Refused::Instruction { number: 4, what }));
}

#[test]
fn a_tip_is_paid_only_when_it_was_asked_for() {
    let mut asked = asked();
    let mut instructions = usual(&asked);
    instructions.push(transfer(asked.owner, key(77), 500));
    let unknown = Refused::Instruction { number: 5, what: Unexplained::Unknown };
    assert_eq!(judged(&instructions, &asked), Err(unknown));
    asked.tip = Some(Tip { accounts: BTreeSet::from([key(77)]), most: 500 });
    assert_eq!(judged(&instructions, &asked).unwrap().summary().tip, 500);
    asked.tip = Some(Tip { accounts: BTreeSet::from([key(77)]), most: 499 });
    let what = Unexplained::OtherAmount { what: "the tip", found: 500, wanted: 499 };
    assert_eq!(judged(&instructions, &asked), Err(Refused::Instruction { number: 5, what }));
    asked.tip = Some(Tip { accounts: BTreeSet::from([key(78)]), most: 500 });
    assert!(judged(&instructions, &asked).is_err());
}

#[test]
fn native_currency_is_wrapped_by_just_what_is_given() {
    let asked = Asked { given: Token::sol(), ..asked() };
    let wrapped = asked.given.account_of(asked.owner);
    let token =
        |data: u8, accounts: Vec<AccountMeta>| Instruction { program_id: TOKEN, accounts, data: vec![data] };
    let with = |wrap: u64, to: Address, rest_to: Address| {
        let mut instructions = usual(&asked);
        instructions.insert(3, transfer(asked.owner, to, wrap));
        instructions.insert(4, token(17, vec![AccountMeta::new(wrapped, false)]));
        let close = vec![
            AccountMeta::new(wrapped, false),
            AccountMeta::new(rest_to, false),
            AccountMeta::new_readonly(asked.owner, true),
        ];
        instructions.push(token(9, close));
        judged(&instructions, &asked)
    };
    let verified = with(AMOUNT, wrapped, asked.owner).unwrap();
    assert_eq!((verified.summary().wraps, verified.summary().unwraps), (AMOUNT, true));
    assert!(with(AMOUNT + 1, wrapped, asked.owner).is_err());
    assert!(with(AMOUNT, key(50), asked.owner).is_err());
    assert!(with(AMOUNT, wrapped, key(50)).is_err());
}

/// Numbers at the end of the older form are not those that the program reads, when something stands before them.
#[test]
fn false_numbers_behind_the_true_ones_are_refused() {
    let accounts: Vec<Address> = (0..14).map(key).collect();
    let honest = route_data(7, &[]);
    assert_eq!(read_route(&honest, &accounts, JUPITER).unwrap().in_amount, AMOUNT);
    let mut longer = route_data(7, &[]);
    longer.extend(&honest[honest.len() - 19..]);
    assert_eq!(read_route(&longer, &accounts, JUPITER), Err(RouteError::Length));
    // A pool that is told something is read over; one of which nothing is known ends it.
    assert_eq!(read_route(&route_data(17, &[1]), &accounts, JUPITER).unwrap().in_amount, AMOUNT);
    assert_eq!(read_route(&route_data(47, &[1]), &accounts, JUPITER), Err(RouteError::Kind(47)));
    assert_eq!(read_route(&route_data(250, &[]), &accounts, JUPITER), Err(RouteError::Kind(250)));
    let mut many = honest;
    many[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(read_route(&many, &accounts, JUPITER).is_err());
}

#[test]
fn shared_accounts_are_those_of_the_trader_too() {
    let numbers = &route_v2_data()[8..];
    let mut data = vec![209, 152, 83, 147, 124, 254, 216, 233, 5];
    data.extend(numbers);
    let accounts: Vec<Address> = (100..114).map(key).collect();
    let route = read_route(&data, &accounts, JUPITER).unwrap();
    assert_eq!((route.authority, route.source, route.destination), (key(101), key(102), key(105)));
    assert_eq!((route.source_mint, route.destination_mint), (Some(key(106)), key(107)));
    assert_eq!((route.in_amount, route.least()), (AMOUNT, Ok(497_500)));
}

#[test]
fn a_table_says_what_an_account_is() {
    let asked = asked();
    let instructions = usual(&asked);
    let honest: Tables =
        BTreeMap::from([(key(90), vec![key(21), key(22), asked.got.account_of(asked.owner)])]);
    let message = compile(&instructions, &asked, &honest);
    assert!(!message.address_table_lookups().unwrap().is_empty());
    assert!(verify(&message, &honest, &asked).is_ok());
    let lying: Tables = BTreeMap::from([(key(90), vec![key(21), key(22), key(50)])]);
    assert!(matches!(verify(&message, &lying, &asked), Err(Refused::Instruction { .. })));
    let short: Tables = BTreeMap::from([(key(90), vec![key(21)])]);
    assert!(matches!(verify(&message, &short, &asked), Err(Refused::Table { .. })));
    assert!(matches!(verify(&message, &Tables::new(), &asked), Err(Refused::Table { .. })));
}

#[test]
fn a_table_that_is_being_closed_is_none() {
    use solana_account::Account;
    let table = |closed_at: u64, owner: Address| {
        let mut data = vec![1, 0, 0, 0];
        data.extend(closed_at.to_le_bytes());
        data.resize(56, 0);
        data.extend(key(5).as_array());
        read_table(&Account { lamports: 1, data, owner, executable: false, rent_epoch: 0 })
    };
    let owner = crate::programs::LOOKUP_TABLES;
    assert_eq!(table(u64::MAX, owner), Ok(vec![key(5)]));
    assert_eq!(table(100, owner), Err(TableError::Closing));
    assert_eq!(table(u64::MAX, key(1)), Err(TableError::NotThere));
}

#[test]
fn a_transaction_is_read_in_one_way_only() {
    let asked = asked();
    let bytes = written(&compile(&usual(&asked), &asked, &Tables::new()));
    assert!(decode(&bytes).is_ok());
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(decode(&longer).is_err());
    let mut signed = bytes.clone();
    signed[1] = 7;
    assert_eq!(decode(&signed), Err(Malformed::SignedBefore));
    assert_eq!(decode(&vec![0; 1_233]), Err(Malformed::TooLong(1_233)));
    let legacy = solana_message::Message::new(&usual(&asked), Some(&asked.owner));
    let legacy = written(&VersionedMessage::Legacy(legacy));
    assert_eq!(decode(&legacy), Err(Malformed::OtherVersion));
}

#[test]
fn a_signature_of_something_else_makes_no_transaction() {
    let asked = asked();
    let verified = judged(&usual(&asked), &asked).unwrap();
    assert!(verified.signed(Signature::from([3; 64])).is_none());
}

/// Every single account of the swap that is the trader's can be exchanged for none.
#[test]
fn each_account_of_the_trader_is_looked_at() {
    let asked = asked();
    for index in [1, 2, 3, 4, 5, 6, 7, 9] {
        let mut instructions = usual(&asked);
        instructions[3].accounts[index].pubkey = key(50);
        assert!(judged(&instructions, &asked).is_err(), "account {index} of the swap");
    }
    for index in 1..6 {
        let mut instructions = usual(&asked);
        instructions[2].accounts[index].pubkey = key(50);
        assert!(judged(&instructions, &asked).is_err(), "account {index} of the new account");
    }
}

proptest! {
    #[test]
    fn no_bytes_bring_the_reader_down(bytes in prop::collection::vec(any::<u8>(), 0..1_300)) {
        let _ = decode(&bytes);
        let accounts: Vec<Address> = bytes.iter().take(20).map(|byte| key(*byte)).collect();
        let _ = read_route(&bytes, &accounts, JUPITER);
    }

    #[test]
    fn no_numbers_bring_the_swap_s_reader_down(
        form in prop::sample::select(vec![
            [229, 23, 203, 151, 122, 227, 173, 42], [193, 32, 155, 51, 65, 214, 156, 129],
            [187, 100, 250, 204, 49, 196, 175, 20], [209, 152, 83, 147, 124, 254, 216, 233],
        ]),
        rest in prop::collection::vec(any::<u8>(), 0..200),
        count in 0_u8..20,
    ) {
        let accounts: Vec<Address> = (0..count).map(key).collect();
        if let Ok(route) = read_route(&[&form[..], &rest].concat(), &accounts, JUPITER) {
            let _ = route.least();
        }
    }

    /// One byte that differs: it is refused, or it is in what the trader has no part in: the pools' accounts, the plan, the
    /// fee within the cap.
    #[test]
    fn a_changed_byte_never_costs_the_trader(place in 0_usize..1_232, change in 1_u8..) {
        let asked = asked();
        let mut bytes = written(&compile(&usual(&asked), &asked, &Tables::new()));
        let place = place % bytes.len();
        bytes[place] ^= change;
        let Ok(message) = decode(&bytes) else { return Ok(()) };
        let Ok(verified) = verify(&message, &Tables::new(), &asked) else { return Ok(()) };
        let summary = verified.summary();
        prop_assert!(summary.least >= asked.least);
        prop_assert!(summary.priority_fee <= asked.most_priority);
        prop_assert_eq!(summary.tip, 0);
        let keys = message.static_account_keys();
        let swap = message.instructions().iter().find(|one| keys[usize::from(one.program_id_index)] == JUPITER);
        let accounts: Vec<Address> = swap.unwrap().accounts.iter().map(|index| keys[usize::from(*index)]).collect();
        let route = read_route(&swap.unwrap().data, &accounts, JUPITER).unwrap();
        prop_assert_eq!(route.in_amount, asked.amount);
        prop_assert_eq!(route.authority, asked.owner);
        prop_assert_eq!(route.destination, asked.got.account_of(asked.owner));
    }

    #[test]
    fn only_what_is_needed_is_ever_explained(program in 0_usize..5, data in prop::collection::vec(any::<u8>(), 0..16)) {
        let asked = asked();
        let program = [SYSTEM, TOKEN, TOKEN_2022, ASSOCIATED_TOKEN, key(123)][program];
        let accounts = vec![AccountMeta::new(asked.given.account_of(asked.owner), false), AccountMeta::new(key(50), false),
            AccountMeta::new_readonly(asked.owner, true)];
        let mut instructions = usual(&asked);
        instructions.push(Instruction { program_id: program, accounts, data });
        prop_assert!(judged(&instructions, &asked).is_err());
    }
}
