//! Several servers of one chain.

use std::future::Future;

use alloy::primitives::{Address, B256, Bytes, U256};
use alloy::rpc::types::{TransactionReceipt, TransactionRequest};
use futures_util::future::join_all;

use super::{Endpoint, EndpointSettings, InvalidAddress};
use crate::chain::{At, Chain, ChainError, Head, Rejection, RejectionKind, Sent};
use crate::pools::round_trip::{RoundTrip, RoundTripError, Verdict};

/// A server that is so many blocks behind another is not asked.
const MOST_BLOCKS_BEHIND: u64 = 3;

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

    /// Those that may be asked now, the healthiest first.
    pub(super) fn candidates(&self) -> Vec<&Endpoint> {
        let newest = self.endpoints.iter().map(Endpoint::height).max().unwrap_or_default();
        let mut found: Vec<&Endpoint> = self
            .endpoints
            .iter()
            .filter(|endpoint| endpoint.is_awake())
            // Of one that was never asked nothing is known.
            .filter(|endpoint| endpoint.height() == 0 || endpoint.height() + MOST_BLOCKS_BEHIND >= newest)
            .collect();
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

    /// Asks all that are healthy. Those that answer must say the same.
    async fn ask_all<'a, T, F>(
        &'a self,
        what: &str,
        ask: impl Fn(&'a Endpoint) -> F,
    ) -> Result<Vec<T>, ChainError>
    where
        F: Future<Output = Result<T, ChainError>>,
    {
        let (mut answers, mut problem) = (Vec::new(), self.nobody());
        let ask = &ask;
        let asked = self.candidates().into_iter().map(|endpoint| async move {
            let answer = match self.is_right(endpoint).await {
                Ok(()) => ask(endpoint).await,
                Err(error) => Err(error),
            };
            (endpoint, answer)
        });
        // At the same time: one that is slow holds up the answer, and not the questions to the others.
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

    pub(super) fn nobody(&self) -> ChainError {
        let soonest = self.endpoints.iter().filter_map(Endpoint::rests_until).min();
        let wait = soonest.map(|until| until.saturating_duration_since(tokio::time::Instant::now()));
        let names: Vec<&str> = self.endpoints.iter().map(Endpoint::name).collect();
        let when = wait.map(|wait| format!("; the next is asked in {wait:.1?}")).unwrap_or_default();
        ChainError::Unavailable(format!("none of {} answers{when}", names.join(", ")))
    }
}

impl Chain for Endpoints {
    async fn chain_id(&self) -> Result<u64, ChainError> {
        let mut found = Err(self.nobody());
        for endpoint in self.candidates() {
            match endpoint.chain_id().await {
                Ok(id) if id == self.chain_id => return Ok(id),
                Ok(id) => found = Ok(id),
                Err(error) if found.is_err() => found = Err(error),
                Err(_) => {}
            }
        }
        found
    }

    /// The newest that any server knows, so that one that lags shows.
    async fn head(&self) -> Result<Head, ChainError> {
        let heads = self.ask_all("the newest block", Endpoint::head).await?;
        let newest = heads.into_iter().max_by_key(|head| head.number);
        newest.ok_or_else(|| self.nobody())
    }

    async fn balance(&self, of: Address) -> Result<U256, ChainError> {
        self.ask(|endpoint| endpoint.balance(of)).await
    }

    /// The highest: a server that has not heard of a transaction yet must not have its nonce given out again.
    async fn nonce(&self, of: Address, pending: bool) -> Result<u64, ChainError> {
        let nonces = self.ask_all("a nonce", |endpoint| endpoint.nonce(of, pending)).await?;
        nonces.into_iter().max().ok_or_else(|| self.nobody())
    }

    async fn call(&self, request: TransactionRequest, at: At) -> Result<Bytes, ChainError> {
        self.ask(|endpoint| endpoint.call(request.clone(), at)).await
    }

    async fn estimate_gas(&self, request: TransactionRequest) -> Result<u64, ChainError> {
        self.ask(|endpoint| endpoint.estimate_gas(request.clone())).await
    }

    async fn tip(&self) -> Result<u128, ChainError> {
        self.ask(Endpoint::tip).await
    }

    /// A server may not have it yet; but two that have it must say the same of it.
    async fn receipt(&self, hash: B256) -> Result<Option<TransactionReceipt>, ChainError> {
        let receipts = self.ask_all("a receipt", |endpoint| endpoint.receipt(hash)).await?;
        let answers = receipts.len();
        let mut found = receipts.into_iter().flatten();
        let Some(first) = found.next() else { return Ok(None) };
        let mut agreeing = 1;
        for other in found {
            let differs = other.status() != first.status()
                || other.gas_used != first.gas_used
                || other.logs().iter().map(|log| &log.inner).ne(first.logs().iter().map(|log| &log.inner));
            if other.block_hash == first.block_hash && differs {
                let what = format!("the receipt of {hash} is not the same at all of them");
                return Err(ChainError::Disagreement(what));
            }
            agreeing += usize::from(other.block_hash == first.block_hash);
        }
        // While a minority knows it, or knows it in another block, it is too early to believe.
        Ok((agreeing * 2 > answers || answers == agreeing).then_some(first))
    }

    async fn knows(&self, hash: B256) -> Result<bool, ChainError> {
        let known = self.ask_all("a transaction", |endpoint| endpoint.knows(hash)).await?;
        Ok(known.into_iter().any(|known| known))
    }

    /// To all that are healthy: the more have it, the sooner it lands. It is rejected when all of them say so.
    async fn try_round_trip(&self, trip: &RoundTrip) -> Result<Verdict, RoundTripError> {
        trip.run(self).await
    }

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
            None => Sent::Rejected(Rejection {
                kind: RejectionKind::Other,
                message: "no endpoint could be asked, so it went nowhere".to_owned(),
            }),
        }
    }
}
