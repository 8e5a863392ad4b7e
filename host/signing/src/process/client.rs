//! The host's side of the socket.

use std::path::{Path, PathBuf};
use std::time::Duration;

use alloy_primitives::Address;
use async_trait::async_trait;
use tokio::net::UnixStream;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::wire::{self, Answer, FrameError, Request};
use crate::error::SigningError;
use crate::policy::Refusal;
use crate::request::{SignedTransaction, SigningRequest, signing_payload};
use crate::signer::EvmSigner;

/// What a person calls it.
pub(crate) const NAME: &str = "the signer process";
/// How long an answer may take, waiting for the disk included.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The way to a signer process.
#[derive(Debug)]
pub(crate) struct Connection {
    path: PathBuf,
    /// The number of the user whose process must be at the other end.
    user: u32,
    answer_timeout: Duration,
    stream: Mutex<Option<UnixStream>>,
}

impl Connection {
    /// To whoever listens at a path, if that is this process' user, or the one with the number `user`. Nobody is asked
    /// yet.
    pub(crate) fn new(path: &Path, user: Option<u32>) -> Self {
        let user = user.unwrap_or_else(|| rustix::process::geteuid().as_raw());
        Self { path: path.to_owned(), user, answer_timeout: ANSWER_TIMEOUT, stream: Mutex::new(None) }
    }

    /// Asks, and connects anew where that is needed.
    pub(crate) async fn ask(&self, request: &Request) -> Result<Answer, SigningError> {
        let mut kept = self.stream.lock().await;
        // Taken out: whoever stops waiting leaves no connection behind on which an old answer is still to come.
        if let Some(stream) = kept.take() {
            match self.ask_on(stream, request).await {
                Ok((stream, answer)) => {
                    *kept = Some(stream);
                    return Ok(answer);
                }
                // The signer was started anew meanwhile, most likely. The same request counts once.
                Err(FrameError::Ended | FrameError::Io(_)) => {}
                Err(error) => return Err(failed(&error)),
            }
        }
        let stream = timeout(self.answer_timeout, UnixStream::connect(&self.path)).await;
        let stream = stream.map_err(|_| SigningError::unavailable(NAME, "it does not accept connections"))?;
        let stream = stream.map_err(|error| {
            SigningError::unavailable(
                NAME,
                format!("{}: {error}; is `bulkhead signer` running?", self.path.display()),
            )
        })?;
        self.must_be_the_users(&stream)?;
        let (stream, answer) = self.ask_on(stream, request).await.map_err(|error| failed(&error))?;
        *kept = Some(stream);
        Ok(answer)
    }

    /// The system says who listens: a process of somebody else in the signer's place could refuse or delay what it likes.
    fn must_be_the_users(&self, stream: &UnixStream) -> Result<(), SigningError> {
        let peer = stream.peer_cred().map_err(|error| SigningError::unavailable(NAME, error))?;
        if peer.uid() == self.user {
            return Ok(());
        }
        let (path, found, wanted) = (self.path.display(), peer.uid(), self.user);
        let why = format!("{path} belongs to user {found}, and the signer is to be run by user {wanted}");
        Err(SigningError::wrong_answer(NAME, why))
    }

    async fn ask_on(
        &self,
        mut stream: UnixStream,
        request: &Request,
    ) -> Result<(UnixStream, Answer), FrameError> {
        let asked = async {
            wire::write(&mut stream, request).await?;
            wire::read(&mut stream).await
        };
        let answer = timeout(self.answer_timeout, asked).await.map_err(|_| FrameError::Stalled)??;
        Ok((stream, answer))
    }
}

/// Has transactions signed by a signer process.
#[derive(Debug)]
pub struct ProcessSigner {
    connection: Connection,
    address: Address,
}

impl ProcessSigner {
    /// Connects to the signer at a path, which must have the key of `address` and be run by this process' user, or by
    /// the user with the number `user`: whoever else listens there is told nothing.
    ///
    /// # Errors
    /// [`SigningError::Unavailable`] when nobody answers there, [`SigningError::WrongAnswer`] when it is another user's,
    /// [`SigningError::Refused`] when it does not have the key.
    pub async fn connect(path: &Path, address: Address, user: Option<u32>) -> Result<Self, SigningError> {
        Self::connect_by(Connection::new(path, user), address).await
    }

    #[cfg(test)]
    pub(super) async fn connect_within(
        path: &Path,
        address: Address,
        user: Option<u32>,
        answer_timeout: Duration,
    ) -> Result<Self, SigningError> {
        let connection = Connection { answer_timeout, ..Connection::new(path, user) };
        Self::connect_by(connection, address).await
    }

    async fn connect_by(connection: Connection, address: Address) -> Result<Self, SigningError> {
        let text = address.to_checksum(None);
        match connection.ask(&Request::Keys {}).await? {
            Answer::Keys { keys } if keys.iter().any(|key| key.address == text) => {
                Ok(Self { connection, address })
            }
            Answer::Keys { .. } => Err(SigningError::Refused(Refusal::UnknownKey { address })),
            other => Err(unexpected(other)),
        }
    }
}

#[async_trait]
impl EvmSigner for ProcessSigner {
    fn address(&self) -> Address {
        self.address
    }

    fn name(&self) -> &str {
        NAME
    }

    async fn sign(&self, request: SigningRequest) -> Result<SignedTransaction, SigningError> {
        let payload = signing_payload(&request.transaction).into();
        let asked = Request::Sign { address: self.address, payload, purpose: request.purpose.clone() };
        match self.connection.ask(&asked).await? {
            Answer::Signed { raw, hash } => {
                SignedTransaction::verified(&raw, hash, &request, self.address, NAME)
            }
            Answer::Refused { refusal } => Err(SigningError::Refused(refusal)),
            other => Err(unexpected(other)),
        }
    }
}

/// An answer to something else than was asked.
pub(crate) fn unexpected(answer: Answer) -> SigningError {
    match answer {
        Answer::Unavailable { why } => SigningError::unavailable(NAME, why),
        Answer::Wrong { why } => SigningError::wrong_answer(NAME, why),
        Answer::Malformed { why } => {
            SigningError::wrong_answer(NAME, format!("it does not understand what is asked: {why}"))
        }
        Answer::Keys { .. } | Answer::Signed { .. } | Answer::Refused { .. } => other_question(),
        #[cfg(feature = "solana")]
        Answer::SignedSolana { .. } | Answer::RefusedSolana { .. } => other_question(),
    }
}

fn other_question() -> SigningError {
    SigningError::wrong_answer(NAME, "it answers another question")
}

fn failed(error: &FrameError) -> SigningError {
    match error {
        FrameError::Ended | FrameError::Stalled | FrameError::Io(_) => SigningError::unavailable(NAME, error),
        FrameError::TooLong(_) | FrameError::NotUnderstood(_) => SigningError::wrong_answer(NAME, error),
    }
}
