//! The way from the threads that trade to whoever makes alerts. It never waits.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use bulkhead_core::engine::Engine;
use bulkhead_core::money::Money;
use bulkhead_core::time::{Span, Timestamp};
use bulkhead_store::journal::{NumberedOutput, Sequence};

use crate::alert::{Alert, AlertKind};
use crate::names::Names;
use crate::watch::{Beginning, Standing};

/// How often an account's losses are compared with their limits.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Standings that wait for their input to be durable, at most.
const MOST_AHEAD: usize = 64;

/// What is handed over.
#[derive(Debug)]
pub(crate) enum Handed {
    /// Of the account at this place.
    Account(usize, News),
    /// Of the whole host.
    Host(Box<Alert>),
    /// Nothing more comes; everything is to be delivered until then.
    Close(Instant),
}

/// What is handed over of an account.
#[derive(Debug)]
pub(crate) enum News {
    Names(Names),
    Begin(Beginning),
    /// Something was missed before.
    BeginAgain(Beginning),
    Outputs(Vec<NumberedOutput>),
    Standing(Box<Standing>),
    JournalStalled(String),
    JournalResumed(Duration),
}

/// Handed over in vain, and not told yet.
#[derive(Debug, Default)]
pub(crate) struct Lost(AtomicU64);

impl Lost {
    fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

/// The way in for one account.
pub struct Publisher {
    place: usize,
    sender: SyncSender<Handed>,
    lost: Arc<Lost>,
    names: Names,
    /// Whether something was lost, so that what is held must be told anew.
    is_behind: bool,
    next_look: Option<Instant>,
    /// Read off the engine after inputs that are not durable yet.
    ahead: VecDeque<Standing>,
}

impl Publisher {
    pub(crate) fn new(place: usize, sender: SyncSender<Handed>, lost: Arc<Lost>) -> Self {
        Self {
            place,
            sender,
            lost,
            names: Names::default(),
            is_behind: false,
            next_look: None,
            ahead: VecDeque::new(),
        }
    }

    /// The account is open: what it holds is no news. Nothing of the engine may be ahead of the journal.
    pub fn begin(&mut self, engine: &Engine) {
        self.refresh_names(engine);
        self.send(News::Begin(beginning(engine)), 1);
    }

    /// The engine is about to take an input of this moment, after `sequence`: a day may end with it.
    pub fn before(&mut self, engine: &Engine, sequence: Sequence, next: Timestamp) {
        let now = engine.now();
        // Before its first input an account has no day.
        if now != Timestamp::EPOCH && next.floor(Span::DAY) > now.floor(Span::DAY) {
            self.stand(engine, sequence, true);
        }
    }

    /// Looks at the account if it is time, and hands over what was seen once that is durable.
    pub fn look(&mut self, engine: &Engine, sequence: Sequence, durable: Sequence, now: Instant) {
        if self.next_look.is_none_or(|next| next <= now) {
            self.next_look = Some(now + LOOK_EVERY);
            self.stand(engine, sequence, false);
        }
        while let Some(standing) = self.ahead.pop_front_if(|standing| standing.sequence <= durable.0) {
            self.send(News::Standing(Box::new(standing)), 1);
        }
        if self.is_behind && sequence == durable {
            self.is_behind = false;
            self.refresh_names(engine);
            self.send(News::BeginAgain(beginning(engine)), 1);
        }
    }

    /// Hands over what became durable.
    pub fn outputs(&mut self, engine: &Engine, outputs: &[NumberedOutput]) {
        if !outputs.is_empty() {
            self.refresh_names(engine);
            self.send(News::Outputs(outputs.to_vec()), outputs.len() as u64);
        }
    }

    /// The journal can't be written.
    pub fn journal_stalled(&mut self, why: &str) {
        self.send(News::JournalStalled(why.to_owned()), 1);
    }

    /// The journal can be written again, after this time.
    pub fn journal_resumed(&mut self, after: Duration) {
        self.send(News::JournalResumed(after), 1);
    }

