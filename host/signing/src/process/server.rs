//! The signer's side of the socket.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::wire::{self, Answer, FrameError, Key, Request};
use crate::error::SigningError;
use crate::keystore::{KeystoreError, make};
use crate::policy::Refusal;
use crate::request::{SigningRequest, transaction_of_payload};
use crate::signer::EvmSigner;

/// How many clients may be connected.
const MAX_CLIENTS: usize = 16;
/// How long a client may say nothing before it has to connect again.
const IDLE: Duration = Duration::from_secs(600);
/// How long the signer waits before it accepts again after it could not.
const PAUSE: Duration = Duration::from_millis(100);

/// Why the socket can't be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// Its directory can't be made, or is open to others.
    #[error(transparent)]
    Directory(#[from] KeystoreError),
    /// It can't be made.
    #[error("the socket {} can't be made: {error}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Somebody listens there.
    #[error("a signer listens on {} already; stop it first", path.display())]
    InUse {
        /// Where.
        path: PathBuf,
    },
    /// Something else is there.
    #[error("{} is there and is no socket; choose another place", path.display())]
    NoSocket {
        /// Where.
        path: PathBuf,
    },
}

/// What a signer process signs with.
#[derive(Clone, Default)]
pub struct Served {
    /// For EVM chains.
    pub evm: Vec<Arc<dyn EvmSigner>>,
    /// For Solana.
    #[cfg(feature = "solana")]
    pub solana: Vec<crate::solana::SolanaLocalSigner>,
}

impl<S: EvmSigner + 'static> From<Vec<Arc<S>>> for Served {
    fn from(signers: Vec<Arc<S>>) -> Self {
        let evm = signers.into_iter().map(|signer| signer as Arc<dyn EvmSigner>).collect();
        Self {
            evm,
            #[cfg(feature = "solana")]
            solana: Vec::new(),
        }
    }
}

impl Served {
    fn keys(&self) -> Vec<Key> {
        let evm = self.evm.iter();
        let keys = evm.map(|signer| Key {
            name: signer.name().to_owned(),
            address: signer.address().to_checksum(None),
        });
        #[cfg(feature = "solana")]
        let keys = keys.chain(self.solana.iter().map(|signer| {
            use bulkhead_solana::signer::SolanaSigner as _;
            Key { name: signer.name().to_owned(), address: signer.address().to_string() }
        }));
        keys.collect()
    }
}

/// A socket that one user's processes can ask through. Gone when it is dropped.
#[derive(Debug)]
pub struct SignerSocket {
    listener: UnixListener,
    path: PathBuf,
    client: u32,
}

impl SignerSocket {
    /// Listens at a path for processes of this process' user, or of the user with the number `client`. For the user's
    /// own, the directory must be the user's alone; for another, it must let that one in.
    ///
    /// # Errors
    /// When somebody listens there, or the socket can't be made.
    pub fn bind(path: &Path, client: Option<u32>) -> Result<Self, SocketError> {
        let own = rustix::process::geteuid().as_raw();
        let failed = |error| SocketError::Io { path: path.to_owned(), error };
        if client.is_none_or(|client| client == own) {
            make(crate::keystore::parent(path))?;
        }
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(SocketError::NoSocket { path: path.to_owned() });
            }
            Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => {
                return Err(SocketError::InUse { path: path.to_owned() });
            }
            // Left over from a signer that was killed.
            Ok(_) => fs::remove_file(path).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        let client = client.unwrap_or(own);
        // Who it is that connects is asked of the system for each connection; this keeps the others away earlier.
        let mode = if client == own { 0o600 } else { 0o666 };
        fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed)?;
        Ok(Self { listener, path: path.to_owned(), client })
    }
}

impl Drop for SignerSocket {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.path));
    }
}

/// Serves until this process is interrupted or asked to end.
///
/// # Errors
/// When the socket can't be had, or signals can't be waited for.
pub fn serve_until_ended(path: &Path, client: Option<u32>, served: Served) -> Result<(), SocketError> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed = |error| SocketError::Io { path: path.to_owned(), error };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        let mut interrupted = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut ended = signal(SignalKind::terminate()).map_err(failed)?;
        let socket = SignerSocket::bind(path, client)?;
        tracing::info!(socket = %path.display(), keys = served.keys().len(), "the signer listens");
        serve(socket, served, async {
            tokio::select! {
                _ = interrupted.recv() => {}
                _ = ended.recv() => {}
            }
        })
        .await;
        Ok(())
    })
}

/// Signs for whoever may ask through the socket, until `stop` is ready.
pub async fn serve(socket: SignerSocket, served: impl Into<Served>, stop: impl Future<Output = ()>) {
    let served = served.into();
    let mut stop = pin!(stop);
    let places = Arc::new(Semaphore::new(MAX_CLIENTS));
    let mut clients = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = socket.listener.accept() => accepted,
            () = &mut stop => break,
            Some(_) = clients.join_next() => continue,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a client can't be accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        match stream.peer_cred() {
            Ok(peer) if peer.uid() == socket.client => {}
            peer => {
                tracing::warn!(
                    user = peer.ok().map(|peer| peer.uid()),
                    "turned away: not the user that may ask"
                );
                continue;
            }
        }
        let Ok(place) = places.clone().try_acquire_owned() else {
            tracing::warn!(most = MAX_CLIENTS, "turned away: too many clients");
            continue;
        };
        let served = served.clone();
        clients.spawn(async move {
            let _place = place;
            client(stream, &served).await;
        });
    }
}

async fn client(mut stream: UnixStream, served: &Served) {
    loop {
        let answer = match timeout(IDLE, wire::read(&mut stream)).await {
            Err(_) | Ok(Err(FrameError::Ended)) => return,
            Ok(Ok(request)) => answer(request, served).await,
            Ok(Err(error)) => {
                tracing::warn!(%error, "a client is let go");
                // Where the next frame begins is not known.
                drop(wire::write(&mut stream, &Answer::Malformed { why: error.to_string() }).await);
                return;
            }
        };
        if let Err(error) = wire::write(&mut stream, &answer).await {
            tracing::warn!(%error, "an answer did not arrive");
            return;
        }
    }
}

async fn answer(request: Request, served: &Served) -> Answer {
    let (address, payload, purpose) = match request {
        Request::Keys {} => return Answer::Keys { keys: served.keys() },
        Request::Sign { address, payload, purpose } => (address, payload, purpose),
        #[cfg(feature = "solana")]
        Request::SignSolana { request } => return crate::solana::answer(*request, &served.solana).await,
    };
    let transaction = match transaction_of_payload(&payload) {
        Ok(transaction) => transaction,
        Err(error) => return Answer::Malformed { why: error.to_string() },
    };
    let Some(signer) = served.evm.iter().find(|signer| signer.address() == address) else {
        return Answer::Refused { refusal: Refusal::UnknownKey { address } };
    };
    match signer.sign(SigningRequest { transaction, purpose }).await {
        Ok(signed) => Answer::Signed { raw: signed.raw, hash: signed.hash },
        Err(SigningError::Refused(refusal)) => Answer::Refused { refusal },
        Err(SigningError::Unavailable { why, .. }) => Answer::Unavailable { why },
        Err(SigningError::WrongAnswer { why, .. }) => Answer::Wrong { why },
    }
}
