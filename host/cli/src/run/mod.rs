//! `bulkhead run`: the host at work. One thread owns the engine; everything else speaks to it by messages.

mod log;
mod plugin_watch;
mod requests;
mod status;
mod summary;
mod supervision;

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bulkhead_configuration::{Configuration, Slot};
use bulkhead_core::engine::{Engine, SlotStatus};
use bulkhead_core::identifier::ContentHash;
use bulkhead_core::input::{Actor, Command, Deployment, HaltAction, Input, InputKind, SettingsChange};
use bulkhead_core::venue::inquiry::Resolution;
use bulkhead_feeds::Feed;
use bulkhead_feeds::pacer::{Pacer, Speed};
use bulkhead_sandbox::Sandbox;
use bulkhead_sequencer::recovery::RecoveryReport;
use bulkhead_sequencer::sequencer::Sequencer;
use bulkhead_store::database::{Database, Options};
use bulkhead_store::journal::{NumberedOutput, Sequence};
use bulkhead_store::storage::{Request, Storage as _};

use self::status::StatusView;
use self::summary::{RecoverySummary, Tally};
use self::supervision::{Task, TaskFailure, supervise};
use crate::arguments::RunArguments;
use crate::configuration;
use crate::market_data::{MarketData, read};
use crate::shard::{self, Shard};
use crate::strategy_files;

/// Inputs that are pulled from the feed at a time.
const BATCH: usize = 512;

/// At full speed, messages and the clock are looked at after so many inputs.
const INPUTS_BETWEEN_LOOKS: usize = 64;

/// The longest wait for a message while the next input is not due.
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// The longest wait for the journal before messages and the clock are looked at again.
const LONGEST_STALL: Duration = Duration::from_millis(20);

/// How long the journal may take to write the end of the run.
const LONGEST_CLOSE: Duration = Duration::from_secs(4);

/// What other threads tell the host.
pub(crate) enum Message {
    /// A version was verified and compiled for a slot.
    Prepared { slot: String, version: ContentHash },
    /// A plugin file is gone.
    Removed { slot: String },
    /// A plugin file can't be used; what ran before goes on.
    Broken { file: PathBuf, reason: String },
    /// Somebody left a command in the database.
    Request(Request),
    /// A task beside the engine failed; it is started again.
    TaskFailed(TaskFailure),
    /// Nothing happened; keeps the sender from waiting on a host that is gone.
    Tick,
    /// A person or the system wants the host to end.
    Stop,
}

/// Runs until the duration, the data or a signal ends it.
pub(crate) fn run(arguments: &RunArguments) -> Result<()> {
    let configuration = configuration::layers(&arguments.configuration, None)?.read()?;
    let sandbox = strategy_files::sandbox(&configuration)?;
    let mut data = MarketData::open(&configuration)?;
    let Shard { sequencer, recovery, settings } = shard::open(&configuration, &sandbox, &mut data)?;
    let tally = Tally::default();
    let mut host = Host {
        sequencer,
        sandbox: sandbox.clone(),
        configuration,
        released: Vec::new(),
        held_back: VecDeque::new(),
        taken_up: BTreeSet::new(),
        tally,
        view: None,
    };

    let (sender, receiver) = channel();
    stop_on_signals(sender.clone())?;
    let speed = arguments.speed.unwrap_or(host.configuration.speed);
    if !arguments.json && !arguments.plain {
        host.view = StatusView::start(speed, &host.configuration.strategies.directory);
    }
    if let Some((report, seconds)) = &recovery {
        log::recovery(host.sequencer.engine(), report, *seconds);
    }
    host.answer_waiting()?;
    if let Some(settings) = settings {
        tracing::info!("the configuration changed while the host was not running");
        let actor = Actor::Host("configuration".to_owned());
        host.command(Command::ChangeSettings(Box::new(SettingsChange { actor, settings })))?;
    }
    host.halt_on_contradictions(recovery.as_ref().map(|(report, _)| report))?;
    host.load_directory(&sandbox)?;
    host.start_tasks(sender)?;
    let started = Instant::now();
    let ending = host.play(data.feed, speed, arguments.duration, &receiver);
    // Also when the feed failed: what was done until then is kept.
    let closed = host.close();
    let ending = ending?;
    let (engine, tally) = closed?;
    tracing::info!(reason = ending, "stopped");
    let recovery = recovery.map(|(report, seconds)| RecoverySummary::of(&report, seconds));
    let summary = tally.summary(&engine, started.elapsed(), recovery)?;
    if arguments.json {
        anstream::println!("{}", serde_json::to_string_pretty(&summary)?);
    } else {
        anstream::println!("{}", summary.table());
    }
    Ok(())
}

