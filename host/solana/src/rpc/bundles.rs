//! Sending in bundles, to those leaders who take tips for them, so that nobody trades ahead of it.
//!
//! A bundle that no leader takes is forgotten after a while, and says nothing of itself. So its status is asked for, it is
//! sent again, and after some time to everybody, if the operator allows it. One transaction sent both ways lands once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use solana_account::Account;
use solana_address::Address;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use tokio::time::Instant;

use super::transport::{Failure, Line, without_secrets};
use super::{EndpointSettings, InvalidAddress};
use crate::cluster::{
    Absence, Cluster, ClusterError, Expiring, Heights, Known, Level, Lifetime, Rejection, Sent, Trial,
};
use crate::settlement::Moved;

/// Transactions that are remembered; the oldest are forgotten.
const REMEMBERED: usize = 1_000;

/// What becomes of a transaction whose bundle does not land.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// It is sent in a bundle again until it expires.
    BundlesOnly,
    /// So long after it was sent first, everybody gets it.
    PlainAfter(Duration),
}

/// A cluster that is asked as ever, and sent to in bundles.
pub struct Bundles<C> {
    cluster: C,
    line: Line,
    tips: BTreeSet<Address>,
    fallback: Fallback,
    courses: Mutex<BTreeMap<Signature, Course>>,
}

/// How far a transaction has come.
#[derive(Debug, Clone)]
struct Course {
    first: Instant,
    bundle: Option<String>,
}

impl<C: fmt::Debug> fmt::Debug for Bundles<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Bundles")
            .field("cluster", &self.cluster)
            .field("name", &self.line.name())
            .field("fallback", &self.fallback)
            .finish_non_exhaustive()
    }
}

impl<C: Cluster> Bundles<C> {
    /// Sends there what has a tip for one of these accounts, and everything else as ever.
    ///
    /// # Errors
    ///
    /// [`InvalidAddress`] when nobody can be asked there.
    pub fn new(
        cluster: C,
        settings: &EndpointSettings,
        tips: BTreeSet<Address>,
        fallback: Fallback,
    ) -> Result<Self, InvalidAddress> {
        let line = Line::new(settings)?;
        Ok(Self { cluster, line, tips, fallback, courses: Mutex::default() })
    }

    fn courses(&self) -> MutexGuard<'_, BTreeMap<Signature, Course>> {
        self.courses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn call(&self, method: &str, parameters: Value) -> Result<Value, String> {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters});
        let request = self.line.client().post(self.line.url().clone()).json(&body);
        let answer = self.line.ask(request).await.map_err(|failure| match failure {
            Failure::Limited(pause) => format!("it is asked too often, and left alone for {pause:.1?}"),
            Failure::Broken(why) => why,
        })?;
        let answer: Value =
            serde_json::from_slice(&answer.body).map_err(|_| "its answer can't be read".to_owned())?;
        self.line.note_success();
        match answer.get("error") {
            None | Some(Value::Null) => Ok(answer.get("result").cloned().unwrap_or_default()),
            Some(error) => {
                let message =
                    error.get("message").and_then(Value::as_str).unwrap_or("an error without words");
                Err(without_secrets(message))
            }
        }
    }

    /// Whether the block engine still works on a bundle. What it does not know it has forgotten.
    async fn is_pending(&self, bundle: &str) -> bool {
        let answer = self.call("getInflightBundleStatuses", json!([[bundle]])).await;
        let status = answer
            .ok()
            .and_then(|answer| answer.pointer("/value/0/status").and_then(Value::as_str).map(str::to_owned));
        tracing::debug!(bundle, status, "a bundle's status");
        matches!(status.as_deref(), Some("Pending" | "Landed"))
    }

    async fn send_bundle(&self, transaction: &VersionedTransaction) -> Result<String, String> {
        let bytes = wincode::serialize(transaction).map_err(|error| error.to_string())?;
        let answer =
            self.call("sendBundle", json!([[STANDARD.encode(bytes)], {"encoding": "base64"}])).await?;
        answer.as_str().map(str::to_owned).ok_or_else(|| "it gave the bundle no name".to_owned())
    }

    fn course(&self, signature: Signature) -> Course {
        let mut courses = self.courses();
        if courses.len() >= REMEMBERED {
            let oldest =
                courses.iter().min_by_key(|(_, course)| course.first).map(|(signature, _)| *signature);
            oldest.map(|oldest| courses.remove(&oldest));
        }
        courses.entry(signature).or_insert_with(|| Course { first: Instant::now(), bundle: None }).clone()
    }
}

impl<C: Cluster> Cluster for Bundles<C> {
    async fn genesis_hash(&self) -> Result<String, ClusterError> {
        self.cluster.genesis_hash().await
    }

    async fn heights(&self) -> Result<Heights, ClusterError> {
        self.cluster.heights().await
    }

    async fn lifetime(&self) -> Result<Lifetime, ClusterError> {
        self.cluster.lifetime().await
    }

    async fn accounts(&self, addresses: &[Address]) -> Result<Vec<Option<Account>>, ClusterError> {
        self.cluster.accounts(addresses).await
    }

    async fn token_accounts(&self, owner: Address) -> Result<Vec<(Address, Account)>, ClusterError> {
        self.cluster.token_accounts(owner).await
    }

    async fn largest_accounts(&self, mint: Address) -> Result<Vec<u64>, ClusterError> {
        self.cluster.largest_accounts(mint).await
    }

    async fn recent_prices(&self, writable: &[Address]) -> Result<Vec<u64>, ClusterError> {
        self.cluster.recent_prices(writable).await
    }

    async fn try_out(
        &self,
        transaction: &VersionedTransaction,
        shown: &[Address],
    ) -> Result<Trial, ClusterError> {
        self.cluster.try_out(transaction, shown).await
    }

    async fn status(&self, signature: Signature) -> Result<Known, ClusterError> {
        self.cluster.status(signature).await
    }

    async fn absence(&self, of: &Expiring) -> Result<Absence, ClusterError> {
        self.cluster.absence(of).await
    }

    async fn moved(&self, signature: Signature, level: Level) -> Result<Option<Moved>, ClusterError> {
        self.cluster.moved(signature, level).await
    }

    async fn send(&self, transaction: &VersionedTransaction, preflight: bool) -> Sent {
        let is_tipped = transaction.message.static_account_keys().iter().any(|key| self.tips.contains(key));
        let (Some(signature), true) = (transaction.signatures.first(), is_tipped) else {
            return self.cluster.send(transaction, preflight).await;
        };
        let course = self.course(*signature);
        if let Fallback::PlainAfter(time) = self.fallback
            && course.first.elapsed() >= time
        {
            return self.cluster.send(transaction, preflight).await;
        }
        if let Some(bundle) = &course.bundle
            && self.is_pending(bundle).await
        {
            return Sent::Taken(format!("{} as bundle {bundle}", self.line.name()));
        }
        match self.send_bundle(transaction).await {
            Ok(bundle) => {
                let taken = Sent::Taken(format!("{} as bundle {bundle}", self.line.name()));
                self.courses().insert(*signature, Course { bundle: Some(bundle), ..course });
                taken
            }
            // It may have arrived all the same, and it is sent again.
            Err(why) if matches!(self.fallback, Fallback::BundlesOnly) => {
                Sent::Rejected(Rejection { error: None, message: format!("{}: {why}", self.line.name()) })
            }
            Err(why) => {
                tracing::warn!(endpoint = self.line.name(), why, "no bundle; sent to everybody");
                self.cluster.send(transaction, preflight).await
            }
        }
    }
}
