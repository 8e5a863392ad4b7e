//! Several servers of one chain.

use std::future::Future;
use std::time::Duration;

use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::rpc::types::TransactionRequest;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;

use super::{Endpoint, EndpointSettings, InvalidAddress};
use crate::chain::{At, Chain, ChainError, Head, Receipt, Sent};
use crate::pools::round_trip::{RoundTrip, RoundTripError, Verdict};
use crate::settlement;

/// A server that is so many blocks behind another is not asked.
const MOST_BLOCKS_BEHIND: u64 = 3;

/// So long after the first answer others still count, where all are asked for what changes from block to block.
const STRAGGLERS: Duration = Duration::from_millis(500);

/// The servers of one chain.
#[derive(Debug)]
pub struct Endpoints {
    chain_id: u64,
    endpoints: Vec<Endpoint>,
}

impl Endpoints {
    /// These servers of the chain of this number, in the order in which they are asked. One that turns out to be of
    /// another chain is never asked anything.
    ///
    /// # Errors
    ///
    /// [`InvalidAddress`] when an address can't be read.
    pub fn new(chain_id: u64, settings: &[EndpointSettings]) -> Result<Self, InvalidAddress> {
        let endpoints = settings.iter().map(Endpoint::new).collect::<Result<_, _>>()?;
        Ok(Self { chain_id, endpoints })
    }

