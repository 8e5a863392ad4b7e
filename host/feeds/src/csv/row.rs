//! One line of a file to the numbers of a bar.

use std::fmt;

use bulkhead_core::time::Timestamp;
use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use memchr::memchr;

use super::lines::Line;
use super::number::{number, plain_decimal};
use super::timestamp::{TimeFormat, TimeReader};

/// Which column of a line is what.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    delimiter: u8,
    /// What each column holds, up to the last one that matters.
    content: Vec<Content>,
    has_skipped: bool,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Time,
    /// Open, high, low, close or volume, counted from 0.
    Value(usize),
    Other,
}

impl Columns {
    /// From the positions of time, open, high, low, close and volume in a line.
    pub(super) fn new(delimiter: u8, positions: [Option<usize>; 6]) -> Self {
        let length = positions.iter().flatten().max().map_or(0, |last| last + 1);
        let content: Vec<Content> = (0..length)
            .map(|at| match positions.iter().position(|position| *position == Some(at)) {
                Some(0) => Content::Time,
                Some(value) => Content::Value(value - 1),
                None => Content::Other,
            })
            .collect();
        Self { delimiter, has_skipped: content.contains(&Content::Other), content }
    }

    pub(super) const fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// What each column holds, up to the last one that matters.
    pub(super) fn content(&self) -> &[Content] {
        &self.content
    }

    /// Where a column is in the line, from 0.
    fn position(&self, content: Content) -> Option<usize> {
        self.content.iter().position(|other| *other == content)
    }
}

/// The place of volume among the values.
pub(super) const VOLUME: usize = 4;

/// The numbers of one bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Row {
    pub(super) time: Timestamp,
    /// Open, high, low, close, volume.
    pub(super) values: [f64; 5],
}

/// A field that can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RowFault {
    /// What the column should hold.
    pub(super) content: Content,
    /// Where the column is, from 0.
    pub(super) column: usize,
    /// What stands there; empty when the line ends before.
    pub(super) found: String,
    /// The row's time, if that can be read.
    pub(super) time: Option<Timestamp>,
}

/// Longest text that a message quotes.
const QUOTED_LENGTH: usize = 60;

/// Decodes the lines of one file.
#[derive(Debug)]
pub(super) struct RowDecoder {
    time: TimeReader,
    splitter: Splitter,
    columns: Columns,
}

impl RowDecoder {
    pub(super) fn new(columns: Columns, format: TimeFormat) -> Self {
        Self { time: TimeReader::new(format), splitter: Splitter::new(columns.delimiter), columns }
    }

    pub(super) const fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Decodes a line.
    #[inline]
    pub(super) fn decode(&mut self, line: Line<'_>) -> Result<Row, RowFault> {
        // Nearly every line is plain; any oddity sends it through the patient reader.
        match self.decode_plain(line) {
            Some(row) => Ok(row),
            None => self.decode_patiently(line.text()),
        }
    }

    #[inline]
    fn decode_plain(&mut self, line: Line<'_>) -> Option<Row> {
        let delimiter = self.columns.delimiter;
        // A quote may hide a delimiter; in columns that are read it shows by itself.
        if self.columns.has_skipped && memchr(b'"', line.text()).is_some() {
            return None;
        }
        let mut time = None;
        let mut values = [0.0; 5];
        let text = line.with_rest();
        let mut start = 0;
        for content in &self.columns.content {
            // Beyond the line only if it has too few columns.
            let rest = text.get(start..).filter(|_| start <= line.length())?;
            let length = match content {
                Content::Value(value) => {
                    let (number, length) = plain_decimal(rest)?;
                    *values.get_mut(*value)? = number;
                    length
                }
                Content::Time | Content::Other => {
                    let length =
                        memchr(delimiter, line.text().get(start..)?).unwrap_or(line.length() - start);
                    if *content == Content::Time {
                        time = Some(self.time.read(rest.get(..length)?)?);
                    }
                    length
                }
            };
            let end = start + length;
            if end != line.length() && text.get(end) != Some(&delimiter) {
                return None;
            }
            start = end + 1;
        }
        Some(Row { time: time?, values })
    }

