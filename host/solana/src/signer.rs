use async_trait::async_trait;
use solana_address::Address;
use solana_signature::Signature;

use crate::verify::Verified;

/// Why a signer gave no signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignerError {
    /// It won't, and won't be asked again for this.
    #[error("the signer refuses: {0}")]
    Refused(String),
    /// It can't be asked at the moment.
    #[error("the signer does not answer: {0}")]
    Unavailable(String),
    /// What it answers can't be. Nobody should go on before a person has looked at it.
    #[error("the signer gave a wrong answer: {0}")]
    Wrong(String),
}

/// Signs transactions of one wallet.
///
/// It is given what was verified and nothing else: there is no way to have arbitrary bytes signed. Whoever asks holds
/// the signature against the message and the wallet before it is used.
#[async_trait]
pub trait SolanaSigner: Send + Sync {
    /// The wallet that is signed for.
    fn address(&self) -> Address;

    /// What a person calls this signer, for logs and errors: no secret, no address of a server.
    fn name(&self) -> &str;

    /// Signs for an order of this name, or says why not.
    ///
    /// # Errors
    ///
    /// [`SignerError::Refused`] is final, [`SignerError::Unavailable`] may go away, and [`SignerError::Wrong`] asks for a
    /// halt.
    async fn sign(&self, order: &str, transaction: &Verified) -> Result<Signature, SignerError>;
}
