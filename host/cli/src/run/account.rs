//! One account at work: its engine behind its journal, its feed, and what is asked of it.
//!
//! Nothing here waits. What can't go on at the moment says for how long, and the thread that has it looks after
//! its other accounts meanwhile.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bulkhead_api::Rights;
use bulkhead_configuration::Slot;
use bulkhead_core::engine::{self, Engine, SlotStatus};
use bulkhead_core::identifier::ContentHash;
use bulkhead_core::input::{Actor, Command, Deployment, HaltAction, Input, InputKind, SettingsChange};
use bulkhead_core::output::Output;
use bulkhead_core::time::Timestamp;
use bulkhead_core::venue::inquiry::Resolution;
use bulkhead_feeds::Feed;
use bulkhead_feeds::pacer::{Pacer, Speed};
use bulkhead_sandbox::Sandbox;
use bulkhead_sequencer::recovery::RecoveryReport;
use bulkhead_sequencer::sequencer::Sequencer;
use bulkhead_store::clock::now;
use bulkhead_store::database::{Database, Options};
use bulkhead_store::journal::{NumberedOutput, Sequence};
use bulkhead_store::storage::{Request, Storage as _};

use super::log;
use super::messages::{HandedOver, Message, Origin};
use super::outside::{Outside, StartOutside};
use super::requests;
use super::summary::{AccountSummary, RecoverySummary, Tally};
use super::watchers::Watchers;
use super::worker::Terms;
use crate::shard::{self, Account, Shard};
use crate::strategy_files::PluginFile;

/// Inputs that are pulled from the feed at a time.
const BATCH: usize = 512;

/// Inputs that are stepped in one go, before the clock, the journal and other accounts are looked after.
const INPUTS_IN_ONE_GO: usize = 64;

/// The longest time between two looks at the clock and the journal.
pub(super) const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// The longest wait for the journal before the start of the run goes on looking.
const LONGEST_STALL: Duration = Duration::from_millis(20);

/// How long an order by hand may wait, in seconds, before it is carried out or not at all.
const LONGEST_ORDER_WAIT: i64 = 60;

/// For how long it is believed that somebody may still do what they asked for.
const STANDING_LASTS: Duration = Duration::from_secs(5);

/// The parts of the host that command something, as the audit names them.
const CONFIGURATION: &str = "configuration";
const DIRECTORY: &str = "strategies directory";

/// How an account got on.
pub(super) enum Progress {
    /// It has more to do at once.
    Busy,
    /// It has nothing to do for so long, unless somebody asks something of it or its journal moves on.
    Waits(Duration),
    /// It has come to its end.
    Ended(&'static str),
}

/// An account at work.
pub(super) struct AccountHost {
    account: Account,
    sequencer: Sequencer,
    sandbox: Sandbox,
    /// What executes its orders outside; `None` where it trades on paper.
    outside: Option<Box<dyn Outside>>,
    feed: Box<dyn Feed + Send>,
    pacer: Pacer,
    started: Instant,
    /// How long it runs; for ever when `None`.
    duration: Option<Duration>,
    /// Inputs of the feed, of which those from `next` on are not stepped yet.
    inputs: Vec<Input>,
    next: usize,
    /// Outputs whose inputs are durable.
    released: Vec<NumberedOutput>,
    /// What can't be done before the journal takes inputs again.
    held_back: VecDeque<Message>,
    /// Requests that were carried out, durable or not: each is, once.
    taken_up: BTreeSet<i64>,
    handed_over: HandedOver,
    tally: Tally,
    recovery: Option<RecoverySummary>,
    watchers: Watchers,
}

impl AccountHost {
    /// Goes on where the account's journal ends, or begins it, and does what is to be done before anything is
    /// traded.
    pub(super) fn open(
        account: Account,
        database: Database,
        terms: &Terms,
        watchers: Watchers,
        outside: Option<StartOutside>,
        wake: Arc<dyn Fn() + Send + Sync>,
    ) -> Result<Self> {
        let told = Arc::clone(&wake);
        let Shard { sequencer, feed, recovery, settings } =
            shard::open(&account, database, &terms.sandbox, &terms.data, &watchers.figures, move || told())?;
        // Before anything is asked of it: what is on its way by then was asked for by an earlier run.
        let outside = outside.map(|start| start(sequencer.engine(), wake, terms.told.clone())).transpose()?;
        let speed = account.configuration.speed;
        let mut host = Self {
            account,
            sequencer,
            sandbox: terms.sandbox.clone(),
            outside,
            feed,
            pacer: Pacer::new(speed),
            started: Instant::now(),
            duration: None,
            inputs: Vec::with_capacity(BATCH),
            next: 0,
            released: Vec::new(),
            held_back: VecDeque::new(),
            taken_up: BTreeSet::new(),
            handed_over: terms.handed_over.clone(),
            tally: Tally::default(),
            recovery: recovery.as_ref().map(|(report, seconds)| RecoverySummary::of(report, *seconds)),
            watchers,
        };
        host.watchers.begin(&host.sequencer);
        if let Some((report, seconds)) = &recovery {
            log::recovery(host.engine(), report, *seconds);
        }
        host.halt_on_contradictions(recovery.as_ref().map(|(report, _)| report))?;
        // What differs outside is known before anything is asked for.
        host.wait_for_room()?;
        host.hear_outside()?;
        if let Some(settings) = settings {
            tracing::info!("the configuration changed while the host was not running");
            let change = Command::ChangeSettings(Box::new(SettingsChange { settings, of: None }));
            host.command(CONFIGURATION, change)?;
        }
        // By what the configuration says now, and with nothing opened after a contradiction.
        host.answer_waiting(&terms.rights)?;
        if host.engine().halt().is_none() {
            // Who asked for trading to go on could not have looked at what was found only now.
            host.halt_on_contradictions(recovery.as_ref().map(|(report, _)| report))?;
        }
        host.load_directory(&terms.files)?;
        Ok(host)
    }

