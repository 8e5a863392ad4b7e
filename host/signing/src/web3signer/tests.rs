//! Against a server that speaks `Web3Signer`'s wire format, honestly or not.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};

use alloy_consensus::TxEip1559;
use alloy_primitives::{B256, TxKind, U256, keccak256};
use alloy_signer::SignerSync as _;
use alloy_signer_local::PrivateKeySigner;

use super::*;
use crate::request::{Purpose, Step};

/// How the server answers when it is asked to sign.
#[derive(Clone, Copy, PartialEq)]
enum Conduct {
    Honest,
    /// As those that write the parity as 0 and 1, in quotation marks.
    Quoted,
    OtherTransaction,
    OtherKey,
    /// The other of the two signatures that the curve lets through, which chains refuse.
    HighS,
    Status(u16),
    Body(&'static str),
    Endless,
    Silent,
    HangsUp,
}

struct Server {
    url: String,
    listed: Arc<AtomicUsize>,
}

fn key(byte: u8) -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&B256::repeat_byte(byte)).unwrap()
}

fn public_key(key: &PrivateKeySigner) -> String {
    let point = key.credential().verifying_key().to_encoded_point(false);
    hex::encode_prefixed(&point.as_bytes()[1..])
}

fn serve(conducts: Vec<Conduct>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let listed = Arc::new(AtomicUsize::new(0));
    let counter = listed.clone();
    std::thread::spawn(move || {
        let mut conducts = conducts.into_iter();
        let mut silent = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (line, body) = read(&stream);
            if line.starts_with("GET /api/v1/eth1/publicKeys ") {
                counter.fetch_add(1, Ordering::SeqCst);
                let keys = serde_json::json!([public_key(&key(9)), public_key(&key(1))]);
                reply(&mut stream, 200, "application/json", &keys.to_string());
                continue;
            }
            assert_eq!(line, format!("POST /api/v1/eth1/sign/{} HTTP/1.1", public_key(&key(1))));
            let data: serde_json::Value = serde_json::from_str(&body).unwrap();
            let data = hex::decode(data["data"].as_str().unwrap()).unwrap();
            match conducts.next().expect("the test asks as often as it says") {
                Conduct::Silent => silent.push(stream),
                conduct => answer(&mut stream, conduct, &data),
            }
        }
    });
    Server { url, listed }
}

