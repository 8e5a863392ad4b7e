//! From the configuration to the market: its feeds, and the instruments that they speak of.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result};
use bulkhead_configuration::{Configuration, FeedSource, LEADERS, Layers, SolanaToken};
use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::input::Input;
use bulkhead_core::instrument::Instrument;
use bulkhead_core::time::Timestamp;
use bulkhead_feeds::Feed;
use bulkhead_feeds::csv::{CsvFeed, CsvSettings, Inspection, inspect, symbol_of};
use bulkhead_feeds::live::{Inlet, LiveFeed};
use bulkhead_feeds::merge::MergedFeed;
use bulkhead_feeds::simulator::{Simulator, SimulatorSettings};

use crate::arguments::{PastMarketArguments, WrongUsage};

/// Quantities of files' instruments may have this many decimals, unless the configuration says otherwise.
const QUANTITY_DECIMALS: u32 = 8;

/// Their prices lie on a grid at least as fine as this many decimals.
const LEAST_PRICE_DECIMALS: u32 = 2;

/// Prices in pools have no grid; this one is finer than what a trade can be had for.
const POOL_PRICE_DECIMALS: u32 = 8;

/// The signal of pools that come to be.
const NEW_POOL: &str = "new-pool";

/// Digits behind the point of SOL.
const NATIVE_DECIMALS: u8 = 9;

/// How it goes to ask for what happens now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Asking {
    /// The time of the newest block that was read, or of the newest price.
    pub(crate) newest: Option<Timestamp>,
    /// How often it failed.
    pub(crate) failures: u64,
    /// Why it failed last; `None` when it went well. No address of a server is in it.
    pub(crate) failing: Option<String>,
}

/// Looks how it goes.
type LookAtAsking = Box<dyn Fn() -> Asking + Send + Sync>;

/// What the market is: where its inputs come from, and what they speak of.
pub(crate) struct MarketData {
    source: Source,
    pub(crate) instruments: Vec<Instrument>,
    /// What signals there can be, whoever they are of at the moment.
    pub(crate) signals: Vec<String>,
    pub(crate) files: Vec<Inspection>,
    /// The same text means the same inputs from the first on, so that a run can go on where it ended.
    pub(crate) identity: String,
}

enum Source {
    Simulator(SimulatorSettings),
    Files(Vec<(PathBuf, CsvSettings)>),
    Chain(Inlets),
}

/// Those who are told what happens now.
#[derive(Default)]
struct Inlets(Mutex<Readers>);

#[derive(Default)]
struct Readers {
    inlets: Vec<Inlet>,
    /// Whether anybody has begun to read. Accounts take a while to open.
    any: bool,
    /// How it goes, once it was begun.
    asking: Option<LookAtAsking>,
}

impl Inlets {
    fn lock(&self) -> MutexGuard<'_, Readers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MarketData {
    /// Looks at what the configuration names.
    pub(crate) fn open(configuration: &Configuration) -> Result<Self> {
        match configuration.feed.source {
            FeedSource::Simulator => {
                let settings = configuration.simulator.clone();
                let instruments = settings.instruments();
                let identity = format!("simulator {}", serde_json::to_string(&settings)?);
                Ok(Self {
                    source: Source::Simulator(settings),
                    instruments,
                    signals: Vec::new(),
                    files: Vec::new(),
                    identity,
                })
            }
            FeedSource::Csv => Self::files(configuration),
            FeedSource::Pools => Self::pools(configuration),
            FeedSource::Quotes => Self::quotes(configuration),
        }
    }

    /// What is traded on a chain, as its pools are now.
    fn pools(configuration: &Configuration) -> Result<Self> {
        let evm = configuration.evm.as_ref().context("the section [evm] is missing")?;
        let mut instruments = Vec::new();
        let mut pools = Vec::new();
        for (symbol, market) in &evm.markets {
            let base = evm.tokens.get(&market.base).context("the base token is not among evm.tokens")?;
            let decimals = u32::from(base.decimals).min(QUANTITY_DECIMALS);
            instruments.push(Instrument::new(symbol, POOL_PRICE_DECIMALS, decimals));
            pools.push(format!("{symbol} {}", market.pool.address.to_lowercase()));
        }
        let identity = format!(
            "pools on chain {}: {}, bars of {}",
            evm.chain_id,
            pools.join(", "),
            configuration.feed.interval.0
        );
        Ok(Self {
            source: Source::Chain(Inlets::default()),
            instruments,
            signals: vec![NEW_POOL.to_owned()],
            files: Vec::new(),
            identity,
        })
    }

