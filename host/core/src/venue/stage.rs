//! How far an order has come at a venue outside, and the transactions that were signed for it.
//!
//! A venue outside is a chain. What is sent there can't be taken back, and whether it arrived may stay unknown for a
//! while. So each stage is an input of the engine before the next one is begun: a transaction is in the journal before
//! it is sent, and after a crash the journal says what may be out there.
//!
//! ```text
//! accepted → quoted → checked → signed → submitted → seen → included → confirmed
//!                ↑________│         │↖______│_________│___│ │    ↘ failed
//!                                   └──── a replacement ──┘ └→ signed … (left its block again)
//! ```

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::money::Money;

/// A transaction by the name that its chain gives it: the hash on EVM chains, the first signature on Solana.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TransactionId(pub String);

impl fmt::Display for TransactionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What makes a transaction one that can land at most once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Uniqueness {
    /// Of all transactions of a sender with this number, one can land.
    Nonce(u64),
    /// It can't land in a block above this height.
    LastValidHeight(u64),
}

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// It lets the venue take what is to be sold or paid.
    Approval,
    /// It is the trade.
    Trade,
    /// It takes the place of another one and does nothing.
    Cancellation,
}

impl Purpose {
    /// The stable name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Approval => "approval",
            Self::Trade => "trade",
            Self::Cancellation => "cancellation",
        }
    }
}

/// A transaction that is signed, and so may land from now on.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedTransaction {
    /// Its name on the chain.
    pub id: TransactionId,
    /// What it is for.
    pub purpose: Purpose,
    /// Whose account sends and pays for it, as the chain writes addresses.
    pub sender: String,
    /// Why it lands at most once.
    pub uniqueness: Uniqueness,
    /// After this time, in seconds since 1970, the chain refuses to execute it; 0 if never.
    pub deadline: u64,
    /// As it is sent.
    pub raw: Vec<u8>,
}

impl fmt::Debug for SignedTransaction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SignedTransaction")
            .field("id", &self.id)
            .field("purpose", &self.purpose)
            .field("sender", &self.sender)
            .field("uniqueness", &self.uniqueness)
            .field("deadline", &self.deadline)
            .field("raw", &format_args!("{} bytes", self.raw.len()))
            .finish()
    }
}

/// A step of an order at a venue outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The venue said what the order would bring at the moment.
    Quoted {
        /// What the order is expected to pay or bring, in the account's currency.
        expected: Money,
        /// The most that it may pay, or the least that it must bring.
        limit: Money,
        /// By which way, for people.
        route: String,
    },
    /// Balance, permission, costs and a dry run were looked at, and all is well.
    Checked,
    /// A transaction was signed.
    Signed(SignedTransaction),
    /// It was sent, and somebody may have it.
    Submitted {
        /// Which.
        id: TransactionId,
        /// Who took it and who gave no answer, for people.
        to: String,
    },
    /// The chain's nodes have it, and it is in no block yet.
    Seen {
        /// Which.
        id: TransactionId,
    },
    /// It is in a block.
    Included {
        /// Which.
        id: TransactionId,
        /// The block's height.
        block: u64,
        /// Whether it did what it should.
        succeeded: bool,
    },
    /// The block that it was in is none of the chain's any more.
    Orphaned {
        /// Which.
        id: TransactionId,
    },
    /// It is so deep in the chain that it counts as final.
    Confirmed {
        /// Which.
        id: TransactionId,
        /// The block's height.
        block: u64,
        /// Whether it did what it should.
        succeeded: bool,
    },
    /// It can't land any more: another one took its place, or its time is over for good.
    Gone {
        /// Which.
        id: TransactionId,
        /// How that is known.
        why: String,
    },
}

impl Stage {
    /// The stable name in reports.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Quoted { .. } => "quoted",
            Self::Checked => "checked",
            Self::Signed(_) => "signed",
            Self::Submitted { .. } => "submitted",
            Self::Seen { .. } => "seen",
            Self::Included { .. } => "included",
            Self::Orphaned { .. } => "orphaned",
            Self::Confirmed { succeeded: true, .. } => "confirmed",
            Self::Confirmed { succeeded: false, .. } => "reverted",
            Self::Gone { .. } => "gone",
        }
    }

    /// The transaction that it is about.
    #[must_use]
    pub const fn transaction(&self) -> Option<&TransactionId> {
        match self {
            Self::Quoted { .. } | Self::Checked => None,
            Self::Signed(transaction) => Some(&transaction.id),
            Self::Submitted { id, .. }
            | Self::Seen { id }
            | Self::Included { id, .. }
            | Self::Orphaned { id }
            | Self::Confirmed { id, .. }
            | Self::Gone { id, .. } => Some(id),
        }
    }

    /// The facts beside the name, for people.
    #[must_use]
    pub fn details(&self) -> String {
        match self {
            Self::Quoted { expected, limit, route } => format!("{expected} expected, limit {limit}, {route}"),
            Self::Checked => String::new(),
            Self::Signed(SignedTransaction { id, purpose, uniqueness, .. }) => {
                let unique = match uniqueness {
                    Uniqueness::Nonce(nonce) => format!("nonce {nonce}"),
                    Uniqueness::LastValidHeight(height) => format!("valid until height {height}"),
                };
                format!("{} {id}, {unique}", purpose.name())
            }
            Self::Submitted { id, to } => format!("{id} to {to}"),
            Self::Seen { id } | Self::Orphaned { id } => id.to_string(),
            Self::Included { id, block, succeeded } | Self::Confirmed { id, block, succeeded } => {
                let outcome = if *succeeded { "" } else { ", failed" };
                format!("{id} in block {block}{outcome}")
            }
            Self::Gone { id, why } => format!("{id}: {why}"),
        }
    }
}

