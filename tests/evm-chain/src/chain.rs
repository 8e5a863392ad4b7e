use std::path::PathBuf;
use std::time::Duration;

use alloy::primitives::{Address, U256};
use alloy::providers::{DynProvider, Provider as _, ProviderBuilder};
use alloy::rpc::json_rpc::{RpcRecv, RpcSend};
use tempfile::TempDir;

use crate::contracts::Token;
use crate::deployment::{self, Deployed};
use crate::node::{self, Node};

/// The chain's id unless a test wants another.
pub const CHAIN_ID: u64 = 31_337;

/// When blocks are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mining {
    /// One for each transaction, a moment after it was taken.
    Automatic,
    /// When the test says so: [`Chain::mine`].
    ByHand,
    /// In this rhythm.
    Every(Duration),
}

/// What a chain is like.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its id.
    pub chain_id: u64,
    /// When it makes blocks. What is deployed before the test begins is there in any case.
    pub mining: Mining,
    /// The base fee of its first blocks in wei; 1 gwei unless given.
    pub base_fee: Option<u128>,
    /// How many blocks an epoch has: a block is safe after one and final after two.
    pub slots_in_an_epoch: u64,
    /// Where it listens; a port that is free when 0.
    pub port: u16,
    /// Where the node keeps its state between [`Chain::stop`] and [`Chain::restart`]; a folder of its own unless given.
    pub state: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            chain_id: CHAIN_ID,
            mining: Mining::Automatic,
            base_fee: None,
            slots_in_an_epoch: 32,
            port: 0,
            state: None,
        }
    }
}

/// A node with everything deployed. It ends together with this value.
#[derive(Debug)]
pub struct Chain {
    node: Option<Node>,
    options: Options,
    port: u16,
    url: String,
    state: PathBuf,
    provider: DynProvider,
    deployed: Deployed,
    _folder: TempDir,
}

impl Chain {
    /// A chain that makes a block for each transaction.
    pub async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    /// A chain of the test's wishes.
    pub async fn start_with(options: Options) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the node");
        let state = options.state.clone().unwrap_or_else(|| node::state_in(folder.path()));
        let node = Node::start(&options, options.port, &state);
        let port = node.port();
        let url = format!("http://127.0.0.1:{port}");
        let provider = connect(&url);
        let deployed = deployment::deploy(&provider, &options).await;
        Self { node: Some(node), options, port, url, state, provider, deployed, _folder: folder }
    }

    /// Another way to a chain that runs already, which ends without it.
    #[must_use]
    pub fn attach(url: &str, deployed: Deployed) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("an address with a port");
        Self {
            node: None,
            options: Options::default(),
            port,
            url: url.to_owned(),
            state: node::state_in(folder.path()),
            provider: connect(url),
            deployed,
            _folder: folder,
        }
    }

    /// Where the node answers.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The chain's id.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.options.chain_id
    }

    /// The node, asked directly: what the test believes.
    #[must_use]
    pub const fn provider(&self) -> &DynProvider {
        &self.provider
    }

    /// What was deployed.
    #[must_use]
    pub const fn deployed(&self) -> &Deployed {
        &self.deployed
    }

    /// Ends the node in order. It remembers its blocks, but not the transactions that wait to get into one.
    pub fn stop(&mut self) {
        self.node.take().expect("the node runs").stop();
    }

    /// Starts it again at the same address, after [`Self::stop`].
    pub fn restart(&mut self) {
        assert!(self.node.is_none(), "the node runs");
        self.node = Some(Node::start(&self.options, self.port, &self.state));
        self.provider = connect(&self.url);
    }

    /// What an address has of a token, in its smallest unit.
    pub async fn balance_of(&self, token: Address, holder: Address) -> U256 {
        Token::new(token, &self.provider).balanceOf(holder).call().await.expect("a balance")
    }

    /// What an address has of the native currency, in wei.
    pub async fn native_balance_of(&self, holder: Address) -> U256 {
        self.provider.get_balance(holder).await.expect("a balance")
    }

    /// How many transactions of an address are in blocks: the next nonce.
    pub async fn transaction_count(&self, sender: Address) -> u64 {
        self.provider.get_transaction_count(sender).await.expect("a count")
    }

    /// Asks the node whatever it understands.
    ///
    /// # Panics
    /// When it does not understand it.
    pub async fn request<P: RpcSend, R: RpcRecv>(&self, method: &'static str, parameters: P) -> R {
        request(&self.provider, method, parameters).await
    }
}

pub(crate) async fn request<P: RpcSend, R: RpcRecv>(
    provider: &DynProvider,
    method: &'static str,
    parameters: P,
) -> R {
    let answer = provider.raw_request(method.into(), parameters).await;
    answer.unwrap_or_else(|error| panic!("{method}: {error}"))
}

fn connect(url: &str) -> DynProvider {
    let url = url.parse().expect("the address of a node of our own");
    ProviderBuilder::new().disable_recommended_fillers().connect_reqwest(client(), url).erased()
}

/// A client for loopback, where a proxy of the environment has no business.
pub(crate) fn client() -> reqwest::Client {
    // Clients are built with encryption in this workspace, used or not, and ask for a provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().expect("a client")
}
