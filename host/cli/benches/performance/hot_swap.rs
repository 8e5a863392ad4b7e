//! Replacing a plugin while it trades: how long it takes, how long trading stands still for it, and whether a
//! bar is lost.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bulkhead_core::identifier::ContentHash;
use bulkhead_core::strategy::{
    Action, Description, Event, Fault, InstanceConfig, LogLine, Needs, SavedState, Strategy, StrategySource,
};
use bulkhead_sandbox::Sandbox;
use bulkhead_sandbox::directory::{DirectoryChange, DirectoryWatch, WatchSettings};
use rust_decimal::Decimal;

use crate::Suite;
use crate::backtest::{Handing, SLOT, deploy, engine, engine_alone, settings, sound};
use crate::figures::{Figures, Goal};
use crate::market::RandomWalk;
use crate::measure::number;

const PART: &str = "hot swap";

/// Bars between two looks at what the watcher says.
const BARS_BETWEEN_LOOKS: usize = 64;

/// Bars after the last swap.
const LAST_BARS: usize = 10_000;

/// No swap takes so long unless something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// A version that the watcher's thread has verified and compiled.
struct Prepared {
    version: ContentHash,
    reported: Instant,
    prepared: Instant,
}

pub(crate) fn measure(suite: &Suite, figures: &mut Figures) -> Result<()> {
    let directory = suite.directory.join("strategies");
    std::fs::create_dir_all(&directory)?;
    let file = directory.join(format!("{SLOT}.wasm"));
    std::fs::write(&file, &suite.wasm)?;
    let (sender, prepared) = channel();
    watch(&directory, &suite.sandbox, sender)?;

    let seen = Arc::new(Seen::default());
    let source = CountingSource { sandbox: suite.sandbox.clone(), seen: Arc::clone(&seen) };
    let mut engine = engine(settings(), Box::new(source), suite.version)?;
    let mut running = suite.version;
    let mut walk = RandomWalk::new();
    let (mut fed, mut outputs) = (0_usize, Vec::new());
    let mut feed = |engine: &mut bulkhead_core::engine::Engine, bars: usize| {
        for bar in walk.by_ref().take(bars) {
            outputs.clear();
            engine.step(&bar, &mut outputs);
            fed += 1;
        }
    };

    let (mut noticed, mut compiled, mut whole, mut pauses) = (vec![], vec![], vec![], vec![]);
    for swap in 0..suite.extent.swaps {
        let stable = replace(&file, &another_version(&suite.wasm, swap))?;
        loop {
            feed(&mut engine, BARS_BETWEEN_LOOKS);
            if let Ok(ready) = prepared.try_recv() {
                let Prepared { version, reported, prepared } = ready?;
                // The file that was there at the start is reported too.
                if version == running {
                    continue;
                }
                let started = Instant::now();
                deploy(&mut engine, SLOT, version, Decimal::ONE)?;
                let swapped = Instant::now();
                running = version;
                let milliseconds = |from: Instant, to: Instant| to.duration_since(from).as_secs_f64() * 1e3;
                noticed.push(milliseconds(stable, reported));
                compiled.push(milliseconds(reported, prepared));
                pauses.push(milliseconds(started, swapped));
                whole.push(milliseconds(stable, swapped));
                break;
            }
            ensure!(stable.elapsed() < PATIENCE, "the new version was not taken up");
            // About 60,000 bars a second; the watcher and the compiler need the machine too.
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    feed(&mut engine, LAST_BARS);

    let digest = sound(&engine)?;
    let handled = usize::try_from(seen.bars.load(Ordering::Relaxed))?;
    let lost = number(fed) - number(handled) + number(usize::try_from(seen.gaps.load(Ordering::Relaxed))?);
    ensure!(digest == undisturbed(suite, fed)?, "the swaps changed what was traded");

    figures.add(PART, "file in place to reported (two looks 200 ms apart)", "ms", &noticed, None);
    figures.add(PART, "verify and compile, beside the trading thread", "ms", &compiled, None);
    figures.add(PART, "save, start, restore: trading stands still", "ms", &pauses, None);
    figures.add(PART, "file in place to swapped", "ms", &whole, None);
    figures.add(PART, format!("bars missed of {fed}"), "bars", &[lost], Some(Goal::AtMost(0.0)));
    Ok(())
}

/// The digest of the same bars without a swap.
fn undisturbed(suite: &Suite, bars: usize) -> Result<String> {
    let bars: Vec<_> = RandomWalk::new().take(bars).collect();
    let engine = engine(settings(), Box::new(suite.sandbox.clone()), suite.version)?;
    Ok(engine_alone(engine, &bars, Handing::OneByOne)?.digest)
}

/// The same plugin with another hash, so that it is compiled anew: a custom section more.
fn another_version(wasm: &[u8], number: usize) -> Vec<u8> {
    let mut bytes = wasm.to_vec();
    bytes.extend([0, 6, 4, b'n', b'o', b't', b'e', u8::try_from(number).unwrap_or_default()]);
    bytes
}

/// Puts a file in place whole; when that was done.
fn replace(path: &Path, bytes: &[u8]) -> Result<Instant> {
    let partial = path.with_extension("partial");
    std::fs::write(&partial, bytes)?;
    std::fs::rename(&partial, path).with_context(|| format!("{} can't be replaced", path.display()))?;
    Ok(Instant::now())
}

/// Verifies and compiles what appears, on a thread of its own, as the host does.
fn watch(directory: &Path, sandbox: &Sandbox, sender: Sender<Result<Prepared>>) -> Result<()> {
    let watch = DirectoryWatch::start(directory, WatchSettings::default())?;
    let sandbox = sandbox.clone();
    std::thread::Builder::new().name("plugin-watch".to_owned()).spawn(move || {
        while let Some(change) = watch.wait(PATIENCE) {
            let reported = Instant::now();
            let message = match change {
                DirectoryChange::Added(file) | DirectoryChange::Replaced(file) => sandbox
                    .prepare(&file.bytes)
                    .map(|(version, _)| Prepared { version, reported, prepared: Instant::now() })
                    .map_err(anyhow::Error::from),
                other => Err(anyhow::anyhow!("unexpected in the strategies directory: {other:?}")),
            };
            if sender.send(message).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}

/// The bars that instances have handled, all instances together.
#[derive(Default)]
struct Seen {
    bars: AtomicU64,
    /// Open time of the last, in nanoseconds; 0 before the first.
    last: AtomicI64,
    /// Bars that did not follow the one before.
    gaps: AtomicU64,
}

/// Counts what reaches the strategies, whichever instance it is.
struct CountingSource {
    sandbox: Sandbox,
    seen: Arc<Seen>,
}

impl StrategySource for CountingSource {
    fn describe(&self, version: &ContentHash) -> Result<Description, Fault> {
        self.sandbox.describe(version)
    }

    fn needs(&self, version: &ContentHash, config: &InstanceConfig) -> Result<(Needs, u32), Fault> {
        self.sandbox.needs(version, config)
    }

    fn instantiate(
        &self,
        version: &ContentHash,
        config: &InstanceConfig,
    ) -> Result<Box<dyn Strategy>, Fault> {
        let inner = self.sandbox.instantiate(version, config)?;
        Ok(Box::new(Counting { inner, seen: Arc::clone(&self.seen) }))
    }
}

struct Counting {
    inner: Box<dyn Strategy>,
    seen: Arc<Seen>,
}

impl Strategy for Counting {
    fn on_events(&mut self, events: &[Event], actions: &mut Vec<Action>) -> Result<usize, Fault> {
        let handled = self.inner.on_events(events, actions)?;
        for event in events.iter().take(handled) {
            if let Event::Bar(bar) = event {
                self.seen.bars.fetch_add(1, Ordering::Relaxed);
                let last = self.seen.last.swap(bar.open_time.nanos(), Ordering::Relaxed);
                if last != 0 && last.saturating_add(bar.interval.nanos()) != bar.open_time.nanos() {
                    self.seen.gaps.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        Ok(handled)
    }

    fn save(&mut self) -> Result<SavedState, Fault> {
        self.inner.save()
    }

    fn restore(&mut self, state: &SavedState) -> Result<(), Fault> {
        self.inner.restore(state)
    }

    fn drain_log(&mut self, lines: &mut Vec<LogLine>) {
        self.inner.drain_log(lines);
    }
}