    /// The hosts' names, in their order. They are no secrets.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.endpoints.iter().map(Endpoint::name).collect()
    }

    /// Whether a server is of this chain, asked once for each connection.
    pub(super) async fn is_right(&self, endpoint: &Endpoint) -> Result<(), ChainError> {
        let found = match endpoint.known_chain() {
            Some(known) => known,
            None => endpoint.chain_id().await?,
        };
        if found == self.chain_id {
            return Ok(());
        }
        let (name, wanted) = (endpoint.name(), self.chain_id);
        let what = format!("{name} is of chain {found}, not {wanted}; it is not used: check its address");
        tracing::error!(endpoint = name, found, wanted, "an endpoint is of another chain");
        Err(ChainError::Refused(what))
    }

    /// Those that are not left alone at the moment, whether they are behind or not.
    fn awake(&self) -> Vec<&Endpoint> {
        let of_the_chain =
            |endpoint: &&Endpoint| endpoint.known_chain().is_none_or(|known| known == self.chain_id);
        self.endpoints.iter().filter(|endpoint| endpoint.is_awake()).filter(of_the_chain).collect()
    }

    /// The height against which it is seen who is behind: where there are three or more, that of the second highest, so that
    /// one that makes a height up is alone with it.
    fn newest(&self) -> u64 {
        let mut heights: Vec<u64> = self.endpoints.iter().map(Endpoint::height).collect();
        heights.sort_unstable_by(|one, other| other.cmp(one));
        let place = usize::from(heights.len() > 2);
        heights.get(place).copied().unwrap_or_default()
    }

    fn is_behind(&self, endpoint: &Endpoint) -> bool {
        // Of one that was never asked nothing is known.
        endpoint.height() > 0 && endpoint.height().saturating_add(MOST_BLOCKS_BEHIND) < self.newest()
    }

    /// Those that may be asked now, the healthiest first.
    pub(super) fn candidates(&self) -> Vec<&Endpoint> {
        let mut found = self.awake();
        found.retain(|endpoint| !self.is_behind(endpoint));
        found.sort_by_key(|endpoint| endpoint.failures());
        found
    }

    /// Asks one after the other until one answers. What a contract or a node refuses is an answer.
    pub(super) async fn ask<'a, T, F>(&'a self, ask: impl Fn(&'a Endpoint) -> F) -> Result<T, ChainError>
    where
        F: Future<Output = Result<T, ChainError>>,
    {
        let mut problem = self.nobody();
        for endpoint in self.candidates() {
            if let Err(error) = self.is_right(endpoint).await {
                problem = error;
                continue;
            }
            match ask(endpoint).await {
                Err(error @ (ChainError::Unavailable(_) | ChainError::Malformed(_))) => {
                    tracing::debug!(endpoint = endpoint.name(), %error, "asking the next");
                    problem = error;
                }
                answer => return answer,
            }
        }
        Err(problem)
    }

    /// Asks all that are healthy.
    pub(super) async fn ask_all<'a, T, F>(
        &'a self,
        what: &str,
        ask: impl Fn(&'a Endpoint) -> F,
    ) -> Result<Vec<T>, ChainError>
    where
        F: Future<Output = Result<T, ChainError>>,
    {
        let answers = self.ask_these(self.candidates(), what, ask).await?;
        Ok(answers.into_iter().map(|(_, answer)| answer).collect())
    }

    /// Asks these, and says who answered what.
    async fn ask_these<'a, T, F>(
        &'a self,
        these: Vec<&'a Endpoint>,
        what: &str,
        ask: impl Fn(&'a Endpoint) -> F,
    ) -> Result<Vec<(&'a Endpoint, T)>, ChainError>
    where
        F: Future<Output = Result<T, ChainError>>,
    {
        let (mut answers, mut problem) = (Vec::new(), self.nobody());
        let ask = &ask;
        let asked = these.into_iter().map(|endpoint| async move {
            let answer = match self.is_right(endpoint).await {
                Ok(()) => ask(endpoint).await,
                Err(error) => Err(error),
            };
            (endpoint, answer)
        });
        // At the same time: one that is slow holds up the answer, and not the questions to the others.
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

    pub(super) fn nobody(&self) -> ChainError {
        let soonest = self.endpoints.iter().filter_map(Endpoint::rests_until).min();
        let wait = soonest.map(|until| until.saturating_duration_since(tokio::time::Instant::now()));
        let names: Vec<&str> = self.endpoints.iter().map(Endpoint::name).collect();
        let when = wait.map(|wait| format!("; the next is asked in {wait:.1?}")).unwrap_or_default();
        ChainError::Unavailable(format!("none of {} answers{when}", names.join(", ")))
    }
}

/// Whether two servers say the same of what a transaction did. What it cost some say in full and others don't.
fn agree(one: &Receipt, other: &Receipt) -> bool {
    let logs = |receipt: &Receipt| -> Vec<_> {
        receipt.transaction.logs().iter().map(|log| log.inner.clone()).collect()
    };
    one.transaction.status() == other.transaction.status()
        && one.transaction.gas_used == other.transaction.gas_used
        && logs(one) == logs(other)
}

impl Chain for Endpoints {
    async fn chain_id(&self) -> Result<u64, ChainError> {
        let mut found = Err(self.nobody());
        for endpoint in self.endpoints.iter().filter(|endpoint| endpoint.is_awake()) {
            match endpoint.chain_id().await {
                Ok(id) if id == self.chain_id => return Ok(id),
                Ok(id) => found = Ok(id),
                Err(error) if found.is_err() => found = Err(error),
                Err(_) => {}
            }
        }
        found
    }

    /// All are asked, also those that were behind: they may have caught up. The lowest of those that are not behind counts, so
    /// that nothing is deeper in the chain than every one of them says.
    async fn head(&self) -> Result<Head, ChainError> {
        let heads = self.ask_these(self.awake(), "the newest block", Endpoint::head).await?;
        let known = heads.into_iter().filter(|(endpoint, _)| !self.is_behind(endpoint));
        known.map(|(_, head)| head).min_by_key(|head| head.number).ok_or_else(|| self.nobody())
    }

    async fn balance(&self, of: Address) -> Result<U256, ChainError> {
        self.ask(|endpoint| endpoint.balance(of)).await
    }

    /// The highest: a server that has not heard of a transaction yet must not have its nonce given out again.
    async fn nonce(&self, of: Address, pending: bool) -> Result<u64, ChainError> {
        let nonces = self.ask_all("a nonce", |endpoint| endpoint.nonce(of, pending)).await?;
        nonces.into_iter().max().ok_or_else(|| self.nobody())
    }

    /// The lowest, and nothing while one that is not left alone does not answer.
    async fn nonce_everywhere(&self, of: Address) -> Result<u64, ChainError> {
        let asked = self.awake();
        let count = asked.len();
        let nonces = self.ask_these(asked, "a nonce", |endpoint| endpoint.nonce(of, false)).await?;
        if nonces.len() < count {
            return Err(ChainError::Unavailable("not every endpoint says which nonces are used".to_owned()));
        }
        nonces.into_iter().map(|(_, nonce)| nonce).min().ok_or_else(|| self.nobody())
    }

    async fn call(&self, request: TransactionRequest, at: At) -> Result<Bytes, ChainError> {
        self.ask(|endpoint| endpoint.call(request.clone(), at)).await
    }

    /// Who is slow is waited for a moment longer than the first that answers: what is asked for does not last.
    async fn call_everywhere(&self, request: TransactionRequest) -> Result<Vec<Bytes>, ChainError> {
        let (mut answers, mut problem) = (Vec::new(), self.nobody());
        let mut asked: FuturesUnordered<_> = self
            .candidates()
            .into_iter()
            .map(|endpoint| async {
                self.is_right(endpoint).await?;
                endpoint.call(request.clone(), At::Latest).await
            })
            .collect();
        let mut until = None;
        loop {
            let next = asked.next();
            let answered = match until {
                None => next.await,
                Some(until) => tokio::time::timeout_at(until, next).await.unwrap_or(None),
            };
            match answered {
                Some(Ok(answer)) => answers.push(answer),
                Some(Err(error)) => problem = error,
                None => break,
            }
            if !answers.is_empty() {
                until.get_or_insert(tokio::time::Instant::now() + STRAGGLERS);
            }
        }
        if answers.is_empty() { Err(problem) } else { Ok(answers) }
    }

    async fn estimate_gas(&self, request: TransactionRequest) -> Result<u64, ChainError> {
        self.ask(|endpoint| endpoint.estimate_gas(request.clone())).await
    }

    async fn tip(&self) -> Result<u128, ChainError> {
        self.ask(Endpoint::tip).await
    }

    /// A server may not have it yet; but two that have it must say the same of it.
    async fn receipt(&self, hash: B256) -> Result<Option<Receipt>, ChainError> {
        let receipts = self.ask_all("a receipt", |endpoint| endpoint.receipt(hash)).await?;
        let answers = receipts.len();
        let mut found = receipts.into_iter().flatten();
        let Some(mut first) = found.next() else { return Ok(None) };
        let mut agreeing = 1;
        for other in found {
            let is_of_same_block = other.transaction.block_hash == first.transaction.block_hash;
            if is_of_same_block && !agree(&other, &first) {
                let what = format!("the receipt of {hash} is not the same at all of them");
                return Err(ChainError::Disagreement(what));
            }
            agreeing += usize::from(is_of_same_block);
            // One that leaves a fee out knows less.
            if is_of_same_block && settlement::cost(&other) > settlement::cost(&first) {
                first = other;
            }
        }
        // While a minority knows it, or knows it in another block, it is too early to believe.
        Ok((agreeing * 2 > answers || answers == agreeing).then_some(first))
    }

    /// Also one that is behind may be who has it.
    async fn knows(&self, hash: B256) -> Result<bool, ChainError> {
        let asked = self.ask_these(self.awake(), "a transaction", |endpoint| endpoint.knows(hash));
        Ok(asked.await?.into_iter().any(|(_, known)| known))
    }

    async fn try_round_trip(&self, trip: &RoundTrip) -> Result<Verdict, RoundTripError> {
        trip.run(self).await
    }

    /// To all that are healthy: the more have it, the sooner it lands. It is rejected when all of them say so.
    async fn send(&self, raw: &[u8]) -> Sent {
        let (mut takers, mut unknown, mut rejections) = (Vec::new(), Vec::new(), Vec::new());
        let sent = self.candidates().into_iter().map(|endpoint| async move {
            if let Err(error) = self.is_right(endpoint).await {
                tracing::warn!(endpoint = endpoint.name(), %error, "not sent there");
                return None;
            }
            Some(endpoint.send(raw).await)
        });
        // At the same time: the price does not wait for one that is slow.
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
        match rejections.into_iter().next() {
            Some(rejection) => Sent::Rejected(rejection),
            None => Sent::Unknown("no endpoint could be asked".to_owned()),
        }
    }
}
