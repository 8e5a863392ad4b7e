use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bulkhead_solana::programs::{COMPUTE_BUDGET, JUPITER, SYSTEM, TOKEN};
use bulkhead_solana::settings::Token;
use bulkhead_solana::signer::{SignerError, SolanaSigner as _};
use bulkhead_solana::verify::{Asked, Tables, Tip, Verified, verify};
use solana_address::Address;
use solana_hash::Hash;
use solana_instruction::{AccountMeta, Instruction};
use solana_message::{VersionedMessage, v0};
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::local::SignFailure;
use super::request::Written;
use super::*;
use crate::Passphrase;
use crate::keystore::{KdfCost, KeyKind, Keystore, PrivateKey, Unlocked};
use crate::policy::Policy;
use crate::process::{Served, SignerSocket, serve};

#[cfg(feature = "ledger")]
mod ledger;

const NOW: u64 = 1_800_000_000;
const DAY: u64 = 24 * 60 * 60;

fn key(number: u8) -> Address {
    Address::new_from_array([number; 32])
}

fn token(number: u8) -> Token {
    Token { symbol: "T".to_owned(), mint: key(number), program: TOKEN, decimals: 6 }
}

/// May give 60 of token 2 at once and 100 in a day, for token 3.
fn policy() -> String {
    format!(
        r#"
        [solana]
        max_priority_fee = "1000"
        max_fees_per_day = "20_000_000"
        max_tip = "500"
        tip_accounts = ["{}"]
        routers = ["{JUPITER}"]
        [[solana.token]]
        mint = "{}"
        spend = {{ per_transaction = "60", per_day = "100" }}
        [[solana.token]]
        mint = "{}"
        "#,
        key(77),
        key(2),
        key(3)
    )
}

struct Bench {
    directory: TempDir,
    unlocked: Unlocked,
    now: Arc<AtomicU64>,
    owner: Address,
}

impl Bench {
    fn new(policy: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let store = Keystore::at(directory.path().join("keys"));
        let unlocked = store.create(&Passphrase::new("a passphrase".to_owned()), KdfCost::LEAST).unwrap();
        let secret = PrivateKey::random(KeyKind::Solana).unwrap();
        let owner = secret.address().parse().unwrap();
        let policy = Policy::from_toml(policy).unwrap();
        unlocked.add("trading".parse().unwrap(), &secret, policy, NOW).unwrap();
        Self { directory, unlocked, now: Arc::new(AtomicU64::new(NOW)), owner }
    }

    fn signer(&self) -> SolanaLocalSigner {
        let now = self.now.clone();
        let spending = self.spending();
        let clock = Arc::new(move || now.load(Ordering::SeqCst));
        SolanaLocalSigner::open_at(&self.unlocked, &"trading".parse().unwrap(), &spending, clock).unwrap()
    }

    fn spending(&self) -> std::path::PathBuf {
        self.directory.path().join("spending")
    }

    fn asked(&self, amount: u64, number: u8) -> Asked {
        Asked {
            owner: self.owner,
            given: token(2),
            got: token(3),
            amount,
            least: 9,
            router: JUPITER,
            most_priority: 1_000_000,
            tip: None,
            blockhash: Hash::new_from_array([number; 32]),
            untouched: BTreeSet::new(),
        }
    }
}

fn swap(asked: &Asked) -> Instruction {
    let mut data = vec![187, 100, 250, 204, 49, 196, 175, 20];
    data.extend(asked.amount.to_le_bytes());
    data.extend(10_u64.to_le_bytes());
    // 10 %, so that at least 9 come; nothing for others.
    data.extend(1_000_u16.to_le_bytes());
    data.extend([0; 4]);
    data.extend(1_u32.to_le_bytes());
    data.extend([7, 16, 39, 0, 1]);
    let (source, destination) = (asked.given.account_of(asked.owner), asked.got.account_of(asked.owner));
    let accounts = vec![
        AccountMeta::new_readonly(asked.owner, true),
        AccountMeta::new(source, false),
        AccountMeta::new(destination, false),
        AccountMeta::new_readonly(asked.given.mint, false),
        AccountMeta::new_readonly(asked.got.mint, false),
        AccountMeta::new_readonly(asked.given.program, false),
        AccountMeta::new_readonly(asked.got.program, false),
        AccountMeta::new_readonly(asked.router, false),
        AccountMeta::new_readonly(key(20), false),
        AccountMeta::new_readonly(asked.router, false),
    ];
    Instruction { program_id: asked.router, accounts, data }
}

