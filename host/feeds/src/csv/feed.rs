use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};

use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::input::{Input, InputKind};
use bulkhead_core::market::Bar;
use bulkhead_core::time::Span;

use super::layout::{self, Layout, LayoutFault, NAMES, Rhythm};
use super::lines::Lines;
use super::row::{Content, Row, RowDecoder, RowFault};
use super::timestamp;
use crate::error::FeedError;
use crate::feed::{Feed, Progress};
use crate::quality::{Fill, QualityCounters, QualityGate, QualitySettings, Refusal, Verdict};

/// What a number column may hold.
const NUMBER_ALLOWED: &str = "allowed are numbers such as \"46319.05\" or \"1.5e-3\", with a point and without \
     separators of thousands";

/// How much of a file is looked at to find out its layout.
const SAMPLE_BYTES: u64 = 128 * 1024;

/// How a file is to be read.
#[derive(Debug, Clone, Default)]
pub struct CsvSettings {
    /// The instrument that the bars are of.
    pub instrument: InstrumentId,
    /// The instrument's symbol; by the file's name when none.
    pub symbol: Option<String>,
    /// The bars' length; the most common distance between the first rows when none.
    pub interval: Option<Span>,
    /// What becomes of bad rows.
    pub quality: QualitySettings,
}

/// The bars of one file.
///
/// The first row may name the columns, in any order and among others; upper and lower case, spaces and
/// punctuation don't matter. Without such a row the columns are time, open, high, low, close and volume.
/// Columns are separated by commas, semicolons or tabs; fields may be quoted. Times are ISO 8601 (UTC without an
/// offset) or a count of s, ms, µs or ns since 1970, in the unit that fits the first rows. Lines end with `\n`
/// or `\r\n`; a byte order mark and blank lines are passed over. A time is the moment at which the bar opened;
/// the input's time is the moment at which it closed. Memory does not grow with the file.
#[derive(Debug)]
pub struct CsvFeed {
    path: PathBuf,
    lines: Lines<File>,
    bytes: u64,
    decoder: RowDecoder,
    gate: QualityGate,
    instrument: InstrumentId,
    interval: Span,
    header_is_next: bool,
    /// What the gate let through and the last batch had no room for.
    waiting: Verdict,
}

impl CsvFeed {
    /// Opens a file and finds out its layout from its first rows.
    ///
    /// # Errors
    /// When the file can't be read, holds no row, names no columns that make a bar, runs backwards, or has no
    /// recognisable interval and none is given.
    pub fn open(path: &Path, settings: &CsvSettings) -> Result<Self, FeedError> {
        let Source { file, layout, decoder, interval, bytes, .. } = open_source(path, settings)?;
        Ok(Self {
            path: path.to_owned(),
            lines: Lines::new(file),
            bytes,
            decoder,
            gate: QualityGate::new(&settings.quality, settings.instrument, interval),
            instrument: settings.instrument,
            interval,
            header_is_next: layout.has_header,
            waiting: Verdict::default(),
        })
    }

    /// The bars' length.
    #[must_use]
    pub const fn interval(&self) -> Span {
        self.interval
    }

    /// Takes the next bar of what the gate let through.
    fn next_waiting(&mut self) -> Option<Bar> {
        if let Some(Fill { bar, count }) = &mut self.waiting.fill {
            let next = *bar;
            bar.open_time = next.close_time();
            *count -= 1;
            if *count == 0 {
                self.waiting.fill = None;
            }
            return Some(next);
        }
        self.waiting.bar.take()
    }

    #[cold]
    fn judge(&mut self, bar: Bar) -> Result<(), FeedError> {
        let line = self.lines.line();
        self.waiting = self.gate.judge(bar).map_err(|Refusal { defect, detail }| FeedError::Refused {
            path: self.path.clone(),
            line,
            time: bar.open_time,
            defect,
            detail,
        })?;
        Ok(())
    }

    #[cold]
    fn judge_unreadable(&mut self, fault: &RowFault) -> Result<(), FeedError> {
        let verdict = self.gate.judge_unreadable(fault.time, &fault.found);
        self.waiting = verdict.map_err(|_| value_error(&self.path, self.lines.line(), fault))?;
        Ok(())
    }
}

impl Feed for CsvFeed {
    fn next_batch(&mut self, out: &mut Vec<Input>, max: usize) -> Result<usize, FeedError> {
        let mut count = 0;
        while count < max {
            if (self.waiting.fill.is_some() || self.waiting.bar.is_some())
                && let Some(bar) = self.next_waiting()
            {
                out.push(Input { time: bar.close_time(), kind: InputKind::Bar(bar) });
                count += 1;
                continue;
            }
            let line = self.lines.next().map_err(|error| io_error(&self.path, "read", error))?;
            let Some(line) = line else { break };
            if std::mem::take(&mut self.header_is_next) {
                continue;
            }
            match self.decoder.decode(line) {
                Ok(Row { time: open_time, values: [open, high, low, close, volume] }) => {
                    let (instrument, interval) = (self.instrument, self.interval);
                    let bar = Bar { instrument, interval, open_time, open, high, low, close, volume };
                    if self.gate.admit(&bar) {
                        out.push(Input { time: bar.close_time(), kind: InputKind::Bar(bar) });
                        count += 1;
                    } else {
                        self.judge(bar)?;
                    }
                }
                Err(fault) => self.judge_unreadable(&fault)?,
            }
        }
        Ok(count)
    }

