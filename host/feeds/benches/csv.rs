//! Rows a second from a file to engine inputs, and what the same costs with the `csv` crate and the standard
//! library's number parser. Items in the output are rows.

use std::io::Write as _;
use std::path::Path;

use bulkhead_feeds::Feed as _;
use bulkhead_feeds::csv::{CsvFeed, CsvSettings, inspect};
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};

const ROWS: u64 = 500_000;

fn main() {
    divan::main();
}

/// A file like those of exchanges: ISO times with microseconds, prices with one decimal.
fn write_file() -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    let mut writer = std::io::BufWriter::new(&mut file);
    writeln!(writer, "timestamp,open,high,low,close,volume").expect("the file can be written");
    for row in 0..ROWS {
        let (days, minutes) = (row / 1_440, row % 1_440);
        let (month, day) = (days / 28 % 12 + 1, days % 28 + 1);
        let price = 40_000 + row * 7_919 % 10_000;
        writeln!(
            writer,
            "{}-{month:02}-{day:02} {:02}:{:02}:00.000000,{price}.0,{}.0,{}.5,{price}.5,{}.{:04}",
            2_021 + days / 336,
            minutes / 60,
            minutes % 60,
            price + 20,
            price - 15,
            row * 104_729 % 3_000_000,
            row % 10_000,
        )
        .expect("the file can be written");
    }
    writer.flush().expect("the file can be written");
    drop(writer);
    file
}

fn bench(bencher: Bencher<'_, '_>, run: impl Fn(&Path) -> u64 + Sync) {
    let file = write_file();
    let bytes = file.as_file().metadata().expect("the file is there").len();
    bencher
        .counter(ItemsCount::new(ROWS))
        .counter(BytesCount::new(bytes))
        .bench(|| assert_eq!(run(file.path()), ROWS));
}

/// The feed as backtests use it, in batches of 1,024.
#[divan::bench(sample_count = 20)]
fn feed(bencher: Bencher<'_, '_>) {
    bench(bencher, |path| {
        let mut feed = CsvFeed::open(path, &CsvSettings::default()).expect("the file is good");
        let mut batch = Vec::new();
        let mut rows = 0;
        loop {
            batch.clear();
            match feed.next_batch(&mut batch, 1_024).expect("the file is good") {
                0 => return rows,
                count => rows += count as u64,
            }
            divan::black_box(&batch);
        }
    });
}

/// Hash, decimals and row count of the whole file.
#[divan::bench(sample_count = 20)]
fn inspection(bencher: Bencher<'_, '_>) {
    bench(bencher, |path| inspect(path, &CsvSettings::default()).expect("the file is good").rows);
}

/// What it is measured against: the general reader, without looking at the time column.
#[divan::bench(sample_count = 20)]
fn csv_crate_and_standard_parser(bencher: Bencher<'_, '_>) {
    bench(bencher, |path| {
        let mut reader = csv::Reader::from_path(path).expect("the file is there");
        let mut record = csv::ByteRecord::new();
        let mut rows = 0;
        while reader.read_byte_record(&mut record).expect("the file is good") {
            for field in record.iter().skip(1) {
                let text = std::str::from_utf8(field).expect("the file is good");
                divan::black_box(text.parse::<f64>().expect("the file is good"));
            }
            rows += 1;
        }
        rows
    });
}
