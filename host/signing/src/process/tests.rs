use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use alloy_consensus::TxEip1559;
use alloy_primitives::{Address, TxKind, U256};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::wire::{Answer, MAX_FRAME_BYTES};
use super::*;
use crate::keystore::{KdfCost, Keystore, PrivateKey};
use crate::policy::{Policy, Refusal};
use crate::{EvmSigner, LocalSigner, Passphrase, Purpose, SigningError, SigningRequest, Step};

const POLICY: &str = r#"
[[chain]]
id = 1
max_fee_per_gas = "50_000_000_000"
max_gas = 500000
max_fees_per_day = "100_000_000_000_000_000"
wrapped_native = "0x2222222222222222222222222222222222222222"
native = { per_transaction = "60", per_day = "100" }
"#;

fn wrap(nonce: u64, order: &str, amount: u64) -> SigningRequest {
    let transaction = TxEip1559 {
        chain_id: 1,
        nonce,
        gas_limit: 50_000,
        max_fee_per_gas: 1,
        to: TxKind::Call(Address::repeat_byte(0x22)),
        value: U256::from(amount),
        input: alloy_primitives::hex!("d0e30db0").into(),
        ..TxEip1559::default()
    };
    SigningRequest { transaction, purpose: Purpose { order: order.parse().unwrap(), step: Step::Wrap } }
}

fn local(directory: &TempDir) -> LocalSigner {
    let store = Keystore::at(directory.path().join("keys"));
    let passphrase = Passphrase::new("a passphrase for tests".to_owned());
    let name = "trading".parse().unwrap();
    let unlocked = if store.exists() {
        store.unlock(&passphrase).unwrap()
    } else {
        let unlocked = store.create(&passphrase, KdfCost::LEAST).unwrap();
        let key = PrivateKey::random(crate::keystore::KeyKind::Evm).unwrap();
        unlocked.add("trading".parse().unwrap(), &key, Policy::from_toml(POLICY).unwrap(), 0).unwrap();
        unlocked
    };
    LocalSigner::open(&unlocked, &name, &directory.path().join("spending")).unwrap()
}

struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
    address: Address,
}

impl Running {
    fn start(directory: &TempDir) -> Self {
        let signer = local(directory);
        let address = signer.address();
        let socket = SignerSocket::bind(&socket(directory), None).unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(serve(socket, vec![Arc::new(signer)], async { drop(stopped.await) }));
        Self { stop, task, address }
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
    }
}

fn socket(directory: &TempDir) -> PathBuf {
    directory.path().join("signer").join("socket")
}

/// A client of somebody who answers each connection with `answer`, whatever is asked.
async fn against(answer: Vec<u8>) -> Result<(), SigningError> {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let fake = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 4096];
            let _ = stream.read(&mut asked).await;
            stream.write_all(&answer).await.unwrap();
            tokio::spawn(async move {
                // Stays open, and says nothing more.
                let _ = stream.read(&mut [0; 1]).await;
            });
        }
    });
    let connected =
        ProcessSigner::connect_within(&path, Address::ZERO, None, Duration::from_millis(300)).await;
    fake.abort();
    connected.map(drop)
}

fn frame(json: &[u8]) -> Vec<u8> {
    [u32::try_from(json.len()).unwrap().to_be_bytes().as_slice(), json].concat()
}

