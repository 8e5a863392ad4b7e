//! A thread that trades: some of the accounts, one after another and a little at a time. Accounts on other
//! threads are not concerned by how long these take.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Error, Result};
use bulkhead_api::Rights;
use bulkhead_feeds::pacer::Speed;
use bulkhead_sandbox::Sandbox;
use bulkhead_store::database::Database;
use bulkhead_store::journal::ShardId;
use tracing::Span;

use super::account::{AccountHost, LONGEST_WAIT, Progress};
use super::messages::{HandedOver, Message};
use super::outside::{StartOutside, Told};
use super::summary::AccountSummary;
use super::watchers::Watchers;
use crate::market_data::MarketData;
use crate::shard::Account;
use crate::strategy_files::PluginFile;

/// How long the journals may take to write the end of the run, all together.
const LONGEST_CLOSE: Duration = Duration::from_secs(4);

/// An account, its connection to the database, and who watches it.
pub(super) struct Assignment {
    pub(super) account: Account,
    pub(super) database: Database,
    pub(super) watchers: Watchers,
    /// What executes its orders outside; `None` where it trades on paper.
    pub(super) outside: Option<StartOutside>,
}

/// What all accounts have in common.
#[derive(Clone)]
pub(super) struct Terms {
    pub(super) sandbox: Sandbox,
    /// What was in the strategies directory at the start.
    pub(super) files: Arc<[PluginFile]>,
    pub(super) data: Arc<MarketData>,
    /// Who may still have done what they asked for while no host ran.
    pub(super) rights: Rights,
    pub(super) handed_over: HandedOver,
    pub(super) told: Told,
    pub(super) speed: Speed,
    pub(super) duration: Option<Duration>,
    /// Whether log lines say which account they are of.
    pub(super) several: bool,
}

/// How an account ended: summed up, or failed. There is no sum of one that was never opened.
pub(super) struct End {
    pub(super) shard: ShardId,
    pub(super) outcome: Result<Option<AccountSummary>>,
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
    // What was told before all accounts were there to hear it.
    let mut early = VecDeque::new();
    for Assignment { account, database, watchers, outside } in assignments {
        early.extend(messages.try_iter());
        let (shard, name) = (account.shard, account.name.clone());
        let span = match terms.several {
            true => tracing::info_span!("account", name = account.name),
            false => Span::none(),
        };
        let entered = span.clone().entered();
        if early.contains(&Message::Stop) {
            tracing::warn!("a signal ended the run before the account was opened; its journal is as it was");
            ends.push(End { shard, outcome: Ok(None) });
            continue;
        }
        let waker = waker.clone();
        // Nobody waits any more when it can't be told.
        let wake = Arc::new(move || drop(waker.send(Message::Tick)));
        let open = || AccountHost::open(account, database, terms, watchers, outside, wake);
        match guarded(open) {
            Ok(host) => running.push(Running { host, span: entered.exit() }),
            Err(error) => ends.push(failed(shard, &name, error, terms.several)),
        }
    }
    for account in &mut running {
        account.host.start(terms.speed, terms.duration);
    }
    while !running.is_empty() {
        let mut wait = LONGEST_WAIT;
        let mut at = 0;
        while let Some(Running { host, span }) = running.get_mut(at) {
            let ending = match span.in_scope(|| guarded(|| host.advance())) {
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
                Some(ending) => ends.push(end(running.remove(at), ending, in_time(), terms.several)),
            }
        }
        let mut message = early.pop_front().or_else(|| messages.recv_timeout(wait).ok());
        while let Some(told) = message {
            if told == Message::Stop {
                ends.extend(end_all(std::mem::take(&mut running), terms.several));
                break;
            }
            hand_over(&told, &mut running, &mut ends, terms.several);
            message = early.pop_front().or_else(|| messages.try_recv().ok());
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
        let taken = match concerns {
            true => span.in_scope(|| guarded(|| host.take(message.clone()))),
            false => Ok(()),
        };
        match taken {
            Ok(()) => at += 1,
            Err(error) => ends.push(end(running.remove(at), Err(error), in_time(), several)),
        }
    }
}

/// When a close that begins now must have been done.
fn in_time() -> Instant {
    Instant::now() + LONGEST_CLOSE
}

/// Closes what a signal ends. All journals are written at once and have the same time, however many they are.
fn end_all(mut running: Vec<Running>, several: bool) -> Vec<End> {
    let until = in_time();
    let mut ready = Vec::new();
    for Running { host, span } in &mut running {
        ready.push(span.in_scope(|| {
            guarded(|| {
                host.begin_close();
                Ok("a signal asked for it")
            })
        }));
    }
    running.into_iter().zip(ready).map(|(account, ready)| end(account, ready, until, several)).collect()
}

/// Closes an account. Also when it failed: what was done until then is kept.
fn end(account: Running, ending: Result<&'static str>, until: Instant, several: bool) -> End {
    let Running { host, span } = account;
    let _entered = span.enter();
    let (shard, name) = (host.account().shard, host.account().name.clone());
    if let Err(error) = ending.as_ref()
        && error.is::<Panicked>()
    {
        // Nobody knows what state it is in: only what the journal has is true.
        let ended = guarded(|| {
            drop(host);
            Ok(())
        });
        return failed(shard, &name, ended.and(ending).err().unwrap_or_else(|| Panicked.into()), several);
    }
    let closed = guarded(|| host.close(until));
    match ending.and_then(|reason| Ok((reason, closed?))) {
        Ok((reason, summary)) => {
            tracing::info!(reason, "stopped");
            End { shard, outcome: Ok(Some(summary)) }
        }
        Err(error) => failed(shard, &name, error, several),
    }
}

/// Others go on, so that it must be said now.
fn failed(shard: ShardId, name: &str, error: Error, several: bool) -> End {
    if several {
        tracing::error!(
            reason = format!("{error:#}"),
            "the account ended, its positions are not guarded any more"
        );
    }
    End { shard, outcome: Err(named(error, name, several)) }
}

/// Says which account it is about, where there are others.
fn named(error: Error, name: &str, several: bool) -> Error {
    if several { error.context(format!("account {name}")) } else { error }
}

/// An account met a mistake in the program.
#[derive(Debug)]
struct Panicked;

impl std::fmt::Display for Panicked {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the account panicked; start again: its journal holds all that had an effect")
    }
}

impl std::error::Error for Panicked {}

/// Does something for an account. A panic ends the account, and not those that share its thread.
fn guarded<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Panicked.into()))
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn a_panic_of_an_account_is_an_error_of_that_account_alone() {
        assert_eq!(guarded(|| Ok(5)).unwrap(), 5);
        assert_eq!(guarded::<()>(|| Err(anyhow!("no luck"))).unwrap_err().to_string(), "no luck");
        let error = guarded::<()>(|| panic!("a mistake")).unwrap_err();
        assert!(error.is::<Panicked>(), "{error}");
    }

    #[test]
    fn an_error_says_which_account_it_is_about_where_there_are_several() {
        let end = |several| failed(ShardId(1), "alice", anyhow!("no luck"), several).outcome.map(drop);
        assert_eq!(format!("{:#}", end(true).unwrap_err()), "account alice: no luck");
        assert_eq!(format!("{:#}", end(false).unwrap_err()), "no luck");
    }
}
