//! What becomes of transactions that are out there.

use std::time::Duration;

use bulkhead_core::venue::stage::{Attempt, Landing, SignedTransaction, Stage, TransactionId, Uniqueness};
use bulkhead_venue::{Journal, Left};
use solana_transaction::versioned::VersionedTransaction;
use tokio::time::Instant;

use super::{Pursuit, signature_of};
use crate::cluster::{Absence, Cluster, ClusterError, Expiring, Heights, Known, Level, Sent, Status};

/// So many final blocks after its last valid height, about an hour, a transaction is not given up any more because nobody
/// knows it.
const MOST_BLOCKS_OVER: u64 = 9_000;

/// How often it is told that a transaction is still open that should be over.
const TOLD_AGAIN_AFTER: Duration = Duration::from_secs(60);

impl<C: Cluster, J: Journal> Pursuit<C, J> {
    /// Looks, and does what is due, until nothing that is out there can change any more.
    pub(super) async fn follow(&mut self) -> Result<(), Left> {
        loop {
            match self.look().await {
                Ok(()) => {}
                Err(Failed::Left(left)) => return Err(left),
                Err(Failed::Cluster(ClusterError::Disagreement(what))) => {
                    return Err(Left::Contradiction(format!("endpoints disagree: {what}")));
                }
                Err(Failed::Cluster(error)) => {
                    tracing::warn!(order = self.terms.id.0, %error, "the cluster does not answer; looking again");
                }
            }
            if self.attempts.open().is_none() {
                return Ok(());
            }
            self.send_again().await?;
            let poll = self.desk.settings.poll;
            self.pause(poll).await;
        }
    }

    /// Asks for every transaction that is not final, and writes down what is new of it.
    async fn look(&mut self) -> Result<(), Failed> {
        let desk = self.desk.clone();
        let heights = desk.cluster.heights().await?;
        let open: Vec<Attempt> =
            self.attempts.as_slice().iter().filter(|attempt| !attempt.landing.is_final()).cloned().collect();
        for Attempt { transaction, landing } in open {
            let signature = signature_of(&transaction.id)?;
            match desk.cluster.status(signature).await? {
                Known::As(status) => self.note(&transaction, landing, &status).await?,
                Known::ByFew => self.note_doubt(&transaction, heights, "only few servers know it")?,
                Known::ByNobody => self.note_absence(&transaction, landing, heights).await?,
            }
        }
        Ok(())
    }

    async fn note(
        &mut self,
        transaction: &SignedTransaction,
        landing: Landing,
        status: &Status,
    ) -> Result<(), Left> {
        let (id, block, succeeded) = (transaction.id.clone(), status.slot, status.error.is_none());
        if status.level == Level::Processed {
            // It may be on a fork that dies.
            if matches!(landing, Landing::Signed | Landing::Submitted) {
                self.reach(Stage::Seen { id }).await?;
            }
            return Ok(());
        }
        if landing != Landing::Included(block) {
            self.reach(Stage::Included { id: id.clone(), block, succeeded }).await?;
        }
        if status.level >= self.final_level() {
            self.reach(Stage::Confirmed { id, block, succeeded }).await?;
        }
        Ok(())
    }

    async fn note_absence(
        &mut self,
        transaction: &SignedTransaction,
        landing: Landing,
        heights: Heights,
    ) -> Result<(), Failed> {
        let id = transaction.id.clone();
        if matches!(landing, Landing::Included(_)) {
            tracing::warn!(order = self.terms.id.0, %id, "its block is none of the chain's any more");
            self.reach(Stage::Orphaned { id: id.clone() }).await?;
        }
        let last = last_valid_height(transaction)?;
        if heights.finalized <= last {
            return Ok(());
        }
        must_be_remembered(transaction, heights, "no server knows it")?;
        let blockhash = *unpacked(transaction)?.message.recent_blockhash();
        let expiring = Expiring { signature: signature_of(&id)?, blockhash, last_valid_height: last };
        match self.desk.cluster.absence(&expiring).await? {
            Absence::ForGood(height) => {
                let why = format!(
                    "it was valid until height {last}, and the blocks until {height} are final without it"
                );
                self.given_up += 1;
                Ok(self.reach(Stage::Gone { id, why }).await?)
            }
            Absence::Open(why) => Ok(self.note_doubt(transaction, heights, &why)?),
            Absence::Forgotten(why) => Err(Failed::Left(Left::Contradiction(format!(
                "whether {id} landed can't be found out, as {why}; look for it in an explorer"
            )))),
        }
    }