#[tokio::test]
async fn what_the_process_signs_is_verified_and_its_refusals_arrive() {
    let directory = TempDir::new().unwrap();
    let running = Running::start(&directory);
    let signer = ProcessSigner::connect(&socket(&directory), running.address, None).await.unwrap();
    let signed = signer.sign(wrap(0, "a", 60)).await.unwrap();
    assert_eq!(signer.sign(wrap(0, "a", 60)).await.unwrap(), signed);
    let refused = signer.sign(wrap(1, "b", 61)).await.unwrap_err();
    assert!(matches!(refused, SigningError::Refused(Refusal::Spend { .. })));
    let stranger = ProcessSigner::connect(&socket(&directory), Address::ZERO, None).await.unwrap_err();
    assert!(matches!(stranger, SigningError::Refused(Refusal::UnknownKey { .. })));
    running.stop().await;
    assert!(!socket(&directory).exists());
    assert!(signer.sign(wrap(1, "b", 1)).await.unwrap_err().is_worth_a_retry());
    // Started anew, it is found by itself, and remembers.
    let running = Running::start(&directory);
    let refused = signer.sign(wrap(1, "b", 41)).await.unwrap_err();
    assert!(matches!(refused, SigningError::Refused(Refusal::SpendPerDay { .. })));
    signer.sign(wrap(1, "b", 40)).await.unwrap();
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_clients_that_race_for_a_nonce_one_gets_it() {
    let directory = TempDir::new().unwrap();
    let running = Running::start(&directory);
    for nonce in 0..20 {
        let mut tasks = Vec::new();
        for order in ["first", "second"] {
            let path = socket(&directory);
            let address = running.address;
            tasks.push(tokio::spawn(async move {
                let signer = ProcessSigner::connect(&path, address, None).await.unwrap();
                signer.sign(wrap(nonce, order, 1)).await
            }));
        }
        let mut taken = 0;
        let mut signed = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(_) => signed += 1,
                Err(SigningError::Refused(Refusal::NonceTaken { .. })) => taken += 1,
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!((signed, taken), (1, 1), "nonce {nonce}");
    }
    running.stop().await;
}

#[tokio::test]
async fn whoever_is_not_the_user_is_turned_away() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("socket");
    let own = rustix::process::geteuid().as_raw();
    let signer = local(&directory);
    let address = signer.address();
    let socket = SignerSocket::bind(&path, Some(own + 1)).unwrap();
    let server = tokio::spawn(serve(socket, vec![Arc::new(signer)], std::future::pending()));
    let error = ProcessSigner::connect(&path, address, None).await.unwrap_err();
    assert!(error.is_worth_a_retry(), "{error}");
    server.abort();
}

#[tokio::test]
async fn the_socket_is_its_owners_and_there_once() {
    let directory = TempDir::new().unwrap();
    let path = socket(&directory);
    let first = SignerSocket::bind(&path, None).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
    assert!(matches!(SignerSocket::bind(&path, None), Err(SocketError::InUse { .. })));
    drop(first);
    // As a signer that was killed leaves it.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    drop(SignerSocket::bind(&path, None).unwrap());
    fs::write(&path, "not a socket").unwrap();
    assert!(matches!(SignerSocket::bind(&path, None), Err(SocketError::NoSocket { .. })));
    assert!(matches!(
        SignerSocket::bind(Path::new("/dev/null/socket"), None),
        Err(SocketError::Directory(_))
    ));
}

#[tokio::test]
async fn a_client_that_sends_garbage_is_let_go_and_the_others_served() {
    let directory = TempDir::new().unwrap();
    let running = Running::start(&directory);
    let signer = ProcessSigner::connect(&socket(&directory), running.address, None).await.unwrap();
    // One that begins a frame and says no more.
    let mut stalled = UnixStream::connect(socket(&directory)).await.unwrap();
    stalled.write_all(&[0, 0]).await.unwrap();
    for garbage in [
        u32::MAX.to_be_bytes().to_vec(),
        u32::try_from(MAX_FRAME_BYTES + 1).unwrap().to_be_bytes().to_vec(),
        frame(b""),
        frame(b"\xff\xfe"),
        frame(b"{\"steal\":{}}"),
        frame(b"{\"sign\":{\"address\":\"0x\"}}"),
        frame(&[b'['; 100_000]),
    ] {
        let mut stream = UnixStream::connect(socket(&directory)).await.unwrap();
        stream.write_all(&garbage).await.unwrap();
        let answer: Answer = wire::read(&mut stream).await.unwrap();
        assert!(matches!(answer, Answer::Malformed { .. }), "{answer:?}");
        let mut rest = Vec::new();
        assert_eq!(stream.read_to_end(&mut rest).await.unwrap(), 0);
    }
    // What is well said but no transaction is answered, and the connection stays.
    let mut stream = UnixStream::connect(socket(&directory)).await.unwrap();
    for payload in ["0x", "0x02", "0x02c0", "0x01c0", "0xff"] {
        let json = format!(
            r#"{{"sign":{{"address":"{}","payload":"{payload}","purpose":{{"order":"a","step":"swap"}}}}}}"#,
            running.address
        );
        stream.write_all(&frame(json.as_bytes())).await.unwrap();
        let answer: Answer = wire::read(&mut stream).await.unwrap();
        assert!(matches!(answer, Answer::Malformed { .. }), "{payload}: {answer:?}");
    }
    signer.sign(wrap(0, "a", 1)).await.unwrap();
    running.stop().await;
}

