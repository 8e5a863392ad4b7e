//! What becomes of transactions that are out there.

use alloy::consensus::TxEip1559;
use alloy::primitives::{Bytes, TxKind, U256};
use alloy::rpc::types::TransactionRequest;
use bulkhead_core::venue::stage::{Attempt, Landing, Purpose, Stage, TransactionId};
use bulkhead_venue::{Journal, Left};
use tokio::time::Instant;

use super::sending::Outcome;
use super::{Pursuit, hash_of, nonce_of, unpacked};
use crate::chain::{Chain, ChainError, Sent};
use crate::fees::GasPrice;

/// What a transfer of nothing to oneself uses.
const PLAIN_GAS: u64 = 21_000;

/// What one look at the chain showed besides what was written down.
#[derive(Default)]
struct Look {
    /// Sent transactions that no node knows.
    unknown: Vec<TransactionId>,
    /// The newest block, if it could be asked for.
    height: Option<u64>,
}

impl<C: Chain, J: Journal> Pursuit<C, J> {
    /// Looks, and does what is due, until what is out there holds nothing up any more.
    pub(super) async fn follow(&mut self) -> Result<(), Left> {
        self.follow_while(|pursuit| matches!(pursuit.situation(), super::Situation::Open)).await
    }

    /// Looks until everything that is out there is final: before that no order ends.
    pub(super) async fn follow_to_the_end(&mut self) -> Result<(), Left> {
        self.follow_while(|pursuit| pursuit.attempts.open().is_some()).await
    }

    async fn follow_while(&mut self, goes_on: impl Fn(&Self) -> bool + Send) -> Result<(), Left> {
        if !goes_on(self) {
            return Ok(());
        }
        // The height at which a stranger's transaction was first seen to have taken the nonce.
        let mut taken_at = None;
        loop {
            let look = match self.look().await {
                Ok(look) => look,
                Err(Failed::Left(left)) => return Err(left),
                Err(Failed::Chain(ChainError::Disagreement(what))) => {
                    return Err(self.contradiction(format!("endpoints disagree: {what}")));
                }
                Err(Failed::Chain(error)) => {
                    tracing::warn!(order = self.terms.id.0, %error, "the chain does not answer; looking again");
                    Look::default()
                }
            };
            if !goes_on(self) {
                return Ok(());
            }
            if let Some(height) = look.height {
                self.notice_stranger(height, &mut taken_at).await?;
                if !goes_on(self) {
                    return Ok(());
                }
            }
            self.send_again(&look.unknown).await?;
            self.replace_if_due().await?;
            let poll = self.desk.settings.poll;
            self.pause(poll).await;
        }
    }

    /// Asks for every transaction that is not final, and writes down what is new of it.
    async fn look(&mut self) -> Result<Look, Failed> {
        let desk = self.desk.clone();
        let head = desk.chain.head().await?;
        let mut look = Look { height: Some(head.number), ..Look::default() };
        let open: Vec<Attempt> =
            self.attempts.as_slice().iter().filter(|attempt| !attempt.landing.is_final()).cloned().collect();
        for Attempt { transaction, landing } in open {
            let (id, hash) = (transaction.id.clone(), hash_of(&transaction.id)?);
            let receipt = desk.chain.receipt(hash).await?;
            let receipt = receipt.map(|receipt| receipt.transaction);
            let place = receipt.and_then(|receipt| Some((receipt.block_number?, receipt.status())));
            let Some((block, succeeded)) = place else {
                if matches!(landing, Landing::Included(_)) {
                    tracing::warn!(order = self.terms.id.0, %id, "its block is none of the chain's any more");
                    self.reach(Stage::Orphaned { id }).await?;
                } else if !desk.chain.knows(hash).await? {
                    look.unknown.push(id);
                } else if landing != Landing::Seen {
                    self.reach(Stage::Seen { id }).await?;
                }
                continue;
            };
            if landing != Landing::Included(block) {
                self.reach(Stage::Included { id: id.clone(), block, succeeded }).await?;
            }
            let depth = head.number.saturating_sub(block).saturating_add(1);
            if head.number >= block && depth >= desk.settings.confirmations.max(1) {
                self.reach(Stage::Confirmed { id: id.clone(), block, succeeded }).await?;
                if let Some(nonce) = nonce_of(&transaction) {
                    self.others_are_gone(nonce, &id).await?;
                }
            }
        }
        Ok(look)
    }

