//! What happened to an account: the signatures of its transactions, and what each of them moved, many in a batch.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};
use solana_address::Address;
use solana_rpc_client_api::response::RpcConfirmedTransactionStatusWithSignature;
use solana_signature::Signature;
use solana_transaction_status_client_types::option_serializer::OptionSerializer;
use solana_transaction_status_client_types::{
    EncodedConfirmedTransactionWithStatusMeta, TransactionConfirmationStatus, UiTransactionTokenBalance,
};

use super::Endpoints;
use super::batch::{Call, Traffic};
use super::endpoint::moved;
use crate::cluster::{Cluster as _, ClusterError, Level};
use crate::settings::Finality;
use crate::settlement::Moved;

/// A transaction that an account is in, as nodes list it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) signature: Signature,
    pub(crate) slot: u64,
    /// It changed nothing but what its fee cost.
    pub(crate) failed: bool,
    pub(crate) level: Level,
}

/// A transaction as it is read for what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// What it moved.
    pub moved: Moved,
    /// When its block was made, in seconds since 1970, where the node knows.
    pub time: Option<i64>,
    /// Digits behind the point of each token that it names.
    pub decimals: BTreeMap<Address, u8>,
}

/// A question about history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Question {
    /// Which slot is final.
    FinalSlot,
    /// The newest transactions of an account: at most `limit`, older than `before`, newer than `until`. A node that does not
    /// know `until` goes on beyond it. One that does not know `before` may say that there is nothing older, so a node that has
    /// not reached `known_at` is not to answer.
    Signatures {
        address: Address,
        before: Option<Signature>,
        until: Option<Signature>,
        known_at: Option<u64>,
        limit: usize,
        finality: Finality,
    },
    /// What a transaction moved that is in a list.
    Transaction { signature: Signature, finality: Finality },
}

/// What a node says to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Slot(u64),
    /// The newest first.
    Signatures(Vec<Listed>),
    Transaction(Box<Parsed>),
}

impl Question {
    fn call(&self) -> Call {
        match self {
            Self::FinalSlot => Call { method: "getSlot", parameters: json!([{"commitment": "finalized"}]) },
            Self::Signatures { address, before, until, known_at, limit, finality } => {
                let mut options = json!({"limit": limit, "commitment": commitment(*finality)});
                if let Some(slot) = known_at {
                    options["minContextSlot"] = (*slot).into();
                }
                for (name, signature) in [("before", before), ("until", until)] {
                    if let Some(signature) = signature {
                        options[name] = signature.to_string().into();
                    }
                }
                let parameters = json!([address.to_string(), options]);
                Call { method: "getSignaturesForAddress", parameters }
            }
            Self::Transaction { signature, finality } => {
                let options = json!({
                    "encoding": "base64", "commitment": commitment(*finality), "maxSupportedTransactionVersion": 0
                });
                Call { method: "getTransaction", parameters: json!([signature.to_string(), options]) }
            }
        }
    }

    fn read(&self, value: Value) -> Result<Answer, &'static str> {
        match self {
            Self::FinalSlot => value.as_u64().map(Answer::Slot).ok_or("a slot that can't be read"),
            Self::Signatures { limit, .. } => {
                let listed = listed(value, *limit).map(Answer::Signatures);
                listed.ok_or("a list of transactions that can't be read")
            }
            // One that is behind the one that made the list.
            Self::Transaction { .. } if value.is_null() => {
                Err("it does not show a transaction that is in a list")
            }
            Self::Transaction { signature, .. } => {
                let parsed =
                    read_transaction(value, *signature).map(|parsed| Answer::Transaction(Box::new(parsed)));
                parsed.ok_or("what a transaction moved can't be read")
            }
        }
    }
}

const fn commitment(finality: Finality) -> &'static str {
    match finality {
        Finality::Confirmed => "confirmed",
        Finality::Finalized => "finalized",
    }
}