/// Where a signed transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Landing {
    /// Signed. Whether it was sent is not known: the process may have ended just after.
    Signed,
    /// Sent, or meant to be.
    Submitted,
    /// The nodes have it.
    Seen,
    /// In a block of this height.
    Included(u64),
    /// Final, and it did what it should.
    Succeeded(u64),
    /// Final, and it did nothing but cost.
    Failed(u64),
    /// It can't land any more.
    Gone,
}

impl Landing {
    /// Whether nothing more can happen to it.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded(_) | Self::Failed(_) | Self::Gone)
    }
}

/// A transaction that was signed for an order, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// What was signed.
    pub transaction: SignedTransaction,
    /// Where it stands.
    pub landing: Landing,
}

/// A stage that can't come now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IllegalStage {
    /// The transaction was not signed for this order.
    #[error("transaction {0} was not signed for it")]
    UnknownTransaction(TransactionId),
    /// It is signed already.
    #[error("transaction {0} is signed already")]
    SignedBefore(TransactionId),
    /// Two that could land both.
    #[error("transaction {new} could land beside {other}, which may still land")]
    TwoCanLand {
        /// The one that was to be signed.
        new: TransactionId,
        /// The one that is out there.
        other: TransactionId,
    },
    /// Something was to begin anew while a trade may still land.
    #[error("it can't be {stage} while transaction {open} may still land")]
    StillOpen {
        /// What was to come.
        stage: &'static str,
        /// What may land.
        open: TransactionId,
    },
    /// Nothing more can happen to the transaction.
    #[error("transaction {id} can't be {stage}: it is {landing:?}")]
    Final {
        /// Which.
        id: TransactionId,
        /// What was to come.
        stage: &'static str,
        /// Where it stands.
        landing: Landing,
    },
}

impl Attempt {
    /// Whether the order can't begin anything else before more is known of it. An approval that is in a block holds
    /// nothing up: what is sent after it can't come before it.
    #[must_use]
    pub const fn holds_up(&self) -> bool {
        let approved =
            matches!((self.transaction.purpose, self.landing), (Purpose::Approval, Landing::Included(_)));
        !self.landing.is_final() && !approved
    }
}

/// The transactions of an order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Attempts(Vec<Attempt>);

impl Attempts {
    /// In the order in which they were signed.
    #[must_use]
    pub fn as_slice(&self) -> &[Attempt] {
        &self.0
    }

    /// The first transaction that may still land.
    #[must_use]
    pub fn open(&self) -> Option<&Attempt> {
        self.0.iter().find(|attempt| !attempt.landing.is_final())
    }

    /// Notes a stage.
    ///
    /// # Errors
    ///
    /// [`IllegalStage`] when it can't follow, and nothing is noted. Of an order's trades at most one can ever land: a
    /// second one is signed only as a replacement of the first, with its nonce, or when the first is over.
    pub fn note(&mut self, stage: &Stage) -> Result<(), IllegalStage> {
        let landing = match stage {
            Stage::Quoted { .. } | Stage::Checked => {
                return match self.0.iter().find(|attempt| attempt.holds_up()) {
                    Some(open) => Err(IllegalStage::StillOpen {
                        stage: stage.name(),
                        open: open.transaction.id.clone(),
                    }),
                    None => Ok(()),
                };
            }
            Stage::Signed(transaction) => return self.sign(transaction),
            Stage::Submitted { .. } => Landing::Submitted,
            Stage::Seen { .. } | Stage::Orphaned { .. } => Landing::Seen,
            Stage::Included { block, .. } => Landing::Included(*block),
            Stage::Confirmed { block, succeeded: true, .. } => Landing::Succeeded(*block),
            Stage::Confirmed { block, succeeded: false, .. } => Landing::Failed(*block),
            Stage::Gone { .. } => Landing::Gone,
        };
        let Some(id) = stage.transaction() else { return Ok(()) };
        let attempt = self.0.iter_mut().find(|attempt| attempt.transaction.id == *id);
        let attempt = attempt.ok_or_else(|| IllegalStage::UnknownTransaction(id.clone()))?;
        if attempt.landing.is_final() {
            let (id, landing) = (id.clone(), attempt.landing);
            return Err(IllegalStage::Final { id, stage: stage.name(), landing });
        }
        attempt.landing = landing;
        Ok(())
    }