    /// Of all transactions with a nonce one has landed for good.
    async fn others_are_gone(&mut self, nonce: u64, landed: &TransactionId) -> Result<(), Left> {
        for id in self.open_with(nonce) {
            let why = format!("{landed} took its place");
            self.reach(Stage::Gone { id, why }).await?;
        }
        self.desk.lane.is_over(nonce).await;
        Ok(())
    }

    fn open_with(&self, nonce: u64) -> Vec<TransactionId> {
        let open = self.attempts.as_slice().iter().filter(|attempt| !attempt.landing.is_final());
        open.filter(|attempt| nonce_of(&attempt.transaction) == Some(nonce))
            .map(|attempt| attempt.transaction.id.clone())
            .collect()
    }

    /// A nonce that is used up by none of the order's transactions was used by somebody else with the same key. Every server
    /// must say that it is used, and none may know a transaction of the order with it: one that is behind, or keeps a receipt
    /// to itself, would otherwise have the order traded once more. It is final when it is as deep as anything final.
    async fn notice_stranger(&mut self, height: u64, taken_at: &mut Option<u64>) -> Result<(), Left> {
        let Some(open) = self.attempts.as_slice().iter().find(|attempt| attempt.holds_up()) else {
            return Ok(());
        };
        let Some(nonce) = nonce_of(&open.transaction) else { return Ok(()) };
        let included = self.attempts.as_slice().iter().any(|attempt| {
            nonce_of(&attempt.transaction) == Some(nonce) && matches!(attempt.landing, Landing::Included(_))
        });
        let Ok(used) = self.desk.chain.nonce_everywhere(self.account()).await else { return Ok(()) };
        if included || used <= nonce {
            *taken_at = None;
            return Ok(());
        }
        let mine = self.attempts.as_slice().iter().map(|attempt| &attempt.transaction);
        let mine: Vec<TransactionId> =
            mine.filter(|mine| nonce_of(mine) == Some(nonce)).map(|mine| mine.id.clone()).collect();
        for id in &mine {
            match self.desk.chain.knows(hash_of(id)?).await {
                Ok(false) => {}
                Ok(true) => {
                    *taken_at = None;
                    return Ok(());
                }
                Err(_) => return Ok(()),
            }
        }
        let since = *taken_at.get_or_insert(height);
        if height.saturating_sub(since) < self.desk.settings.confirmations {
            return Ok(());
        }
        let address = self.account();
        tracing::error!(order = self.terms.id.0, nonce, %address, "somebody else sends from this address");
        for id in self.open_with(nonce) {
            let why = format!("another transaction of {address} used nonce {nonce}");
            self.reach(Stage::Gone { id, why }).await?;
        }
        self.given_up += 1;
        self.desk.lane.is_over(nonce).await;
        self.desk.lane.ask_again().await;
        Ok(())
    }

    /// Nodes forget what waits, and after a crash nobody knows whether it was sent: the same again can't do harm.
    async fn send_again(&mut self, unknown: &[TransactionId]) -> Result<(), Left> {
        for id in unknown {
            let attempts = self.attempts.as_slice();
            let Some(attempt) = attempts.iter().find(|attempt| attempt.transaction.id == *id) else {
                continue;
            };
            // What a newer one replaced need not be sent.
            let nonce = nonce_of(&attempt.transaction);
            let newest = attempts.iter().rev().find(|other| nonce_of(&other.transaction) == nonce);
            if newest.is_some_and(|newest| newest.transaction.id != *id) {
                continue;
            }
            let (raw, first) = (attempt.transaction.raw.clone(), attempt.landing == Landing::Signed);
            match self.desk.chain.send(&raw).await {
                Sent::Taken(to) => {
                    self.not_taken = None;
                    if first {
                        self.reach(Stage::Submitted { id: id.clone(), to }).await?;
                    }
                }
                // It may have landed just now, and anything else will show.
                Sent::Rejected(rejection) => {
                    tracing::warn!(order = self.terms.id.0, %id, why = rejection.message, "not taken again");
                }
                Sent::Unknown(why) => tracing::warn!(order = self.terms.id.0, %id, why, "not sent again"),
            }
            self.sent.get_or_insert_with(Instant::now);
        }
        Ok(())
    }