    /// From now on time counts.
    pub(super) fn start(&mut self, speed: Speed, duration: Option<Duration>) {
        self.pacer = Pacer::new(speed);
        self.duration = duration;
        self.started = Instant::now();
    }

    /// The account's name and shard.
    pub(super) const fn account(&self) -> &Account {
        &self.account
    }

    /// Loads what is in the strategies directory at the start, in the order of the names.
    fn load_directory(&mut self, files: &[PluginFile]) -> Result<()> {
        // One that a person removed is to begin anew when its file comes back.
        let is_asked_for =
            |slot: &&engine::Slot| slot.status() != SlotStatus::Removed || slot.configured().is_some();
        let gone = self.engine().slots().iter().filter(is_asked_for);
        let gone = gone.map(|slot| slot.name().to_owned());
        let gone: Vec<_> = gone.filter(|name| files.iter().all(|file| file.slot != *name)).collect();
        for slot in gone {
            tracing::info!(slot, "its file was taken away while the host was not running");
            self.command(DIRECTORY, Command::Remove { slot })?;
        }
        for file in files {
            self.show(Instant::now());
            if let Some(version) = file.version() {
                self.load(file.slot.clone(), version, file.origin.clone())?;
            }
        }
        Ok(())
    }

    /// Carries out what was asked of the host while it did not run, before anything is traded.
    fn answer_waiting(&mut self, rights: &Rights) -> Result<()> {
        let (url, shard) = (shard::database_url(&self.account.configuration)?, self.account.shard);
        let mut database = Database::open(&url, Options::reader())?;
        for request in database.requests(shard)? {
            // It may take long, and then it is to be known who may what afterwards.
            self.wait_for_room()?;
            let standing = requests::standing(&mut database, rights, shard, &request)?;
            self.answer(&request, standing.lapsed)?;
        }
        Ok(())
    }

    /// What a venue says of an order can't be: nothing new may be opened until a person has looked.
    fn halt_on_contradictions(&mut self, recovery: Option<&RecoveryReport>) -> Result<()> {
        for order in recovery.map_or(&[][..], |report| &report.orders) {
            if let Resolution::Contradiction(what) = &order.resolution {
                let reason = format!("order {}: {what}", order.id.0);
                self.command("recovery", Command::Halt { reason, action: HaltAction::StopEntries })?;
            }
        }
        Ok(())
    }

    fn engine(&self) -> &Engine {
        self.sequencer.engine()
    }

