//! A thread that trades: some of the accounts, one after another and a little at a time. Accounts on other
//! threads are not concerned by how long these take.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Error, Result};
use bulkhead_feeds::pacer::Speed;
use bulkhead_sandbox::Sandbox;
use bulkhead_store::database::Database;
use bulkhead_store::journal::ShardId;
use tracing::Span;

use super::account::{AccountHost, LONGEST_WAIT, Progress};
use super::messages::Message;
use super::status::StatusView;
use super::summary::AccountSummary;
use crate::market_data::MarketData;
use crate::shard::Account;
use crate::strategy_files::PluginFile;

/// An account, its connection to the database, and the view that shows it.
pub(super) struct Assignment {
    pub(super) account: Account,
    pub(super) database: Database,
    pub(super) view: Option<StatusView>,
}

/// What all accounts have in common.
#[derive(Clone)]
pub(super) struct Terms {
    pub(super) sandbox: Sandbox,
    /// What was in the strategies directory at the start.
    pub(super) files: Arc<[PluginFile]>,
    pub(super) data: Arc<MarketData>,
    pub(super) speed: Speed,
    pub(super) duration: Option<Duration>,
    /// Whether log lines say which account they are of.
    pub(super) several: bool,
}

/// How an account ended: summed up, or failed.
pub(super) struct End {
    pub(super) shard: ShardId,
    pub(super) outcome: Result<AccountSummary>,
}

/// A thread that trades, seen from outside.
pub(super) struct Worker {
    shards: Vec<ShardId>,
    thread: JoinHandle<Vec<End>>,
}

impl Worker {
    /// Starts a thread for these accounts. It listens to `messages`, and is woken through `waker`, which leads
    /// there.
    pub(super) fn start(
        assignments: Vec<Assignment>,
        terms: Terms,
        waker: Sender<Message>,
        messages: Receiver<Message>,
    ) -> Result<Self> {
        let shards = assignments.iter().map(|assignment| assignment.account.shard).collect();
        // Strategies run on the thread that calls them; its stack must hold theirs.
        let thread = std::thread::Builder::new()
            .name("accounts".to_owned())
            .stack_size(4 * bulkhead_sandbox::THREAD_STACK_BYTES)
            .spawn(move || trade(assignments, &terms, &waker, &messages))
            .context("a thread for accounts can't be started")?;
        Ok(Self { shards, thread })
    }

    /// Waits until all its accounts have ended.
    pub(super) fn join(self) -> Vec<End> {
        match self.thread.join() {
            Ok(ends) => ends,
            Err(_) => {
                let ended = |shard| End {
                    shard,
                    outcome: Err(Error::msg(format!(
                        "the thread of {shard} panicked; start again: the journal holds all that had an effect"
                    ))),
                };
                self.shards.into_iter().map(ended).collect()
            }
        }
    }
}

/// An account on this thread, and what its log lines are marked with.
struct Running {
    host: AccountHost,
    span: Span,
}

fn trade(
    assignments: Vec<Assignment>,
    terms: &Terms,
    waker: &Sender<Message>,
    messages: &Receiver<Message>,
) -> Vec<End> {
    let mut ends = Vec::new();
    let mut running = Vec::new();
    for Assignment { account, database, view } in assignments {
        let shard = account.shard;
        let span = match terms.several {
            true => tracing::info_span!("account", name = account.name),
            false => Span::none(),
        };
        let entered = span.clone().entered();
        let waker = waker.clone();
        // Nobody waits any more when it can't be told.
        let wake = move || drop(waker.send(Message::Tick));
        match AccountHost::open(account, database, &terms.sandbox, &terms.files, &terms.data, view, wake) {
            Ok(host) => running.push(Running { host, span: entered.exit() }),
            Err(error) => ends.push(failed(shard, error, terms.several)),
        }
    }
    for account in &mut running {
        account.host.start(terms.speed, terms.duration);
    }
    while !running.is_empty() {
        let mut wait = LONGEST_WAIT;
        let mut at = 0;
        while let Some(Running { host, span }) = running.get_mut(at) {
            let ending = match span.in_scope(|| host.advance()) {
                Ok(Progress::Busy) => {
                    wait = Duration::ZERO;
                    None
                }
                Ok(Progress::Waits(duration)) => {
                    wait = wait.min(duration);
                    None
                }
                Ok(Progress::Ended(reason)) => Some(Ok(reason)),
                Err(error) => Some(Err(error)),
            };
            match ending {
                None => at += 1,
                Some(ending) => ends.push(end(running.remove(at), ending, terms.several)),
            }
        }
        let mut message = messages.recv_timeout(wait).ok();
        while let Some(told) = message {
            if told == Message::Stop {
                let all = running.drain(..);
                ends.extend(all.map(|account| end(account, Ok("a signal asked for it"), terms.several)));
                break;
            }
            hand_over(&told, &mut running, &mut ends, terms.several);
            message = messages.try_recv().ok();
        }
    }
    ends
}

/// Gives a message to whom it is for.
fn hand_over(message: &Message, running: &mut Vec<Running>, ends: &mut Vec<End>, several: bool) {
    let mut at = 0;
    while let Some(Running { host, span }) = running.get_mut(at) {
        let concerns = match message {
            Message::Tick | Message::Stop => false,
            Message::Prepared { .. } | Message::Removed { .. } => true,
            Message::Request { shard, .. } => *shard == host.account().shard,
        };
        match if concerns { span.in_scope(|| host.take(message.clone())) } else { Ok(()) } {
            Ok(()) => at += 1,
            Err(error) => ends.push(end(running.remove(at), Err(error), several)),
        }
    }
}

/// Closes an account. Also when it failed: what was done until then is kept.
fn end(account: Running, ending: Result<&'static str>, several: bool) -> End {
    let Running { host, span } = account;
    let _entered = span.enter();
    let shard = host.account().shard;
    let closed = host.close();
    match ending.and_then(|reason| Ok((reason, closed?))) {
        Ok((reason, summary)) => {
            tracing::info!(reason, "stopped");
            End { shard, outcome: Ok(summary) }
        }
        Err(error) => failed(shard, error, several),
    }
}

/// Others go on, so that it must be said now.
fn failed(shard: ShardId, error: Error, several: bool) -> End {
    if several {
        tracing::error!(
            reason = format!("{error:#}"),
            "the account ended, its positions are not guarded any more"
        );
    }
    End { shard, outcome: Err(error) }
}
