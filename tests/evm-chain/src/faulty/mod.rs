//! A front before a node that behaves as servers of others do on bad days. A test switches its faults while it runs, and
//! looks afterwards at what it was asked.

mod answers;
mod private;
mod server;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use alloy::primitives::{Address, B256, Bytes};
use serde_json::Value;

pub use private::PrivateRequest;

/// What goes wrong with a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// 429 with `Retry-After`, in whole seconds.
    TooManyRequests(Duration),
    /// 503.
    Unavailable,
    /// No answer, ever.
    Stall,
    /// The node answers, and its answer takes so long.
    Delay(Duration),
    /// The connection is closed; the node never hears of the request.
    CloseBefore,
    /// The node gets the request and does it; then the connection is closed.
    CloseAfter,
    /// 200 with something that is not JSON.
    Garbage,
    /// 200 with the first half of the answer, after which the connection is closed.
    Half,
    /// An error as nodes give it; the node never hears of the request.
    Error {
        /// JSON-RPC's code.
        code: i64,
        /// What it says.
        message: String,
    },
    /// This result; the node never hears of the request.
    Lie(Value),
    /// The node's own result with these members changed, at the top of it.
    Change(Vec<(String, Value)>),
    /// 502 after the node has done what it was asked.
    BadGatewayAfter,
    /// An error as nodes give it, after the node has done what it was asked.
    ErrorAfter {
        /// JSON-RPC's code.
        code: i64,
        /// What it says.
        message: String,
    },
}

/// What becomes of transactions that are sent privately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Private {
    /// They get to the node.
    Forward,
    /// They are accepted, and never get anywhere.
    Swallow,
}

/// A request as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The method.
    pub method: String,
    /// Its parameters.
    pub parameters: Value,
    /// The id, which has to come back.
    pub id: Value,
    /// When it came.
    pub at: Instant,
}

/// The front. It ends together with this value.
#[derive(Debug)]
pub struct Faulty {
    url: String,
    state: Arc<State>,
    accepting: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
pub(crate) struct State {
    node: String,
    client: reqwest::Client,
    now: Mutex<Now>,
}

#[derive(Debug)]
pub(crate) struct Now {
    rules: Vec<Rule>,
    lag: u64,
    private: Private,
    requests: Vec<Request>,
    private_requests: Vec<PrivateRequest>,
    connections: u64,
}

#[derive(Debug)]
struct Rule {
    /// `None` means all.
    method: Option<String>,
    fault: Fault,
    /// `None` means for ever.
    times: Option<usize>,
}

impl Faulty {
    /// A front before the node at that address; it has no faults until a test wants them.
    pub async fn before(node: &str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port that is free");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let client = crate::chain::client();
        let now = Now {
            rules: Vec::new(),
            lag: 0,
            private: Private::Forward,
            requests: Vec::new(),
            private_requests: Vec::new(),
            connections: 0,
        };
        let state = Arc::new(State { node: node.to_owned(), client, now: Mutex::new(now) });
        let accepting = tokio::spawn(server::accept(listener, Arc::clone(&state)));
        Self { url, state, accepting }
    }

    /// Where it answers.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on this method has this fault, so many times. The fault that was asked for first comes first.
    pub fn fail(&self, method: &str, fault: Fault, times: usize) {
        self.add(Some(method), fault, Some(times));
    }

    /// From now on this method has this fault.
    pub fn fail_always(&self, method: &str, fault: Fault) {
        self.add(Some(method), fault, None);
    }

    /// From now on every method has this fault.
    pub fn fail_all(&self, fault: Fault) {
        self.add(None, fault, None);
    }

    /// From now on it says that it is of this chain.
    pub fn claim_chain(&self, id: u64) {
        self.fail_always("eth_chainId", Fault::Lie(format!("{id:#x}").into()));
    }

    /// From now on it answers as of so many blocks before the newest; 0 ends that.
    pub fn lag(&self, blocks: u64) {
        self.state.now().lag = blocks;
    }

    /// What becomes of transactions that are sent privately; at first they get to the node.
    pub fn send_private(&self, private: Private) {
        self.state.now().private = private;
    }

    /// From now on all is well, but for how far it lags.
    pub fn recover(&self) {
        self.state.now().rules.clear();
    }

    /// Everything that it was asked, in the order in which it came.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.state.now().requests.clone()
    }

    /// What it was asked with this method.
    #[must_use]
    pub fn requests_of(&self, method: &str) -> Vec<Request> {
        self.state.now().requests.iter().filter(|request| request.method == method).cloned().collect()
    }

    /// Forgets what it was asked.
    pub fn forget(&self) {
        let mut now = self.state.now();
        now.requests.clear();
        now.private_requests.clear();
    }

    /// What was sent to it privately and accepted.
    #[must_use]
    pub fn private_requests(&self) -> Vec<PrivateRequest> {
        self.state.now().private_requests.clone()
    }

    /// How many connections were opened to it.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.state.now().connections
    }

    fn add(&self, method: Option<&str>, fault: Fault, times: Option<usize>) {
        self.state.now().rules.push(Rule { method: method.map(str::to_owned), fault, times });
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl State {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().expect("nothing panics while it holds this")
    }

    fn fault_of(&self, method: &str) -> Option<Fault> {
        let mut now = self.now();
        let index = now.rules.iter().position(|rule| {
            rule.times != Some(0) && rule.method.as_deref().is_none_or(|named| named == method)
        })?;
        let rule = &mut now.rules[index];
        if let Some(times) = &mut rule.times {
            *times -= 1;
        }
        Some(rule.fault.clone())
    }

    /// What the node itself answers to a request.
    async fn forward(&self, request: &Value) -> Result<Value, reqwest::Error> {
        self.client.post(&self.node).json(request).send().await?.json().await
    }

    /// The result of the node for a question of the front's own.
    async fn ask(&self, method: &str, parameters: Value) -> Result<Value, reqwest::Error> {
        let request = serde_json::json!({"jsonrpc": "2.0", "id": 0, "method": method, "params": parameters});
        Ok(self.forward(&request).await?["result"].take())
    }
}

/// A transaction that is in a request, and its hash.
pub(crate) fn decode_transaction(raw: &Value) -> Option<(Bytes, B256)> {
    let raw: Bytes = serde_json::from_value(raw.clone()).ok()?;
    let hash = alloy::primitives::keccak256(&raw);
    Some((raw, hash))
}

/// Who has signed a body in the way of Flashbots, from the header's value.
pub(crate) fn signer_of(header: &str, body: &[u8]) -> Option<Address> {
    let (address, signature) = header.split_once(':')?;
    let address: Address = address.parse().ok()?;
    let signature: alloy::primitives::Signature = signature.parse().ok()?;
    // The text of the hash is signed, not its bytes.
    let message = alloy::primitives::keccak256(body).to_string();
    let signer = signature.recover_address_from_msg(message).ok()?;
    (signer == address).then_some(signer)
}
