//! What the columns of a file mean, found out from its first rows.

use std::collections::BTreeMap;

use bulkhead_core::time::{Span, Timestamp};

use super::row::{Columns, Fields, RowDecoder, Splitter};
use super::timestamp::TimeFormat;

/// What a message says about the columns.
pub(super) const ALLOWED: &str = "needed are a time (timestamp, time, date, datetime, open_time), open, high, low \
     and close (or o, h, l, c), and if known volume (vol, v), separated by commas, semicolons or tabs; without a \
     header the columns are time, open, high, low, close, volume";

/// Columns of a bar, in the standard order.
pub(super) const NAMES: [&str; 6] = ["time", "open", "high", "low", "close", "volume"];

/// How many fields can be told apart in a row: enough for any exchange's dump.
const MAX_COLUMNS: usize = 256;

/// How a file writes its bars.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) columns: Columns,
    pub(super) time: TimeFormat,
    /// Whether the first line names the columns.
    pub(super) has_header: bool,
}

/// Why no layout fits.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LayoutFault {
    /// The first line can't be understood as a header.
    Header(String),
    /// The first data row's time can't be read; the column counts from 0.
    Time { row: usize, column: usize, found: String },
}

/// Finds the layout from the first lines of a file; `lines` must not be empty.
pub(super) fn detect(lines: &[&[u8]]) -> Result<Layout, LayoutFault> {
    let first = lines.first().copied().unwrap_or_default();
    let delimiter = delimiter(first);
    let mut splitter = Splitter::new(delimiter);
    let titles = splitter.split(first);
    if titles.len() > MAX_COLUMNS {
        return Err(LayoutFault::Header(format!("{} columns are too many", titles.len())));
    }
    let titles_length = titles.len();
    let named = name_columns(titles)?;
    let has_header = named.is_some();
    let positions = match named {
        Some(positions) => positions,
        None if titles_length < 5 => {
            return Err(LayoutFault::Header(format!("{titles_length} columns are too few")));
        }
        None => [Some(0), Some(1), Some(2), Some(3), Some(4), (titles_length > 5).then_some(5)],
    };
    let columns = Columns::new(delimiter, positions);
    let time_column = positions[0].unwrap_or(0);
    let rows = lines.get(usize::from(has_header)..).unwrap_or_default();
    let times: Vec<Vec<u8>> =
        rows.iter().map(|line| splitter.split(line).get(time_column).unwrap_or_default().to_vec()).collect();
    // The first row must be a good one: a format can't be told from a broken example.
    let time = TimeFormat::detect(times.iter().map(Vec::as_slice));
    match (time, times.first()) {
        (Some(time), _) => Ok(Layout { columns, time, has_header }),
        (None, Some(found)) => Err(LayoutFault::Time {
            row: usize::from(has_header),
            column: time_column,
            found: String::from_utf8_lossy(found).into_owned(),
        }),
        // A header and nothing else; which format the missing rows have does not matter.
        (None, None) => Ok(Layout { columns, time: TimeFormat::Iso, has_header }),
    }
}

/// The delimiter that the line has most of, outside quotes.
fn delimiter(line: &[u8]) -> u8 {
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    let mut quoted = false;
    for byte in line {
        quoted ^= *byte == b'"';
        if !quoted && let Some((_, count)) = counts.iter_mut().find(|(delimiter, _)| delimiter == byte) {
            *count += 1;
        }
    }
    // Of equals, `max_by_key` takes the last; the comma goes first when there is none.
    counts.into_iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(delimiter, _)| delimiter)
}

/// Where the columns of a bar are, in the order of [`NAMES`]; `None` when the line names no column of a bar.
fn name_columns(titles: Fields<'_>) -> Result<Option<[Option<usize>; 6]>, LayoutFault> {
    let mut positions = [None; 6];
    let mut vague_volume = None;
    for (at, title) in titles.iter().enumerate() {
        let title: String = String::from_utf8_lossy(title)
            .chars()
            .filter(|letter| letter.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect();
        let column: usize = match title.as_str() {
            "timestamp" | "time" | "date" | "datetime" | "opentime" | "unix" | "unixtime"
            | "unixtimestamp" | "ts" | "t" => 0,
            "open" | "o" | "openprice" | "priceopen" => 1,
            "high" | "h" | "highprice" | "pricehigh" => 2,
            "low" | "l" | "lowprice" | "pricelow" => 3,
            "close" | "c" | "closeprice" | "priceclose" => 4,
            "volume" | "vol" | "v" | "basevolume" => 5,
            other => {
                // Such as "Volume BTC", which some exchanges put before "Volume USD".
                if other.starts_with("volume") {
                    vague_volume = vague_volume.or(Some(at));
                }
                continue;
            }
        };
        match positions.get_mut(column) {
            Some(position @ None) => *position = Some(at),
            // Of several times ("unix", "date") the first will do; of two closes nobody knows which is meant.
            Some(_) if column == 0 => {}
            _ => {
                let name = NAMES.get(column).copied().unwrap_or_default();
                return Err(LayoutFault::Header(format!("two columns are called {name}")));
            }
        }
    }
    positions[5] = positions[5].or(vague_volume);
    if positions.iter().all(Option::is_none) {
        return Ok(None);
    }
    let missing: Vec<&str> =
        positions.iter().zip(NAMES).take(5).filter(|(at, _)| at.is_none()).map(|(_, name)| name).collect();
    if missing.is_empty() {
        Ok(Some(positions))
    } else {
        Err(LayoutFault::Header(format!("no column for {}", missing.join(", "))))
    }
}

/// How the times of the first rows follow each other.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rhythm {
    /// Mostly this far apart.
    Every(Span),
    /// Mostly backwards.
    Descending,
    /// Too few rows to tell.
    Unknown { rows: usize },
}

