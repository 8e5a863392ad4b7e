//! Why a transaction was not signed.

use crate::policy::Refusal;

/// Why a transaction was not signed. The three kinds call for three reactions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SigningError {
    /// The key's policy, or what was signed before, forbids it. Asking again changes nothing; there is no signature.
    #[error("refused to sign: {0}")]
    Refused(Refusal),
    /// The signer can't be reached, or can't work right now. Asking again, with the same request, may succeed; there
    /// may be a signature that did not arrive.
    #[error("{signer} is unavailable: {why}")]
    Unavailable {
        /// Which signer, as a person knows it.
        signer: String,
        /// What went wrong.
        why: String,
    },
    /// What came back is not what was asked for. Nobody should go on before a person has looked at the signer.
    #[error("{signer} gave a wrong answer: {why}; stop trading with this key and look at the signer")]
    WrongAnswer {
        /// Which signer, as a person knows it.
        signer: String,
        /// How the answer differs.
        why: String,
    },
}

impl SigningError {
    #[expect(clippy::needless_pass_by_value, reason = "errors are given as they come")]
    pub(crate) fn unavailable(signer: impl Into<String>, why: impl ToString) -> Self {
        Self::Unavailable { signer: signer.into(), why: why.to_string() }
    }

    #[expect(clippy::needless_pass_by_value, reason = "errors are given as they come")]
    pub(crate) fn wrong_answer(signer: impl Into<String>, why: impl ToString) -> Self {
        Self::WrongAnswer { signer: signer.into(), why: why.to_string() }
    }

    /// Whether asking again with the same request may succeed.
    #[must_use]
    pub const fn is_worth_a_retry(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// Whether trading with the key must stop until a person has looked.
    #[must_use]
    pub const fn must_halt(&self) -> bool {
        matches!(self, Self::WrongAnswer { .. })
    }
}
