//! Signing and sending: the transaction is in the journal before anybody outside can have it.

use std::time::Duration;

use alloy::consensus::TxEip1559;
use bulkhead_core::venue::stage::{Purpose, SignedTransaction, Stage, TransactionId, Uniqueness};
use bulkhead_signing::policy::Refusal;
use bulkhead_signing::{OrderName, Purpose as SigningPurpose, SigningError, SigningRequest, Step};
use bulkhead_venue::{Journal, Left};
use tokio::time::Instant;

use super::{FIRST_PAUSE, LONGEST_PAUSE, Pursuit, unpacked};
use crate::chain::{Chain, RejectionKind, Sent};
use crate::lane::Lease;

/// How long a signer that can't be reached is asked again while a nonce is held for it.
const SIGNER_PATIENCE: Duration = Duration::from_secs(5);

/// What became of a transaction that was to be signed and sent.
pub(super) enum Outcome {
    /// It is out there, or may be: from now on the chain says what becomes of it, whatever servers said.
    Out,
    /// The chain uses the nonce for something else, as a server says.
    Taken,
    /// It was not signed.
    NotSigned(SigningError),
}

/// What became of what was to be sent with a leased nonce.
pub(super) enum Sending {
    /// It is out there, or may be.
    Out,
    /// Something that uses up the nonce is out there in its stead: what comes next follows from that.
    First,
    /// What must come first can't be sent at the moment.
    Later(String),
    /// It was not signed.
    NotSigned(SigningError),
}

impl Outcome {
    /// Whether the signer keeps the nonce for something else that it signed before.
    fn says_kept(&self) -> bool {
        matches!(self, Self::NotSigned(SigningError::Refused(Refusal::NonceTaken { .. })))
    }
}

impl<C: Chain, J: Journal> Pursuit<C, J> {
    /// Signs, writes down, sends. The nonce must be leased or the order's own; `written` is called when it is in the journal
    /// that it is used.
    pub(super) async fn sign_and_send(
        &mut self,
        transaction: TxEip1559,
        purpose: Purpose,
        deadline: u64,
        written: impl FnOnce() + Send,
    ) -> Result<Outcome, Left> {
        let transaction = self.unlike_those_before(transaction)?;
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
        self.reach(Stage::Signed(SignedTransaction {
            id: id.clone(),
            purpose,
            sender: self.account().to_string(),
            uniqueness: Uniqueness::Nonce(nonce),
            deadline,
            raw: answer.raw.to_vec(),
        }))
        .await?;
        written();
        let sent = self.desk.chain.send(&answer.raw).await;
        self.sent = Some(Instant::now());
        self.not_taken = None;
        let mut outcome = Outcome::Out;
        let to = match sent {
            Sent::Taken(by) => by,
            Sent::Unknown(why) => {
                tracing::warn!(order = self.terms.id.0, %id, why, "nobody knows whether it arrived; it is asked for");
                format!("nobody knows: {why}")
            }
            Sent::Rejected(rejection) => {
                tracing::warn!(order = self.terms.id.0, %id, why = rejection.message, "no node took it");
                if rejection.kind == RejectionKind::NonceTooLow {
                    outcome = Outcome::Taken;
                } else if purpose != Purpose::Cancellation {
                    self.not_taken = Some(rejection.message.clone());
                }
                format!("no node took it: {}", rejection.message)
            }
        };
        self.reach(Stage::Submitted { id, to }).await?;
        Ok(outcome)
    }

    /// Signs and sends with the nonce that was leased. A nonce that the signer keeps for something that never went out is
    /// used up first, as everything behind it would wait for it: the order then begins anew.
    pub(super) async fn sign_and_send_leased(
        &mut self,
        transaction: TxEip1559,
        purpose: Purpose,
        deadline: u64,
        mut lease: Lease<'_>,
    ) -> Result<Sending, Left> {
        let nonce = lease.nonce();
        let mut outcome = self.sign_and_send(transaction, purpose, deadline, || lease.signed()).await?;
        let kept = outcome.says_kept();
        if kept {
            tracing::warn!(order = self.terms.id.0, nonce, "its transaction never went out; it is used up");
            match self.send_nothing(nonce, || lease.signed()).await? {
                Some(of_nothing) => outcome = of_nothing,
                None => return Ok(Sending::Later("what uses up a nonce can't be sent".to_owned())),
            }
        }
        drop(lease);
        if matches!(outcome, Outcome::Taken) {
            // Those who come next need not run into the same.
            self.desk.lane.ask_again().await;
        }
        Ok(match outcome {
            Outcome::NotSigned(error) => Sending::NotSigned(error),
            Outcome::Out | Outcome::Taken if kept => Sending::First,
            Outcome::Out | Outcome::Taken => Sending::Out,
        })
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

    /// The same transaction has the same hash, and one that is over can't come again. A little more gas is another.
    fn unlike_those_before(&self, mut transaction: TxEip1559) -> Result<TxEip1559, Left> {
        let before = self.attempts.as_slice().iter().map(|attempt| unpacked(&attempt.transaction));
        let before: Vec<TxEip1559> = before.collect::<Result<_, Left>>()?;
        while before.contains(&transaction) {
            transaction.gas_limit = transaction.gas_limit.saturating_add(1);
        }
        Ok(transaction)
    }

    fn order_name(&self) -> Result<OrderName, Left> {
        let name = format!("{}/{}", self.desk.name, self.terms.id.0);
        name.parse().map_err(|error| Left::Contradiction(format!("{name}: {error}")))
    }
}