fn price(of_a_unit: u64) -> Vec<Instruction> {
    let budget = |kind: u8, number: &[u8]| Instruction {
        program_id: COMPUTE_BUDGET,
        accounts: Vec::new(),
        data: [&[kind], number].concat(),
    };
    vec![budget(2, &200_000_u32.to_le_bytes()), budget(3, &of_a_unit.to_le_bytes())]
}

fn with(asked: &Asked, mut before: Vec<Instruction>) -> Verified {
    before.push(swap(asked));
    let message = v0::Message::try_compile(&asked.owner, &before, &[], asked.blockhash).unwrap();
    verify(&VersionedMessage::V0(message), &Tables::new(), asked).unwrap()
}

fn plain(asked: &Asked) -> Verified {
    with(asked, Vec::new())
}

async fn code(signer: &SolanaLocalSigner, verified: &Verified) -> &'static str {
    let request = SolanaRequest::new("o".parse().unwrap(), verified);
    match signer.sign_request(request).await {
        Ok(_) => "signed",
        Err(SignFailure::Refused(refusal)) => refusal.code(),
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_the_policy_allows_is_signed() {
    let bench = Bench::new(&policy());
    let signer = bench.signer();
    let verified = plain(&bench.asked(60, 1));
    let signature = signer.sign("main/1", &verified).await.unwrap();
    assert!(verified.signed(signature).is_some());
    let shown = format!("{signer:?}");
    assert!(shown.contains(&bench.owner.to_string()), "{shown}");
}

#[tokio::test]
async fn everything_else_is_refused_by_name() {
    let bench = Bench::new(&policy());
    let signer = bench.signer();
    let asked = bench.asked(60, 1);
    assert_eq!(code(&signer, &plain(&bench.asked(61, 1))).await, "spend");
    assert_eq!(code(&signer, &plain(&Asked { got: token(4), ..asked.clone() })).await, "token");
    assert_eq!(code(&signer, &plain(&Asked { given: token(4), ..asked.clone() })).await, "token");
    // What can be got need not be given.
    let back = Asked { given: token(3), got: token(2), ..asked.clone() };
    assert_eq!(code(&signer, &plain(&back)).await, "spend");
    assert_eq!(code(&signer, &plain(&Asked { router: key(5), ..asked.clone() })).await, "router");
    assert_eq!(code(&signer, &plain(&Asked { owner: key(6), ..asked.clone() })).await, "unknown_key");
    assert_eq!(code(&signer, &with(&asked, price(5_000))).await, "signed");
    assert_eq!(code(&signer, &with(&asked, price(5_001))).await, "priority_fee");
    let nothing = Bench::new("");
    assert_eq!(code(&nothing.signer(), &plain(&nothing.asked(1, 1))).await, "no_policy");
    let anything = Bench::new("allow_anything = true");
    assert_eq!(code(&anything.signer(), &plain(&anything.asked(1_000, 1))).await, "signed");
}

#[tokio::test]
async fn a_tip_is_paid_to_those_whom_the_policy_names() {
    let bench = Bench::new(&policy());
    let signer = bench.signer();
    let tipping = |to: Address, lamports: u64| {
        let tip = Some(Tip { accounts: [to].into(), most: lamports });
        let asked = Asked { tip, ..bench.asked(1, 1) };
        let data = [&[2, 0, 0, 0][..], &lamports.to_le_bytes()].concat();
        let accounts = vec![AccountMeta::new(asked.owner, true), AccountMeta::new(to, false)];
        with(&asked, vec![Instruction { program_id: SYSTEM, accounts, data }])
    };
    assert_eq!(code(&signer, &tipping(key(77), 500)).await, "signed");
    assert_eq!(code(&signer, &tipping(key(77), 501)).await, "tip");
    assert_eq!(code(&signer, &tipping(key(78), 500)).await, "tip");
}

#[tokio::test]
async fn limits_of_a_day_hold_over_a_restart() {
    let bench = Bench::new(&policy());
    let signer = bench.signer();
    let first = plain(&bench.asked(60, 1));
    assert_eq!(code(&signer, &first).await, "signed");
    assert_eq!(code(&signer, &plain(&bench.asked(41, 2))).await, "spend_per_day");
    drop(signer);
    let signer = bench.signer();
    assert_eq!(code(&signer, &plain(&bench.asked(41, 2))).await, "spend_per_day");
    // The very same one counts once, and another one for the same order by itself.
    assert_eq!(code(&signer, &first).await, "signed");
    assert_eq!(code(&signer, &plain(&bench.asked(40, 3))).await, "signed");
    assert_eq!(code(&signer, &plain(&bench.asked(1, 4))).await, "spend_per_day");
    bench.now.store(NOW + DAY, Ordering::SeqCst);
    assert_eq!(code(&signer, &plain(&bench.asked(60, 5))).await, "signed");
}

#[tokio::test]
async fn fees_of_a_day_have_a_limit_of_their_own() {
    let bench = Bench::new(&policy().replace("20_000_000", "12_000"));
    let signer = bench.signer();
    assert_eq!(code(&signer, &plain(&bench.asked(1, 1))).await, "signed");
    assert_eq!(code(&signer, &plain(&bench.asked(1, 2))).await, "signed");
    assert_eq!(code(&signer, &plain(&bench.asked(1, 3))).await, "fees_per_day");
}

#[tokio::test]
async fn a_host_that_lies_about_what_it_is_for_gets_no_signature() {
    let bench = Bench::new(&policy());
    let signer = bench.signer();
    let much = SolanaRequest::new("o".parse().unwrap(), &plain(&bench.asked(1_000, 1)));
    let lie = SolanaRequest { asked: bench.asked(60, 1), ..much };
    let refused = signer.sign_request(lie).await.unwrap_err();
    assert!(
        matches!(&refused, SignFailure::Refused(SolanaRefusal::Unexplained { why }) if why.contains("1000")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn the_process_signs_what_the_key_does_and_refuses_the_same() {
    let bench = Bench::new(&policy());
    let path = bench.directory.path().join("signer").join("socket");
    let socket = SignerSocket::bind(&path, None).unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = Served { solana: vec![bench.signer()], ..Served::default() };
    let serving = tokio::spawn(serve(socket, served, async move { drop(stopped.await) }));
    let connect = async |wallet: Address, path: &Path| SolanaProcessSigner::connect(path, wallet, None).await;
    let signer = connect(bench.owner, &path).await.unwrap();
    let verified = plain(&bench.asked(60, 1));
    let signature = signer.sign("main/1", &verified).await.unwrap();
    assert!(verified.signed(signature).is_some());
    let refused = signer.sign("main/2", &plain(&bench.asked(61, 1))).await.unwrap_err();
    assert!(matches!(&refused, SignerError::Refused(why) if why.contains("limit of 60")), "{refused}");
    assert!(matches!(connect(key(6), &path).await, Err(SignerError::Refused(_))));
    drop(stop);
    serving.await.unwrap();
    let away = signer.sign("main/3", &verified).await.unwrap_err();
    assert!(matches!(away, SignerError::Unavailable(_)), "{away}");
}

#[test]
fn a_request_comes_over_the_wire_as_it_was() {
    let bench = Bench::new(&policy());
    let tip = Some(Tip { accounts: [key(77), key(78)].into(), most: 5 });
    let request = SolanaRequest::new("main/1".parse().unwrap(), &plain(&Asked { tip, ..bench.asked(7, 1) }));
    let json = serde_json::to_string(&Written::of(&request)).unwrap();
    let written: Written = serde_json::from_str(&json).unwrap();
    assert_eq!(written.read().unwrap(), request);
    let broken: Written = serde_json::from_str(&json.replace(&key(2).to_string(), "0OIl")).unwrap();
    assert!(broken.read().unwrap_err().to_string().contains("0OIl"));
}

#[test]
fn what_is_wrong_with_a_policy_is_named() {
    let wrong =
        policy().replace(&key(77).to_string(), "nobody").replace("per_day = \"100\"", "per_day = \"1\"");
    let error = Policy::from_toml(&wrong).unwrap_err().to_string();
    assert!(error.contains("nobody is no address of a tip account"), "{error}");
    assert!(error.contains("may be given in one transaction more than in a day"), "{error}");
    let kept = Policy::from_toml(&policy()).unwrap();
    assert_eq!(Policy::from_toml(&kept.to_toml().unwrap()).unwrap(), kept);
}