#[tokio::test]
async fn clients_beyond_the_most_are_turned_away() {
    let directory = TempDir::new().unwrap();
    let running = Running::start(&directory);
    let mut open = Vec::new();
    for _ in 0..16 {
        open.push(ProcessSigner::connect(&socket(&directory), running.address, None).await.unwrap());
    }
    let error = ProcessSigner::connect(&socket(&directory), running.address, None).await.unwrap_err();
    assert!(error.is_worth_a_retry(), "{error}");
    open.pop();
    // It takes the server a moment to see that one has gone.
    while ProcessSigner::connect(&socket(&directory), running.address, None).await.is_err() {
        tokio::task::yield_now().await;
    }
    running.stop().await;
}

#[tokio::test]
async fn a_signer_that_stalls_is_unavailable_and_one_that_talks_nonsense_halts() {
    for silent in [Vec::new(), vec![0, 0], frame(b"{\"keys\":{\"keys\":[]}}")[..10].to_vec()] {
        assert!(against(silent).await.unwrap_err().is_worth_a_retry());
    }
    for nonsense in [
        u32::MAX.to_be_bytes().to_vec(),
        frame(b"{}"),
        frame(b"HTTP/1.1 200 OK"),
        frame(br#"{"signed":{"raw":"0x","hash":"0x0000000000000000000000000000000000000000000000000000000000000000"}}"#),
        frame(br#"{"wrong":{"why":"so"}}"#),
    ] {
        assert!(against(nonsense).await.unwrap_err().must_halt());
    }
}

/// A signer that signs something else than it was asked for.
#[tokio::test]
async fn another_transaction_than_the_one_asked_for_halts() {
    let directory = TempDir::new().unwrap();
    let signer = local(&directory);
    let address = signer.address();
    let signed = signer.sign(wrap(0, "a", 1)).await.unwrap();
    let path = directory.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let fake = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let keys = Answer::Keys {
            keys: vec![wire::Key { name: "trading".to_owned(), address: address.to_checksum(None) }],
        };
        let answers = [keys, Answer::Signed { raw: signed.raw, hash: signed.hash }];
        for answer in answers {
            let _: wire::Request = wire::read(&mut stream).await.unwrap();
            wire::write(&mut stream, &answer).await.unwrap();
        }
    });
    let client = ProcessSigner::connect(&path, address, None).await.unwrap();
    let error = client.sign(wrap(0, "a", 2)).await.unwrap_err();
    assert!(error.must_halt(), "{error}");
    fake.await.unwrap();
}

/// The socket of a signer that another user should run is asked nothing, whoever took its place.
#[tokio::test]
async fn a_process_of_another_user_is_told_nothing() {
    let directory = TempDir::new().unwrap();
    let running = Running::start(&directory);
    let own = rustix::process::geteuid().as_raw();
    let connect = async |user| ProcessSigner::connect(&socket(&directory), running.address, user).await;
    assert!(connect(Some(own)).await.is_ok());
    let error = connect(Some(own + 1)).await.unwrap_err();
    assert!(error.must_halt() && error.to_string().contains(&format!("user {}", own + 1)), "{error}");
    running.stop().await;
}

/// Whoever stops waiting for an answer must not have it taken for the answer to the next question.
#[tokio::test]
async fn an_answer_nobody_waited_for_is_not_the_next_one() {
    let directory = TempDir::new().unwrap();
    let running = Running::start(&directory);
    let signer = ProcessSigner::connect(&socket(&directory), running.address, None).await.unwrap();
    for nonce in 0..20 {
        {
            let mut asked = std::pin::pin!(signer.sign(wrap(nonce, "given-up", 1)));
            // Asked, and given up before the answer.
            for _ in 0..3 {
                tokio::select! {
                    biased;
                    _ = &mut asked => {}
                    () = tokio::task::yield_now() => continue,
                }
                break;
            }
        }
        signer.sign(wrap(100 + nonce, "next", 1)).await.unwrap();
    }
    running.stop().await;
}