    fn quality(&self) -> BTreeMap<InstrumentId, QualityCounters> {
        BTreeMap::from([(self.instrument, *self.gate.counters())])
    }

    fn progress(&self) -> Progress {
        Progress { done: self.lines.consumed(), total: Some(self.bytes) }
    }
}

/// A file that was looked at, rewound to its start.
pub(super) struct Source {
    pub(super) file: File,
    pub(super) bytes: u64,
    pub(super) layout: Layout,
    pub(super) decoder: RowDecoder,
    pub(super) interval: Span,
}

pub(super) fn open_source(path: &Path, settings: &CsvSettings) -> Result<Source, FeedError> {
    let problems = settings.quality.validate();
    if !problems.is_empty() {
        return Err(FeedError::Settings(problems));
    }
    if let Some(found) = settings.interval.filter(|interval| *interval <= Span::ZERO) {
        return Err(FeedError::Interval { path: path.to_owned(), found });
    }
    let mut file = File::open(path).map_err(|error| io_error(path, "open", error))?;
    let bytes = file.metadata().map_err(|error| io_error(path, "open", error))?.len();
    let mut sample = Vec::new();
    file.by_ref()
        .take(SAMPLE_BYTES)
        .read_to_end(&mut sample)
        .map_err(|error| io_error(path, "read", error))?;
    file.rewind().map_err(|error| io_error(path, "read", error))?;

    let whole_file = (sample.len() as u64) < SAMPLE_BYTES;
    let (numbers, lines) =
        sample_lines(&sample, whole_file).map_err(|error| io_error(path, "read", error))?;
    let rows = lines.iter().map(Vec::as_slice).collect::<Vec<_>>();
    let line_of = |row: usize| numbers.get(row).copied().unwrap_or(1);
    let Some(first) = rows.first() else { return Err(FeedError::Empty { path: path.to_owned() }) };
    let layout = layout::detect(&rows).map_err(|fault| match fault {
        LayoutFault::Header(problem) => FeedError::Header {
            path: path.to_owned(),
            line: line_of(0),
            problem,
            found: String::from_utf8_lossy(first).chars().take(200).collect(),
            allowed: layout::ALLOWED,
        },
        LayoutFault::Time { row, column, found } => {
            value_error(path, line_of(row), &RowFault { content: Content::Time, column, found, time: None })
        }
    })?;
    let data = rows.get(usize::from(layout.has_header)..).unwrap_or_default();
    if data.is_empty() {
        return Err(FeedError::Empty { path: path.to_owned() });
    }
    let mut decoder = RowDecoder::new(layout.columns.clone(), layout.time);
    // A file of which no row can be read is the wrong file, not one with a few bad rows.
    let faults: Vec<RowFault> = data.iter().map_while(|row| decoder.decode((*row).into()).err()).collect();
    if let (Some(fault), true) = (faults.first(), faults.len() == data.len()) {
        return Err(value_error(path, line_of(usize::from(layout.has_header)), fault));
    }
    let interval = match (layout::rhythm(&mut decoder, data), settings.interval) {
        (Rhythm::Descending, _) => return Err(FeedError::Descending { path: path.to_owned() }),
        (_, Some(interval)) | (Rhythm::Every(interval), None) => interval,
        (Rhythm::Unknown { rows }, None) => {
            return Err(FeedError::UnknownInterval { path: path.to_owned(), rows });
        }
    };
    Ok(Source { file, bytes, layout, decoder, interval })
}

/// The whole lines of a sample with their numbers.
fn sample_lines(sample: &[u8], whole_file: bool) -> io::Result<(Vec<u64>, Vec<Vec<u8>>)> {
    let last_end = memchr::memrchr(b'\n', sample).filter(|_| !whole_file);
    let complete = last_end.map_or(sample.len(), |at| at + 1);
    let mut reader = Lines::new(sample.get(..complete).unwrap_or_default());
    let (mut numbers, mut lines) = (Vec::new(), Vec::new());
    while let Some(line) = reader.next()? {
        lines.push(line.text().to_vec());
        numbers.push(reader.line());
    }
    Ok((numbers, lines))
}

pub(super) fn io_error(path: &Path, action: &'static str, source: io::Error) -> FeedError {
    FeedError::Io { path: path.to_owned(), action, source }
}

fn value_error(path: &Path, line: u64, fault: &RowFault) -> FeedError {
    let (name, allowed) = match fault.content {
        Content::Value(value) => (NAMES.get(value + 1).copied().unwrap_or_default(), NUMBER_ALLOWED),
        Content::Time | Content::Other => ("time", timestamp::ALLOWED),
    };
    let (found, column) = (fault.found.clone(), fault.column + 1);
    FeedError::Value { path: path.to_owned(), line, column, name, found, allowed }
}