    /// Says now and then that a transaction should be over and is not known to be.
    fn note_doubt(
        &mut self,
        transaction: &SignedTransaction,
        heights: Heights,
        why: &str,
    ) -> Result<(), Left> {
        must_be_remembered(transaction, heights, why)?;
        let (id, last) = (&transaction.id, last_valid_height(transaction)?);
        if heights.finalized <= last || self.doubted.is_some_and(|at| at.elapsed() < TOLD_AGAIN_AFTER) {
            return Ok(());
        }
        // The first time it has only just expired, which is nothing to worry about.
        if self.doubted.is_some() {
            tracing::warn!(order = self.terms.id.0, %id, last, heights.finalized, why, "it has expired and is not over");
        }
        self.doubted = Some(Instant::now());
        Ok(())
    }

    pub(super) fn final_level(&self) -> Level {
        self.desk.settings.finality.level()
    }

    /// Leaders drop what they have no room for, and after a crash nobody knows whether it was sent: the same again can't
    /// land twice.
    async fn send_again(&mut self) -> Result<(), Left> {
        if self.sent.is_some_and(|sent| sent.elapsed() < self.desk.settings.resend_after)
            || self.withheld.is_some()
        {
            return Ok(());
        }
        let waiting =
            self.attempts.as_slice().iter().find(|attempt| {
                matches!(attempt.landing, Landing::Signed | Landing::Submitted | Landing::Seen)
            });
        let Some(Attempt { transaction, landing }) = waiting.cloned() else { return Ok(()) };
        let id = transaction.id.clone();
        let signed = unpacked(&transaction)?;
        self.sent = Some(Instant::now());
        // It was tried when it was sent first. A trial now would fail as soon as it has landed.
        match self.desk.cluster.send(&signed, false).await {
            Sent::Taken(to) if landing == Landing::Signed => self.reach(Stage::Submitted { id, to }).await,
            Sent::Taken(_) => Ok(()),
            Sent::Rejected(rejection) => {
                tracing::warn!(order = self.terms.id.0, %id, why = rejection.message, "not taken again");
                Ok(())
            }
            Sent::Unknown(why) => {
                tracing::warn!(order = self.terms.id.0, %id, why, "not sent again");
                Ok(())
            }
        }
    }
}

/// Servers forget: long after a transaction should have been over not even that none has seen it proves anything, and a
/// person must look.
fn must_be_remembered(transaction: &SignedTransaction, heights: Heights, what: &str) -> Result<(), Left> {
    let (id, last) = (&transaction.id, last_valid_height(transaction)?);
    if heights.finalized.saturating_sub(last) <= MOST_BLOCKS_OVER {
        return Ok(());
    }
    Err(Left::Contradiction(format!(
        "whether {id} landed can't be found out: it was valid until height {last}, {} is final, and {what}; look for it in \
         an explorer",
        heights.finalized
    )))
}

fn last_valid_height(transaction: &SignedTransaction) -> Result<u64, Left> {
    match transaction.uniqueness {
        Uniqueness::LastValidHeight(last) => Ok(last),
        Uniqueness::Nonce(_) => {
            let id = &transaction.id;
            Err(Left::Contradiction(format!("transaction {id} in the journal is of another kind of chain")))
        }
    }
}

/// The transaction in an attempt, as it was signed.
fn unpacked(transaction: &SignedTransaction) -> Result<VersionedTransaction, Left> {
    let read: Result<VersionedTransaction, _> = wincode::deserialize(&transaction.raw);
    let named = |signed: &VersionedTransaction| {
        let name = signed.signatures.first().map(|signature| TransactionId(signature.to_string()));
        name.as_ref() == Some(&transaction.id)
    };
    match read {
        Ok(signed) if named(&signed) => Ok(signed),
        _ => Err(Left::Contradiction(format!("transaction {} in the journal can't be read", transaction.id))),
    }
}

/// Why a look ended early.
enum Failed {
    Left(Left),
    Cluster(ClusterError),
}

impl From<Left> for Failed {
    fn from(left: Left) -> Self {
        Self::Left(left)
    }
}

impl From<ClusterError> for Failed {
    fn from(error: ClusterError) -> Self {
        Self::Cluster(error)
    }
}
