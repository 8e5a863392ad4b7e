//! What a strategy logs: cleaned, cut, and held to an amount per minute of event time, so that the same run
//! logs the same lines however fast it goes.

use bulkhead_core::strategy::{LogLevel, LogLine};
use bulkhead_core::time::{Span, Timestamp};

use crate::limits::{Limits, count};
use crate::text::clean;

/// What a line costs beside its bytes, so that empty lines are limited too.
const LINE_BYTES: usize = 16;

/// An instance's log since it was last drained.
#[derive(Debug)]
pub(crate) struct GuestLog {
    lines: Vec<LogLine>,
    bytes_per_minute: usize,
    line_bytes: usize,
    minute: Timestamp,
    used: usize,
    dropped: u64,
}

impl GuestLog {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            lines: Vec::new(),
            bytes_per_minute: count(limits.log_bytes_per_minute),
            line_bytes: count(limits.log_line_bytes),
            minute: Timestamp::EPOCH,
            used: 0,
            dropped: 0,
        }
    }

    /// Tells the log what time it is.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        let minute = now.floor(Span::MINUTE);
        if minute > self.minute {
            self.minute = minute;
            self.used = 0;
        }
    }

    pub(crate) fn push(&mut self, level: LogLevel, message: &str) {
        // A flood must not make the host clean lines that it then drops.
        let cost = message.len().min(self.line_bytes) + LINE_BYTES;
        if self.used + cost > self.bytes_per_minute {
            self.dropped += 1;
            return;
        }
        self.used += cost;
        self.lines.push(LogLine { level, message: clean(message, self.line_bytes) });
    }

    /// Moves the lines out; tells of dropped ones in a line at the end.
    pub(crate) fn drain(&mut self, lines: &mut Vec<LogLine>) {
        lines.append(&mut self.lines);
        if self.dropped > 0 {
            let message = format!(
                "dropped {} log lines: more than {} bytes in a minute",
                self.dropped, self.bytes_per_minute
            );
            lines.push(LogLine { level: LogLevel::Warn, message });
            self.dropped = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drained(log: &mut GuestLog) -> Vec<String> {
        let mut lines = Vec::new();
        log.drain(&mut lines);
        lines.into_iter().map(|line| line.message).collect()
    }

    #[test]
    fn lines_beyond_the_minutes_bytes_are_dropped_and_counted() {
        let limits = Limits { log_bytes_per_minute: 50, ..Limits::default() };
        let mut log = GuestLog::new(&limits);
        for _ in 0..5 {
            log.push(LogLevel::Info, "123456789");
        }
        assert_eq!(
            drained(&mut log),
            ["123456789", "123456789", "dropped 3 log lines: more than 50 bytes in a minute"]
        );
        log.advance(Timestamp::from_seconds(59));
        log.push(LogLevel::Info, "same minute");
        log.advance(Timestamp::from_seconds(60));
        log.push(LogLevel::Info, "next minute");
        assert_eq!(drained(&mut log)[0], "next minute");
    }

    #[test]
    fn time_that_goes_back_gives_no_new_allowance() {
        let limits = Limits { log_bytes_per_minute: 20, ..Limits::default() };
        let mut log = GuestLog::new(&limits);
        log.advance(Timestamp::from_seconds(600));
        log.push(LogLevel::Info, "a");
        log.advance(Timestamp::from_seconds(30));
        log.push(LogLevel::Info, "b");
        assert_eq!(drained(&mut log).len(), 2);
    }

    #[test]
    fn a_long_line_is_cut() {
        let limits = Limits { log_line_bytes: 16, ..Limits::default() };
        let mut log = GuestLog::new(&limits);
        log.push(LogLevel::Info, &"x".repeat(1_000_000));
        assert_eq!(drained(&mut log)[0].len(), 16);
    }
}
