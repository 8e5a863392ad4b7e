//! The status view of `bulkhead run`: the account, the strategies and what happened last on one screen.
//!
//! The host tells it every output and asks it to draw when it is due; the engine never waits for it. What is read
//! off the engine is shown once the journal has the inputs that it follows from, as with everything that leaves.
//! `snapshot` reads off the engine what is shown, `drawing` and `lists` draw it, and `screen` has the
//! terminal.

mod activity;
mod columns;
mod drawing;
mod lists;
mod numbers;
mod room;
mod screen;
mod snapshot;

use std::collections::VecDeque;
use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bulkhead_core::money::Overflow;
use bulkhead_core::output::Output;
use bulkhead_feeds::pacer::Speed;
use bulkhead_sequencer::sequencer::Sequencer;
use bulkhead_store::journal::Sequence;
use rust_decimal::prelude::ToPrimitive as _;

use self::activity::Activity;
use self::drawing::Palette;
use self::screen::Screen;
use self::snapshot::Snapshot;
use super::summary::Tally;
use crate::log_lines;

pub(super) use self::screen::give_back;

/// The shortest time between two frames.
const FRAME: Duration = Duration::from_millis(125);

/// Bars a second are counted over so many frames.
const RATE_FRAMES: usize = 16;

/// Points of the equity curve; more are thinned out.
const CURVE_POINTS: usize = 1_024;

/// The view of one account while it is on. The accounts share the terminal; one of them is shown.
pub(super) struct StatusView {
    screen: Arc<Screen>,
    place: Place,
    palette: Palette,
    speed: Speed,
    directory: String,
    started: Instant,
    next_frame: Instant,
    activity: Activity,
    /// Read off the engine after this input, which is not durable yet.
    ahead: Option<(Sequence, Snapshot)>,
    /// The newest that may be shown.
    durable: Option<Snapshot>,
    most_positions: usize,
    /// Moments and bars until then.
    rate: VecDeque<(Instant, u64)>,
    curve: Curve,
}

/// Which of the accounts it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    account: String,
    /// From 0.
    number: usize,
    of: usize,
}

impl StatusView {
    /// Takes the terminal, if standard output is one that can show the view: one view an account, or none.
    pub(super) fn start(speed: Speed, directory: &Path, accounts: &[String]) -> Vec<Self> {
        let stdout = std::io::stdout();
        if !stdout.is_terminal()
            || std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb")
        {
            return Vec::new();
        }
        let colour = anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never;
        let screen = match Screen::take(accounts.len()) {
            Ok(screen) => Arc::new(screen),
            Err(error) => {
                tracing::warn!(%error, "the terminal can't show the status view; log lines instead");
                return Vec::new();
            }
        };
        let view = |(number, account): (usize, &String)| Self {
            screen: Arc::clone(&screen),
            place: Place { account: account.clone(), number, of: accounts.len() },
            palette: Palette { colour },
            speed,
            directory: directory.display().to_string(),
            started: Instant::now(),
            next_frame: Instant::now(),
            activity: Activity::default(),
            ahead: None,
            durable: None,
            most_positions: 0,
            rate: VecDeque::new(),
            curve: Curve::default(),
        };
        accounts.iter().enumerate().map(view).collect()
    }

    /// Whether it is the one that is shown.
    fn is_shown(&self) -> bool {
        self.screen.shows(self.place.number)
    }

    /// Whether the view shows it of its own; all else belongs in the log.
    pub(super) fn take(&mut self, output: &Output) -> bool {
        self.activity.take(output)
    }

    /// Draws a frame if one is due; `false` when the view has ended and log lines are wanted instead.
    pub(super) fn refresh(&mut self, now: Instant, sequencer: &Sequencer, tally: &Tally) -> bool {
        if now < self.next_frame {
            return true;
        }
        self.next_frame = now + FRAME;
        if self.rate.len() > RATE_FRAMES {
            self.rate.pop_front();
        }
        self.rate.push_back((now, tally.bars));
        let drawn = match self.look(sequencer, tally) {
            Ok(()) => self.draw(),
            Err(error) => Err(std::io::Error::other(error)),
        };
        drawn.unwrap_or_else(|error| {
            give_back();
            tracing::warn!(%error, "the status view ends; log lines instead");
            false
        })
    }

    /// Reads the engine, and keeps that until its inputs are durable.
    fn look(&mut self, sequencer: &Sequencer, tally: &Tally) -> Result<(), Overflow> {
        let durable = sequencer.durable();
        if self.ahead.is_none() {
            let read = Snapshot::read(sequencer.engine(), tally, &self.activity)?;
            self.ahead = Some((sequencer.sequence(), read));
        }
        if let Some((_, snapshot)) = self.ahead.take_if(|(until, _)| *until <= durable) {
            self.most_positions = self.most_positions.max(snapshot.positions.len());
            self.curve.add(snapshot.equity.to_f64().unwrap_or_default());
            self.durable = Some(snapshot);
        }
        Ok(())
    }

    fn draw(&mut self) -> std::io::Result<bool> {
        if !self.is_shown() {
            return Ok(true);
        }
        let Some(snapshot) = self.durable.take() else { return Ok(true) };
        let lines = log_lines::lines().into_iter().rev();
        let snapshot = Snapshot {
            speed: self.speed,
            bars_per_second: self.bars_per_second(),
            curve: self.curve.points.clone(),
            most_positions: self.most_positions,
            lines: lines.map(|line| (line.at.saturating_duration_since(self.started), line)).collect(),
            directory: self.directory.clone(),
            place: (self.place.of > 1).then(|| self.place.clone()),
            ..snapshot
        };
        let drawn = self.screen.draw(|frame| drawing::draw(frame, &snapshot, self.palette));
        self.durable = Some(snapshot);
        drawn
    }

    fn bars_per_second(&self) -> f64 {
        let (Some((from, before)), Some((to, after))) = (self.rate.front(), self.rate.back()) else {
            return 0.0;
        };
        let seconds = to.duration_since(*from).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "bars of two seconds are few")]
        let bars = after.saturating_sub(*before) as f64;
        if seconds > 0.0 { bars / seconds } else { 0.0 }
    }
}

impl Drop for StatusView {
    fn drop(&mut self) {
        self.screen.end(self.place.number);
    }
}

/// The equity at even distances over the whole run: when there are too many points every second one goes,
/// and from then on half as many are taken.
#[derive(Debug, Default)]
struct Curve {
    points: Vec<f64>,
    /// Frames between two points, less one.
    skip: usize,
    skipped: usize,
}

impl Curve {
    fn add(&mut self, value: f64) {
        if self.skipped < self.skip {
            self.skipped += 1;
            return;
        }
        self.skipped = 0;
        if self.points.len() == CURVE_POINTS {
            let mut keep = false;
            self.points.retain(|_| {
                keep = !keep;
                keep
            });
            self.skip = 2 * self.skip + 1;
        }
        self.points.push(value);
    }
}

#[cfg(test)]
mod tests;
