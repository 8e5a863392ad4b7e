//! From the configuration to the market: its feeds, and the instruments that they speak of.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use bulkhead_configuration::{Configuration, FeedSource};
use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::instrument::Instrument;
use bulkhead_feeds::Feed;
use bulkhead_feeds::csv::{CsvFeed, CsvSettings, Inspection, inspect, symbol_of};
use bulkhead_feeds::merge::MergedFeed;
use bulkhead_feeds::simulator::{Simulator, SimulatorSettings};

/// Quantities of files' instruments may have this many decimals, unless the configuration says otherwise.
const QUANTITY_DECIMALS: u32 = 8;

/// Their prices lie on a grid at least as fine as this many decimals.
const LEAST_PRICE_DECIMALS: u32 = 2;

/// What the market is: where its inputs come from, and what they speak of.
pub(crate) struct MarketData {
    source: Source,
    pub(crate) instruments: Vec<Instrument>,
    pub(crate) files: Vec<Inspection>,
    /// The same text means the same inputs from the first on, so that a run can go on where it ended.
    pub(crate) identity: String,
}

enum Source {
    Simulator(SimulatorSettings),
    Files(Vec<(PathBuf, CsvSettings)>),
}

impl MarketData {
    /// Looks at what the configuration names.
    pub(crate) fn open(configuration: &Configuration) -> Result<Self> {
        match configuration.feed.source {
            FeedSource::Simulator => {
                let settings = configuration.simulator.clone();
                let instruments = settings.instruments();
                let identity = format!("simulator {}", serde_json::to_string(&settings)?);
                Ok(Self { source: Source::Simulator(settings), instruments, files: Vec::new(), identity })
            }
            FeedSource::Csv => Self::files(configuration),
        }
    }

    fn files(configuration: &Configuration) -> Result<Self> {
        let (mut instruments, mut files) = (Vec::<Instrument>::new(), Vec::<Inspection>::new());
        let mut sources = Vec::new();
        for (place, argument) in (0..).zip(&configuration.feed.files) {
            let (symbol, path) = named_file(argument);
            let settings = CsvSettings {
                instrument: InstrumentId(place),
                symbol,
                interval: None,
                quality: configuration.feed.quality.clone(),
            };
            let inspection = inspect(&path, &settings)?;
            let known = instruments.iter().any(|instrument| instrument.symbol == inspection.symbol);
            anyhow::ensure!(
                !known,
                "{}: the symbol {} is taken by another file; name it as in --data OTHER={}",
                path.display(),
                inspection.symbol,
                path.display()
            );
            // Files with round prices would otherwise round every fill to a whole unit.
            let decimals = inspection.price_decimals.max(LEAST_PRICE_DECIMALS);
            instruments.push(Instrument::new(&inspection.symbol, decimals, QUANTITY_DECIMALS));
            files.push(inspection);
            sources.push((path, settings));
        }
        let quality = serde_json::to_string(&configuration.feed.quality)?;
        let named = files.iter().map(|file| format!("{} {}", file.symbol, file.sha256));
        let identity = format!("files {}, quality {quality}", named.collect::<Vec<_>>().join(", "));
        Ok(Self { source: Source::Files(sources), instruments, files, identity })
    }

    /// The market from its first input on. Each feed is read by itself: nobody waits for another reader.
    pub(crate) fn feed(&self) -> Result<Box<dyn Feed + Send>> {
        match &self.source {
            Source::Simulator(settings) => Ok(Box::new(Simulator::new(settings)?)),
            Source::Files(files) => {
                let mut feeds: Vec<Box<dyn Feed + Send>> = Vec::new();
                for (path, settings) in files {
                    feeds.push(Box::new(CsvFeed::open(path, settings)?));
                }
                Ok(match feeds.len() {
                    1 => feeds.remove(0),
                    _ => Box::new(MergedFeed::new(feeds)),
                })
            }
        }
    }
}

/// `SYMBOL=FILE`, or a file whose name says the symbol. A name with `=` that exists is a file.
fn named_file(argument: &str) -> (Option<String>, PathBuf) {
    match argument.split_once('=') {
        Some((symbol, path)) if !symbol.is_empty() && !Path::new(argument).exists() => {
            (Some(symbol.to_owned()), PathBuf::from(path))
        }
        _ => (Some(symbol_of(Path::new(argument))), PathBuf::from(argument)),
    }
}

/// Reads a file, or says which and why not.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{} can't be read", path.display()))
}
