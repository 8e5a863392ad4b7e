//! Trades of tracked wallets and new pools as they happen, and the passing of time.
//!
//! [`open`](crate::wallets::feed::WalletFeed::open) takes up where the book says that watching stood.
//! [`follow`](crate::wallets::feed::WalletFeed::follow) looks again and again; a push makes it look sooner, and nothing
//! depends on one. What a look brings is written down first and told then. If the process is killed between the two,
//! strategies are not told of these trades: rather that than twice.

mod health;
mod inputs;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bulkhead_core::identifier::SignalId;
use bulkhead_core::input::Input;
use bulkhead_core::time::Timestamp;
use solana_address::Address;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use self::inputs::FeedInputs;
use super::book::{BookError, Standing, TrackedWallet, WatchBook, Watched};
use super::pushes::{self, PushSettings};
use super::scanner::{Purpose, Scanner, Source};
use super::settings::{NEW_POOL_SIGNAL, WatchSettings};
use crate::rpc::Endpoints;

pub use self::health::{WatchHealth, WatchTotals};

/// Time is told when nothing else was for so long.
const TIMER: Duration = Duration::from_secs(1);

/// The longest pause after failures in a row, unless looks are rarer anyway. The first is that between two looks, and it
/// doubles each time.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Hints that wait. What finds no room is lost, which costs time and nothing else.
const MOST_HINTS: usize = 1_024;

/// Nodes give no longer lists.
const LONGEST_PAGE: usize = 1_000;

/// Why a feed can't start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WatchStartError {
    /// What is known can't be read.
    #[error(transparent)]
    Book(#[from] BookError),
    /// There is nothing to watch.
    #[error("no wallet is tracked and no program that makes pools is configured; track a wallet first")]
    Nothing,
    /// The engine has no such signal.
    #[error(
        "the account has no signal {name}, so strategies could not be told; add it to the account's signals before its \
         engine starts"
    )]
    UnknownSignal {
        /// The signal's name.
        name: String,
    },
    /// Two are the same.
    #[error("{one} and {other} are both of {address}; remove one of them")]
    SameAddress {
        /// One's name.
        one: String,
        /// The other's name.
        other: String,
        /// Their address.
        address: Address,
    },
    /// A page is longer than nodes make them.
    #[error("a page of {page} signatures is more than the {LONGEST_PAGE} that nodes give")]
    Page {
        /// As configured.
        page: usize,
    },
}

/// Signals of tracked wallets and new pools, from where watching stood.
#[derive(Debug)]
pub struct WalletFeed<B> {
    endpoints: Arc<Endpoints>,
    book: B,
    scanner: Scanner,
    inputs: FeedInputs,
    pushes: Vec<PushSettings>,
    pace: Pace,
    health: Arc<WatchHealth>,
}

#[derive(Debug, Clone, Copy)]
struct Pace {
    every: Duration,
    after_push: Duration,
}

impl<B: WatchBook> WalletFeed<B> {
    /// The feed of the wallets that the book has and of the programs that are configured. `signals` are those of the engine,
    /// in its order; see [`super::settings::signal_names`]. `pushes` may be none.
    ///
    /// # Errors
    ///
    /// [`WatchStartError`] says what is missing or contradicts itself. [`WatchStartError::Book`] may pass.
    pub async fn open(
        endpoints: Arc<Endpoints>,
        book: B,
        settings: WatchSettings,
        pushes: Vec<PushSettings>,
        signals: &[String],
    ) -> Result<Self, WatchStartError> {
        let page = settings.page.get();
        if page > LONGEST_PAGE {
            return Err(WatchStartError::Page { page });
        }
        let wallets = book.wallets().await?;
        if wallets.is_empty() && settings.pools.is_empty() {
            return Err(WatchStartError::Nothing);
        }
        let mut names: BTreeMap<Address, String> = BTreeMap::new();
        let mut sources = Vec::new();
        for TrackedWallet { name, address } in wallets {
            unlike_others(&mut names, address, name.as_str())?;
            let purpose = Purpose::Trades(signal(signals, &name.signal())?);
            let watched = Watched::Wallet(address);
            let standing = book.standing(&watched).await?;
            sources.push(Source::new(watched, address, purpose, standing));
        }
        for program in &settings.pools {
            unlike_others(&mut names, program.watched, program.name.as_str())?;
            let purpose = Purpose::Pools(program.clone(), Some(signal(signals, NEW_POOL_SIGNAL)?));
            let watched = Watched::Pools(program.name.clone());
            let standing: Standing = book.standing(&watched).await?;
            sources.push(Source::new(watched, program.watched, purpose, standing));
        }
        let inputs = FeedInputs::new(settings.markets.clone());
        let pace = Pace { every: settings.look_every, after_push: settings.look_after_push };
        let scanner = Scanner::new(settings, sources);
        Ok(Self { endpoints, book, scanner, inputs, pushes, pace, health: Arc::default() })
    }

    /// How it is doing, to be read from wherever one likes, as long as one likes.
    #[must_use]
    pub fn health(&self) -> Arc<WatchHealth> {
        Arc::clone(&self.health)
    }

