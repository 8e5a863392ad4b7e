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

const NAME: &str = "the signer process";
/// How long an answer may take, waiting for the disk included.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Has transactions signed by a signer process.
#[derive(Debug)]
pub struct ProcessSigner {
    path: PathBuf,
    address: Address,
    /// The number of the user whose process must be at the other end.
    user: u32,
    answer_timeout: Duration,
    connection: Mutex<Option<UnixStream>>,
}

impl ProcessSigner {
    /// Connects to the signer at a path, which must have the key of `address` and be run by this process' user, or by
    /// the user with the number `user`: whoever else listens there is told nothing.
    ///
    /// # Errors
    /// [`SigningError::Unavailable`] when nobody answers there, [`SigningError::WrongAnswer`] when it is another user's,
    /// [`SigningError::Refused`] when it does not have the key.
    pub async fn connect(path: &Path, address: Address, user: Option<u32>) -> Result<Self, SigningError> {
        Self::connect_within(path, address, user, ANSWER_TIMEOUT).await
    }

    pub(super) async fn connect_within(
        path: &Path,
        address: Address,
        user: Option<u32>,
        answer_timeout: Duration,
    ) -> Result<Self, SigningError> {
        let user = user.unwrap_or_else(|| rustix::process::geteuid().as_raw());
        let path = path.to_owned();
        let signer = Self { path, address, user, answer_timeout, connection: Mutex::new(None) };
        match signer.ask(&Request::Keys {}).await? {
            Answer::Keys { keys } if keys.iter().any(|key| key.address == address) => Ok(signer),
            Answer::Keys { .. } => Err(SigningError::Refused(Refusal::UnknownKey { address })),
            other => Err(unexpected(other)),
        }
    }

    async fn ask(&self, request: &Request) -> Result<Answer, SigningError> {
        let mut connection = self.connection.lock().await;
        // Taken out: whoever stops waiting leaves no connection behind on which an old answer is still to come.
        if let Some(stream) = connection.take() {
            match self.ask_on(stream, request).await {
                Ok((stream, answer)) => {
                    *connection = Some(stream);
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
        *connection = Some(stream);
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
        match self.ask(&asked).await? {
            Answer::Signed { raw, hash } => {
                SignedTransaction::verified(&raw, hash, &request, self.address, NAME)
            }
            Answer::Refused { refusal } => Err(SigningError::Refused(refusal)),
            other => Err(unexpected(other)),
        }
    }
}

fn unexpected(answer: Answer) -> SigningError {
    match answer {
        Answer::Unavailable { why } => SigningError::unavailable(NAME, why),
        Answer::Wrong { why } => SigningError::wrong_answer(NAME, why),
        Answer::Malformed { why } => {
            SigningError::wrong_answer(NAME, format!("it does not understand what is asked: {why}"))
        }
        Answer::Keys { .. } | Answer::Signed { .. } | Answer::Refused { .. } => {
            SigningError::wrong_answer(NAME, "it answers another question")
        }
    }
}

fn failed(error: &FrameError) -> SigningError {
    match error {
        FrameError::Ended | FrameError::Stalled | FrameError::Io(_) => SigningError::unavailable(NAME, error),
        FrameError::TooLong(_) | FrameError::NotUnderstood(_) => SigningError::wrong_answer(NAME, error),
    }
}