struct Host {
    sequencer: Sequencer,
    sandbox: Sandbox,
    configuration: Configuration,
    /// Outputs whose inputs are durable.
    released: Vec<NumberedOutput>,
    /// What can't be done before the journal takes inputs again.
    held_back: VecDeque<Message>,
    /// Requests that were carried out, durable or not: each is, once.
    taken_up: BTreeSet<i64>,
    tally: Tally,
    /// Instead of log lines, on a terminal.
    view: Option<StatusView>,
}

impl Host {
    /// Loads what is in the strategies directory at the start, in the order of the names.
    fn load_directory(&mut self, sandbox: &Sandbox) -> Result<()> {
        let directory = self.configuration.strategies.directory.clone();
        let files = strategy_files::list(&directory)?;
        let gone = self.engine().slots().iter().filter(|slot| slot.status() != SlotStatus::Removed);
        let gone = gone.map(|slot| slot.name().to_owned());
        let gone: Vec<_> = gone.filter(|name| files.iter().all(|(slot, _)| slot != name)).collect();
        for slot in gone {
            tracing::info!(slot, "its file was taken away while the host was not running");
            self.command(Command::Remove { slot })?;
        }
        if files.is_empty() {
            tracing::warn!(
                directory = %directory.display(),
                "there are no strategies; copy .wasm files there, they are taken up while the host runs"
            );
        }
        for (slot, path) in files {
            self.show(Instant::now());
            match sandbox.prepare(&read(&path)?) {
                Ok((version, _)) if self.runs_as_configured(&slot, &version) => {}
                Ok((version, _)) => self.deploy(slot, version)?,
                Err(refused) => tracing::error!(file = %path.display(), reason = %refused, "plugin refused"),
            }
        }
        Ok(())
    }

    /// Carries out what was asked of the host while it did not run, before anything is traded.
    fn answer_waiting(&mut self) -> Result<()> {
        let url = shard::database_url(&self.configuration)?;
        for request in Database::open(&url, Options::reader())?.requests(shard::SHARD)? {
            self.answer(&request)?;
        }
        Ok(())
    }

    /// Starts what works beside the engine.
    fn start_tasks(&self, sender: Sender<Message>) -> Result<()> {
        let (directory, sandbox) = (self.configuration.strategies.directory.clone(), self.sandbox.clone());
        let url = shard::database_url(&self.configuration)?;
        let (plugins, requests) = (sender.clone(), sender.clone());
        let report = |sender: Sender<Message>| {
            move |failure: TaskFailure| sender.send(Message::TaskFailed(failure)).is_ok()
        };
        supervise(
            Task { name: "plugin-watch", degrades: "changes in the strategies directory are not noticed" },
            move || plugin_watch::watch(&directory, &sandbox, &plugins),
            report(sender.clone()),
        )?;
        supervise(
            Task { name: "requests", degrades: "`bulkhead halt` and `resume` are not noticed" },
            move || requests::look(&url, &requests),
            report(sender),
        )
    }

    /// What a venue says of an order can't be: nothing new may be opened until a person has looked.
    fn halt_on_contradictions(&mut self, recovery: Option<&RecoveryReport>) -> Result<()> {
        for order in recovery.map_or(&[][..], |report| &report.orders) {
            if let Resolution::Contradiction(what) = &order.resolution {
                let reason = format!("order {}: {what}", order.id.0);
                let actor = Actor::Host("recovery".to_owned());
                self.command(Command::Halt { reason, actor, action: HaltAction::StopEntries })?;
            }
        }
        Ok(())
    }

