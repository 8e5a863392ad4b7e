//! Starting: a socket, a small runtime, and the router.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;

use bulkhead_store::database::DatabaseUrl;
use tokio::net::TcpListener;

use crate::api::Api;
use crate::limits::Limits;
use crate::metrics::RequestCounts;
use crate::readers::Readers;
use crate::routes::router;

/// How the API is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where it listens; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// Whether it may listen where other machines reach it. It does not encrypt.
    pub allow_remote: bool,
    /// Most requests of one token in a minute.
    pub requests_per_minute: NonZeroU32,
}

/// Why the API is not served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Other machines could reach it, and nobody said that they may.
    #[error(
        "{0} can be reached by other machines; set api.listen to 127.0.0.1 with a port, or api.allow_remote = true \
         with an encrypting proxy before it"
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
pub fn serve(
    settings: &Settings,
    url: &DatabaseUrl,
    listening: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    let address = settings.listen;
    if !settings.allow_remote && !address.ip().is_loopback() {
        return Err(ServeError::Remote(address));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("api")
        .enable_all()
        .build()
        .map_err(ServeError::Start)?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|error| ServeError::Listen { address, error })?;
        let readers = Readers::start(url).map_err(ServeError::Start)?;
        let api = Api::new(readers, Limits::new(settings.requests_per_minute), RequestCounts::new()?);
        let service = router(&api).into_make_service_with_connect_info::<SocketAddr>();
        listening(listener.local_addr().map_err(ServeError::Start)?);
        axum::serve(listener, service).await.map_err(ServeError::Start)
    })
}
