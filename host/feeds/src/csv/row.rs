//! One line of a file to the numbers of a bar.

use bulkhead_core::time::Timestamp;
use csv_core::ReadRecordResult;
use memchr::memchr;

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

    /// Where a column is in the line, from 0.
    pub(super) fn position(&self, content: Content) -> Option<usize> {
        self.content.iter().position(|other| *other == content)
    }
}

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
#[derive(Debug, Clone)]
pub(super) struct RowDecoder {
    columns: Columns,
    time: TimeReader,
}

impl RowDecoder {
    pub(super) const fn new(columns: Columns, format: TimeFormat) -> Self {
        Self { columns, time: TimeReader::new(format) }
    }

    pub(super) const fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Decodes a line.
    #[inline]
    pub(super) fn decode(&mut self, line: &[u8]) -> Result<Row, RowFault> {
        // Nearly every line is plain; any oddity sends it through the patient reader.
        match self.decode_plain(line) {
            Some(row) => Ok(row),
            None => self.decode_patiently(line),
        }
    }

    #[inline]
    fn decode_plain(&mut self, line: &[u8]) -> Option<Row> {
        let delimiter = self.columns.delimiter;
        // A quote may hide a delimiter; in columns that are read it shows by itself.
        if self.columns.has_skipped && memchr(b'"', line).is_some() {
            return None;
        }
        let mut time = None;
        let mut values = [0.0; 5];
        let mut rest = line;
        let mut ended = false;
        for content in &self.columns.content {
            if ended {
                return None;
            }
            let length = match content {
                Content::Value(value) => {
                    let (number, length) = plain_decimal(rest)?;
                    *values.get_mut(*value)? = number;
                    length
                }
                Content::Time => {
                    let length = memchr(delimiter, rest).unwrap_or(rest.len());
                    time = Some(self.time.read(rest.get(..length)?)?);
                    length
                }
                Content::Other => memchr(delimiter, rest).unwrap_or(rest.len()),
            };
            match rest.get(length..)? {
                [] => ended = true,
                [next, after @ ..] if *next == delimiter => rest = after,
                _ => return None,
            }
        }
        Some(Row { time: time?, values })
    }

    #[cold]
    fn decode_patiently(&mut self, line: &[u8]) -> Result<Row, RowFault> {
        let fields = split_fields(line, self.columns.delimiter);
        let time_column = self.columns.position(Content::Time).unwrap_or(0);
        let time = fields.get(time_column).and_then(|field| self.time.read(field));
        let mut values = [0.0; 5];
        for (column, content) in self.columns.content.iter().enumerate() {
            let field = fields.get(column).map(|field| field.trim_ascii());
            let readable = match content {
                Content::Other => true,
                Content::Time => time.is_some(),
                // An empty volume is an unknown one.
                Content::Value(4) if field == Some(b"") => true,
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

/// The fields of a line, quotes resolved. A quoted field can't go on in the next line.
pub(super) fn split_fields(line: &[u8], delimiter: u8) -> Vec<Vec<u8>> {
    let mut reader = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
    let mut output = vec![0; line.len() + 1];
    let mut fields = Vec::new();
    let mut ends = [0; 64];
    let (mut input, mut written, mut start) = (line, 0, 0);
    // Field ends count from the start of the record, also when it takes several calls.
    loop {
        let free = output.get_mut(written..).unwrap_or_default();
        let (result, read, wrote, ended) = reader.read_record(input, free, &mut ends);
        written += wrote;
        for end in ends.iter().take(ended) {
            fields.push(output.get(start..*end).unwrap_or_default().to_vec());
            start = *end;
        }
        input = input.get(read..).unwrap_or_default();
        match result {
            // With no input left the next call says that the record has ended.
            ReadRecordResult::InputEmpty | ReadRecordResult::OutputEndsFull => {}
            ReadRecordResult::OutputFull | ReadRecordResult::Record | ReadRecordResult::End => return fields,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
            assert_eq!(standard().decode(line.as_bytes()), Ok(ROW), "{line}");
        }
    }

    #[test]
    fn columns_are_taken_from_their_places() {
        let mut shuffled = decoder([Some(2), Some(5), Some(4), Some(3), Some(6), None]);
        let expected = Row { values: [1.5, 2.0, 0.5, 1.25, 0.0], ..ROW };
        for line in ["a,b,2022-01-01,0.5,2,1.5,1.25", "\"a,b\",,2022-01-01,0.5,2,1.5,1.25,x"] {
            assert_eq!(shuffled.decode(line.as_bytes()), Ok(expected), "{line}");
        }
    }

    #[test]
    fn an_empty_volume_is_unknown() {
        let row = standard().decode(b"2022-01-01,1.5,2,0.5,1.25,").unwrap();
        assert_eq!(row.values, [1.5, 2.0, 0.5, 1.25, 0.0]);
    }

    #[test]
    fn a_fault_names_the_column_and_keeps_the_time() {
        let time = Some(ROW.time);
        let fault = |column, found: &str| {
            let content = if column == 0 { Content::Time } else { Content::Value(column - 1) };
            Err(RowFault { content, column, found: found.to_owned(), time: time.filter(|_| column > 0) })
        };
        assert_eq!(standard().decode(b"2022-01-01,1.5,2,?,1.25,1"), fault(3, "?"));
        assert_eq!(standard().decode(b"2022-01-01,1.5,2"), fault(3, ""));
        assert_eq!(standard().decode(b"2022-01-01,1.5,,0.5,1.25,1"), fault(2, ""));
        assert_eq!(standard().decode(b"never,1.5,2,0.5,1.25,1"), fault(0, "never"));
    }

    #[test]
    fn wide_lines_are_split() {
        let line = vec!["x"; 500].join(",");
        assert_eq!(split_fields(line.as_bytes(), b',').len(), 500);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(line in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = standard().decode(&line);
            let _ = decoder([Some(3), Some(1), Some(2), Some(7), Some(4), None]).decode(&line);
        }

        #[test]
        fn nearly_valid_lines_never_panic(line in "[0-9]{4}-01-01[ T]?[0-9:.]{0,10}[,\"0-9.eE+-]{0,40}") {
            let _ = standard().decode(line.as_bytes());
        }
    }
}