    #[cold]
    fn decode_patiently(&mut self, line: &[u8]) -> Result<Row, RowFault> {
        let fields = self.splitter.split(line);
        let time_column = self.columns.position(Content::Time).unwrap_or(0);
        let time = fields.get(time_column).and_then(|field| self.time.read(field));
        let mut values = [0.0; 5];
        for (column, content) in self.columns.content.iter().enumerate() {
            let field = fields.get(column).map(<[u8]>::trim_ascii);
            let readable = match content {
                Content::Other => true,
                Content::Time => time.is_some(),
                // An empty volume is an unknown one.
                Content::Value(VOLUME) if field == Some(b"") => true,
                Content::Value(value) => match (field.and_then(number), values.get_mut(*value)) {
                    (Some(number), Some(slot)) => {
                        *slot = number;
                        true
                    }
                    _ => false,
                },
            };
            if !readable {
                let text = String::from_utf8_lossy(field.unwrap_or_default());
                let found = text.chars().take(QUOTED_LENGTH).collect();
                return Err(RowFault { content: *content, column, found, time });
            }
        }
        match time {
            Some(time) => Ok(Row { time, values }),
            None => Err(RowFault { content: Content::Time, column: time_column, found: String::new(), time }),
        }
    }
}

/// Splits lines into fields and resolves quotes. A quoted field can't go on in the next line.
pub(super) struct Splitter {
    reader: Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
}

/// The fields of one line.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    text: &'a [u8],
    ends: &'a [usize],
}

impl<'a> Fields<'a> {
    pub(super) fn get(self, column: usize) -> Option<&'a [u8]> {
        let start = column.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.text.get(start..*self.ends.get(column)?)
    }

    pub(super) fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        (0..self.len()).filter_map(move |column| self.get(column))
    }

    pub(super) const fn len(self) -> usize {
        self.ends.len()
    }
}

impl Splitter {
    pub(super) fn new(delimiter: u8) -> Self {
        let reader = ReaderBuilder::new().delimiter(delimiter).build();
        Self { reader, text: Vec::new(), ends: Vec::new() }
    }

    pub(super) fn split(&mut self, line: &[u8]) -> Fields<'_> {
        self.reader.reset();
        self.text.resize(line.len() + 1, 0);
        self.ends.resize(line.len() + 2, 0);
        let (mut input, mut written, mut ended) = (line, 0, 0);
        // Resolving quotes only shortens, and there are fewer fields than bytes: there is room for all.
        loop {
            let text = self.text.get_mut(written..).unwrap_or_default();
            let ends = self.ends.get_mut(ended..).unwrap_or_default();
            let (result, read, wrote, more) = self.reader.read_record(input, text, ends);
            written += wrote;
            ended += more;
            input = input.get(read..).unwrap_or_default();
            // With no input left the next call says that the record has ended.
            if !matches!(result, ReadRecordResult::InputEmpty) {
                break;
            }
        }
        Fields { text: &self.text, ends: self.ends.get(..ended).unwrap_or_default() }
    }
}