/// A list in its order. One that is out of order, or longer than was asked for, is none.
fn listed(value: Value, limit: usize) -> Option<Vec<Listed>> {
    let told = Vec::<RpcConfirmedTransactionStatusWithSignature>::deserialize(value).ok()?;
    let mut listed: Vec<Listed> = Vec::with_capacity(told.len());
    for one in told {
        let level = match one.confirmation_status? {
            TransactionConfirmationStatus::Finalized => Level::Finalized,
            TransactionConfirmationStatus::Confirmed => Level::Confirmed,
            TransactionConfirmationStatus::Processed => Level::Processed,
        };
        let signature = one.signature.parse().ok()?;
        listed.push(Listed { signature, slot: one.slot, failed: one.err.is_some(), level });
    }
    let is_ordered = listed.is_sorted_by(|newer, older| newer.slot >= older.slot);
    (is_ordered && listed.len() <= limit).then_some(listed)
}

/// What a node tells of a transaction (`getTransaction`, in base 64); `None` when that is of another one, or can't be read.
#[must_use]
pub fn read_transaction(value: Value, signature: Signature) -> Option<Parsed> {
    let found = EncodedConfirmedTransactionWithStatusMeta::deserialize(value).ok()?;
    let moved = moved(&found, signature)?;
    let meta = found.transaction.meta.as_ref()?;
    let balances = [&meta.pre_token_balances, &meta.post_token_balances];
    let balances = balances.into_iter().filter_map(|balances| match balances {
        OptionSerializer::Some(balances) => Some(balances),
        OptionSerializer::None | OptionSerializer::Skip => None,
    });
    let decimals = balances.flatten().map(|balance: &UiTransactionTokenBalance| {
        Some((balance.mint.parse().ok()?, balance.ui_token_amount.decimals))
    });
    Some(Parsed { moved, time: found.block_time, decimals: decimals.collect::<Option<_>>()? })
}

impl Endpoints {
    /// Asks these, at most `at_once` in a request.
    pub(crate) async fn history(
        &self,
        questions: &[Question],
        at_once: usize,
        traffic: &mut Traffic,
    ) -> Vec<Result<Answer, ClusterError>> {
        let calls: Vec<Call> = questions.iter().map(Question::call).collect();
        let read = |place: usize, value| match questions.get(place) {
            Some(question) => question.read(value),
            None => Err("an answer that was not asked for"),
        };
        self.ask_all(&calls, at_once, traffic, read).await
    }

    /// Asks all how far they are, so that one that is behind is asked last. One alone need not be.
    pub(crate) async fn sound_out(&self, traffic: &mut Traffic) {
        let asked = self.awake().len() as u64;
        if asked > 1 {
            let requests = asked.saturating_mul(2);
            traffic.add(Traffic { requests, batches: requests, ..Traffic::default() });
            if let Err(error) = self.heights().await {
                tracing::debug!(%error, "nobody says how far the chain is");
            }
        }
    }

    /// How many would vote on where a transaction stands.
    pub(crate) fn awake_count(&self) -> u64 {
        self.awake().len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(slot: u64) -> Value {
        json!({
            "signature": Signature::default().to_string(), "slot": slot, "err": null, "memo": null, "blockTime": null,
            "confirmationStatus": "confirmed"
        })
    }

    #[test]
    fn a_list_out_of_order_or_too_long_is_refused() {
        let listed = |slots: &[u64]| listed(slots.iter().map(|slot| entry(*slot)).collect(), 3);
        assert_eq!(listed(&[7, 7, 5]).map(|listed| listed.len()), Some(3));
        assert_eq!(listed(&[5, 7]), None);
        assert_eq!(listed(&[7, 6, 5, 4]), None);
        assert_eq!(listed(&[]), Some(Vec::new()));
    }

    #[test]
    fn a_list_that_does_not_say_how_sure_it_is_is_refused() {
        let mut entry = entry(7);
        entry["confirmationStatus"] = Value::Null;
        assert_eq!(listed(json!([entry]), 3), None);
    }
}
