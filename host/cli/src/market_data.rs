//! From the configuration to a feed and the instruments that it speaks of.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use bulkhead_configuration::{Configuration, FeedSource};
use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::instrument::Instrument;
use bulkhead_feeds::Feed;
use bulkhead_feeds::csv::{CsvFeed, CsvSettings, Inspection, inspect, symbol_of};
use bulkhead_feeds::merge::MergedFeed;
use bulkhead_feeds::simulator::Simulator;

/// Quantities of files' instruments may have this many decimals, unless the configuration says otherwise.
const QUANTITY_DECIMALS: u32 = 8;

/// Their prices lie on a grid at least as fine as this many decimals.
const LEAST_PRICE_DECIMALS: u32 = 2;

/// A feed, and what it speaks of.
pub(crate) struct MarketData {
    pub(crate) feed: Box<dyn Feed + Send>,
    pub(crate) instruments: Vec<Instrument>,
    pub(crate) files: Vec<Inspection>,
    /// The same text means the same inputs from the first on, so that a run can go on where it ended.
    pub(crate) identity: String,
}

impl MarketData {
    /// Opens what the configuration names.
    pub(crate) fn open(configuration: &Configuration) -> Result<Self> {
        match configuration.feed.source {
            FeedSource::Simulator => {
                let feed = Simulator::new(&configuration.simulator)?;
                let instruments = configuration.simulator.instruments();
                let identity = format!("simulator {}", serde_json::to_string(&configuration.simulator)?);
                Ok(Self { feed: Box::new(feed), instruments, files: Vec::new(), identity })
            }
            FeedSource::Csv => Self::files(configuration),
        }
    }

    fn files(configuration: &Configuration) -> Result<Self> {
        let mut data = Self {
            feed: Box::new(MergedFeed::new(Vec::new())),
            instruments: Vec::new(),
            files: Vec::new(),
            identity: String::new(),
        };
        let mut feeds: Vec<Box<dyn Feed + Send>> = Vec::new();
        for (place, argument) in (0..).zip(&configuration.feed.files) {
            let (symbol, path) = named_file(argument);
            let settings = CsvSettings {
                instrument: InstrumentId(place),
                symbol,
                interval: None,
                quality: configuration.feed.quality.clone(),
            };
            let inspection = inspect(&path, &settings)?;
            let known = data.instruments.iter().any(|instrument| instrument.symbol == inspection.symbol);
            anyhow::ensure!(
                !known,
                "{}: the symbol {} is taken by another file; name it as in --data OTHER={}",
                path.display(),
                inspection.symbol,
                path.display()
            );
            // Files with round prices would otherwise round every fill to a whole unit.
            let decimals = inspection.price_decimals.max(LEAST_PRICE_DECIMALS);
            let instrument = Instrument::new(&inspection.symbol, decimals, QUANTITY_DECIMALS);
            data.instruments.push(instrument);
            data.files.push(inspection);
            feeds.push(Box::new(CsvFeed::open(&path, &settings)?));
        }
        let quality = serde_json::to_string(&configuration.feed.quality)?;
        let files = data.files.iter().map(|file| format!("{} {}", file.symbol, file.sha256));
        data.identity = format!("files {}, quality {quality}", files.collect::<Vec<_>>().join(", "));
        data.feed = match feeds.len() {
            1 => feeds.remove(0),
            _ => Box::new(MergedFeed::new(feeds)),
        };
        Ok(data)
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