    /// What is traded on Solana, as the aggregator quotes it now.
    fn quotes(configuration: &Configuration) -> Result<Self> {
        let solana = configuration.solana.as_ref().context("the section [solana] is missing")?;
        let (mut instruments, mut markets) = (Vec::new(), Vec::new());
        for (symbol, market) in &solana.markets {
            let base =
                solana.tokens.get(&market.base).context("the base token is not among solana.tokens")?;
            let decimals = u32::from(base.decimals.unwrap_or(NATIVE_DECIMALS)).min(QUANTITY_DECIMALS);
            instruments.push(Instrument::new(symbol, POOL_PRICE_DECIMALS, decimals));
            let named = |token: &SolanaToken| {
                let mint = token.mint.as_deref().unwrap_or("SOL");
                format!("{mint} of {} digits", token.decimals.unwrap_or(NATIVE_DECIMALS))
            };
            let currency =
                solana.tokens.get(&solana.currency).context("the currency is not among solana.tokens")?;
            markets.push(format!("{symbol} {} for {}", named(base), named(currency)));
        }
        let leaders = (1..=LEADERS).map(|leader| format!("wallet:{leader}"));
        let signals = leaders.chain([NEW_POOL.to_owned()]).collect();
        let identity = format!(
            "quotes on cluster {}: {}, bars of {}",
            solana.genesis_hash(),
            markets.join(", "),
            configuration.feed.interval.0
        );
        Ok(Self {
            source: Source::Chain(Inlets::default()),
            instruments,
            signals,
            files: Vec::new(),
            identity,
        })
    }

    /// Hands what happened to everybody who reads; whether anybody does, or may begin to.
    #[cfg_attr(not(feature = "evm"), expect(dead_code, reason = "only chains tell what happens now"))]
    pub(crate) fn hand_in(&self, inputs: &[Input]) -> bool {
        let Source::Chain(readers) = &self.source else { return false };
        let Readers { inlets, any, .. } = &mut *readers.lock();
        inlets.retain(|inlet| inputs.iter().all(|input| inlet.send(input.clone()).is_ok()));
        !inlets.is_empty() || !*any
    }

    /// Who hands in says where to look how that goes.
    #[cfg_attr(not(feature = "evm"), expect(dead_code, reason = "only chains tell what happens now"))]
    pub(crate) fn asked_by(&self, look: impl Fn() -> Asking + Send + Sync + 'static) {
        if let Source::Chain(readers) = &self.source {
            readers.lock().asking = Some(Box::new(look));
        }
    }

    /// How it goes to ask for what happens now; `None` where nobody is asked, and before it was begun.
    pub(crate) fn asking(&self) -> Option<Asking> {
        let Source::Chain(readers) = &self.source else { return None };
        readers.lock().asking.as_ref().map(|look| look())
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
        Ok(Self { source: Source::Files(sources), instruments, signals: Vec::new(), files, identity })
    }

    /// The market from its first input on. Each feed is read by itself: nobody waits for another reader.
    pub(crate) fn feed(&self) -> Result<Box<dyn Feed + Send>> {
        match &self.source {
            Source::Simulator(settings) => Ok(Box::new(Simulator::new(settings)?)),
            Source::Chain(readers) => {
                let (inlet, feed) = LiveFeed::new();
                let mut readers = readers.lock();
                readers.inlets.push(inlet);
                readers.any = true;
                Ok(Box::new(feed))
            }
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

    /// Says what of a feed that has ended was bad.
    pub(crate) fn tell_of_quality(&self, feed: &dyn Feed) {
        for (instrument, counters) in feed.quality() {
            if !counters.is_clean() {
                let symbol = usize::try_from(instrument.0).ok().and_then(|place| self.instruments.get(place));
                let symbol = symbol.map_or("?", |instrument| &instrument.symbol);
                anstream::eprintln!(
                    "note: {symbol}: {} rows left out, {} mended, {} bars missing in {} gaps; [feed.quality] \
                     decides what becomes of them",
                    counters.skipped,
                    counters.repaired,
                    counters.missing,
                    counters.gap
                );
            }
        }
    }
}

/// The configuration with a market that has an end: files, or the simulator for so long.
pub(crate) fn past(mut layers: Layers, market: &PastMarketArguments) -> Result<Configuration> {
    let Some(time) = market.simulate else {
        let files = market.data.iter().map(|file| toml::Value::String(file.clone())).collect();
        let mut feed = toml::Table::new();
        feed.insert("source".to_owned(), toml::Value::String("csv".to_owned()));
        feed.insert("files".to_owned(), toml::Value::Array(files));
        layers.add(toml::Table::from_iter([("feed".to_owned(), toml::Value::Table(feed))]), "--data");
        return Ok(layers.read()?);
    };
    layers.set("feed.source", "simulator", "--simulate");
    let mut configuration = layers.read()?;
    let step = u128::try_from(configuration.simulator.step.nanos()).unwrap_or(0);
    let steps = time.as_nanos().checked_div(step).and_then(|steps| u64::try_from(steps).ok());
    let steps = steps.filter(|steps| *steps > 0).ok_or_else(|| {
        WrongUsage(format!(
            "--simulate: a time longer than simulator.step, {}, is expected",
            configuration.simulator.step
        ))
    })?;
    configuration.simulator.steps = Some(steps);
    if let Some(seed) = market.seed {
        configuration.simulator.seed = seed;
    }
    Ok(configuration)
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
