//! Signing and sending: the transaction is in the journal before anybody outside can have it.

use std::time::Duration;

use bulkhead_core::venue::stage::{Purpose, SignedTransaction, Stage, TransactionId, Uniqueness};
use bulkhead_venue::{Journal, Left};
use solana_signature::Signature;
use solana_transaction_error::TransactionError;
use tokio::time::Instant;

use super::prepare::Prepared;
use super::trade::{Stop, refused};
use super::{FIRST_PAUSE, LONGEST_PAUSE, Pursuit};
use crate::cluster::{Cluster, Rejection, Sent};
use crate::signer::SignerError;
use crate::verify::Verified;

/// How long a signer that can't be reached is asked again, while the blockhash grows old.
const SIGNER_PATIENCE: Duration = Duration::from_secs(5);

impl<C: Cluster, J: Journal> Pursuit<C, J> {
    /// Signs, writes down, sends.
    pub(super) async fn sign_and_send(&mut self, prepared: Prepared) -> Result<(), Stop> {
        self.claim(&prepared.verified)?;
        let signature = self.signature(&prepared.verified).await?;
        let signed = prepared.verified.signed(signature).ok_or_else(|| {
            let name = self.desk.signer.name();
            Left::Contradiction(format!(
                "what {name} answered is not the wallet's signature of what was asked for"
            ))
        })?;
        let raw = wincode::serialize(&signed).map_err(|error| {
            Left::Contradiction(format!("a signed transaction can't be written: {error}"))
        })?;
        let id = TransactionId(signature.to_string());
        self.reach(Stage::Signed(SignedTransaction {
            id: id.clone(),
            purpose: Purpose::Trade,
            sender: self.owner().to_string(),
            uniqueness: Uniqueness::LastValidHeight(prepared.lifetime.last_valid_height),
            deadline: 0,
            raw,
        }))
        .await?;
        self.withheld = None;
        let sent = self.desk.cluster.send(&signed, true).await;
        self.sent = Some(Instant::now());
        let to = match sent {
            Sent::Taken(by) => by,
            Sent::Unknown(why) => {
                tracing::warn!(order = self.terms.id.0, %id, why, "nobody knows whether it arrived; it is asked for");
                format!("nobody knows: {why}")
            }
            // They have seen it all the same, and one that lies could send it on: only time makes sure.
            Sent::Rejected(rejection) => {
                tracing::warn!(order = self.terms.id.0, %id, why = rejection.message, "nobody took it");
                if fails_for_sure(&rejection) {
                    self.withheld = Some(rejection.message.clone());
                }
                format!("nobody took it: {}", rejection.message)
            }
        };
        self.reach(Stage::Submitted { id, to }).await?;
        Ok(())
    }

    /// The same transaction for another order would land once and be booked twice.
    fn claim(&self, verified: &Verified) -> Result<(), Stop> {
        let mut signed = self.desk.signed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        signed.claim(verified.signing_payload(), self.terms.id).map_err(|other| {
            Stop::Later(format!("order {} has the same transaction; waiting for another blockhash", other.0))
        })
    }

    async fn signature(&self, verified: &Verified) -> Result<Signature, Stop> {
        let (begun, mut pause) = (Instant::now(), FIRST_PAUSE);
        let order = format!("{}/{}", self.desk.name, self.terms.id.0);
        loop {
            match self.desk.signer.sign(&order, verified).await {
                Ok(signature) => return Ok(signature),
                Err(error @ SignerError::Refused(_)) => return Err(refused(error.to_string())),
                Err(error @ SignerError::Wrong(_)) => {
                    return Err(Left::Contradiction(error.to_string()).into());
                }
                Err(error @ SignerError::Unavailable(_)) if begun.elapsed() >= SIGNER_PATIENCE => {
                    return Err(Stop::Later(error.to_string()));
                }
                Err(error) => {
                    tracing::warn!(order = self.terms.id.0, %error, "asking the signer again");
                    tokio::time::sleep(pause).await;
                    self.must_be_wanted()?;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }
}

/// Whether sending it again could bring nothing but costs.
fn fails_for_sure(rejection: &Rejection) -> bool {
    !matches!(&rejection.error, None | Some(TransactionError::BlockhashNotFound))
}
