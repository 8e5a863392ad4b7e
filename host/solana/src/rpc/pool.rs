//! Several servers of one cluster.

use std::future::Future;

use futures_util::future::join_all;
use solana_account::Account;
use solana_address::Address;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;

use super::{Endpoint, EndpointSettings, InvalidAddress};
use crate::cluster::{
    Cluster, ClusterError, Heights, Known, Level, Lifetime, Rejection, Sent, Status, Trial,
};
use crate::programs::BLOCKHASH_BLOCKS;
use crate::settlement::Moved;

/// A server that is so many blocks behind another is not asked: half a minute.
const MOST_BLOCKS_BEHIND: u64 = 75;

/// The servers of one cluster.
#[derive(Debug)]
pub struct Endpoints {
    genesis_hash: String,
    endpoints: Vec<Endpoint>,
}

impl Endpoints {
    /// These servers of the cluster of this name, in the order in which they are asked. One that turns out to be of
    /// another cluster is never asked anything.
    ///
    /// # Errors
    ///
    /// [`InvalidAddress`] when an address can't be read.
    pub fn new(genesis_hash: &str, settings: &[EndpointSettings]) -> Result<Self, InvalidAddress> {
        let endpoints = settings.iter().map(Endpoint::new).collect::<Result<_, _>>()?;
        Ok(Self { genesis_hash: genesis_hash.to_owned(), endpoints })
    }

    /// The servers' names, without what may be secret.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.endpoints.iter().map(Endpoint::name).collect()
    }

    /// Whether a server is of this cluster, asked once.
    pub(super) async fn is_right(&self, endpoint: &Endpoint) -> Result<(), ClusterError> {
        let found = match endpoint.known_cluster() {
            Some(known) => known.to_owned(),
            None => endpoint.genesis_hash().await?,
        };
        if found == self.genesis_hash {
            return Ok(());
        }
        let (name, wanted) = (endpoint.name(), &self.genesis_hash);
        let what = format!("{name} is of cluster {found}, not {wanted}; it is not used: check its address");
        tracing::error!(endpoint = name, found, wanted, "an endpoint is of another cluster");
        Err(ClusterError::Refused(what))
    }

    pub(super) fn awake(&self) -> Vec<&Endpoint> {
        self.endpoints.iter().filter(|endpoint| endpoint.line().is_awake()).collect()
    }

    /// Those that may be asked now: the healthiest first, and last those that are behind another.
    pub(super) fn candidates(&self) -> Vec<&Endpoint> {
        let mut found = self.awake();
        let newest = found.iter().map(|endpoint| endpoint.height()).max().unwrap_or_default();
        found.sort_by_key(|endpoint| (is_behind(endpoint.height(), newest), endpoint.line().failures()));
        found
    }

    /// All token accounts of a wallet, of both programs, in blocks of this level. One server's word: for what is told, and
    /// nothing hangs on.
    ///
    /// # Errors
    ///
    /// [`ClusterError`] when none answers.
    pub async fn token_accounts_at(
        &self,
        owner: Address,
        level: Level,
    ) -> Result<Vec<(Address, Account)>, ClusterError> {
        self.ask(|endpoint| endpoint.token_accounts(owner, level)).await
    }

    /// Those whose word counts when money hangs on it. One that is behind is left out only when most say so: one that
    /// claims to be far ahead must not silence all others.
    pub(super) fn voters(&self) -> Vec<&Endpoint> {
        let mut found = self.awake();
        let reached = reached_by_most(found.iter().map(|endpoint| endpoint.height()).collect());
        found.retain(|endpoint| !is_behind(endpoint.height(), reached.unwrap_or_default()));
        found
    }

    /// Asks one after the other until one answers. What a node refuses is an answer.
    async fn ask<'a, T, F>(&'a self, ask: impl Fn(&'a Endpoint) -> F) -> Result<T, ClusterError>
    where
        F: Future<Output = Result<T, ClusterError>>,
    {
        let mut problem = self.nobody();
        for endpoint in self.candidates() {
            if let Err(error) = self.is_right(endpoint).await {
                problem = error;
                continue;
            }
            match ask(endpoint).await {
                Err(error @ (ClusterError::Unavailable(_) | ClusterError::Malformed(_))) => {
                    tracing::debug!(endpoint = endpoint.name(), %error, "asking the next");
                    problem = error;
                }
                answer => return answer,
            }
        }
        Err(problem)
    }

    /// Asks all of these at the same time, and gives the answers that came.
    pub(super) async fn ask_these<'a, T, F>(
        &'a self,
        what: &str,
        endpoints: Vec<&'a Endpoint>,
        ask: impl Fn(&'a Endpoint) -> F,
    ) -> Result<Vec<T>, ClusterError>
    where
        F: Future<Output = Result<T, ClusterError>>,
    {
        let (mut answers, mut problem) = (Vec::new(), self.nobody());
        let ask = &ask;
        let asked = endpoints.into_iter().map(|endpoint| async move {
            let answer = match self.is_right(endpoint).await {
                Ok(()) => ask(endpoint).await,
                Err(error) => Err(error),
            };
            (endpoint, answer)
        });
        for (endpoint, answer) in join_all(asked).await {
            match answer {
                Ok(answer) => answers.push(answer),
                Err(error) => {
                    tracing::debug!(endpoint = endpoint.name(), %error, what, "no answer");
                    problem = error;
                }
            }
        }
        if answers.is_empty() { Err(problem) } else { Ok(answers) }
    }

    pub(super) fn nobody(&self) -> ClusterError {
        let soonest = self.endpoints.iter().filter_map(|endpoint| endpoint.line().rests_until()).min();
        let wait = soonest.map(|until| until.saturating_duration_since(tokio::time::Instant::now()));
        let names: Vec<&str> = self.endpoints.iter().map(Endpoint::name).collect();
        let when = wait.map(|wait| format!("; the next is asked in {wait:.1?}")).unwrap_or_default();
        ClusterError::Unavailable(format!("none of {} answers{when}", names.join(", ")))
    }
}