    /// Takes the order back on the chain, or pays more, when it is time for that.
    async fn replace_if_due(&mut self) -> Result<(), Left> {
        let Some(open) = self.attempts.as_slice().iter().rev().find(|attempt| attempt.holds_up()) else {
            return Ok(());
        };
        let transaction = &open.transaction;
        // What was replaced may be what landed.
        let nonce = nonce_of(transaction);
        let landed = |attempt: &Attempt| {
            nonce_of(&attempt.transaction) == nonce && matches!(attempt.landing, Landing::Included(_))
        };
        if self.attempts.as_slice().iter().any(landed) {
            return Ok(());
        }
        let sent = *self.sent.get_or_insert_with(Instant::now);
        let waited = sent.elapsed() >= self.desk.settings.replace_after;
        let is_trade = transaction.purpose == Purpose::Trade;
        let over = is_trade && self.deadline_passed(transaction.deadline);
        let unwanted = self.cancel_wanted() || self.timed_out() || over || self.not_taken.is_some();
        let back = unwanted && transaction.purpose != Purpose::Cancellation;
        if back || waited {
            let before = unpacked(transaction)?;
            let purpose = if back { Purpose::Cancellation } else { transaction.purpose };
            let deadline = if back { 0 } else { transaction.deadline };
            self.replace(before, purpose, deadline).await?;
        }
        Ok(())
    }

    fn deadline_passed(&self, deadline: u64) -> bool {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        deadline > 0 && now.is_ok_and(|since| since.as_secs() > deadline)
    }

    /// Puts another transaction in the place of one that is out there.
    async fn replace(&mut self, before: TxEip1559, purpose: Purpose, deadline: u64) -> Result<(), Left> {
        let desk = self.desk.clone();
        let (Ok(head), Ok(tip)) = (desk.chain.head().await, desk.chain.tip().await) else { return Ok(()) };
        let offered = GasPrice { most: before.max_fee_per_gas, tip: before.max_priority_fee_per_gas };
        // Within the cap or not at all: then what is out there waits for a better time.
        let price = match offered.replaced(head.base_fee, tip, &desk.settings.fees) {
            Ok(price) => price,
            Err(dear) => {
                tracing::warn!(order = self.terms.id.0, %dear, "what was sent can't be replaced");
                self.sent = Some(Instant::now());
                return Ok(());
            }
        };
        let transaction = TxEip1559 {
            max_fee_per_gas: price.most,
            max_priority_fee_per_gas: price.tip,
            ..match purpose {
                Purpose::Cancellation => self.nothing(before.nonce).await,
                Purpose::Approval | Purpose::Trade => before,
            }
        };
        tracing::info!(
            order = self.terms.id.0,
            nonce = transaction.nonce,
            purpose = purpose.name(),
            "replacing"
        );
        // Why it is taken back, if that is why.
        let not_taken = self.not_taken.take();
        if let Outcome::NotSigned(error) = self.sign_and_send(transaction, purpose, deadline, || {}).await? {
            tracing::error!(order = self.terms.id.0, %error, "the replacement was not signed");
            self.sent = Some(Instant::now());
        }
        if not_taken.is_some() {
            self.given_up_for = not_taken;
        }
        Ok(())
    }

    /// Nothing to oneself: all it does is use up a nonce.
    async fn nothing(&self, nonce: u64) -> TxEip1559 {
        let request = TransactionRequest::default().from(self.account()).to(self.account());
        // Some chains charge for more than what is executed.
        let gas_limit = match self.desk.chain.estimate_gas(request).await {
            Ok(estimate) if estimate > PLAIN_GAS => self.desk.settings.gas_limit(estimate),
            _ => PLAIN_GAS,
        };
        TxEip1559 {
            chain_id: self.desk.settings.chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas: 0,
            max_priority_fee_per_gas: 0,
            to: TxKind::Call(self.account()),
            value: U256::ZERO,
            access_list: Default::default(),
            input: Bytes::new(),
        }
    }

    /// Sends what does nothing but use up a nonce. Nothing when the chain doesn't say what that may cost, or asks too
    /// much.
    pub(super) async fn send_nothing(
        &mut self,
        nonce: u64,
        written: impl FnOnce() + Send,
    ) -> Result<Option<Outcome>, Left> {
        let desk = self.desk.clone();
        let (Ok(head), Ok(tip)) = (desk.chain.head().await, desk.chain.tip().await) else { return Ok(None) };
        let Ok(price) = GasPrice::at(head.base_fee, tip, &desk.settings.fees) else { return Ok(None) };
        let transaction = TxEip1559 {
            max_fee_per_gas: price.most,
            max_priority_fee_per_gas: price.tip,
            ..self.nothing(nonce).await
        };
        self.sign_and_send(transaction, Purpose::Cancellation, 0, written).await.map(Some)
    }
}

/// Why a look ended early.
enum Failed {
    Left(Left),
    Chain(ChainError),
}

impl From<Left> for Failed {
    fn from(left: Left) -> Self {
        Self::Left(left)
    }
}

impl From<ChainError> for Failed {
    fn from(error: ChainError) -> Self {
        Self::Chain(error)
    }
}
