//! A Ledger against recorded exchanges, built from the documented format.

use std::collections::VecDeque;

use alloy_primitives::hex;
use ed25519_dalek::{Signer as _, SigningKey};

use super::*;
use crate::ledger::recorded::{Exchange, Recorded};
use crate::ledger::{DerivationPath, TransportError};

/// The public key at m/44'/501'/0', not shown.
const ASK_KEY: &str = "e00500000d038000002c800001f580000000";
/// One signer, and its path.
const SIGNER: &str = "01038000002c800001f580000000";
const DONE: [u8; 2] = [0x90, 0x00];

/// What a device answers to a message.
type Lie<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;

fn device() -> SigningKey {
    SigningKey::from_bytes(&[5; 32])
}

fn wallet() -> Address {
    Address::new_from_array(device().verifying_key().to_bytes())
}

fn done(data: &[u8]) -> Result<Vec<u8>, TransportError> {
    Ok([data, &DONE].concat())
}

fn bench() -> Bench {
    let mut bench = Bench::new(&policy());
    bench.owner = wallet();
    bench
}

fn open(bench: &Bench, exchanges: Vec<Exchange>) -> Result<SolanaLedgerSigner, SignerError> {
    let mut recorded = VecDeque::from(exchanges);
    recorded.push_front((hex::decode(ASK_KEY).unwrap(), done(wallet().as_ref())));
    opened(bench, recorded)
}

fn opened(bench: &Bench, recorded: VecDeque<Exchange>) -> Result<SolanaLedgerSigner, SignerError> {
    let now = bench.now.clone();
    SolanaLedgerSigner::open_at(
        "trading".parse().unwrap(),
        Box::new(Recorded(recorded)),
        DerivationPath::solana(),
        wallet(),
        Policy::from_toml(&policy()).unwrap(),
        &bench.spending(),
        Arc::new(move || now.load(Ordering::SeqCst)),
    )
}

/// The commands that hand a transaction over, of which there are two, and the answer to the last.
fn exchanges(verified: &Verified, answer: Result<Vec<u8>, TransportError>) -> Vec<Exchange> {
    let message = verified.signing_payload();
    let (first, rest) = message.split_at(255 - SIGNER.len() / 2);
    assert!(rest.len() <= 255, "two commands");
    let first = [hex::decode("e0060102ff").unwrap(), hex::decode(SIGNER).unwrap(), first.to_vec()].concat();
    let head = [0xe0, 0x06, 0x01, 0x01, u8::try_from(rest.len()).unwrap()];
    vec![(first, done(&[])), ([&head, rest].concat(), answer)]
}

async fn answered(answer: impl Fn(&[u8]) -> Result<Vec<u8>, TransportError>) -> Result<(), SignerError> {
    let bench = bench();
    let verified = plain(&bench.asked(60, 1));
    let signer = open(&bench, exchanges(&verified, answer(&verified.signing_payload())))?;
    let signature = signer.sign("o", &verified).await?;
    assert!(signature.verify(wallet().as_ref(), &verified.signing_payload()));
    Ok(())
}

#[tokio::test]
async fn a_transaction_is_handed_over_in_parts_and_signed() {
    answered(|message| done(&device().sign(message).to_bytes())).await.unwrap();
}

#[tokio::test]
async fn nobody_is_asked_for_what_the_policy_refuses() {
    let bench = bench();
    let signer = open(&bench, Vec::new()).unwrap();
    let error = signer.sign("o", &plain(&bench.asked(61, 1))).await.unwrap_err();
    assert!(matches!(&error, SignerError::Refused(why) if why.contains("limit of 60")), "{error}");
}

/// What was asked for may be signed, whatever the person says: it counts.
#[tokio::test]
async fn what_the_person_refuses_counts_against_the_day() {
    let bench = bench();
    let verified = plain(&bench.asked(60, 1));
    let signer = open(&bench, exchanges(&verified, Ok(vec![0x69, 0x85]))).unwrap();
    let error = signer.sign("o", &verified).await.unwrap_err();
    assert!(matches!(&error, SignerError::Refused(why) if why.contains("on the device")), "{error}");
    let error = signer.sign("p", &plain(&bench.asked(50, 2))).await.unwrap_err();
    assert!(matches!(&error, SignerError::Refused(why) if why.contains("100")), "{error}");
}

#[tokio::test]
async fn what_the_app_answers_is_understood() {
    for status in [[0x6a, 0x80], [0x68, 0x08]] {
        let error = answered(|_| Ok(status.to_vec())).await.unwrap_err();
        assert!(matches!(&error, SignerError::Refused(why) if why.contains("blind signing")), "{error}");
    }
    for (status, word) in
        [([0x55, 0x15], "locked"), ([0x67, 0x00], "Solana app"), ([0x6d, 0x00], "Solana app")]
    {
        let error = answered(|_| Ok(status.to_vec())).await.unwrap_err();
        assert!(matches!(&error, SignerError::Unavailable(why) if why.contains(word)), "{error}");
    }
    let error = answered(|_| Err(TransportError::TimedOut)).await.unwrap_err();
    assert!(matches!(error, SignerError::Unavailable(_)), "{error}");
}

#[tokio::test]
async fn a_device_that_signs_something_else_is_found_out() {
    let other = SigningKey::from_bytes(&[6; 32]);
    let lies: [Lie<'_>; 4] = [
        &|message| other.sign(message).to_bytes().to_vec(),
        &|_| device().sign(b"something else").to_bytes().to_vec(),
        &|_| vec![1; 63],
        &|_| Vec::new(),
    ];
    for lie in lies {
        let error = answered(|message| done(&lie(message))).await.unwrap_err();
        assert!(matches!(error, SignerError::Wrong(_)), "{error}");
    }
    assert!(matches!(answered(|_| Ok(vec![0x90])).await, Err(SignerError::Wrong(_))));
}

#[test]
fn another_device_is_found_out_when_it_is_opened() {
    let bench = bench();
    for answer in [done(&[9; 32]), done(&[9; 31]), done(&[])] {
        let recorded = VecDeque::from([(hex::decode(ASK_KEY).unwrap(), answer)]);
        assert!(matches!(opened(&bench, recorded), Err(SignerError::Wrong(_))));
    }
}
