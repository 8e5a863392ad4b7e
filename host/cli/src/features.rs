//! `bulkhead features`: what the AI strategy's models see, for training. The strategy's own code computes it.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use bulkhead_ai_features::{BAR_SECONDS, COUNT, Extractor, schema};
use bulkhead_core::input::{Input, InputKind};
use bulkhead_core::market;
use bulkhead_core::time::{Span, Timestamp};
use bulkhead_sdk as sdk;
use serde::Serialize;

use crate::arguments::FeaturesArguments;
use crate::configuration;
use crate::feature_file::FeatureFile;
use crate::market_data::{self, MarketData};
use crate::playing;

/// Computes and writes the features of a market.
pub(crate) fn features(arguments: &FeaturesArguments) -> Result<()> {
    let layers = configuration::layers(&arguments.configuration, None)?;
    let configuration = market_data::past(layers, &arguments.market)?;
    let data = MarketData::open(&configuration)?;
    check_bar_length(&data, configuration.simulator.step)?;
    let symbols = data.instruments.iter().map(|instrument| instrument.symbol.clone()).collect();
    let mut file = FeatureFile::create(&arguments.out, symbols, &data.identity)?;
    let result = Export::new(&data).play(&data, &mut file);
    let (instruments, skipped) = match result {
        Ok(done) => done,
        Err(error) => {
            file.abandon();
            return Err(error);
        }
    };
    if skipped > 0 {
        anstream::eprintln!(
            "note: {skipped} bars left out, whose prices or times are none that features have"
        );
    }
    let sha256 = file.finish()?;
    let written = Written {
        file: &arguments.out,
        sha256,
        schema: schema(),
        features: COUNT,
        rows: instruments.iter().map(|instrument| instrument.rows).sum(),
        ready: instruments.iter().map(|instrument| instrument.ready).sum(),
        instruments,
    };
    written.print(arguments.json)
}

/// Features are of one-minute bars. Of shorter or longer ones they would be something else under the same names.
fn check_bar_length(data: &MarketData, step: Span) -> Result<()> {
    let wanted = Span::from_seconds(i64::from(BAR_SECONDS));
    for file in &data.files {
        ensure!(
            file.interval == wanted,
            "{}: the file has bars of {}; features are computed from bars of {wanted}",
            file.symbol,
            file.interval
        );
    }
    ensure!(
        !data.files.is_empty() || step == wanted,
        "simulator.step is {step}; features are computed from bars of {wanted}"
    );
    Ok(())
}

/// What was written, for people and programs.
#[derive(Serialize)]
struct Written<'a> {
    file: &'a Path,
    sha256: String,
    schema: String,
    features: usize,
    rows: u64,
    ready: u64,
    instruments: Vec<InstrumentRows>,
}

/// What was written of an instrument.
#[derive(Debug, Clone, Default, Serialize)]
struct InstrumentRows {
    symbol: String,
    rows: u64,
    /// Rows with every window full.
    ready: u64,
    /// Opening of the first and the last bar, in nanoseconds since 1970.
    first: Option<i64>,
    last: Option<i64>,
}

impl Written<'_> {
    fn print(&self, as_json: bool) -> Result<()> {
        if as_json {
            anstream::println!("{}", serde_json::to_string_pretty(self)?);
            return Ok(());
        }
        let mut table = comfy_table::Table::new();
        table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY).set_header([
            "Instrument",
            "Rows",
            "Ready",
            "From",
            "To",
        ]);
        let time = |nanos: Option<i64>| {
            nanos.map_or_else(String::new, |nanos| {
                jiff::Timestamp::from_nanosecond(nanos.into())
                    .map_or_else(|_| nanos.to_string(), |time| time.to_string())
            })
        };
        for of in &self.instruments {
            table.add_row([
                of.symbol.clone(),
                of.rows.to_string(),
                of.ready.to_string(),
                time(of.first),
                time(of.last),
            ]);
        }
        anstream::println!("{table}");
        anstream::println!("{} features, schema {}", self.features, self.schema);
        anstream::println!("written: {}, SHA-256 {}", self.file.display(), self.sha256);
        Ok(())
    }
}

struct Export {
    extractor: Extractor,
    instruments: Vec<InstrumentRows>,
    skipped: u64,
}

impl Export {
    fn new(data: &MarketData) -> Self {
        let of = |symbol: &str| InstrumentRows { symbol: symbol.to_owned(), ..InstrumentRows::default() };
        let instruments = data.instruments.iter().map(|instrument| of(&instrument.symbol)).collect();
        Self { extractor: Extractor::new(), instruments, skipped: 0 }
    }

    fn play(mut self, data: &MarketData, file: &mut FeatureFile) -> Result<(Vec<InstrumentRows>, u64)> {
        playing::play(data, "features", false, |batch| {
            batch.iter().try_for_each(|input| self.take(input, file))
        })?;
        Ok((self.instruments, self.skipped))
    }

    fn take(&mut self, input: &Input, file: &mut FeatureFile) -> Result<()> {
        match &input.kind {
            InputKind::Bar(bar) => self.take_bar(bar, file),
            InputKind::Quote(quote) => {
                if let Some(time) = timestamp(quote.time) {
                    self.extractor.on_quote(&sdk::Quote {
                        instrument: quote.instrument.0,
                        time,
                        bid: quote.bid,
                        ask: quote.ask,
                        bid_size: quote.bid_size,
                        ask_size: quote.ask_size,
                        liquidity: quote.liquidity,
                    });
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn take_bar(&mut self, bar: &market::Bar, file: &mut FeatureFile) -> Result<()> {
        let id = bar.instrument.0;
        let row = timestamp(bar.open_time).and_then(|open_time| {
            self.extractor.on_bar(&sdk::Bar {
                instrument: id,
                interval: BAR_SECONDS,
                open_time,
                open: bar.open,
                high: bar.high,
                low: bar.low,
                close: bar.close,
                volume: bar.volume,
            })
        });
        let Some(row) = row else {
            self.skipped += 1;
            return Ok(());
        };
        let is_ready = self.extractor.is_ready(id);
        let place = usize::try_from(id).context("an instrument's number is too large")?;
        file.add(place, bar, is_ready, &row)?;
        if let Some(of) = self.instruments.get_mut(place) {
            let time = bar.open_time.nanos();
            of.rows += 1;
            of.ready += u64::from(is_ready);
            of.first.get_or_insert(time);
            of.last = Some(time);
        }
        Ok(())
    }
}

/// A moment as strategies are told it; `None` before 1970 and from 2106 on.
fn timestamp(time: Timestamp) -> Option<sdk::Timestamp> {
    let seconds = u32::try_from(time.seconds()).ok()?;
    let nanos = u32::try_from(time.nanos() - i64::from(seconds) * 1_000_000_000).ok()?;
    Some(sdk::Timestamp { seconds, nanos })
}