    /// Watches until `tell` returns false, which is asked about once a second at least. `now` gives the wall clock.
    ///
    /// The inputs' times never go back: an input's time is that of the wall clock, or of what was told before if that is later.
    /// A signal's own time is that of its block. When nothing else was told for a second there is a timer. Dropping the future
    /// stops it as well, and loses nothing: what was not written down by then is found again.
    pub async fn follow(self, now: impl Fn() -> Timestamp, tell: impl FnMut(Vec<Input>) -> bool) {
        let Self { endpoints, book, mut scanner, inputs, pushes, pace, health } = self;
        let (hint, mut hints) = mpsc::channel(MOST_HINTS);
        let mut connections = JoinSet::new();
        for settings in pushes {
            let (addresses, health) = (scanner.addresses(), Arc::clone(&health));
            connections.spawn(pushes::listen(settings, addresses, hint.clone(), health));
        }
        let mut voice = Voice { now, tell, inputs, told: Instant::now() };
        let (mut failures, mut next_full) = (0_u32, Instant::now());
        let mut hinted: BTreeSet<Address> = BTreeSet::new();
        loop {
            let is_full = Instant::now() >= next_full;
            let only = std::mem::take(&mut hinted);
            let only = (!is_full).then_some(&only);
            let time = (voice.now)();
            let look = scanner.look(&endpoints, only, time);
            let Some(mut look) = voice.while_waiting(look).await else { return };
            let recorded = match std::mem::take(&mut look.progress) {
                progress if progress.is_empty() => Ok(()),
                progress => {
                    let Some(recorded) = voice.while_waiting(book.record(progress)).await else { return };
                    recorded
                }
            };
            let mut problem = look.problem.as_ref().map(ToString::to_string);
            match recorded {
                // Nothing is waited for in between: what was written down is told.
                Ok(()) => {
                    scanner.accept(look.take_sources());
                    let signals = voice.inputs.signals(&look.news, (voice.now)());
                    if !signals.is_empty() && !voice.say(signals) {
                        return;
                    }
                }
                Err(error) => problem = Some(error.to_string()),
            }
            let left = look.report.left;
            let pause = match problem {
                None => {
                    if failures > 0 && is_full {
                        tracing::info!(failures, "wallets can be watched again");
                    }
                    health.looked(look.report, scanner.remembered(), is_full, time);
                    failures = if is_full { 0 } else { failures };
                    if left > 0 { pace.after_push.min(pace.every) } else { pace.every }
                }
                Some(why) => {
                    if failures == 0 {
                        tracing::warn!(
                            why,
                            "not all wallets can be watched; trying again, nothing is left out"
                        );
                    }
                    health.failed(look.report, why);
                    failures = failures.saturating_add(1);
                    let doubled = pace.every.saturating_mul(1 << (failures - 1).min(16));
                    doubled.min(LONGEST_PAUSE.max(pace.every))
                }
            };
            if is_full {
                next_full = Instant::now() + pause;
            } else if left > 0 {
                next_full = next_full.min(Instant::now() + pause);
            }
            let may_look = (Instant::now() + pace.after_push).min(next_full);
            let Some(()) = voice.while_waiting(wait(&mut hints, &mut hinted, next_full, may_look)).await
            else {
                return;
            };
        }
    }
}

/// Waits until the next full look is due, or until something was hinted at and it may be looked at.
async fn wait(
    hints: &mut mpsc::Receiver<Address>,
    hinted: &mut BTreeSet<Address>,
    next_full: Instant,
    may_look: Instant,
) {
    tokio::select! {
        () = sleep_until(next_full) => return,
        // The sender that this loop keeps stays, so there is always one.
        first = hints.recv() => hinted.extend(first),
    }
    sleep_until(may_look).await;
    while let Ok(more) = hints.try_recv() {
        hinted.insert(more);
    }
}

fn unlike_others(
    names: &mut BTreeMap<Address, String>,
    address: Address,
    name: &str,
) -> Result<(), WatchStartError> {
    match names.insert(address, name.to_owned()) {
        Some(other) => Err(WatchStartError::SameAddress { one: other, other: name.to_owned(), address }),
        None => Ok(()),
    }
}

fn signal(signals: &[String], name: &str) -> Result<SignalId, WatchStartError> {
    let place = signals.iter().position(|known| known == name).and_then(|place| u32::try_from(place).ok());
    place.map(SignalId).ok_or_else(|| WatchStartError::UnknownSignal { name: name.to_owned() })
}

/// To whom everything is told.
struct Voice<N, T> {
    now: N,
    tell: T,
    inputs: FeedInputs,
    /// When something was told last.
    told: Instant,
}

impl<N: Fn() -> Timestamp, T: FnMut(Vec<Input>) -> bool> Voice<N, T> {
    fn say(&mut self, inputs: Vec<Input>) -> bool {
        self.told = Instant::now();
        (self.tell)(inputs)
    }

    /// What something brings, while time is told. Nothing when nobody listens any more.
    async fn while_waiting<F: Future>(&mut self, something: F) -> Option<F::Output> {
        let mut something = pin!(something);
        loop {
            tokio::select! {
                biased;
                output = &mut something => return Some(output),
                () = sleep_until(self.told + TIMER) => {
                    let timer = self.inputs.timer((self.now)());
                    if !self.say(vec![timer]) {
                        return None;
                    }
                }
            }
        }
    }
}
