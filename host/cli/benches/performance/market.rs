//! The market that everything is measured on: the same bars in every run on every machine.

use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::input::{Input, InputKind};
use bulkhead_core::market::Bar;
use bulkhead_core::time::{Span, Timestamp};

/// What is traded.
pub(crate) const SYMBOL: &str = "BENCH-USD";

/// 2022-01-01T00:00:00Z.
const START_SECONDS: i64 = 1_640_995_200;

/// One-minute bars of a random walk in whole cents around 100.00, whose 10-bar and 30-bar averages cross
/// 39,203 times in a million bars.
pub(crate) struct RandomWalk {
    state: u64,
    minute: i64,
    cents: i64,
}

impl RandomWalk {
    pub(crate) const fn new() -> Self {
        Self { state: 0x2545_f491_4f6c_dd1d, minute: 0, cents: 10_000 }
    }

    /// Marsaglia's xorshift64.
    fn below(&mut self, bound: u64) -> i64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        i64::try_from((self.state >> 33) % bound).unwrap_or_default()
    }

    /// The next bar's open time in seconds, and its prices in cents.
    fn next_row(&mut self) -> (i64, [i64; 4]) {
        let open = self.cents + self.below(3) - 1;
        let close = (open + self.below(41) - 20 + (10_000 - open) / 1_000).max(1_000);
        let high = open.max(close) + self.below(6);
        let low = open.min(close) - self.below(6);
        let seconds = START_SECONDS + 60 * self.minute;
        self.minute += 1;
        self.cents = close;
        (seconds, [open, high, low, close])
    }
}

impl Iterator for RandomWalk {
    type Item = Input;

    fn next(&mut self) -> Option<Input> {
        let (seconds, row) = self.next_row();
        #[expect(clippy::cast_precision_loss, reason = "prices of some hundred")]
        let [open, high, low, close] = row.map(|cents| cents as f64 / 100.0);
        let bar = Bar {
            instrument: InstrumentId(0),
            interval: Span::MINUTE,
            open_time: Timestamp::from_seconds(seconds),
            open,
            high,
            low,
            close,
            volume: 1_000.0,
        };
        Some(Input { time: bar.close_time(), kind: InputKind::Bar(bar) })
    }
}

/// Writes the first bars as a CSV file.
pub(crate) fn write_csv(path: &Path, bars: usize) -> Result<()> {
    let file = std::fs::File::create(path).with_context(|| format!("{} can't be written", path.display()))?;
    let mut file = BufWriter::new(file);
    writeln!(file, "timestamp,open,high,low,close,volume")?;
    let mut walk = RandomWalk::new();
    for _ in 0..bars {
        let (seconds, row) = walk.next_row();
        let [open, high, low, close] = row.map(|cents| format!("{}.{:02}", cents / 100, cents % 100));
        writeln!(file, "{seconds},{open},{high},{low},{close},1000")?;
    }
    file.flush()?;
    Ok(())
}
