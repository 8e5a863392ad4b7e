use std::io::{self, Read};
use std::path::Path;

use bulkhead_core::identifier::ContentHash;
use bulkhead_core::instrument::Instrument;
use bulkhead_core::time::{Span, Timestamp};
use memchr::memchr;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::feed::{CsvSettings, Source, io_error, open_source};
use super::lines::Lines;
use super::number::decimal_places;
use super::row::{Columns, Content, Splitter, VOLUME};
use crate::error::FeedError;

/// The finest grid that an instrument gets from a file; digits beyond are noise of binary fractions.
const MAX_DECIMALS: u32 = 12;

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    /// The instrument's symbol, by the settings or the file's name.
    pub symbol: String,
    /// The bars' length.
    #[serde(with = "crate::text_time::span")]
    pub interval: Span,
    /// Rows with readable time and prices, not yet judged otherwise.
    pub rows: u64,
    /// The file's size.
    pub bytes: u64,
    /// When the first bar opens.
    #[serde(with = "crate::text_time::timestamp")]
    pub first: Timestamp,
    /// When the last bar opens.
    #[serde(with = "crate::text_time::timestamp")]
    pub last: Timestamp,
    /// Decimal places that the prices need, at most 12: trailing zeros don't count.
    pub price_decimals: u32,
    /// Decimal places that the volumes need, at most 12.
    pub volume_decimals: u32,
    /// The SHA-256 of the file.
    pub sha256: ContentHash,
}

impl Inspection {
    /// An instrument on whose grid the file's prices lie, and its volumes up to eight decimal places: sums of
    /// many trades show more, but quantities of single orders don't.
    #[must_use]
    pub fn instrument(&self) -> Instrument {
        Instrument::new(&self.symbol, self.price_decimals, self.volume_decimals.min(8))
    }
}

/// Reads a whole file once to learn what it holds.
///
/// # Errors
/// When the file can't be read, is no table of bars, or holds no readable row.
pub fn inspect(path: &Path, settings: &CsvSettings) -> Result<Inspection, FeedError> {
    let Source { file, layout, mut decoder, interval, bytes, .. } = open_source(path, settings)?;
    let mut lines = Lines::new(Hashing { source: file, hash: Sha256::new() });
    let mut header_is_next = layout.has_header;
    let columns = decoder.columns().clone();
    let delimiter = columns.delimiter();
    let mut splitter = Splitter::new(delimiter);
    let mut decimals = Decimals { columns: &columns, price: 0, volume: 0 };
    let mut rows = 0;
    let mut span: Option<(Timestamp, Timestamp)> = None;
    while let Some(line) = lines.next().map_err(|error| io_error(path, "read", error))? {
        if std::mem::take(&mut header_is_next) {
            continue;
        }
        let Ok(row) = decoder.decode(line) else { continue };
        rows += 1;
        span = Some(
            span.map_or((row.time, row.time), |(first, last)| (first.min(row.time), last.max(row.time))),
        );
        let text = line.text();
        if memchr(b'"', text).is_some() {
            decimals.note(splitter.split(text).iter());
        } else {
            decimals.note(text.split(|byte| *byte == delimiter));
        }
    }
    let Some((first, last)) = span else { return Err(FeedError::Empty { path: path.to_owned() }) };
    Ok(Inspection {
        symbol: settings.symbol.clone().unwrap_or_else(|| symbol_of(path)),
        interval,
        rows,
        bytes,
        first,
        last,
        price_decimals: decimals.price.min(MAX_DECIMALS),
        volume_decimals: decimals.volume.min(MAX_DECIMALS),
        sha256: ContentHash::new(lines.into_source().hash.finalize().into()),
    })
}

/// The most decimal places seen in the columns of prices and of volumes.
struct Decimals<'a> {
    columns: &'a Columns,
    price: u32,
    volume: u32,
}

impl Decimals<'_> {
    fn note<'a>(&mut self, fields: impl Iterator<Item = &'a [u8]>) {
        for (content, field) in self.columns.content().iter().zip(fields) {
            let places = match content {
                Content::Value(VOLUME) => &mut self.volume,
                Content::Value(_) => &mut self.price,
                Content::Time | Content::Other => continue,
            };
            *places = decimal_places(field).unwrap_or(0).max(*places);
        }
    }
}

/// The symbol that a file's name suggests: its parts up to the first that begins with a digit, in capitals.
/// `btc-perp-1m-2022-01.csv` speaks of `BTC-PERP`.
#[must_use]
pub fn symbol_of(path: &Path) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
    let parts = stem.split(['-', '_', ' ']);
    let named = parts
        .enumerate()
        .take_while(|(at, part)| *at == 0 || !part.starts_with(|c: char| c.is_ascii_digit()));
    named.map(|(_, part)| part.to_uppercase()).collect::<Vec<_>>().join("-")
}

/// Hashes what is read through it.
struct Hashing<R> {
    source: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.hash.update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_suggest_symbols() {
        for (path, symbol) in [
            ("/data/btc-perp-1m-2022-01.csv", "BTC-PERP"),
            ("BTCUSDT_1h.csv", "BTCUSDT"),
            ("1inch-usd.csv", "1INCH-USD"),
            ("eth.csv", "ETH"),
        ] {
            assert_eq!(symbol_of(Path::new(path)), symbol);
        }
    }

    #[test]
    fn an_inspection_tells_all_about_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x-usd.csv");
        let text = "date;o;h;l;c;v\n\"1970-01-01\";1.50;2;1;1.125;7\nbroken\n1970-01-02;1;2;1;1;0.010\n";
        std::fs::write(&path, text).unwrap();
        let found =
            inspect(&path, &CsvSettings { interval: Some(Span::DAY), ..CsvSettings::default() }).unwrap();
        let expected = Inspection {
            symbol: "X-USD".to_owned(),
            interval: Span::DAY,
            rows: 2,
            bytes: text.len() as u64,
            first: Timestamp::EPOCH,
            last: Timestamp::EPOCH.plus(Span::DAY),
            price_decimals: 3,
            volume_decimals: 2,
            sha256: ContentHash::of(text.as_bytes()),
        };
        assert_eq!(found, expected);
        assert_eq!(found.instrument(), Instrument::new("X-USD", 3, 2));
    }
}
