use std::io::{self, Write};

use bulkhead_core::market::Bar;

use crate::text_time::moment;

/// Writes bars as a file that [`super::CsvFeed`] reads back to the same bits, and returns how many. All should
/// be of one instrument, which the file does not name.
///
/// # Errors
/// Those of the writer.
pub fn write_bars(mut writer: impl Write, bars: impl IntoIterator<Item = Bar>) -> io::Result<u64> {
    writeln!(writer, "timestamp,open,high,low,close,volume")?;
    let mut count = 0;
    for Bar { open_time, open, high, low, close, volume, .. } in bars {
        // The shortest text that reads back as the same number.
        writeln!(writer, "{},{open},{high},{low},{close},{volume}", moment(open_time))?;
        count += 1;
    }
    writer.flush()?;
    Ok(count)
}
