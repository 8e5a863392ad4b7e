use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use alloy::hex;
use alloy::primitives::keccak256;
use alloy::signers::SignerSync as _;
use alloy::signers::local::PrivateKeySigner;
use serde_json::{Value, json};

/// A server that holds a key and signs whatever it is asked to, in the wire format of `Web3Signer`. It ends with the
/// process.
pub struct Web3Signer {
    /// Where it answers.
    pub url: String,
    signed: Arc<AtomicUsize>,
}

impl Web3Signer {
    /// A server with this key.
    #[must_use]
    pub fn start(key: PrivateKeySigner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let signed = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&signed);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let (line, body) = read(&stream);
                let (kind, body) = answer(&key, &counter, &line, &body);
                // One that has read enough may have gone.
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        Self { url, signed }
    }

    /// How often it signed.
    #[must_use]
    pub fn signed(&self) -> usize {
        self.signed.load(Ordering::SeqCst)
    }
}

fn answer(key: &PrivateKeySigner, signed: &AtomicUsize, line: &str, body: &str) -> (&'static str, String) {
    let point = key.credential().verifying_key().to_encoded_point(false);
    let public = hex::encode_prefixed(&point.as_bytes()[1..]);
    if line.starts_with("GET /api/v1/eth1/publicKeys ") {
        return ("application/json", json!([public]).to_string());
    }
    assert_eq!(line, format!("POST /api/v1/eth1/sign/{public} HTTP/1.1"));
    let asked: Value = serde_json::from_str(body).expect("JSON");
    let data = hex::decode(asked["data"].as_str().expect("data")).expect("hexadecimal digits");
    signed.fetch_add(1, Ordering::SeqCst);
    let signature = key.sign_hash_sync(&keccak256(data)).expect("a signature");
    ("text/plain", hex::encode_prefixed(signature.as_bytes()))
}

/// The first line of a request, and its body.
fn read(stream: &TcpStream) -> (String, String) {
    let mut reader = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).expect("a request");
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a head");
        match line.split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().expect("a length");
            }
            _ if line.trim().is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    (first.trim().to_owned(), String::from_utf8(body).expect("text"))
}
