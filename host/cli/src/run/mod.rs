//! `bulkhead run`: the host at work. One thread owns the engine; everything else speaks to it by messages.

mod log;
mod plugin_watch;
mod status;
mod summary;

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bulkhead_core::engine::{Engine, SlotStatus};
use bulkhead_core::identifier::ContentHash;
use bulkhead_core::input::{Command, Deployment, Input, InputKind};
use bulkhead_core::output::Output;
use bulkhead_feeds::Feed;
use bulkhead_feeds::pacer::{Pacer, Speed};
use bulkhead_sandbox::Sandbox;

use self::status::StatusView;
use self::summary::Tally;
use crate::arguments::RunArguments;
use crate::configuration::{Configuration, Layers, Slot};
use crate::market_data::{MarketData, read};
use crate::strategy_files;

/// Inputs that are pulled from the feed at a time.
const BATCH: usize = 512;

/// At full speed, messages and the clock are looked at after so many inputs.
const INPUTS_BETWEEN_LOOKS: usize = 64;

/// The longest wait for a message while the next input is not due.
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// What other threads tell the host.
pub(crate) enum Message {
    /// A version was verified and compiled for a slot.
    Prepared { slot: String, version: ContentHash },
    /// A plugin file is gone.
    Removed { slot: String },
    /// A plugin file can't be used; what ran before goes on.
    Broken { file: PathBuf, reason: String },
    /// Nothing happened; keeps the sender from waiting on a host that is gone.
    Tick,
    /// A person or the system wants the host to end.
    Stop,
}

/// Runs until the duration, the data or a signal ends it.
pub(crate) fn run(arguments: &RunArguments) -> Result<()> {
    let configuration = Layers::of(&arguments.configuration, None)?.read()?;
    let sandbox = strategy_files::sandbox(&configuration)?;
    let data = MarketData::open(&configuration)?;
    let settings = configuration.engine_settings(data.instruments, Vec::new());
    let engine = Engine::new(settings, Box::new(sandbox.clone()))?;
    let mut host = Host { engine, configuration, outputs: Vec::new(), tally: Tally::default(), view: None };

    let (sender, receiver) = channel();
    stop_on_signals(sender.clone())?;
    let speed = arguments.speed.unwrap_or(host.configuration.speed);
    if !arguments.json && !arguments.plain {
        host.view = StatusView::start(speed, &host.configuration.strategies.directory);
    }
    host.load_directory(&sandbox)?;
    plugin_watch::start(&host.configuration.strategies.directory, &sandbox, sender)?;
    let started = Instant::now();
    let ending = host.play(data.feed, speed, arguments.duration, &receiver)?;
    host.view = None;
    tracing::info!(reason = ending, "stopped");
    let summary = host.tally.summary(&host.engine, started.elapsed())?;
    if arguments.json {
        anstream::println!("{}", serde_json::to_string_pretty(&summary)?);
    } else {
        anstream::println!("{}", summary.table());
    }
    Ok(())
}

struct Host {
    engine: Engine,
    configuration: Configuration,
    outputs: Vec<Output>,
    tally: Tally,
    /// Instead of log lines, on a terminal.
    view: Option<StatusView>,
}

impl Host {
    /// Loads what is in the strategies directory at the start, in the order of the names.
    fn load_directory(&mut self, sandbox: &Sandbox) -> Result<()> {
        let directory = self.configuration.strategies.directory.clone();
        let files = strategy_files::list(&directory)?;
        if files.is_empty() {
            tracing::warn!(
                directory = %directory.display(),
                "there are no strategies; copy .wasm files there, they are taken up while the host runs"
            );
        }
        for (slot, path) in files {
            self.show(Instant::now());
            match sandbox.prepare(&read(&path)?) {
                Ok((version, _)) => self.deploy(slot, version),
                Err(refused) => tracing::error!(file = %path.display(), reason = %refused, "plugin refused"),
            }
        }
        Ok(())
    }

    fn deploy(&mut self, slot: String, version: ContentHash) {
        let strategies = &self.configuration.strategies;
        let (mode, weight, parameters, symbols) = match self.configuration.slots.get(&slot) {
            Some(Slot { mode, weight, parameters, instruments }) => {
                (*mode, weight.0, parameters.clone(), instruments.clone())
            }
            None => (strategies.new_mode, strategies.new_weight.0, Default::default(), Vec::new()),
        };
        let instruments = (0..)
            .map(bulkhead_core::identifier::InstrumentId)
            .zip(&self.engine.settings().instruments)
            .filter(|(_, instrument)| symbols.contains(&instrument.symbol))
            .map(|(id, _)| id)
            .collect();
        self.command(Command::Deploy(Deployment { slot, version, mode, weight, instruments, parameters }));
    }

    fn command(&mut self, command: Command) {
        let input = Input { time: self.engine.now(), kind: InputKind::Command(command) };
        self.step(&input);
    }

    fn step(&mut self, input: &Input) {
        self.engine.step(input, &mut self.outputs);
        for output in self.outputs.drain(..) {
            self.tally.add(&output);
            let for_the_log = match &mut self.view {
                Some(view) => view.take(output),
                None => Some(output),
            };
            if let Some(output) = for_the_log {
                log::output(&self.engine, &output);
            }
        }
        if matches!(input.kind, InputKind::Bar(_)) {
            self.tally.bars += 1;
        }
    }

    fn show(&mut self, now: Instant) {
        if self.view.as_mut().is_some_and(|view| !view.refresh(now, &self.engine, &self.tally)) {
            self.view = None;
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
                match messages.recv_timeout(wait.min(LONGEST_WAIT).min(left)) {
                    Ok(Message::Stop) => return Ok("a signal asked for it"),
                    Ok(message) => {
                        self.handle(message);
                        continue;
                    }
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
                }
                if !pacer.wait(batch[next].time).is_zero() {
                    continue;
                }
            }
            self.step(&batch[next]);
            next += 1;
        }
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Prepared { slot, version } if !self.runs(&slot, &version) => self.deploy(slot, version),
            Message::Removed { slot } if self.engine.slot(&slot).is_some() => {
                self.command(Command::Remove { slot });
            }
            Message::Broken { file, reason } => {
                tracing::error!(file = %file.display(), reason, "plugin refused; what ran before goes on");
            }
            Message::Prepared { .. } | Message::Removed { .. } | Message::Tick | Message::Stop => {}
        }
    }

    /// Whether the slot runs just this version already.
    fn runs(&self, slot: &str, version: &ContentHash) -> bool {
        self.engine
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