    /// Has a file's version run, if it does not yet. What people changed about the slot at run time stays until
    /// the configuration of the slot changes. Who brought the file in is the one who asks, unless it is the
    /// configuration that asks for a version which was there before.
    fn load(&mut self, slot: String, version: ContentHash, origin: Origin) -> Result<()> {
        let there = self.engine().slot(&slot);
        let is_other =
            there.is_none_or(|there| there.deployment().version != version || there.configured().is_none());
        let actor = match origin {
            Origin::BroughtBy(person) if is_other => Actor::Person(person),
            _ => Actor::Host(DIRECTORY.to_owned()),
        };
        let command = match there {
            Some(there) if self.is_configured(there) => {
                // A person may have stopped it.
                if there.deployment().version == version {
                    return Ok(());
                }
                Command::Replace { slot, version }
            }
            _ => Command::Deploy(self.deployment(slot, version)),
        };
        self.wait_for_room()?;
        let next = Sequence(self.sequencer.sequence().0 + 1);
        let row = shard::version_row(&self.sandbox, &version, self.account.shard, next)?;
        self.sequencer.note(row);
        self.step(actor, command)
    }

    /// Whether the slot runs just this version already.
    fn runs(&self, slot: &str, version: &ContentHash) -> bool {
        self.engine()
            .slot(slot)
            .is_some_and(|slot| slot.deployment().version == *version && slot.status() != SlotStatus::Removed)
    }

    /// Whether the configuration asks for nothing about the slot but what it asked for before.
    fn is_configured(&self, slot: &engine::Slot) -> bool {
        let name = slot.name();
        match slot.configured() {
            Some(before) => *before == self.deployment(name.to_owned(), before.version),
            // An earlier version of bulkhead let persons deploy what the configuration does not speak of.
            None => {
                slot.status() != SlotStatus::Removed && !self.account.configuration.slots.contains_key(name)
            }
        }
    }

    /// What the configuration says of a version in a slot.
    fn deployment(&self, slot: String, version: ContentHash) -> Deployment {
        let configuration = &self.account.configuration;
        let (mode, weight, parameters, symbols) = match configuration.slots.get(&slot) {
            Some(Slot { mode, weight, parameters, instruments }) => {
                (*mode, weight.0, parameters.clone(), instruments.clone())
            }
            None => {
                let strategies = &configuration.strategies;
                (strategies.new_mode, strategies.new_weight.0, Default::default(), Vec::new())
            }
        };
        let instruments = (0..)
            .map(bulkhead_core::identifier::InstrumentId)
            .zip(&self.engine().settings().instruments)
            .filter(|(_, instrument)| symbols.contains(&instrument.symbol))
            .map(|(id, _)| id)
            .collect();
        Deployment { slot, version, mode, weight, instruments, parameters }
    }

    /// A command of a part of the host.
    fn command(&mut self, part: &str, command: Command) -> Result<()> {
        self.step(Actor::Host(part.to_owned()), command)
    }

    /// A command that nobody waits for an answer to.
    fn step(&mut self, actor: Actor, command: Command) -> Result<()> {
        self.wait_for_room()?;
        let kind = InputKind::command(actor, command);
        let input = Input { time: self.moment(), kind };
        let began = self.watchers.moment();
        let sequence = self.sequencer.step(input);
        self.watchers.took(sequence, began);
        self.hand_out()
    }

    /// A command that somebody left in the database.
    fn answer(&mut self, request: &Request, lapsed: Option<String>) -> Result<()> {
        // It is handed over again until its answer is durable.
        if !self.taken_up.insert(request.id) {
            return Ok(());
        }
        self.wait_for_room()?;
        if let Some(why) = lapsed {
            tracing::warn!(request = request.id, actor = request.actor, why, "a request is not carried out");
            self.sequencer.refuse(request.id, why);
            return self.hand_out();
        }
        match serde_json::from_str(&request.command) {
            Ok(Command::PlaceOrder(_)) if let Some(waited) = too_late(request) => {
                tracing::warn!(
                    request = request.id,
                    actor = request.actor,
                    waited,
                    "an order by hand came too late"
                );
                let reason = format!(
                    "it waited {waited} s, as no host ran or its journal stood still; nobody orders at the prices of \
                     then: order again"
                );
                self.sequencer.refuse(request.id, reason);
            }
            Ok(command) => {
                tracing::info!(request = request.id, actor = request.actor, "request");
                let actor = Actor::Person(request.actor.clone());
                let began = self.watchers.moment();
                let sequence = self.sequencer.answer(request.id, actor, command);
                self.watchers.took(sequence, began);
            }
            Err(error) => {
                tracing::error!(request = request.id, actor = request.actor, %error, "a request can't be read");
                let reason = format!(
                    "the command can't be read: {error}; was it asked for with another version of bulkhead than \
                     the one that runs?"
                );
                self.sequencer.refuse(request.id, reason);
            }
        }
        self.hand_out()
    }