    fn engine(&self) -> &Engine {
        self.sequencer.engine()
    }

    fn deploy(&mut self, slot: String, version: ContentHash) -> Result<()> {
        self.wait_for_room()?;
        let next = Sequence(self.sequencer.sequence().0 + 1);
        let row = shard::version_row(&self.sandbox, &version, next)?;
        self.sequencer.note(row);
        self.command(Command::Deploy(self.deployment(slot, version)))
    }

    /// What the configuration says of a version in a slot.
    fn deployment(&self, slot: String, version: ContentHash) -> Deployment {
        let strategies = &self.configuration.strategies;
        let (mode, weight, parameters, symbols) = match self.configuration.slots.get(&slot) {
            Some(Slot { mode, weight, parameters, instruments }) => {
                (*mode, weight.0, parameters.clone(), instruments.clone())
            }
            None => (strategies.new_mode, strategies.new_weight.0, Default::default(), Vec::new()),
        };
        let instruments = (0..)
            .map(bulkhead_core::identifier::InstrumentId)
            .zip(&self.engine().settings().instruments)
            .filter(|(_, instrument)| symbols.contains(&instrument.symbol))
            .map(|(id, _)| id)
            .collect();
        Deployment { slot, version, mode, weight, instruments, parameters }
    }

    fn command(&mut self, command: Command) -> Result<()> {
        self.wait_for_room()?;
        let input = Input { time: self.engine().now(), kind: InputKind::Command(command) };
        self.sequencer.step(input);
        self.hand_out()
    }