    /// Everything is durable and nothing more comes: hands over the rest.
    pub fn end(&mut self, engine: &Engine, outputs: &[NumberedOutput]) {
        self.outputs(engine, outputs);
        while let Some(standing) = self.ahead.pop_front() {
            self.send(News::Standing(Box::new(standing)), 1);
        }
    }

    fn stand(&mut self, engine: &Engine, sequence: Sequence, day_ended: bool) {
        // An account whose value leaves the range of the books has other troubles, which are told elsewhere.
        let Ok(equity) = engine.equity() else { return };
        if self.ahead.len() == MOST_AHEAD {
            self.ahead.pop_front();
            self.lost.add(1);
        }
        let (day_start_equity, peak_equity) = engine.equity_marks();
        let risk = &engine.settings().risk;
        self.ahead.push_back(Standing {
            time: engine.now(),
            sequence: sequence.0,
            day_ended,
            equity,
            day_start_equity,
            peak_equity,
            fees: fees(engine),
            positions: engine
                .ledger()
                .sub_ledgers()
                .iter()
                .filter(|books| !books.is_make_believe())
                .map(|books| books.positions().len())
                .sum(),
            daily_loss: risk.daily_loss,
            drawdown: risk.drawdown,
        });
    }

    fn refresh_names(&mut self, engine: &Engine) {
        if !self.names.are_current(engine) {
            let names = Names::read(engine);
            if self.send(News::Names(names.clone()), 0) {
                self.names = names;
            }
        }
    }

    /// Whether it was taken; it counts as so many that were lost if not.
    fn send(&mut self, news: News, count: u64) -> bool {
        let taken = self.sender.try_send(Handed::Account(self.place, news)).is_ok();
        if !taken {
            self.lost.add(count);
            self.is_behind = true;
        }
        taken
    }
}

fn fees(engine: &Engine) -> Money {
    let real = engine.ledger().sub_ledgers().iter().filter(|books| !books.is_make_believe());
    real.map(bulkhead_core::ledger::SubLedger::fees)
        .fold(Money::ZERO, |sum, fees| sum.plus(fees).unwrap_or(sum))
}

fn beginning(engine: &Engine) -> Beginning {
    let ledger = engine.ledger();
    let mut holdings = Vec::new();
    for slot in engine.slots() {
        let Some(books) = ledger.sub_ledger(slot.id()).filter(|books| !books.is_make_believe()) else {
            continue;
        };
        let held = books.positions().iter();
        holdings.extend(held.map(|held| (slot.id(), held.instrument, held.quantity, held.realised)));
    }
    let order = |order: &bulkhead_core::order::Order| {
        let terms = order.terms();
        (terms.id, terms.instrument, terms.expected_price())
    };
    Beginning { holdings, orders: engine.orders().map(order).collect(), fees: fees(engine) }
}

/// The way in for what concerns the whole host. Its copies lead to the same place.
#[derive(Clone)]
pub struct Notices {
    pub(crate) sender: SyncSender<Handed>,
    pub(crate) lost: Arc<Lost>,
}

impl Notices {
    /// A part of the host fails again and again.
    pub fn task_failing(&self, task: &str, degrades: &str, why: &str, failures: u32) {
        let text = format!("The task {task} failed {failures} times in a row: {why}. Meanwhile {degrades}.");
        let alert = Alert::new(AlertKind::TaskFailing, task, format!("{task} fails again and again"), text);
        self.hand_over(alert);
    }

    /// The books of an account and what is really there differ in a way that does not halt it, or can't be compared.
    pub fn books_differ(&self, account: &str, what: &str) {
        let title = "the books and the chain differ";
        let mut alert = Alert::new(AlertKind::BooksDiffer, account, title, what);
        alert.account = Some(account.to_owned());
        self.hand_over(alert);
    }

    fn hand_over(&self, alert: Alert) {
        if self.sender.try_send(Handed::Host(Box::new(alert))).is_err() {
            self.lost.add(1);
        }
    }
}