    /// The moment by the market's clock, which is the wall clock where the market is live.
    fn moment(&self) -> Timestamp {
        let newest = self.engine().now();
        if self.feed.is_live() { newest.max(now()) } else { newest }
    }

    /// Takes what the venue outside has to say, as far as the journal has room.
    fn hear_outside(&mut self) -> Result<()> {
        while self.sequencer.has_room()
            && let Some(kind) = self.outside.as_mut().and_then(|outside| outside.next())
        {
            let input = Input { time: self.moment(), kind };
            let began = self.watchers.moment();
            let (sequence, refused) = self.sequencer.step_answering(input);
            self.watchers.took(sequence, began);
            if let Some(outside) = &mut self.outside {
                outside.stepped(sequence, refused);
            }
        }
        self.hand_out()
    }

    fn wait_for_room(&mut self) -> Result<()> {
        while !self.sequencer.has_room() {
            self.sequencer.wait(LONGEST_STALL, &mut self.released)?;
            self.tell();
        }
        Ok(())
    }

    /// Makes known what became durable.
    fn hand_out(&mut self) -> Result<()> {
        self.sequencer.released(&mut self.released)?;
        self.tell();
        Ok(())
    }

    fn tell(&mut self) {
        for event in self.sequencer.journal_events() {
            self.watchers.journal(&event);
        }
        for took in self.sequencer.commit_times() {
            self.watchers.figures.committed(&self.account.name, took);
        }
        if let Some(outside) = &mut self.outside {
            outside.durable(self.sequencer.durable());
            for numbered in &self.released {
                outside.told(&numbered.output);
                if let Output::VenueRequested { order, request } = &numbered.output {
                    outside.requested(self.sequencer.engine(), *order, request);
                }
            }
            outside.look(self.sequencer.engine());
        }
        self.watchers.outputs(&self.sequencer, &mut self.released, &mut self.tally);
    }

    fn show(&mut self, now: Instant) {
        self.watchers.show(now, &self.sequencer, &self.tally, self.feed.as_ref());
    }

    /// Has everything written, without waiting for it; then [`Self::close`] does not take long.
    pub(super) fn begin_close(&mut self) {
        // Nothing more is asked of it, and what it says from now on is asked again by the next run.
        self.outside = None;
        self.sequencer.begin_close();
    }

    /// Makes everything durable until then, and sums up.
    pub(super) fn close(mut self, until: Instant) -> Result<AccountSummary> {
        let elapsed = self.started.elapsed();
        self.outside = None;
        let mut released = std::mem::take(&mut self.released);
        let closed = self.sequencer.close_until(until, &mut released);
        self.watchers.view = None;
        match closed {
            Ok(engine) => {
                if let Some(alerts) = &mut self.watchers.alerts {
                    alerts.end(&engine, &released);
                }
                if let (Some(traces), Some(last)) = (&mut self.watchers.traces, released.last()) {
                    traces.released(&engine, last.sequence, &released);
                }
                for numbered in released {
                    self.tally.add(&numbered.output);
                    log::output(&engine, &numbered);
                }
                self.tally.summary(self.account.name, &engine, elapsed, self.recovery)
            }
            Err(error) => {
                let unsaid = released.len();
                if unsaid > 0 {
                    tracing::warn!(unsaid, "more became durable while the run ended: see `bulkhead replay`");
                }
                Err(error)
                    .context("the end of the run is not in the journal; the next start goes on before it")
            }
        }
    }

