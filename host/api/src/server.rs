//! Starting: a socket, a small runtime, and the router.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use bulkhead_core::time::Span;
use bulkhead_store::database::DatabaseUrl;
use ipnet::IpNet;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::alerts::AlertDesk;
use crate::api::Api;
use crate::backtests::BacktestProgram;
use crate::connections::{Limited, Room};
use crate::host_figures::HostFigures;
use crate::live::{Hub, Updates};
use crate::metrics::RequestCounts;
use crate::observer::RequestObserver;
use crate::plugins::PluginDirectory;
use crate::priority::{give_way, wait_for_idle};
use crate::readers::Readers;
use crate::reconciliation::Reconciliations;
use crate::routes::router;
use crate::wallets::{WalletAddress, WalletHolder};

/// How long a client may take to send the head of a request.
const LONGEST_HEAD: Duration = Duration::from_secs(10);

/// Most bytes of a request's head.
const LARGEST_HEAD: usize = 32 * 1024;

/// Connections to the database for what is read.
const READERS: usize = 4;

/// Connections to the database for who may come in and what is changed. However much is read, these are there.
const ACCESS: usize = 2;

/// How the API is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What orders do here, such as paper.
    pub mode: String,
    /// Where it listens; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// Whether it may listen where other machines reach it.
    pub allow_remote: bool,
    /// Most requests of one token in a minute.
    pub requests_per_minute: NonZeroU32,
    /// Most connections at a time.
    pub connections: usize,
    /// Most connections of one address at a time; this machine's own and trusted proxies may take all.
    pub connections_per_address: usize,
    /// How long a login lasts.
    pub session: Span,
    /// Proxies that are believed when they say whom they ask for.
    pub trusted_proxies: Vec<IpNet>,
    /// Names by which it is asked for, besides addresses, localhost and those of the origins.
    pub hosts: Vec<String>,
    /// Origins of pages of others that may use it from a browser.
    pub origins: Vec<String>,
    /// Files with a certificate chain and its private key in PEM; without them it does not encrypt.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Who may log in with a wallet.
    pub wallets: BTreeMap<WalletAddress, WalletHolder>,
    /// Largest plugin file, in bytes.
    pub largest_upload: usize,
    /// Whether a crowd of clients gets its live updates over WebSocket only while processors have nothing else to do. Not
    /// for a host that takes whatever processors there are, as one at full speed: its clients would starve.
    pub updates_wait: bool,
}

impl Settings {
    /// Whether cookies are for encrypted connections only: who allows others in is to encrypt, here or in a proxy.
    pub(crate) const fn secure_cookies(&self) -> bool {
        self.certificate.is_some() || self.allow_remote
    }
}

/// What the API needs of the host.
#[derive(Clone)]
pub struct Host {
    /// The database.
    pub url: DatabaseUrl,
    /// The live updates.
    pub hub: Hub,
    /// The strategies directory.
    pub plugins: Arc<dyn PluginDirectory>,
    /// Those who make and deliver alerts.
    pub alerts: Arc<dyn AlertDesk>,
    /// What was found when books were held against chains.
    pub reconciliations: Reconciliations,
    /// How backtests are run.
    pub backtests: Arc<dyn BacktestProgram>,
    /// Where what backtests made is kept.
    pub backtest_directory: PathBuf,
    /// Makes the host look at once for what was asked of it.
    pub poke: Arc<dyn Fn() + Send + Sync>,
    /// What the host counts beside its engines.
    pub figures: HostFigures,
    /// Who wants to know of every request.
    pub observer: Option<Arc<dyn RequestObserver>>,
}

/// Why the API is not served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Other machines could reach it, and nobody said that they may.
    #[error(
        "{0} can be reached by other machines; set api.listen to 127.0.0.1 with a port, or api.allow_remote = true \
         with api.certificate or an encrypting proxy before it"
    )]
    Remote(SocketAddr),
    /// It can't listen there.
    #[error(
        "it can't listen on {address}: {error}; another host may run here: set api.listen to another port"
    )]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        error: io::Error,
    },
    /// The certificate or its key can't be used.
    #[error("{path} can't be used: {why}", path = .path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// Why not; nothing of what is in it.
        why: String,
    },
    /// The system has no room for it.
    #[error("it can't be started: {0}")]
    Start(io::Error),
    /// The metrics can't be set up.
    #[error("its metrics can't be set up: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// Serves until something fails. `listening` is told the address once it is open.
///
/// # Errors
///
/// [`ServeError`], with what to do.
pub fn serve(settings: &Settings, host: &Host, listening: impl FnOnce(SocketAddr)) -> Result<(), ServeError> {
    let address = settings.listen;
    if !settings.allow_remote && !address.ip().is_loopback() {
        return Err(ServeError::Remote(address));
    }
    let certificate =
        settings.certificate.as_ref().map(|(chain, key)| certificate(chain, key)).transpose()?;
    let listener =
        std::net::TcpListener::bind(address).map_err(|error| ServeError::Listen { address, error })?;
    let bound = listener.local_addr().map_err(ServeError::Start)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("api")
        .on_thread_start(give_way)
        .enable_all()
        .build()
        .map_err(ServeError::Start)?;
    // Thousands may listen; what they are sent delays nobody who asks, and trading least of all. Those who operate the host
    // are few, and are told what happens whatever else the machine does.
    let crowd = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("updates")
        .on_thread_start(if settings.updates_wait { wait_for_idle } else { give_way })
        .enable_all()
        .build()
        .map_err(ServeError::Start)?;
    let readers = Readers::start(&host.url, "reads", READERS, give_way).map_err(ServeError::Start)?;
    let access = Readers::start(&host.url, "access", ACCESS, || {}).map_err(ServeError::Start)?;
    let api = Api::new(
        settings.clone(),
        host,
        readers,
        access,
        RequestCounts::new()?,
        Updates::new(crowd.handle().clone()),
    );
    let service = router(&api).into_make_service_with_connect_info::<SocketAddr>();
    // Who connects from now on waits a moment at most.
    listening(bound);
    let proxies = settings.trusted_proxies.clone();
    let room = Room::new(settings.connections, settings.connections_per_address, proxies);
    let serving = runtime.spawn(async move {
        tokio::spawn(api.look_at_tokens());
        let mut server = axum_server::from_tcp(listener)?.first_request_timeout(LONGEST_HEAD);
        server.http_builder().http1().header_read_timeout(LONGEST_HEAD).max_buf_size(LARGEST_HEAD);
        match certificate {
            Some(certificate) => {
                let inner = RustlsAcceptor::new(certificate).acceptor(NoDelayAcceptor::new());
                server.acceptor(Limited::new(inner, room)).serve(service).await
            }
            None => {
                let inner = NoDelayAcceptor::new();
                server.acceptor(Limited::new(inner, room)).serve(service).await
            }
        }
    });
    let served = runtime.block_on(serving).map_err(io::Error::other).flatten();
    // Who is still connected is not waited for.
    runtime.shutdown_background();
    crowd.shutdown_background();
    served.map_err(ServeError::Start)
}

fn certificate(chain: &Path, key: &Path) -> Result<RustlsConfig, ServeError> {
    fn problem(path: &Path, why: &dyn ToString) -> ServeError {
        ServeError::Certificate { path: path.to_owned(), why: why.to_string() }
    }
    let certificates = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| problem(chain, &error))?;
    if certificates.is_empty() {
        return Err(problem(chain, &"there is no certificate in it; PEM is expected"));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| problem(key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(certificates, secret))
        .map_err(|error| problem(chain, &error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(RustlsConfig::from_config(Arc::new(config)))
}