    /// A command that somebody left in the database.
    fn answer(&mut self, request: &Request) -> Result<()> {
        // It is handed over again until its answer is durable.
        if !self.taken_up.insert(request.id) {
            return Ok(());
        }
        self.wait_for_room()?;
        match serde_json::from_str(&request.command) {
            Ok(command) => {
                tracing::info!(request = request.id, actor = request.actor, "request");
                self.sequencer.answer(request.id, command);
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

    fn wait_for_room(&mut self) -> Result<()> {
        while !self.sequencer.has_room() {
            self.sequencer.wait(LONGEST_WAIT, &mut self.released)?;
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
            log::journal(&event);
        }
        for NumberedOutput { output, .. } in self.released.drain(..) {
            self.tally.add(&output);
            let for_the_log = match &mut self.view {
                Some(view) => view.take(output),
                None => Some(output),
            };
            if let Some(output) = for_the_log {
                log::output(self.sequencer.engine(), &output);
            }
        }
    }

    fn show(&mut self, now: Instant) {
        let engine = self.sequencer.engine();
        if self.view.as_mut().is_some_and(|view| !view.refresh(now, engine, &self.tally)) {
            self.view = None;
        }
    }

    /// Makes everything durable and gives back what there is to sum up.
    fn close(mut self) -> Result<(Engine, Tally)> {
        let mut released = std::mem::take(&mut self.released);
        let closed = self.sequencer.close(LONGEST_CLOSE, &mut released);
        self.view = None;
        match closed {
            Ok(engine) => {
                for NumberedOutput { output, .. } in released {
                    self.tally.add(&output);
                    log::output(&engine, &output);
                }
                Ok((engine, self.tally))
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

    /// Plays the feed; returns why it ended.
    fn play(
        &mut self,
        mut feed: Box<dyn Feed + Send>,
        speed: Speed,
        duration: Option<Duration>,
        messages: &Receiver<Message>,
    ) -> Result<&'static str> {
        let started = Instant::now();
        let over = |now: Instant| duration.is_some_and(|limit| now.duration_since(started) >= limit);
        let mut pacer = Pacer::new(speed);
        let mut batch: Vec<Input> = Vec::with_capacity(BATCH);
        let mut next = 0;
        let mut until_look = 0;
        loop {
            if next == batch.len() {
                batch.clear();
                next = 0;
                if feed.next_batch(&mut batch, BATCH)? == 0 {
                    return Ok("the data ended");
                }
            }
            let wait = pacer.wait(batch[next].time);
            if wait.is_zero() && until_look > 0 {
                until_look -= 1;
            } else {
                until_look = INPUTS_BETWEEN_LOOKS;
                let now = Instant::now();
                if over(now) {
                    return Ok("the duration is over");
                }
                self.show(now);
                let left =
                    duration.map_or(LONGEST_WAIT, |limit| limit.saturating_sub(now.duration_since(started)));
                self.hand_out()?;
                self.handle_held_back()?;
                let wait = if self.sequencer.has_room() { wait } else { LONGEST_STALL };
                // Who sleeps longer keeps what became durable from leaving.
                let look = self.sequencer.next_look().unwrap_or(LONGEST_WAIT);
                match messages.recv_timeout(wait.min(look).min(LONGEST_WAIT).min(left)) {
                    Ok(Message::Stop) => return Ok("a signal asked for it"),
                    Ok(message) => {
                        self.take(message)?;
                        continue;
                    }
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
                }
                if !pacer.wait(batch[next].time).is_zero() {
                    continue;
                }
            }
            if !self.sequencer.has_room() {
                self.sequencer.wait(LONGEST_STALL, &mut self.released)?;
                self.tell();
                until_look = 0;
                continue;
            }
            let input = batch[next].clone();
            next += 1;
            if matches!(input.kind, InputKind::Bar(_)) {
                self.tally.bars += 1;
            }
            self.sequencer.step(input);
        }
    }

    /// Handles a message, or keeps it until the journal takes inputs again: the host must not wait for that
    /// where it can't be told to stop.
    fn take(&mut self, message: Message) -> Result<()> {
        let what = match &message {
            Message::Prepared { slot, .. } | Message::Removed { slot } => slot.clone(),
            Message::Request(request) => format!("request {}", request.id),
            _ => return self.handle(message),
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
            Message::Prepared { slot, version } if !self.runs(&slot, &version) => {
                self.deploy(slot, version)?;
            }
            Message::Removed { slot } if self.engine().slot(&slot).is_some() => {
                self.command(Command::Remove { slot })?;
            }
            Message::Request(request) => self.answer(&request)?,
            Message::TaskFailed(failure) => log::task(&failure),
            Message::Broken { file, reason } => {
                tracing::error!(file = %file.display(), reason, "plugin refused; what ran before goes on");
            }
            Message::Prepared { .. } | Message::Removed { .. } | Message::Tick | Message::Stop => {}
        }
        Ok(())
    }

    /// Whether a slot that the journal brought back is just what the configuration asks for.
    fn runs_as_configured(&self, slot: &str, version: &ContentHash) -> bool {
        self.runs(slot, version)
            && self
                .engine()
                .slot(slot)
                .is_some_and(|running| *running.deployment() == self.deployment(slot.to_owned(), *version))
    }

    /// Whether the slot runs just this version already.
    fn runs(&self, slot: &str, version: &ContentHash) -> bool {
        self.engine()
            .slot(slot)
            .is_some_and(|slot| slot.deployment().version == *version && slot.status() != SlotStatus::Removed)
    }
}

/// Ctrl-C and SIGTERM end the run in order; a second one ends the process at once.
fn stop_on_signals(sender: Sender<Message>) -> Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let mut signals =
        signal_hook::iterator::Signals::new([SIGINT, SIGTERM]).context("signals can't be handled")?;
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            let mut asked = false;
            for _ in signals.forever() {
                if asked {
                    status::give_back();
                    signal_hook::low_level::exit(1);
                }
                asked = true;
                if sender.send(Message::Stop).is_err() {
                    return;
                }
            }
        })
        .context("the signal thread can't be started")?;
    Ok(())
}