    /// Plays what is due of the feed, a little at a time.
    pub(super) fn advance(&mut self) -> Result<Progress> {
        let now = Instant::now();
        let left = self
            .duration
            .map(|duration| duration.saturating_sub(now.saturating_duration_since(self.started)));
        if left == Some(Duration::ZERO) {
            return Ok(Progress::Ended("the duration is over"));
        }
        self.show(now);
        self.hear_outside()?;
        self.handle_held_back()?;
        for _ in 0..INPUTS_IN_ONE_GO {
            self.read_on()?;
            let Some(input) = self.inputs.get(self.next) else {
                if !self.feed.is_live() {
                    return Ok(Progress::Ended("the data ended"));
                }
                let look = self.sequencer.next_look().unwrap_or(LONGEST_WAIT);
                return Ok(Progress::Waits(look.min(left.unwrap_or(LONGEST_WAIT)).min(LONGEST_WAIT)));
            };
            let due_in = if self.feed.is_live() { Duration::ZERO } else { self.pacer.wait(input.time) };
            if !due_in.is_zero() || !self.sequencer.has_room() {
                // The journal wakes this thread when it has room again.
                let wait = if due_in.is_zero() { LONGEST_WAIT } else { due_in };
                // Who sleeps longer keeps what became durable from leaving.
                let look = self.sequencer.next_look().unwrap_or(LONGEST_WAIT);
                return Ok(Progress::Waits(wait.min(look).min(left.unwrap_or(LONGEST_WAIT))));
            }
            let mut input = input.clone();
            self.next += 1;
            // Commands and the venue's news have moved the clock meanwhile.
            input.time = input.time.max(self.engine().now());
            if matches!(input.kind, InputKind::Bar(_)) {
                self.tally.bars += 1;
            }
            self.watchers.before(&self.sequencer, &input);
            let began = self.watchers.moment();
            let sequence = self.sequencer.step(input);
            self.watchers.took(sequence, began);
        }
        Ok(Progress::Busy)
    }

    /// Has the next input at hand, unless the feed has ended.
    fn read_on(&mut self) -> Result<()> {
        if self.next == self.inputs.len() {
            self.inputs.clear();
            self.next = 0;
            self.feed.next_batch(&mut self.inputs, BATCH)?;
        }
        Ok(())
    }

    /// Handles a message, or keeps it until the journal takes inputs again: the host must not wait for that
    /// where it can't be told to stop.
    pub(super) fn take(&mut self, message: Message) -> Result<()> {
        let what = match &message {
            Message::Prepared { slot, .. } | Message::Removed { slot } => slot.clone(),
            Message::Request { request, .. } => format!("request {}", request.id),
            Message::Tick | Message::Stop => return Ok(()),
        };
        self.held_back.push_back(message);
        self.handle_held_back()?;
        if !self.held_back.is_empty() {
            tracing::warn!(what, "a command waits until the journal can be written");
        }
        Ok(())
    }

    fn handle_held_back(&mut self) -> Result<()> {
        while self.sequencer.has_room()
            && let Some(message) = self.held_back.pop_front()
        {
            self.handle(message)?;
        }
        Ok(())
    }

    fn handle(&mut self, message: Message) -> Result<()> {
        match message {
            // What was loaded at the start is reported again.
            Message::Prepared { origin: Origin::Unknown, .. } => Ok(()),
            Message::Prepared { slot, version, origin } if !self.runs(&slot, &version) => {
                self.load(slot, version, origin)
            }
            Message::Removed { slot } if self.engine().slot(&slot).is_some() => {
                self.command(DIRECTORY, Command::Remove { slot })
            }
            // It waited here for the journal, so it is looked at again.
            Message::Request { request, standing, .. }
                if standing.as_of.is_some_and(|as_of| as_of.elapsed() > STANDING_LASTS) =>
            {
                self.handed_over.give_back(request.id);
                Ok(())
            }
            Message::Request { request, standing, .. } => self.answer(&request, standing.lapsed),
            Message::Prepared { .. } | Message::Removed { .. } | Message::Tick | Message::Stop => Ok(()),
        }
    }
}

/// For how many seconds a request has waited, when that is too long for an order.
fn too_late(request: &Request) -> Option<i64> {
    let waited = now().since(request.asked).nanos() / 1_000_000_000;
    (waited > LONGEST_ORDER_WAIT).then_some(waited)
}