impl fmt::Debug for Splitter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Splitter").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::lines::Lines;
    use super::*;

    fn decoder(positions: [Option<usize>; 6]) -> RowDecoder {
        RowDecoder::new(Columns::new(b',', positions), TimeFormat::Iso)
    }

    fn standard() -> RowDecoder {
        decoder([Some(0), Some(1), Some(2), Some(3), Some(4), Some(5)])
    }

    const LINE: &str = "2022-01-01 00:00:00,1.5,2,0.5,1.25,100";
    const ROW: Row =
        Row { time: Timestamp::from_seconds(1_640_995_200), values: [1.5, 2.0, 0.5, 1.25, 100.0] };

    #[test]
    fn plain_quoted_and_padded_lines_give_the_same_row() {
        for line in [
            LINE,
            "2022-01-01 00:00:00,1.5,2,0.5,1.25,100,more,\"and \"\"more\"\"\"",
            "\"2022-01-01 00:00:00\",\"1.5\",\"2\",\"0.5\",\"1.25\",\"100\"",
            " 2022-01-01 00:00:00 , 1.5, 2 ,5e-1,+1.25,1e2 ",
        ] {
            assert_eq!(standard().decode(line.as_bytes().into()), Ok(ROW), "{line}");
        }
    }

    #[test]
    fn columns_are_taken_from_their_places() {
        let mut shuffled = decoder([Some(2), Some(5), Some(4), Some(3), Some(6), None]);
        let expected = Row { values: [1.5, 2.0, 0.5, 1.25, 0.0], ..ROW };
        for line in ["a,b,2022-01-01,0.5,2,1.5,1.25", "\"a,b\",,2022-01-01,0.5,2,1.5,1.25,x"] {
            assert_eq!(shuffled.decode(line.as_bytes().into()), Ok(expected), "{line}");
        }
    }

    #[test]
    fn numbers_in_a_quoted_remark_are_not_prices() {
        let mut remarked = decoder([Some(0), Some(2), Some(3), Some(4), Some(5), None]);
        let row = remarked.decode(b"2022-01-01,\"of 7,7,7,7,7,7\",1.5,2,0.5,1.25".as_slice().into());
        assert_eq!(row, Ok(Row { values: [1.5, 2.0, 0.5, 1.25, 0.0], ..ROW }));
    }

    #[test]
    fn an_empty_volume_is_unknown() {
        let row = standard().decode(b"2022-01-01,1.5,2,0.5,1.25,".as_slice().into()).unwrap();
        assert_eq!(row, Row { values: [1.5, 2.0, 0.5, 1.25, 0.0], ..ROW });
    }

    #[test]
    fn a_fault_names_the_column_and_keeps_the_time() {
        let time = Some(ROW.time);
        let fault = |column, found: &str| {
            let content = if column == 0 { Content::Time } else { Content::Value(column - 1) };
            Err(RowFault { content, column, found: found.to_owned(), time: time.filter(|_| column > 0) })
        };
        assert_eq!(standard().decode(b"2022-01-01,1.5,2,?,1.25,1".as_slice().into()), fault(3, "?"));
        assert_eq!(standard().decode(b"2022-01-01,1.5,2".as_slice().into()), fault(3, ""));
        assert_eq!(standard().decode(b"2022-01-01,1.5,,0.5,1.25,1".as_slice().into()), fault(2, ""));
        assert_eq!(standard().decode(b"never,1.5,2,0.5,1.25,1".as_slice().into()), fault(0, "never"));
    }

    #[test]
    fn wide_lines_are_split() {
        let line = vec!["x"; 500].join(",");
        let mut splitter = Splitter::new(b',');
        assert_eq!(splitter.split(line.as_bytes()).iter().filter(|field| field == b"x").count(), 500);
        let fields: Vec<_> = splitter.split(b"\"a \"\"b\"\"\",,c").iter().map(<[u8]>::to_vec).collect();
        assert_eq!(fields, [b"a \"b\"".to_vec(), Vec::new(), b"c".to_vec()]);
        assert_eq!(splitter.split(b"").len(), 0);
    }

    #[test]
    fn what_follows_a_line_in_the_buffer_is_not_read_as_part_of_it() {
        for text in ["2022-01-01,1,2,1,1\n7,8", "2022-01-01,1,2,1,1,\n7,8", "2022-01-01,1,2,1\n1,7,8"] {
            let mut lines = Lines::new(text.as_bytes());
            let line = lines.next().unwrap().unwrap();
            let alone = standard().decode(line.text().into());
            assert_eq!(standard().decode(line), alone, "{text}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(line in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = standard().decode(line.as_slice().into());
            let _ = decoder([Some(3), Some(1), Some(2), Some(7), Some(4), None]).decode(line.as_slice().into());
        }

        #[test]
        fn nearly_valid_lines_never_panic(line in "[0-9]{4}-01-01[ T]?[0-9:.]{0,10}[,\"0-9.eE+-]{0,40}") {
            let _ = standard().decode(line.as_bytes().into());
        }
    }
}
