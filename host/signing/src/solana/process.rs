//! Both sides of the socket of a signer process.

use std::path::Path;

use async_trait::async_trait;
use bulkhead_solana::signer::{SignerError, SolanaSigner};
use bulkhead_solana::verify::Verified;
use solana_address::Address;
use solana_signature::Signature;

use super::local::{SignFailure, SolanaLocalSigner};
use super::refusal::SolanaRefusal;
use super::request::{SolanaRequest, Written};
use crate::error::SigningError;
use crate::process::wire::{Answer, Request};
use crate::process::{Connection, NAME, unexpected};

/// Has transactions signed by a signer process.
#[derive(Debug)]
pub struct SolanaProcessSigner {
    connection: Connection,
    wallet: Address,
}

impl SolanaProcessSigner {
    /// Connects to the signer at a path, which must have the key of `wallet` and be run by this process' user, or by the user
    /// with the number `user`: whoever else listens there is told nothing.
    ///
    /// # Errors
    /// [`SignerError::Unavailable`] when nobody answers there, [`SignerError::Wrong`] when it is another user's,
    /// [`SignerError::Refused`] when it does not have the key.
    pub async fn connect(path: &Path, wallet: Address, user: Option<u32>) -> Result<Self, SignerError> {
        let connection = Connection::new(path, user);
        let text = wallet.to_string();
        match connection.ask(&Request::Keys {}).await.map_err(told)? {
            Answer::Keys { keys } if keys.iter().any(|key| key.address == text) => {
                Ok(Self { connection, wallet })
            }
            Answer::Keys { .. } => Err(SignerError::Refused(format!("there is no key for {wallet} there"))),
            other => Err(told(unexpected(other))),
        }
    }
}

#[async_trait]
impl SolanaSigner for SolanaProcessSigner {
    fn address(&self) -> Address {
        self.wallet
    }

    fn name(&self) -> &str {
        NAME
    }

    async fn sign(&self, order: &str, transaction: &Verified) -> Result<Signature, SignerError> {
        let order = order.parse().map_err(|error| SignerError::Refused(format!("{order:?}: {error}")))?;
        let written = Written::of(&SolanaRequest::new(order, transaction));
        match self.connection.ask(&Request::SignSolana { request: Box::new(written) }).await.map_err(told)? {
            Answer::SignedSolana { signature } => {
                signature.parse().map_err(|_| SignerError::Wrong(format!("{NAME} answers no signature")))
            }
            Answer::RefusedSolana { refusal } => Err(SignerError::Refused(refusal.to_string())),
            other => Err(told(unexpected(other))),
        }
    }
}

/// The signer's side.
pub(crate) async fn answer(written: Written, signers: &[SolanaLocalSigner]) -> Answer {
    let Some(signer) = signers.iter().find(|signer| signer.address().to_string() == written.owner()) else {
        return Answer::RefusedSolana {
            refusal: SolanaRefusal::UnknownKey { wallet: written.owner().to_owned() },
        };
    };
    let request = match written.read() {
        Ok(request) => request,
        Err(error) => return Answer::Malformed { why: error.to_string() },
    };
    match signer.sign_request(request).await {
        Ok(signature) => Answer::SignedSolana { signature: signature.to_string() },
        Err(SignFailure::Refused(refusal)) => Answer::RefusedSolana { refusal },
        Err(SignFailure::Declined(why) | SignFailure::Unavailable(why) | SignFailure::Wrong(why)) => {
            Answer::Unavailable { why }
        }
    }
}

fn told(error: SigningError) -> SignerError {
    match error {
        SigningError::Refused(refusal) => SignerError::Refused(refusal.to_string()),
        SigningError::Unavailable { .. } => SignerError::Unavailable(error.to_string()),
        SigningError::WrongAnswer { .. } => SignerError::Wrong(error.to_string()),
    }
}