impl Cluster for Endpoints {
    async fn genesis_hash(&self) -> Result<String, ClusterError> {
        let mut found = Err(self.nobody());
        for endpoint in self.candidates() {
            match endpoint.genesis_hash().await {
                Ok(hash) if hash == self.genesis_hash => return Ok(hash),
                Ok(hash) => found = Ok(hash),
                Err(error) if found.is_err() => found = Err(error),
                Err(_) => {}
            }
        }
        found
    }

    /// The newest that any server knows, and the height up to which most say that blocks are final.
    async fn heights(&self) -> Result<Heights, ClusterError> {
        let heights = self.ask_these("the height", self.awake(), Endpoint::heights).await?;
        let newest = heights.iter().map(|heights| heights.newest).max();
        let finalized = reached_by_most(heights.iter().map(|heights| heights.finalized).collect());
        let (Some(newest), Some(finalized)) = (newest, finalized) else { return Err(self.nobody()) };
        Ok(Heights { newest, finalized })
    }

    /// Whatever a server says of its own blockhash, it can't be good for longer than one that is made only now.
    async fn lifetime(&self) -> Result<Lifetime, ClusterError> {
        let heights = self.heights().await?;
        let lifetime = self.ask(Endpoint::lifetime).await?;
        let latest = heights.newest.saturating_add(BLOCKHASH_BLOCKS);
        Ok(Lifetime { last_valid_height: lifetime.last_valid_height.max(latest), ..lifetime })
    }

    async fn accounts(&self, addresses: &[Address]) -> Result<Vec<Option<Account>>, ClusterError> {
        let found = self.ask(|endpoint| endpoint.accounts(addresses, Level::Confirmed, None)).await?;
        Ok(found.accounts)
    }

    async fn token_accounts(&self, owner: Address) -> Result<Vec<(Address, Account)>, ClusterError> {
        self.token_accounts_at(owner, Level::Confirmed).await
    }

    async fn largest_accounts(&self, mint: Address) -> Result<Vec<u64>, ClusterError> {
        self.ask(|endpoint| endpoint.largest_accounts(mint)).await
    }

    async fn recent_prices(&self, writable: &[Address]) -> Result<Vec<u64>, ClusterError> {
        self.ask(|endpoint| endpoint.recent_prices(writable)).await
    }

    async fn try_out(
        &self,
        transaction: &VersionedTransaction,
        shown: &[Address],
    ) -> Result<Trial, ClusterError> {
        self.ask(|endpoint| endpoint.try_out(transaction, shown)).await
    }

    async fn status(&self, signature: Signature) -> Result<Known, ClusterError> {
        let statuses =
            self.ask_these("a status", self.voters(), |endpoint| endpoint.status(signature)).await?;
        agreed(&statuses).map_err(|what| ClusterError::Disagreement(format!("{what} of {signature}")))
    }

    /// Two that have it must say the same of it.
    async fn moved(&self, signature: Signature, level: Level) -> Result<Option<Moved>, ClusterError> {
        let ask = |endpoint| Endpoint::moved(endpoint, signature, level);
        let answers = self.ask_these("a transaction", self.voters(), ask).await?;
        let mut found = answers.into_iter().flatten();
        let Some(first) = found.next() else { return Ok(None) };
        let same = |other: &Moved| {
            let essence = |moved: &Moved| Moved { logs: Vec::new(), ..moved.clone() };
            essence(other) == essence(&first)
        };
        if found.all(|other| same(&other)) {
            return Ok(Some(first));
        }
        Err(ClusterError::Disagreement(format!("what {signature} moved is not the same at all of them")))
    }

