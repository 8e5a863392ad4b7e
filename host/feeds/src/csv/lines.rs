//! Lines of a file through one buffer of fixed size.

use std::io::{self, Read};

use memchr::memchr;

/// Bytes read at a time.
const BUFFER: usize = 256 * 1024;

/// The mark that some programs put before UTF-8 text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A line without its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    /// The line and what follows it in the buffer: a reader that takes several bytes at once need not stop
    /// for the end.
    with_rest: &'a [u8],
    length: usize,
}

impl<'a> Line<'a> {
    pub(super) fn text(self) -> &'a [u8] {
        self.with_rest.get(..self.length).unwrap_or_default()
    }

    pub(super) const fn with_rest(self) -> &'a [u8] {
        self.with_rest
    }

    pub(super) const fn length(self) -> usize {
        self.length
    }
}

impl<'a> From<&'a [u8]> for Line<'a> {
    fn from(text: &'a [u8]) -> Self {
        Self { with_rest: text, length: text.len() }
    }
}

/// Hands out lines without their ends (`\n` or `\r\n`). Blank lines are passed over; memory stays the same
/// however long the file is.
#[derive(Debug)]
pub(super) struct Lines<R> {
    source: R,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    line: u64,
    consumed: u64,
    source_ended: bool,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(source: R) -> Self {
        Self::with_buffer(source, BUFFER)
    }

    fn with_buffer(source: R, size: usize) -> Self {
        let buffer = vec![0; size].into_boxed_slice();
        Self { source, buffer, start: 0, end: 0, line: 0, consumed: 0, source_ended: false }
    }

    /// The number of the line handed out last, from 1.
    pub(super) const fn line(&self) -> u64 {
        self.line
    }

    /// Bytes handed out so far, line ends included.
    pub(super) const fn consumed(&self) -> u64 {
        self.consumed
    }

    /// The source, of which part may be in the buffer.
    pub(super) fn into_source(self) -> R {
        self.source
    }

    /// The next line that is not blank.
    ///
    /// # Errors
    /// When the source can't be read, or when a line is longer than the buffer.
    #[inline]
    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        let (from, to) = loop {
            let Some((from, to)) = self.next_range()? else { return Ok(None) };
            if from < to {
                break (from, to);
            }
        };
        let with_rest = self.buffer.get(from..self.end).unwrap_or_default();
        Ok(Some(Line { with_rest, length: to - from }))
    }

    #[inline]
    fn next_range(&mut self) -> io::Result<Option<(usize, usize)>> {
        let mut searched = 0;
        loop {
            let held = self.buffer.get(self.start..self.end).unwrap_or_default();
            if let Some(at) = held.get(searched..).and_then(|rest| memchr(b'\n', rest)) {
                return Ok(Some(self.take(searched + at, 1)));
            }
            searched = held.len();
            if self.source_ended {
                return Ok((searched > 0).then(|| self.take(searched, 0)));
            }
            self.refill()?;
        }
    }

    /// Consumes `length` bytes and the end of the line, and gives the place of the line itself.
    #[inline]
    fn take(&mut self, length: usize, end_length: usize) -> (usize, usize) {
        let mut from = self.start;
        let mut to = from + length;
        self.start = to + end_length;
        self.consumed += (length + end_length) as u64;
        self.line += 1;
        let text = self.buffer.get(from..to).unwrap_or_default();
        if text.last() == Some(&b'\r') {
            to -= 1;
        }
        if self.line == 1 && text.starts_with(BYTE_ORDER_MARK) {
            from += BYTE_ORDER_MARK.len();
        }
        (from, to)
    }

    #[cold]
    fn refill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let free = self.buffer.get_mut(self.end..).unwrap_or_default();
        if free.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("line {} is longer than {} bytes: this is no table of bars", self.line + 1, self.end),
            ));
        }
        let read = loop {
            match self.source.read(free) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result?,
            }
        };
        self.end += read;
        self.source_ended = read == 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, size: usize) -> io::Result<Vec<(u64, String)>> {
        let mut lines = Lines::with_buffer(text.as_bytes(), size);
        let mut out = Vec::new();
        while let Some(line) = lines.next()? {
            let line = String::from_utf8_lossy(line.text()).into_owned();
            out.push((lines.line(), line));
        }
        assert_eq!(lines.consumed(), text.len() as u64);
        Ok(out)
    }

    #[test]
    fn line_ends_blank_lines_and_the_byte_order_mark_are_dropped() {
        let text = "\u{feff}one\r\n\r\n\ntwo\nthree";
        let expected = [(1, "one"), (4, "two"), (5, "three")].map(|(line, text)| (line, text.to_owned()));
        for size in [10, 11, 16, 1_000] {
            assert_eq!(read(text, size).unwrap(), expected, "buffer of {size}");
        }
        assert_eq!(read("", 8).unwrap(), []);
    }

    #[test]
    fn a_line_beyond_the_buffer_is_an_error_and_not_more_memory() {
        let message = read("short\na line too long\n", 8).unwrap_err().to_string();
        assert_eq!(message, "line 2 is longer than 8 bytes: this is no table of bars");
    }
}
