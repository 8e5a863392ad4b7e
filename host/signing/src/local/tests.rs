use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use alloy_consensus::TxEip1559;
use alloy_primitives::{TxKind, U256};
use tempfile::TempDir;
use tracing_subscriber::fmt::MakeWriter;

use super::*;
use crate::import::evm_from_hex;
use crate::keystore::{KdfCost, Keystore};
use crate::policy::Refusal;
use crate::request::{Purpose, Step};
use crate::secret::Passphrase;

const KEY: &str = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";
const PASSPHRASE: &str = "a passphrase that nobody may see";
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

struct Bench {
    directory: TempDir,
    unlocked: Unlocked,
    now: Arc<AtomicU64>,
}

impl Bench {
    fn new(policy: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let store = Keystore::at(directory.path().join("keys"));
        let unlocked = store.create(&Passphrase::new(PASSPHRASE.to_owned()), KdfCost::LEAST).unwrap();
        let policy = Policy::from_toml(policy).unwrap();
        unlocked.add("trading".parse().unwrap(), &evm_from_hex(KEY).unwrap(), policy, NOW).unwrap();
        Self { directory, unlocked, now: Arc::new(AtomicU64::new(NOW)) }
    }

    fn signer(&self) -> LocalSigner {
        let now = self.now.clone();
        let clock: Clock = Arc::new(move || now.load(Ordering::SeqCst));
        let spending = self.directory.path().join("spending");
        LocalSigner::open_at(&self.unlocked, &"trading".parse().unwrap(), &spending, clock).unwrap()
    }
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
    SigningRequest {
        transaction,
        purpose: Purpose { order: format!("o{nonce}").parse().unwrap(), step: Step::Wrap },
    }
}

#[tokio::test]
async fn what_is_signed_is_what_was_asked_for() {
    let bench = Bench::new(POLICY);
    let signer = bench.signer();
    let request = wrap(0, 60);
    let signed = signer.sign(request.clone()).await.unwrap();
    let verified =
        SignedTransaction::verified(&signed.raw, signed.hash, &request, signer.address(), "a test").unwrap();
    assert_eq!(verified, signed);
    let other =
        SignedTransaction::verified(&signed.raw, signed.hash, &wrap(0, 61), signer.address(), "a test");
    assert!(other.unwrap_err().must_halt());
    let whose = SignedTransaction::verified(&signed.raw, signed.hash, &request, Address::ZERO, "a test");
    assert!(whose.unwrap_err().must_halt());
}

#[tokio::test]
async fn limits_and_nonces_hold_over_a_restart() {
    let bench = Bench::new(POLICY);
    let signer = bench.signer();
    signer.sign(wrap(0, 60)).await.unwrap();
    let refused = signer.sign(wrap(1, 61)).await.unwrap_err();
    assert!(matches!(refused, SigningError::Refused(Refusal::Spend { .. })));
    drop(signer);
    let signer = bench.signer();
    let refused = signer.sign(wrap(1, 41)).await.unwrap_err();
    assert!(matches!(refused, SigningError::Refused(Refusal::SpendPerDay { .. })));
    let mut stolen = wrap(0, 1);
    stolen.purpose.order = "another".parse().unwrap();
    let refused = signer.sign(stolen).await.unwrap_err();
    assert!(matches!(refused, SigningError::Refused(Refusal::NonceTaken { .. })));
    bench.now.fetch_add(24 * 60 * 60, Ordering::SeqCst);
    signer.sign(wrap(1, 41)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_race_do_not_get_past_a_limit() {
    let bench = Bench::new(POLICY);
    let signer = bench.signer();
    let tasks: Vec<_> = (0..20)
        .map(|nonce| {
            let signer = signer.clone();
            tokio::spawn(async move { signer.sign(wrap(nonce, 10)).await.is_ok() })
        })
        .collect();
    let mut signed = 0;
    for task in tasks {
        signed += usize::from(task.await.unwrap());
    }
    assert_eq!(signed, 10);
}

#[tokio::test]
async fn without_a_policy_nothing_is_signed() {
    let bench = Bench::new("");
    let refused = bench.signer().sign(wrap(0, 0)).await.unwrap_err();
    assert!(matches!(refused, SigningError::Refused(Refusal::Chain { chain: 1, .. })));
}

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Plants a key and a passphrase, does everything, and looks for them in all that came out.
#[test]
fn no_secret_is_shown_or_written() {
    let captured = Captured::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(captured.clone())
        .finish();
    let mut shown = String::new();
    tracing::subscriber::with_default(subscriber, || {
        let bench = Bench::new(POLICY);
        let signer = bench.signer();
        for request in [wrap(0, 1), wrap(1, 99), wrap(0, 1)] {
            let request_shown = format!("{request:?}");
            let inner = signer.inner.clone();
            shown += &format!("{:?} {request_shown}", inner.sign(&request));
        }
        let passphrase = Passphrase::new(PASSPHRASE.to_owned());
        let (key, info) = bench.unlocked.open(&"trading".parse().unwrap()).unwrap();
        shown += &format!(
            "{signer:?} {:?} {:?} {key:?} {info:?} {passphrase:?} {:?}",
            signer.inner.key, bench.unlocked, signer.inner.spending
        );
        let store = Keystore::at(bench.directory.path().join("keys"));
        let wrong = Passphrase::new(format!("{PASSPHRASE}!"));
        shown += &format!("{:?}", store.unlock(&wrong).unwrap_err());
        shown += &store.unlock(&wrong).unwrap_err().to_string();
        let longer = format!("{KEY}00");
        shown += &format!("{:?} {}", evm_from_hex(&longer), evm_from_hex(&longer).unwrap_err());
        let v3 = format!("{{\"version\":3,\"crypto\":\"{KEY}\"}}");
        shown += &crate::import::evm_from_v3(&v3, &passphrase).unwrap_err().to_string();
        for entry in files(bench.directory.path()) {
            captured.clone().write_all(&std::fs::read(entry).unwrap()).unwrap();
        }
    });
    let bytes = captured.0.lock().unwrap().clone();
    let log = String::from_utf8_lossy(&bytes);
    assert!(log.contains("signed") && log.contains("refused to sign"), "{log}");
    assert!(log.contains("ciphertext"), "the files were looked at");
    let everything = format!("{shown}{log}").to_lowercase();
    let raw = alloy_primitives::hex::decode(KEY).unwrap();
    let list = raw.iter().map(ToString::to_string).collect::<Vec<_>>();
    // As digits, as a prefix of them, as Rust and JSON show bytes.
    for secret in [KEY, &KEY[..16], PASSPHRASE, &list[..8].join(", "), &list[..8].join(",")] {
        assert!(!everything.contains(&secret.to_lowercase()), "{secret} is shown");
    }
    assert!(!bytes.windows(16).any(|window| *window == raw[..16]), "the key's bytes are in a file");
}

fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push(path) }
    }
    files
}
