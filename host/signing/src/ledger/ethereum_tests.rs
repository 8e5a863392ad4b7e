//! Against recorded exchanges, built from the documented format.

use std::collections::VecDeque;

use alloy_consensus::TxEip1559;
use alloy_primitives::{B256, Bytes, TxKind, U256, hex, keccak256};
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;

use super::recorded::{Exchange, Recorded};
use super::*;
use crate::request::{Purpose, Step};

/// The first command of all: the address at m/44'/60'/0'/0/0, not shown.
const ASK_ADDRESS: &str = "e002000015058000002c8000003c800000000000000000000000";

fn key(byte: u8) -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&B256::repeat_byte(byte)).unwrap()
}

fn address_answer(key: &PrivateKeySigner) -> Vec<u8> {
    let point = key.credential().verifying_key().to_encoded_point(false);
    let mut answer = vec![65];
    answer.extend_from_slice(point.as_bytes());
    answer.push(40);
    answer.extend_from_slice(hex::encode(key.address()).as_bytes());
    answer.extend_from_slice(&[0x90, 0x00]);
    answer
}

fn request(input: usize) -> SigningRequest {
    let transaction = TxEip1559 {
        chain_id: 1,
        nonce: 3,
        gas_limit: 100_000,
        max_fee_per_gas: 20_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: TxKind::Call(Address::repeat_byte(0x11)),
        value: U256::from(5),
        input: Bytes::from(vec![0xab; input]),
        ..TxEip1559::default()
    };
    SigningRequest { transaction, purpose: Purpose { order: "order-1".parse().unwrap(), step: Step::Swap } }
}

/// The answer that signs `signed` with a key: parity, r, s, status.
fn signature_answer(key: &PrivateKeySigner, signed: &SigningRequest) -> Vec<u8> {
    let digest = keccak256(signing_payload(&signed.transaction));
    let signature = key.sign_hash_sync(&digest).unwrap();
    let mut answer = vec![u8::from(signature.v())];
    answer.extend_from_slice(&signature.as_bytes()[..64]);
    answer.extend_from_slice(&[0x90, 0x00]);
    answer
}

/// The commands of a transaction that fits into one: the head, the path, then what is signed.
fn sign_command(request: &SigningRequest) -> Vec<u8> {
    let payload = signing_payload(&request.transaction);
    let mut command = hex::decode("e0040000").unwrap();
    command.push(u8::try_from(21 + payload.len()).unwrap());
    command.extend_from_slice(&hex::decode("058000002c8000003c800000000000000000000000").unwrap());
    command.extend_from_slice(&payload);
    command
}

fn open(exchanges: Vec<Exchange>) -> Result<LedgerSigner, SigningError> {
    let mut recorded = VecDeque::from(exchanges);
    recorded.push_front((hex::decode(ASK_ADDRESS).unwrap(), Ok(address_answer(&key(1)))));
    LedgerSigner::open("ledger", Box::new(Recorded(recorded)), DerivationPath::default(), key(1).address())
}

async fn answered(answer: Result<Vec<u8>, TransportError>) -> Result<SignedTransaction, SigningError> {
    let request = request(4);
    open(vec![(sign_command(&request), answer)]).unwrap().sign(request).await
}

#[tokio::test]
async fn a_transaction_in_one_command_is_signed() {
    let signed = answered(Ok(signature_answer(&key(1), &request(4)))).await.unwrap();
    assert_eq!(
        SignedTransaction::verified(&signed.raw, signed.hash, &request(4), key(1).address(), "test").unwrap(),
        signed
    );
}

#[tokio::test]
async fn a_transaction_in_several_commands_is_signed() {
    let request = request(400);
    let payload = signing_payload(&request.transaction);
    let mut first = hex::decode("e0040000ff058000002c8000003c800000000000000000000000").unwrap();
    first.extend_from_slice(&payload[..234]);
    let rest = &payload[234..];
    assert!(rest.len() < 255, "two commands");
    let mut second = hex::decode("e0048000").unwrap();
    second.push(u8::try_from(rest.len()).unwrap());
    second.extend_from_slice(rest);
    let exchanges = vec![(first, Ok(vec![0x90, 0x00])), (second, Ok(signature_answer(&key(1), &request)))];
    open(exchanges).unwrap().sign(request).await.unwrap();
}

#[tokio::test]
async fn what_the_person_or_the_app_refuses_is_final() {
    for (status, word) in [([0x69, 0x85], "refused on the device"), ([0x6a, 0x80], "blind signing")] {
        let error = answered(Ok(status.to_vec())).await.unwrap_err();
        assert!(matches!(&error, SigningError::Refused(Refusal::Rejected { .. })), "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[tokio::test]
async fn a_device_that_is_not_ready_can_be_asked_again() {
    for status in [[0x55, 0x15], [0x65, 0x11], [0x6e, 0x00], [0x6f, 0x00]] {
        let error = answered(Ok(status.to_vec())).await.unwrap_err();
        assert!(error.is_worth_a_retry(), "{error}");
    }
    for error in [TransportError::TimedOut, TransportError::Failed("unplugged".to_owned())] {
        assert!(answered(Err(error)).await.unwrap_err().is_worth_a_retry());
    }
}

#[tokio::test]
async fn a_device_that_signs_something_else_is_found_out() {
    let mut short = signature_answer(&key(1), &request(4));
    short.remove(5);
    let mut parity = signature_answer(&key(1), &request(4));
    parity[0] = 2;
    let lies = [
        signature_answer(&key(1), &request(5)),
        signature_answer(&key(2), &request(4)),
        short,
        parity,
        vec![0x90, 0x00],
        vec![0x90],
        vec![],
    ];
    for answer in lies {
        let error = answered(Ok(answer)).await.unwrap_err();
        assert!(error.must_halt(), "{error}");
    }
}

#[test]
fn another_device_is_found_out_when_it_is_opened() {
    let mut mixed = address_answer(&key(2));
    let text = mixed.len() - 42;
    mixed[text..text + 40].copy_from_slice(hex::encode(key(1).address()).as_bytes());
    for answer in [address_answer(&key(2)), mixed, vec![65, 4, 0x90, 0x00], vec![0x90, 0x00]] {
        let recorded = VecDeque::from([(hex::decode(ASK_ADDRESS).unwrap(), Ok(answer))]);
        let opened = LedgerSigner::open(
            "ledger",
            Box::new(Recorded(recorded)),
            DerivationPath::default(),
            key(1).address(),
        );
        assert!(opened.unwrap_err().must_halt());
    }
}