fn answer(stream: &mut TcpStream, conduct: Conduct, data: &[u8]) {
    let honest = key(1).sign_hash_sync(&keccak256(data)).unwrap();
    let signature = match conduct {
        Conduct::OtherTransaction => key(1).sign_hash_sync(&keccak256(b"another")).unwrap(),
        Conduct::OtherKey => key(9).sign_hash_sync(&keccak256(data)).unwrap(),
        Conduct::HighS => {
            let order =
                U256::from_str_radix("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16)
                    .unwrap();
            Signature::new(honest.r(), order - honest.s(), !honest.v())
        }
        _ => honest,
    };
    let mut bytes = signature.as_bytes().to_vec();
    match conduct {
        Conduct::Status(status) => reply(stream, status, "text/plain", "planted-in-the-answer"),
        Conduct::Body(text) => reply(stream, 200, "text/plain", text),
        Conduct::Endless => reply(stream, 200, "text/plain", &"0".repeat(100_000)),
        Conduct::HangsUp => {}
        Conduct::Quoted => {
            bytes[64] -= 27;
            reply(stream, 200, "text/plain", &format!("\"{}\"", hex::encode_prefixed(bytes)));
        }
        _ => reply(stream, 200, "text/plain; charset=utf-8", &hex::encode_prefixed(bytes)),
    }
}

fn read(stream: &TcpStream) -> (String, String) {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (first.trim().to_owned(), String::from_utf8(body).unwrap())
}

fn reply(stream: &mut TcpStream, status: u16, kind: &str, body: &str) {
    let head = format!(
        "HTTP/1.1 {status} Any\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n",
        body.len()
    );
    // One that has read enough may have gone.
    let _ = write!(stream, "{head}Location: http://127.0.0.1:1/planted\r\n\r\n{body}");
}

fn request() -> SigningRequest {
    let transaction = TxEip1559 {
        chain_id: 31337,
        nonce: 7,
        gas_limit: 21_000,
        max_fee_per_gas: 30_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: TxKind::Call(key(1).address()),
        value: U256::ZERO,
        ..TxEip1559::default()
    };
    SigningRequest { transaction, purpose: Purpose { order: "order-1".parse().unwrap(), step: Step::Cancel } }
}

fn signer(server: &Server, timeout: Duration) -> Web3Signer {
    Web3Signer::new("treasury", &server.url, key(1).address(), timeout).unwrap()
}

async fn asked(conduct: Conduct) -> Result<SignedTransaction, SigningError> {
    let server = serve(vec![conduct]);
    // A silent server is waited for; the others answer at once, however busy the machine is.
    let timeout =
        if conduct == Conduct::Silent { Duration::from_millis(200) } else { Duration::from_secs(60) };
    signer(&server, timeout).sign(request()).await
}

#[tokio::test]
async fn what_comes_back_is_the_transaction_that_was_asked_for() {
    for conduct in [Conduct::Honest, Conduct::Quoted] {
        let signed = asked(conduct).await.unwrap();
        let again =
            SignedTransaction::verified(&signed.raw, signed.hash, &request(), key(1).address(), "test");
        assert_eq!(again.unwrap(), signed);
        assert_eq!(keccak256(&signed.raw), signed.hash);
    }
}

#[tokio::test]
async fn a_server_that_signs_something_else_or_as_somebody_else_is_found_out() {
    let lies = [
        Conduct::OtherTransaction,
        Conduct::OtherKey,
        Conduct::HighS,
        Conduct::Body("0x00"),
        Conduct::Body("nonsense"),
        Conduct::Body(""),
        Conduct::Endless,
    ];
    for conduct in lies {
        let error = asked(conduct).await.unwrap_err();
        assert!(error.must_halt(), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_can_be_asked_again() {
    for conduct in [
        Conduct::Silent,
        Conduct::HangsUp,
        Conduct::Status(500),
        Conduct::Status(503),
        Conduct::Status(429),
        Conduct::Status(302),
        Conduct::Status(204),
    ] {
        let error = asked(conduct).await.unwrap_err();
        assert!(error.is_worth_a_retry(), "{error}");
    }
    let closed =
        Web3Signer::new("x", "http://127.0.0.1:1", key(1).address(), Duration::from_secs(60)).unwrap();
    assert!(closed.sign(request()).await.unwrap_err().is_worth_a_retry());
}

#[tokio::test]
async fn what_the_server_refuses_is_not_asked_again() {
    for status in [400, 401, 403] {
        let error = asked(Conduct::Status(status)).await.unwrap_err();
        assert!(matches!(&error, SigningError::Refused(Refusal::Rejected { .. })), "{error}");
        assert!(!error.to_string().contains("planted"), "{error}");
    }
}

#[tokio::test]
async fn the_key_is_looked_up_once_and_anew_when_it_has_gone() {
    let server = serve(vec![Conduct::Honest, Conduct::Honest, Conduct::Status(404), Conduct::Honest]);
    let signer = signer(&server, Duration::from_secs(60));
    signer.sign(request()).await.unwrap();
    signer.sign(request()).await.unwrap();
    assert_eq!(server.listed.load(Ordering::SeqCst), 1);
    assert!(signer.sign(request()).await.unwrap_err().is_worth_a_retry());
    signer.sign(request()).await.unwrap();
    assert_eq!(server.listed.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_key_that_the_server_does_not_have_is_refused() {
    let server = serve(vec![]);
    let stranger =
        Web3Signer::new("treasury", &server.url, key(3).address(), Duration::from_secs(60)).unwrap();
    let error = stranger.sign(request()).await.unwrap_err();
    assert_eq!(error, SigningError::Refused(Refusal::UnknownKey { address: key(3).address() }));
}

#[test]
fn only_this_machine_is_asked_in_the_open() {
    let made = |url: &str| {
        let made = Web3Signer::new("x", url, Address::ZERO, Duration::from_secs(1));
        made.map(|signer| format!("{signer:?}"))
    };
    for url in [
        "http://127.0.0.1:9000",
        "http://[::1]:9000/",
        "http://localhost:9000",
        "https://signer.example.org/planted-path",
    ] {
        let shown = made(url).unwrap();
        assert!(!shown.contains("127") && !shown.contains("planted"), "{shown}");
    }
    for url in ["http://signer.example.org", "http://127.0.0.1.example.org:9000", "http://10.0.0.1:9000"] {
        assert_eq!(made(url), Err(InvalidWeb3Signer::Open), "{url}");
    }
    let no_addresses = [
        "",
        "signer",
        "ftp://localhost",
        "/api",
        "https://user:word@signer.example.org",
        "http://localhost@example.org",
        "https://signer.example.org?token=1",
    ];
    for url in no_addresses {
        assert_eq!(made(url), Err(InvalidWeb3Signer::Address), "{url}");
    }
}
