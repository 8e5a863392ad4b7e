//! What gets through to the signer behind the policy, and what it finds when it does not answer.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use alloy_consensus::{SignableTransaction as _, TxEip1559};
use alloy_primitives::{B256, TxKind, U256};
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;
use tempfile::TempDir;

use super::*;
use crate::policy::Refusal;
use crate::request::{Purpose, Step};

const NOW: u64 = 1_800_000_000;
const POLICY: &str = r#"
[[chain]]
id = 1
max_fee_per_gas = "50_000_000_000"
max_gas = 500000
max_fees_per_day = "100_000_000_000_000_000"
wrapped_native = "0x2222222222222222222222222222222222222222"
native = { per_transaction = "60", per_day = "100" }
"#;

/// Signs whatever it is asked for, unless it is away.
#[derive(Clone, Debug, Default)]
struct Unlimited {
    asked: Arc<AtomicUsize>,
    is_away: Arc<AtomicBool>,
}

fn key() -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&B256::repeat_byte(1)).unwrap()
}

#[async_trait]
impl EvmSigner for Unlimited {
    fn address(&self) -> Address {
        key().address()
    }

    fn name(&self) -> &'static str {
        "unlimited"
    }

    async fn sign(&self, request: SigningRequest) -> Result<SignedTransaction, SigningError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.is_away.load(Ordering::SeqCst) {
            return Err(SigningError::unavailable("unlimited", "it is away"));
        }
        let signature = key().sign_hash_sync(&request.transaction.signature_hash()).unwrap();
        SignedTransaction::from_signature(&request, signature, self.address(), "unlimited")
    }
}

fn guarded(signer: &Unlimited, directory: &TempDir) -> Guarded<Unlimited> {
    let policy = Policy::from_toml(POLICY).unwrap();
    Guarded::new_at(signer.clone(), policy, &directory.path().join("spending"), Arc::new(|| NOW)).unwrap()
}

fn wrap(nonce: u64, amount: u64) -> SigningRequest {
    let transaction = TxEip1559 {
        chain_id: 1,
        nonce,
        gas_limit: 50_000,
        max_fee_per_gas: 20_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: TxKind::Call(Address::repeat_byte(0x22)),
        value: U256::from(amount),
        // deposit()
        input: alloy_primitives::hex!("d0e30db0").into(),
        ..TxEip1559::default()
    };
    let purpose = Purpose { order: format!("o{nonce}").parse().unwrap(), step: Step::Wrap };
    SigningRequest { transaction, purpose }
}

fn refusal(result: Result<SignedTransaction, SigningError>) -> Refusal {
    match result {
        Err(SigningError::Refused(refusal)) => refusal,
        other => panic!("it is refused: {other:?}"),
    }
}

#[tokio::test]
async fn what_the_policy_refuses_never_reaches_the_signer() {
    let (signer, directory) = (Unlimited::default(), TempDir::new().unwrap());
    let guarded = guarded(&signer, &directory);
    assert!(matches!(refusal(guarded.sign(wrap(0, 61)).await), Refusal::Spend { .. }));
    let mut elsewhere = wrap(0, 1);
    elsewhere.transaction.to = TxKind::Call(Address::repeat_byte(0x33));
    assert!(matches!(refusal(guarded.sign(elsewhere).await), Refusal::Contract { .. }));
    assert_eq!(signer.asked.load(Ordering::SeqCst), 0);
    let signed = guarded.sign(wrap(0, 60)).await.unwrap();
    let again =
        SignedTransaction::verified(&signed.raw, signed.hash, &wrap(0, 60), key().address(), "a test");
    assert_eq!(again.unwrap(), signed);
    assert_eq!(signer.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_was_asked_for_counts_after_a_restart_answered_or_not() {
    let (signer, directory) = (Unlimited::default(), TempDir::new().unwrap());
    signer.is_away.store(true, Ordering::SeqCst);
    let first = guarded(&signer, &directory);
    assert!(first.sign(wrap(0, 60)).await.unwrap_err().is_worth_a_retry());
    drop(first);
    signer.is_away.store(false, Ordering::SeqCst);
    let second = guarded(&signer, &directory);
    assert!(matches!(refusal(second.sign(wrap(1, 41)).await), Refusal::SpendPerDay { .. }));
    // The retry of the first is no second spending.
    second.sign(wrap(0, 60)).await.unwrap();
    second.sign(wrap(1, 40)).await.unwrap();
    let mut thief = wrap(1, 1);
    thief.purpose.order = "another".parse().unwrap();
    assert!(matches!(refusal(second.sign(thief).await), Refusal::NonceTaken { .. }));
}

#[tokio::test]
async fn only_one_guard_counts_for_an_address() {
    let (signer, directory) = (Unlimited::default(), TempDir::new().unwrap());
    let _first = guarded(&signer, &directory);
    let policy = Policy::from_toml(POLICY).unwrap();
    assert!(matches!(
        Guarded::new(signer, policy, &directory.path().join("spending")),
        Err(SpendingError::InUse { .. })
    ));
}

#[test]
fn a_signer_is_opened_only_once_no_other_is_at_work() {
    let (signer, directory) = (Unlimited::default(), TempDir::new().unwrap());
    let spending = directory.path().join("spending");
    let policy = || Policy::from_toml(POLICY).unwrap();
    let first = guarded(&signer, &directory);
    let in_the_way = Guarded::open(key().address(), policy(), &spending, || -> Result<Unlimited, _> {
        panic!("another one has it")
    });
    assert!(in_the_way.unwrap_err().is_worth_a_retry());
    drop(first);
    Guarded::open(key().address(), policy(), &spending, || Ok(signer.clone())).unwrap();
    let other = Guarded::open(Address::repeat_byte(3), policy(), &spending, || Ok(signer));
    assert!(other.unwrap_err().must_halt());
}