/// The most common distance between rows; of several equally common ones the shortest.
pub(super) fn rhythm(decoder: &mut RowDecoder, rows: &[&[u8]]) -> Rhythm {
    // Rows with bad prices tell the time all the same.
    let mut time =
        |row: &[u8]| decoder.decode(row.into()).map_or_else(|fault| fault.time, |row| Some(row.time));
    let times: Vec<Timestamp> = rows.iter().filter_map(|row| time(row)).collect();
    let mut distances: BTreeMap<Span, usize> = BTreeMap::new();
    let mut backwards = 0_usize;
    for (earlier, later) in times.iter().zip(times.iter().skip(1)) {
        if later > earlier {
            *distances.entry(later.since(*earlier)).or_default() += 1;
        } else if later < earlier {
            backwards += 1;
        }
    }
    if backwards > distances.values().sum() {
        return Rhythm::Descending;
    }
    match distances.into_iter().rev().max_by_key(|(_, count)| *count) {
        Some((distance, _)) => Rhythm::Every(distance),
        None => Rhythm::Unknown { rows: times.len() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(header: &str) -> Result<Option<[Option<usize>; 6]>, LayoutFault> {
        name_columns(Splitter::new(delimiter(header.as_bytes())).split(header.as_bytes()))
    }

    #[test]
    fn headers_of_many_exchanges_are_understood() {
        let standard = [Some(0), Some(1), Some(2), Some(3), Some(4), Some(5)];
        for header in [
            "timestamp,open,high,low,close,volume",
            "Date,Open,High,Low,Close,Volume",
            "Open Time;Open;High;Low;Close;Volume;Close Time;Quote Volume",
            "time\to\th\tl\tc\tv",
            "\"DateTime\",\"Open Price\",\"HIGH\",\" low \",\"Close\",\"Vol.\"",
        ] {
            assert_eq!(positions(header), Ok(Some(standard)), "{header}");
        }
        assert_eq!(
            positions("unix,date,symbol,open,high,low,close,Volume BTC,Volume USD"),
            Ok(Some([Some(0), Some(3), Some(4), Some(5), Some(6), Some(7)]))
        );
        assert_eq!(positions("1643673540,1,2,0.5,1.5,10"), Ok(None));
    }

    #[test]
    fn a_header_that_lacks_or_doubles_a_column_says_so() {
        let fault = |text: &str| Err(LayoutFault::Header(text.to_owned()));
        assert_eq!(positions("time,open,high,price"), fault("no column for low, close"));
        assert_eq!(positions("time,open,high,low,close,Close"), fault("two columns are called close"));
    }

    fn rhythm_of(rows: &[&str]) -> Rhythm {
        let lines: Vec<&[u8]> = rows.iter().map(|row| row.as_bytes()).collect();
        let layout = detect(&lines).unwrap();
        rhythm(&mut RowDecoder::new(layout.columns, layout.time), &lines)
    }

    #[test]
    fn the_rhythm_is_the_most_common_distance() {
        let gap = ["0,1,1,1,1", "60,1,1,1,1", "120,1,1,1,1", "400,1,1,1,1"];
        assert_eq!(rhythm_of(&gap), Rhythm::Every(Span::MINUTE));
        let bad = ["0,1,1,1,1", "60,?,1,1,1", "120,1,1,1,1", "240,1,1,1,1"];
        assert_eq!(rhythm_of(&bad), Rhythm::Every(Span::MINUTE));
        let tie = ["0,1,1,1,1", "120,1,1,1,1", "180,1,1,1,1"];
        assert_eq!(rhythm_of(&tie), Rhythm::Every(Span::MINUTE));
        assert_eq!(rhythm_of(&["120,1,1,1,1", "60,1,1,1,1", "0,1,1,1,1"]), Rhythm::Descending);
        assert_eq!(rhythm_of(&["120,1,1,1,1"]), Rhythm::Unknown { rows: 1 });
    }

    #[test]
    fn a_first_row_without_a_time_is_named() {
        let fault = detect(&[b"time,open,high,low,close", b"soon,1,1,1,1"]).unwrap_err();
        assert_eq!(fault, LayoutFault::Time { row: 1, column: 0, found: "soon".to_owned() });
        assert!(matches!(detect(&[b"hello world"]), Err(LayoutFault::Header(_))));
    }
}