    /// To all that are healthy: the more have it, the sooner it lands. It is rejected when all of them say so.
    async fn send(&self, transaction: &VersionedTransaction, preflight: bool) -> Sent {
        let (mut takers, mut unknown, mut rejections) = (Vec::new(), Vec::new(), Vec::new());
        let sent = self.candidates().into_iter().map(|endpoint| async move {
            if let Err(error) = self.is_right(endpoint).await {
                tracing::warn!(endpoint = endpoint.name(), %error, "not sent there");
                return None;
            }
            Some(endpoint.send(transaction, preflight).await)
        });
        for sent in join_all(sent).await.into_iter().flatten() {
            match sent {
                Sent::Taken(by) => takers.push(by),
                Sent::Unknown(why) => unknown.push(why),
                Sent::Rejected(rejection) => rejections.push(rejection),
            }
        }
        if !takers.is_empty() {
            return Sent::Taken(takers.join(", "));
        }
        if !unknown.is_empty() {
            return Sent::Unknown(unknown.join("; "));
        }
        let nowhere = "no endpoint could be asked, so it went nowhere".to_owned();
        let first = rejections.into_iter().next();
        Sent::Rejected(first.unwrap_or(Rejection { error: None, message: nowhere }))
    }
}

/// Whether a server of this height lags behind another. Of one that was never asked nothing is known.
fn is_behind(height: u64, other: u64) -> bool {
    height > 0 && height.saturating_add(MOST_BLOCKS_BEHIND) < other
}

/// The greatest height that more than half have reached.
pub(super) fn reached_by_most(mut heights: Vec<u64>) -> Option<u64> {
    heights.sort_unstable();
    heights.get(heights.len().saturating_sub(1) / 2).copied()
}

/// What most say of a transaction. While a minority knows it, or knows it in another block, it is too early to believe.
fn agreed(statuses: &[Option<Status>]) -> Result<Known, &'static str> {
    let known: Vec<&Status> = statuses.iter().flatten().collect();
    if known.is_empty() {
        return Ok(Known::ByNobody);
    }
    for one in &known {
        let differs = |other: &&&Status| other.slot == one.slot && other.error != one.error;
        if known.iter().any(|other| differs(&other)) {
            return Err("the outcome is not the same at all of them");
        }
    }
    // The one in the block that most name, and as sure as a majority of all says.
    for one in &known {
        let mut levels: Vec<Level> =
            known.iter().filter(|other| other.slot == one.slot).map(|other| other.level).collect();
        levels.sort_unstable_by(|one, other| other.cmp(one));
        let needed = statuses.len() / 2 + 1;
        if let Some(level) = levels.get(needed - 1) {
            return Ok(Known::As(Status { level: *level, ..(*one).clone() }));
        }
    }
    Ok(Known::ByFew)
}

#[cfg(test)]
mod tests {
    use solana_transaction_error::TransactionError;

    use super::*;

    fn status(slot: u64, level: Level) -> Option<Status> {
        Some(Status { slot, level, error: None })
    }

    fn failed(slot: u64) -> Option<Status> {
        Some(Status { slot, level: Level::Finalized, error: Some(TransactionError::AccountNotFound) })
    }

    #[test]
    fn one_alone_is_believed_and_a_minority_is_not() {
        use Level::{Confirmed, Finalized, Processed};
        let said = |slot, level| Ok(Known::As(status(slot, level).unwrap()));
        assert_eq!(agreed(&[None, None]), Ok(Known::ByNobody));
        assert_eq!(agreed(&[status(5, Finalized)]), said(5, Finalized));
        assert_eq!(agreed(&[status(5, Finalized), None]), Ok(Known::ByFew));
        assert_eq!(agreed(&[status(5, Finalized), status(5, Processed)]), said(5, Processed));
        assert_eq!(agreed(&[status(5, Finalized), status(5, Confirmed), None]), said(5, Confirmed));
        assert_eq!(agreed(&[status(5, Finalized), status(6, Confirmed)]), Ok(Known::ByFew));
    }

    #[test]
    fn one_that_is_far_ahead_or_behind_is_outvoted() {
        assert_eq!(reached_by_most(vec![]), None);
        assert_eq!(reached_by_most(vec![7]), Some(7));
        assert_eq!(reached_by_most(vec![9_000, 7]), Some(7));
        assert_eq!(reached_by_most(vec![9_000, 7, 8]), Some(8));
        assert_eq!(reached_by_most(vec![1, 7, 8, 8]), Some(7));
        assert!(is_behind(100, 176) && !is_behind(100, 175) && !is_behind(0, 9_000));
    }

    #[test]
    fn two_outcomes_in_one_block_are_a_contradiction() {
        assert!(agreed(&[status(5, Level::Finalized), failed(5)]).is_err());
        assert!(agreed(&[failed(5), failed(5)]).is_ok());
    }
}
