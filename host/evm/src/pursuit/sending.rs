//! Signing and sending: the transaction is in the journal before anybody outside can have it.

use std::time::Duration;

use alloy::consensus::TxEip1559;
use bulkhead_core::venue::stage::{Purpose, SignedTransaction, Stage, TransactionId, Uniqueness};
use bulkhead_signing::{OrderName, Purpose as SigningPurpose, SigningError, SigningRequest, Step};
use tokio::time::Instant;

use super::{FIRST_PAUSE, LONGEST_PAUSE, Left, Pursuit};
use crate::chain::{Chain, Rejection, RejectionKind, Sent};
use crate::journal::Journal;

/// How long a signer that can't be reached is asked again while a nonce is held for it.
const SIGNER_PATIENCE: Duration = Duration::from_secs(5);

/// What became of a transaction that was to be signed and sent.
pub(super) enum Outcome {
    /// It is out there, or may be.
    Out,
    /// It was signed, nobody took it, and nobody will get it.
    Rejected(Rejection),
    /// It was not signed.
    NotSigned(SigningError),
}

impl Outcome {
    /// Whether the chain says that somebody else has used the nonce.
    pub(super) fn says_taken(&self) -> bool {
        matches!(self, Self::Rejected(rejection) if rejection.kind == RejectionKind::NonceTooLow)
    }
}

impl<C: Chain, J: Journal> Pursuit<C, J> {
    /// Signs, writes down, sends. The nonce must be leased, and `signed` is called when it is used.
    pub(super) async fn sign_and_send(
        &mut self,
        transaction: TxEip1559,
        purpose: Purpose,
        deadline: u64,
        signed: impl FnOnce(),
    ) -> Result<Outcome, Left> {
        let nonce = transaction.nonce;
        let order = self.order_name()?;
        let step = match purpose {
            Purpose::Approval => Step::Approve,
            Purpose::Trade => Step::Swap,
            Purpose::Cancellation => Step::Cancel,
        };
        let request = SigningRequest { transaction, purpose: SigningPurpose { order, step } };
        let answer = match self.signed(request).await {
            Ok(answer) => answer,
            Err(error) if error.must_halt() => return Err(self.contradiction(error.to_string())),
            Err(error) => return Ok(Outcome::NotSigned(error)),
        };
        let id = TransactionId(answer.hash.to_string());
        signed();
        self.reach(Stage::Signed(SignedTransaction {
            id: id.clone(),
            purpose,
            sender: self.account().to_string(),
            uniqueness: Uniqueness::Nonce(nonce),
            deadline,
            raw: answer.raw.to_vec(),
        }))
        .await?;
        let sent = self.desk.chain.send(&answer.raw).await;
        self.sent = Some(Instant::now());
        match sent {
            Sent::Taken(by) => {
                if purpose != Purpose::Cancellation {
                    self.not_taken = None;
                }
                self.reach(Stage::Submitted { id, to: by }).await?;
                Ok(Outcome::Out)
            }
            Sent::Unknown(why) => {
                tracing::warn!(order = self.terms.id.0, %id, why, "nobody knows whether it arrived; it is asked for");
                self.reach(Stage::Submitted { id, to: format!("nobody knows: {why}") }).await?;
                Ok(Outcome::Out)
            }
            Sent::Rejected(rejection) => {
                let why = format!("no node took it: {}", rejection.message);
                tracing::warn!(order = self.terms.id.0, %id, why, "not sent");
                self.reach(Stage::Gone { id, why }).await?;
                if purpose != Purpose::Cancellation {
                    self.not_taken = Some(rejection.message.clone());
                }
                Ok(Outcome::Rejected(rejection))
            }
        }
    }

    async fn signed(
        &self,
        request: SigningRequest,
    ) -> Result<bulkhead_signing::SignedTransaction, SigningError> {
        let (begun, mut pause) = (Instant::now(), FIRST_PAUSE);
        loop {
            match self.desk.signer.sign(request.clone()).await {
                Err(error) if error.is_worth_a_retry() && begun.elapsed() < SIGNER_PATIENCE => {
                    tracing::warn!(order = self.terms.id.0, %error, "asking the signer again");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                answer => return answer,
            }
        }
    }

    fn order_name(&self) -> Result<OrderName, Left> {
        let name = format!("{}/{}", self.desk.name, self.terms.id.0);
        name.parse().map_err(|error| Left::Contradiction(format!("{name}: {error}")))
    }
}
