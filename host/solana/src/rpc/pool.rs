//! Several servers of one cluster.

use std::future::Future;
use std::sync::{Mutex, PoisonError};

use futures_util::future::join_all;
use solana_account::Account;
use solana_address::Address;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use tokio::time::Instant;

use super::endpoint::Word;
use super::majority::{MOST_BLOCKS_BEHIND, agreed, is_behind, reached_by_most};
use super::{Endpoint, EndpointSettings, InvalidAddress};
use crate::cluster::{
    Absence, Cluster, ClusterError, Expiring, Heights, Known, Level, Lifetime, Rejection, Sent, Trial,
};
use crate::programs::BLOCKHASH_BLOCKS;
use crate::settlement::Moved;

/// The servers of one cluster.
#[derive(Debug)]
pub struct Endpoints {
    genesis_hash: String,
    endpoints: Vec<Endpoint>,
    /// Since when one alone of several answers what money hangs on.
    alone_since: Mutex<Option<Instant>>,
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
        Ok(Self { genesis_hash: genesis_hash.to_owned(), endpoints, alone_since: Mutex::default() })
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
        self.of_the_cluster().filter(|endpoint| endpoint.line().is_awake()).collect()
    }

    /// All but those that were found to be of another cluster.
    fn of_the_cluster(&self) -> impl Iterator<Item = &Endpoint> {
        let is_right = |known: &str| known == self.genesis_hash;
        self.endpoints.iter().filter(move |endpoint| endpoint.known_cluster().is_none_or(is_right))
    }

    /// Those that may be asked now: the healthiest first, and last those that are behind another.
    pub(super) fn candidates(&self) -> Vec<&Endpoint> {
        let mut found = self.awake();
        let heights: Vec<u64> = found.iter().map(|endpoint| endpoint.height()).collect();
        // Of two that are far apart nobody knows which is right: the lower is of no use if it is the one that is wrong, and
        // what the higher says of a blockhash is held against the lower.
        let newest = if heights.len() > 2 { reached_by_most(heights) } else { heights.into_iter().max() };
        let newest = newest.unwrap_or_default();
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

    /// Asks one after the other until one answers. That it is refused is only believed when all refuse it.
    async fn ask<'a, T, F>(&'a self, ask: impl Fn(&'a Endpoint) -> F) -> Result<T, ClusterError>
    where
        F: Future<Output = Result<T, ClusterError>>,
    {
        let (mut problem, mut refusals) = (self.nobody(), Vec::new());
        for endpoint in self.candidates() {
            if let Err(error) = self.is_right(endpoint).await {
                problem = error;
                continue;
            }
            match ask(endpoint).await {
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    tracing::debug!(endpoint = endpoint.name(), %error, "asking the next");
                    match error {
                        ClusterError::Refused(why) => refusals.push(why),
                        error => problem = error,
                    }
                }
            }
        }
        if refusals.is_empty() {
            return Err(problem);
        }
        let refused = refusals.join("; ");
        if refusals.len() == self.of_the_cluster().count() {
            return Err(ClusterError::Refused(refused));
        }
        Err(ClusterError::Unavailable(format!("{refused}; others do not answer: {problem}")))
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
        let answers = self.ask_each(what, endpoints, ask).await?;
        Ok(answers.into_iter().map(|(_, answer)| answer).collect())
    }

    /// As [`Self::ask_these`], and says who answered what.
    async fn ask_each<'a, T, F>(
        &'a self,
        what: &str,
        endpoints: Vec<&'a Endpoint>,
        ask: impl Fn(&'a Endpoint) -> F,
    ) -> Result<Vec<(&'a Endpoint, T)>, ClusterError>
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
                Ok(answer) => answers.push((endpoint, answer)),
                Err(error) => {
                    tracing::debug!(endpoint = endpoint.name(), %error, what, "no answer");
                    problem = error;
                }
            }
        }
        if answers.is_empty() { Err(problem) } else { Ok(answers) }
    }

    /// Whether of several these who answered may be believed as far as their number goes. One alone may be the one that lies
    /// while the others were asked too often: each of the others must have had another chance, and failed.
    fn are_enough(&self, answered: &[&Endpoint]) -> bool {
        let mut since = self.alone_since.lock().unwrap_or_else(PoisonError::into_inner);
        if answered.len() > 1 {
            *since = None;
            return true;
        }
        let has_answered = |endpoint: &Endpoint| answered.iter().any(|one| std::ptr::eq(*one, endpoint));
        let mut others = self.of_the_cluster().filter(|endpoint| !has_answered(endpoint)).peekable();
        if others.peek().is_none() {
            return true;
        }
        let since = *since.get_or_insert_with(Instant::now);
        others.all(|other| other.line().failed_at().is_some_and(|failed| failed > since))
    }

    pub(super) fn nobody(&self) -> ClusterError {
        let soonest = self.endpoints.iter().filter_map(|endpoint| endpoint.line().rests_until()).min();
        let wait = soonest.map(|until| until.saturating_duration_since(Instant::now()));
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

    /// What most have reached: one that makes a height up is alone with it.
    async fn heights(&self) -> Result<Heights, ClusterError> {
        let heights = self.ask_these("the height", self.awake(), Endpoint::heights).await?;
        let newest = reached_by_most(heights.iter().map(|heights| heights.newest).collect());
        let finalized = reached_by_most(heights.iter().map(|heights| heights.finalized).collect());
        let (Some(newest), Some(finalized)) = (newest, finalized) else { return Err(self.nobody()) };
        Ok(Heights { newest, finalized })
    }

    /// Whatever a server says of its own blockhash, it is reckoned as good for as long as one that is made only now, and
    /// for no longer than one of a server that is as far ahead as servers may be. One that names a later height is passed over.
    /// Of two that are further apart either may be right: there the height is cut, and that the blockhash itself has
    /// expired is asked for besides before anything is taken up anew.
    async fn lifetime(&self) -> Result<Lifetime, ClusterError> {
        let heights = self.heights().await?;
        let least = heights.newest.saturating_add(BLOCKHASH_BLOCKS);
        let most = least.saturating_add(MOST_BLOCKS_BEHIND);
        let are_two = self.of_the_cluster().count() == 2;
        let ask = |endpoint| async move {
            let lifetime = Endpoint::lifetime(endpoint).await?;
            if lifetime.last_valid_height > most && !are_two {
                let last = lifetime.last_valid_height;
                let what =
                    format!("a blockhash that is good until {last}, and most are at {}", heights.newest);
                return Err(endpoint.malformed(&what));
            }
            Ok(lifetime)
        };
        let lifetime = self.ask(ask).await?;
        let last_valid_height = lifetime.last_valid_height.clamp(least, most);
        Ok(Lifetime { last_valid_height, ..lifetime })
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
        let voters = self.voters();
        let asked = voters.len();
        let answers = self.ask_each("a status", voters, |endpoint| endpoint.status(signature)).await?;
        let (who, statuses): (Vec<_>, Vec<_>) = answers.into_iter().unzip();
        let known = agreed(&statuses, asked)
            .map_err(|what| ClusterError::Disagreement(format!("{what} of {signature}")))?;
        let is_believed = self.are_enough(&who);
        Ok(if matches!(known, Known::As(_)) && !is_believed { Known::ByFew } else { known })
    }

    /// Those who are behind are asked as well, as they may be who has it; but only that they have it counts.
    async fn absence(&self, of: &Expiring) -> Result<Absence, ClusterError> {
        let awake = self.awake();
        let (asked, configured) = (awake.len(), self.of_the_cluster().count());
        let words = self.ask_each("whether a transaction is over", awake, |one| one.word(of)).await?;
        if words.len() < asked {
            let what = format!("only {} of {asked} say whether {} is over", words.len(), of.signature);
            return Err(ClusterError::Unavailable(what));
        }
        let voters = self.voters();
        let counts = |endpoint: &Endpoint| voters.iter().any(|voter| std::ptr::eq(*voter, endpoint));
        let (mut heights, mut forgotten) = (Vec::new(), 0);
        for (endpoint, word) in words {
            match word {
                Word::Known => return Ok(Absence::Open(format!("{} has it", endpoint.name()))),
                Word::NotYet if counts(endpoint) => {
                    return Ok(Absence::Open(format!("it is not over at {}", endpoint.name())));
                }
                Word::NotYet => {}
                Word::Never(height) => heights.push(height),
                Word::Forgotten => forgotten += 1,
            }
        }
        match heights.iter().min() {
            Some(height) if heights.len() * 2 > configured => Ok(Absence::ForGood(*height)),
            _ if (heights.len() + forgotten) * 2 > configured => {
                let remember = heights.len();
                Ok(Absence::Forgotten(format!("{remember} of {configured} servers remember blocks so old")))
            }
            _ => Ok(Absence::Open(format!("only {} of {configured} servers say so", heights.len()))),
        }
    }

    /// Those that have it must say the same of it, and be most of those that are asked.
    async fn moved(&self, signature: Signature, level: Level) -> Result<Option<Moved>, ClusterError> {
        let ask = |endpoint| Endpoint::moved(endpoint, signature, level);
        let voters = self.voters();
        let asked = voters.len();
        let (who, answers): (Vec<_>, Vec<_>) =
            self.ask_each("a transaction", voters, ask).await?.into_iter().unzip();
        let mut found = answers.into_iter().flatten();
        let Some(first) = found.next() else { return Ok(None) };
        let same = |other: &Moved| {
            let essence = |moved: &Moved| Moved { logs: Vec::new(), ..moved.clone() };
            essence(other) == essence(&first)
        };
        let others: Vec<Moved> = found.collect();
        if !others.iter().all(same) {
            let what = format!("what {signature} moved is not the same at all of them");
            return Err(ClusterError::Disagreement(what));
        }
        let agreeing = others.len() + 1;
        if agreeing == who.len() && (agreeing * 2 <= asked || !self.are_enough(&who)) {
            let of = self.of_the_cluster().count();
            let what = format!(
                "only {agreeing} of {of} servers shows what {signature} moved, and others are silent"
            );
            return Err(ClusterError::Unavailable(what));
        }
        // While a minority has it, it is too early to believe.
        Ok((agreeing * 2 > asked).then_some(first))
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