    fn sign(&mut self, transaction: &SignedTransaction) -> Result<(), IllegalStage> {
        let id = &transaction.id;
        if self.0.iter().any(|attempt| attempt.transaction.id == *id) {
            return Err(IllegalStage::SignedBefore(id.clone()));
        }
        let beside =
            self.0.iter().find(|attempt| attempt.holds_up() && !excludes(&attempt.transaction, transaction));
        if let Some(beside) = beside {
            return Err(IllegalStage::TwoCanLand { new: id.clone(), other: beside.transaction.id.clone() });
        }
        let done = self.0.iter().find(|attempt| {
            attempt.transaction.purpose == Purpose::Trade && matches!(attempt.landing, Landing::Succeeded(_))
        });
        if let Some(done) = done {
            return Err(IllegalStage::TwoCanLand { new: id.clone(), other: done.transaction.id.clone() });
        }
        self.0.push(Attempt { transaction: transaction.clone(), landing: Landing::Signed });
        Ok(())
    }
}

/// Whether of two transactions at most one can land.
fn excludes(one: &SignedTransaction, other: &SignedTransaction) -> bool {
    match (one.uniqueness, other.uniqueness) {
        (Uniqueness::Nonce(one_nonce), Uniqueness::Nonce(other_nonce)) => {
            one.sender == other.sender && one_nonce == other_nonce
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> TransactionId {
        TransactionId(name.to_owned())
    }

    fn signed(name: &str, nonce: u64, purpose: Purpose) -> Stage {
        Stage::Signed(SignedTransaction {
            id: id(name),
            purpose,
            sender: "me".to_owned(),
            uniqueness: Uniqueness::Nonce(nonce),
            deadline: 0,
            raw: vec![1, 2],
        })
    }

    fn after(stages: &[Stage]) -> Result<Attempts, IllegalStage> {
        let mut attempts = Attempts::default();
        stages.iter().try_for_each(|stage| attempts.note(stage))?;
        Ok(attempts)
    }

    #[test]
    fn a_second_trade_is_signed_only_in_the_place_of_the_first() {
        let trade = |name, nonce| signed(name, nonce, Purpose::Trade);
        let refused = IllegalStage::TwoCanLand { new: id("b"), other: id("a") };
        assert_eq!(after(&[trade("a", 5), trade("b", 6)]), Err(refused.clone()));
        assert_eq!(after(&[trade("a", 5), trade("b", 5)]).unwrap().as_slice().len(), 2);
        let gone = Stage::Gone { id: id("a"), why: "its nonce was taken".to_owned() };
        assert!(after(&[trade("a", 5), gone, trade("b", 6)]).is_ok());
        let done = Stage::Confirmed { id: id("a"), block: 9, succeeded: true };
        assert_eq!(after(&[trade("a", 5), done, trade("b", 6)]), Err(refused));
        let failed = Stage::Confirmed { id: id("a"), block: 9, succeeded: false };
        assert!(after(&[trade("a", 5), failed, trade("b", 6)]).is_ok());
    }

    #[test]
    fn a_trade_follows_its_approval_when_that_is_in_a_block() {
        let approval = signed("a", 5, Purpose::Approval);
        let trade = signed("b", 6, Purpose::Trade);
        assert!(after(&[approval.clone(), trade.clone()]).is_err());
        let done = Stage::Confirmed { id: id("a"), block: 9, succeeded: true };
        assert!(after(&[approval.clone(), done, Stage::Checked, trade.clone()]).is_ok());
        let included = Stage::Included { id: id("a"), block: 9, succeeded: true };
        assert!(after(&[approval, included, Stage::Checked, trade]).is_ok());
    }

    #[test]
    fn nothing_begins_anew_while_a_transaction_may_land() {
        let open = after(&[signed("a", 5, Purpose::Trade), Stage::Checked]);
        assert_eq!(open, Err(IllegalStage::StillOpen { stage: "checked", open: id("a") }));
    }

    #[test]
    fn what_is_final_stays_so() {
        let done = Stage::Confirmed { id: id("a"), block: 9, succeeded: true };
        let again = after(&[signed("a", 5, Purpose::Trade), done, Stage::Orphaned { id: id("a") }]);
        assert!(matches!(again, Err(IllegalStage::Final { .. })), "{again:?}");
    }

    #[test]
    fn a_transaction_may_leave_its_block_and_come_back() {
        let included = |block| Stage::Included { id: id("a"), block, succeeded: true };
        let stages =
            [signed("a", 5, Purpose::Trade), included(9), Stage::Orphaned { id: id("a") }, included(11)];
        assert_eq!(after(&stages).unwrap().open().unwrap().landing, Landing::Included(11));
    }

    #[test]
    fn a_stranger_is_refused() {
        let seen = after(&[Stage::Seen { id: id("x") }]);
        assert_eq!(seen, Err(IllegalStage::UnknownTransaction(id("x"))));
    }

    #[test]
    fn what_is_sent_is_not_in_debug_output() {
        let shown = format!("{:?}", signed("a", 5, Purpose::Trade));
        assert!(shown.contains("2 bytes") && !shown.contains("[1, 2]"), "{shown}");
    }
}
