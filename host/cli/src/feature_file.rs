//! Features as a Parquet file: one row a bar and instrument. The same rows give the same bytes.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use bulkhead_ai_features::{FEATURES, Row, schema};
use bulkhead_core::market::Bar;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use sha2::{Digest as _, Sha256};

/// Rows that are kept in memory before they are written: some 7 MB.
const GROUP_ROWS: usize = 16_384;

/// Bars, their features, and whether these are ready.
///
/// It is written beside its place and put there when it is whole.
pub(crate) struct FeatureFile {
    path: PathBuf,
    partial: PathBuf,
    writer: SerializedFileWriter<Hashing>,
    digest: Arc<Mutex<Sha256>>,
    symbols: Vec<ByteArray>,
    group: Group,
}

/// The rows of a group, column by column.
#[derive(Default)]
struct Group {
    time: Vec<i64>,
    symbol: Vec<ByteArray>,
    /// Open, high, low, close, volume.
    bars: [Vec<f64>; 5],
    ready: Vec<bool>,
    features: Vec<Vec<f32>>,
}

impl FeatureFile {
    /// Begins a file. `data` says what the rows are computed from; `symbols` names the instruments by place.
    pub(crate) fn create(path: &Path, symbols: Vec<String>, data: &str) -> Result<Self> {
        let partial = path.with_added_extension("partial");
        let file = File::create(&partial).with_context(|| format!("{} can't be written", path.display()))?;
        let digest = Arc::new(Mutex::new(Sha256::new()));
        let output = Hashing { file, digest: Arc::clone(&digest) };
        let columns = Arc::new(parse_message_type(&columns())?);
        let properties = Arc::new(properties(data)?);
        Ok(Self {
            path: path.to_owned(),
            partial,
            writer: SerializedFileWriter::new(output, columns, properties)?,
            digest,
            symbols: symbols.into_iter().map(|symbol| ByteArray::from(symbol.into_bytes())).collect(),
            group: Group { features: vec![Vec::new(); FEATURES.len()], ..Group::default() },
        })
    }

    /// Adds a row.
    pub(crate) fn add(&mut self, instrument: usize, bar: &Bar, is_ready: bool, row: &Row) -> Result<()> {
        let group = &mut self.group;
        group.time.push(bar.open_time.nanos());
        group.symbol.push(self.symbols.get(instrument).context("an instrument has no symbol")?.clone());
        let values = [bar.open, bar.high, bar.low, bar.close, bar.volume];
        for (column, value) in group.bars.iter_mut().zip(values) {
            column.push(value);
        }
        group.ready.push(is_ready);
        for (column, value) in group.features.iter_mut().zip(row.values()) {
            column.push(*value);
        }
        if group.time.len() >= GROUP_ROWS { self.write_group() } else { Ok(()) }
    }

    fn write_group(&mut self) -> Result<()> {
        let written = self.group.write(&mut self.writer);
        written.with_context(|| format!("{} can't be written", self.path.display()))
    }

    /// Writes what is left and puts the file where it belongs. Gives its SHA-256.
    pub(crate) fn finish(mut self) -> Result<String> {
        let done = self.write_group().and_then(|()| self.close());
        if done.is_err() {
            self.abandon();
        }
        done
    }

    fn close(&mut self) -> Result<String> {
        self.writer
            .finish()
            .map_err(anyhow::Error::from)
            .and_then(|_| Ok(self.writer.inner().file.sync_all()?))
            .with_context(|| format!("{} can't be written", self.path.display()))?;
        std::fs::rename(&self.partial, &self.path)
            .with_context(|| format!("{} can't be written", self.path.display()))?;
        let digest = self.digest.lock().unwrap_or_else(PoisonError::into_inner).clone().finalize();
        Ok(digest.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        }))
    }

    /// Leaves nothing of a file that did not become whole.
    pub(crate) fn abandon(&self) {
        // The error that led here says more.
        let _ = std::fs::remove_file(&self.partial);
    }
}

impl Group {
    /// Writes all rows and forgets them.
    fn write(&mut self, writer: &mut SerializedFileWriter<Hashing>) -> parquet::errors::Result<()> {
        if self.time.is_empty() {
            return Ok(());
        }
        let mut rows = writer.next_row_group()?;
        write_column::<Int64Type>(&mut rows, &mut self.time)?;
        write_column::<ByteArrayType>(&mut rows, &mut self.symbol)?;
        for column in &mut self.bars {
            write_column::<DoubleType>(&mut rows, column)?;
        }
        write_column::<BoolType>(&mut rows, &mut self.ready)?;
        for column in &mut self.features {
            write_column::<FloatType>(&mut rows, column)?;
        }
        rows.close()?;
        Ok(())
    }
}

/// Writes a group's column and empties it.
fn write_column<T: DataType>(
    rows: &mut SerializedRowGroupWriter<'_, Hashing>,
    values: &mut Vec<T::T>,
) -> parquet::errors::Result<()> {
    let missing =
        || parquet::errors::ParquetError::General("there are more columns than were announced".to_owned());
    let mut column = rows.next_column()?.ok_or_else(missing)?;
    column.typed::<T>().write_batch(values, None, None)?;
    column.close()?;
    values.clear();
    Ok(())
}

fn columns() -> String {
    let mut text = String::from(
        "message features { required int64 time (TIMESTAMP(NANOS,true)); required binary symbol (STRING); ",
    );
    for name in ["open", "high", "low", "close", "volume"] {
        let _ = write!(text, "required double {name}; ");
    }
    text.push_str("required boolean ready; ");
    for feature in FEATURES {
        let _ = write!(text, "required float {}; ", feature.name);
    }
    text.push('}');
    text
}

fn properties(data: &str) -> Result<WriterProperties> {
    let definitions: Vec<_> = FEATURES
        .iter()
        .map(|feature| {
            serde_json::json!({
                "name": feature.name, "definition": feature.definition, "neutral": feature.neutral,
            })
        })
        .collect();
    let metadata = [
        ("bulkhead.features", schema()),
        ("bulkhead.definitions", serde_json::to_string(&definitions)?),
        ("bulkhead.data", data.to_owned()),
    ];
    Ok(WriterProperties::builder()
        // No version of a library, so that the bytes change with the contents alone.
        .set_created_by("bulkhead".to_owned())
        .set_key_value_metadata(Some(
            metadata.map(|(key, value)| KeyValue::new(key.to_owned(), value)).to_vec(),
        ))
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_dictionary_enabled(false)
        .set_column_dictionary_enabled("symbol".into(), true)
        .set_encoding(Encoding::PLAIN)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .build())
}

/// A file whose bytes are hashed as they are written.
struct Hashing {
    file: File,
    digest: Arc<Mutex<Sha256>>,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        let mut digest = self.digest.lock().unwrap_or_else(PoisonError::into_inner);
        digest.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
