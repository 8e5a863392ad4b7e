//! Where log lines go: to standard error, or into memory while something else has the screen.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::io::{self, Stderr, stderr};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Instant;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::writer::{EitherWriter, OptionalWriter};
use tracing_subscriber::layer::{Context, Layer};

/// Lines that are kept in memory: so many of what calls for attention, and as many of the others.
const KEPT: usize = 64;

/// There is one log in a process, as there is one `tracing` subscriber.
static HELD: Mutex<Held> = Mutex::new(Held::new());

/// A log line in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogLine {
    pub(crate) at: Instant,
    pub(crate) level: Level,
    pub(crate) text: String,
    /// Tells lines of the same moment apart.
    number: u64,
}

impl LogLine {
    #[cfg(test)]
    pub(crate) fn new(at: Instant, level: Level, text: &str) -> Self {
        Self { at, level, text: text.to_owned(), number: 0 }
    }

    /// Whether it calls for attention: a warning or an error.
    pub(crate) fn is_grave(&self) -> bool {
        self.level <= Level::WARN
    }
}

struct Held {
    on: bool,
    number: u64,
    /// Kept apart, so that a talkative strategy can't push warnings out.
    grave: VecDeque<LogLine>,
    others: VecDeque<LogLine>,
}

impl Held {
    const fn new() -> Self {
        Self { on: false, number: 0, grave: VecDeque::new(), others: VecDeque::new() }
    }

    fn push(&mut self, level: Level, text: String) {
        self.number += 1;
        let line = LogLine { at: Instant::now(), level, text, number: self.number };
        let lines = if line.is_grave() { &mut self.grave } else { &mut self.others };
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    fn lines(&self) -> Vec<LogLine> {
        let mut lines: Vec<LogLine> = self.grave.iter().chain(&self.others).cloned().collect();
        lines.sort_by_key(|line| line.number);
        lines
    }
}

fn held() -> MutexGuard<'static, Held> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on lines are kept in memory.
pub(crate) fn hold() {
    *held() = Held { on: true, ..Held::new() };
}

/// From now on lines go to standard error again. Gives those in memory, the oldest first.
pub(crate) fn release() -> Vec<LogLine> {
    // Also called by a panic hook, so it may not wait for whoever panicked.
    match HELD.try_lock() {
        Ok(mut held) => {
            held.on = false;
            let lines = held.lines();
            *held = Held::new();
            lines
        }
        Err(TryLockError::Poisoned(poisoned)) => {
            poisoned.into_inner().on = false;
            Vec::new()
        }
        Err(TryLockError::WouldBlock) => Vec::new(),
    }
}

/// The lines in memory, the oldest first.
pub(crate) fn lines() -> Vec<LogLine> {
    held().lines()
}

/// Standard error, or nowhere while lines are held.
pub(crate) fn standard_error() -> OptionalWriter<OneLine<Stderr>> {
    if held().on { EitherWriter::none() } else { EitherWriter::some(OneLine(stderr())) }
}

/// Keeps every event on a line of its own, whatever the words in it hold: what strangers and strategies say can't be
/// taken for lines of the host.
pub(crate) struct OneLine<W>(W);

impl<W: io::Write> io::Write for OneLine<W> {
    /// Takes events as `tracing` writes them: each whole, with a line feed at its end.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let line = event.strip_suffix(b"\n").unwrap_or(event);
        // Colours are sequences that begin with an escape; those in the words were made harmless before.
        let steers = |c: char| c.is_control() && c != '\u{1b}';
        match std::str::from_utf8(line).ok().filter(|text| text.contains(steers)) {
            None => self.0.write_all(event)?,
            Some(text) => {
                let mut legible = String::with_capacity(text.len() + 8);
                for c in text.chars() {
                    if steers(c) {
                        legible.extend(c.escape_default());
                    } else {
                        legible.push(c);
                    }
                }
                legible.push('\n');
                self.0.write_all(legible.as_bytes())?;
            }
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The layer that keeps lines in memory.
pub(crate) struct Keep;

impl<S: Subscriber> Layer<S> for Keep {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        if !held().on {
            return;
        }
        let mut words = Words::default();
        event.record(&mut words);
        let text = words.text();
        let mut held = held();
        if held.on {
            held.push(*event.metadata().level(), text);
        }
    }
}

/// A line's parts: whom it is about, what it says, and the facts.
#[derive(Default)]
struct Words {
    slot: String,
    message: String,
    facts: String,
}

impl Words {
    fn text(self) -> String {
        let Self { slot, message, facts } = self;
        let mut text = if slot.is_empty() { message } else { format!("{slot}: {message}") };
        text.push_str(&facts);
        // What a strategy says may hold anything; it stays on its line and steers no terminal.
        text.replace(char::is_control, " ")
    }

    fn add(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        let written = match field.name() {
            "slot" => write!(self.slot, "{value}"),
            "message" if self.message.is_empty() => write!(self.message, "{value}"),
            // What a strategy says stands beside the line's own words.
            "message" | "text" => write!(self.message, ": {value}"),
            // For those who search a log, not for those who watch it.
            "input" => Ok(()),
            name => write!(self.facts, " · {name} {value}"),
        };
        debug_assert!(written.is_ok(), "writing to a string can't fail");
    }
}

impl Visit for Words {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format_args!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn an_event_stays_on_its_line() {
        for (event, line) in [
            ("\u{1b}[32m INFO\u{1b}[0m filled\n", "\u{1b}[32m INFO\u{1b}[0m filled\n"),
            ("says \r\nERROR all is lost\n", "says \\r\\nERROR all is lost\n"),
            ("\0\u{85}\u{fc}\n\n", "\\u{0}\\u{85}\u{fc}\\n\n"),
        ] {
            let mut written = OneLine(Vec::new());
            written.write_all(event.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(written.0).unwrap(), line);
        }
    }

    #[test]
    fn lines_are_held_in_order_and_noise_does_not_push_warnings_out() {
        let subscriber = tracing_subscriber::registry().with(Keep);
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("before");
            hold();
            tracing::warn!(slot = "momentum", fault = "trapped", "strategy failed");
            for number in 0..3 * KEPT {
                tracing::info!(
                    slot = "noisy",
                    input = 7,
                    text = format!("{number}\n\u{1b}[2J"),
                    "strategy says"
                );
            }
            tracing::error!(event = 7, "last");
            let lines = lines();
            assert_eq!(lines.len(), 2 + KEPT);
            assert_eq!(lines[0].text, "momentum: strategy failed · fault trapped");
            assert_eq!(lines[KEPT].text, format!("noisy: strategy says: {}  [2J", 3 * KEPT - 1));
            assert_eq!((lines[KEPT + 1].text.as_str(), lines[KEPT + 1].is_grave()), ("last · event 7", true));
            assert_eq!(release(), lines);
            tracing::warn!("after");
            assert_eq!(release(), []);
        });
    }
}
