//! Steps taken again, and how long a start takes.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bulkhead_core::input::Input;
use bulkhead_sequencer::recovery::recover;
use bulkhead_sequencer::replay::Replay;
use bulkhead_store::database::Database;
use bulkhead_store::journal::{
    Chain, NumberedOutput, Record, RecordKind, RecordNumber, decode, decode_market,
};
use bulkhead_store::storage::Storage as _;

use crate::Extent;
use crate::figures::{Figures, Goal};
use crate::market::{bars, deployment};
use crate::measure::number;
use crate::place::{Kind, Places};
use crate::run::{SHARD, engine, fresh, recovered, with_journal, without_snapshots};
use crate::strategy::Source;
use crate::throughput::QUIET;

const PART: &str = "replay";

/// A day of minute bars of 20 instruments.
const DAY: usize = 20 * 1_440;

/// So that there are 10,000 orders in it, roughly: one in three bars.
const BARS_PER_ORDER: u32 = 3;

pub(crate) fn measure(extent: Extent, places: &Places, figures: &mut Figures) -> Result<()> {
    replays(extent, places, figures)?;
    recoveries(extent, places, figures)
}

fn replays(extent: Extent, places: &Places, figures: &mut Figures) -> Result<()> {
    let (_place, mut database) = places.make(Kind::FULL)?;
    let position = fresh(&mut database)?;
    let inputs = std::iter::once(deployment(QUIET)).chain(bars(extent.replayed));
    with_journal(position, Box::new(database), without_snapshots(), inputs, true)?;

    let mut database = _place.open()?;
    let (mut speed, mut split) = (vec![], vec![Vec::new(); Split::NAMES.len()]);
    for _ in 0..extent.turns {
        let started = Instant::now();
        let (mut replay, _) = Replay::from_opening(&mut database, SHARD, &Source)?;
        replay.run(&mut database, None, &mut |_, _, _, _| {})?;
        let took = started.elapsed();
        ensure!(replay.inputs() > extent.replayed as u64, "only {} inputs", replay.inputs());
        speed.push(number(extent.replayed) / took.as_secs_f64());
        let parts = Split::measure(&mut database)?.nanoseconds(took, extent.replayed);
        for (samples, part) in split.iter_mut().zip(parts) {
            samples.push(part);
        }
    }
    figures.add(PART, "from SQLite, an order in 100 bars", "events/s", &speed, Some(Goal::AtLeast(1e6)));
    for (name, samples) in Split::NAMES.iter().zip(split) {
        figures.add(PART, format!("of that: {name}"), "ns/event", &samples, None);
    }
    Ok(())
}

/// Where the time of a replay goes: each part done alone over the whole journal.
#[derive(Debug, Default)]
struct Split {
    read: Duration,
    chain: Duration,
    unpack: Duration,
    decode: Duration,
    step: Duration,
}

impl Split {
    const NAMES: [&'static str; 6] =
        ["reading", "chain and hashes", "unpacking", "decoding", "steps", "comparing and the rest"];

    fn measure(database: &mut Database) -> Result<Self> {
        let mut split = Self::default();
        let started = Instant::now();
        let mut records: Vec<Record> = Vec::new();
        loop {
            let after = records.last().map_or(RecordNumber(0), |record| record.number);
            let page = database.records(SHARD, after, 64)?;
            if page.is_empty() {
                break;
            }
            records.extend(page);
        }
        split.read = started.elapsed();

        let started = Instant::now();
        let mut chain = Chain::start(SHARD);
        records.iter().try_for_each(|record| chain.follow(record))?;
        split.chain = started.elapsed();

        let payloads = || records.iter().skip(1).filter_map(|record| record.payload.as_deref());
        let started = Instant::now();
        for payload in payloads() {
            let size = zstd::zstd_safe::get_frame_content_size(payload).ok().flatten();
            black_box(zstd::bulk::decompress(payload, usize::try_from(size.unwrap_or_default())?)?);
        }
        split.unpack = started.elapsed();

        let mut engine = engine(QUIET)?;
        let mut outputs = Vec::new();
        for record in records.iter().skip(1) {
            let payload = record.payload.as_deref().context("nothing was dropped")?;
            let started = Instant::now();
            let inputs: Vec<Input> = match record.kind {
                RecordKind::Outputs => {
                    black_box(decode::<Vec<NumberedOutput>>(record.encoding, payload)?);
                    Vec::new()
                }
                RecordKind::Market => decode_market(record.encoding, payload)?,
                // The engine has its deployment already.
                _ => continue,
            };
            let decoded = started.elapsed();
            for input in &inputs {
                engine.step(input, &mut outputs);
                outputs.clear();
            }
            split.decode += decoded;
            split.step += started.elapsed().saturating_sub(decoded);
        }
        split.decode = split.decode.saturating_sub(split.unpack);
        Ok(split)
    }

    fn nanoseconds(&self, whole: Duration, events: usize) -> [f64; 6] {
        let known = [self.read, self.chain, self.unpack, self.decode, self.step];
        let rest = whole.saturating_sub(known.iter().sum());
        let [read, chain, unpack, decode, step] = known;
        [read, chain, unpack, decode, step, rest].map(|time| time.as_secs_f64() * 1e9 / number(events))
    }
}

fn recoveries(extent: Extent, places: &Places, figures: &mut Figures) -> Result<()> {
    let day = bars(DAY);
    let inputs = || std::iter::once(deployment(BARS_PER_ORDER)).chain(day.iter().cloned());
    let (whole, mut database) = places.make(Kind::FULL)?;
    let position = fresh(&mut database)?;
    let took = with_journal(position, Box::new(database), without_snapshots(), inputs(), false)?;
    figures.add("recovery", "orders in the day", "orders", &[number(took.orders)], None);

    let (half, mut database) = places.make(Kind::FULL)?;
    let position = fresh(&mut database)?;
    let first = inputs().take(DAY / 2);
    with_journal(position, Box::new(database), without_snapshots(), first, true)?;
    let mut database = half.open()?;
    let position = recovered(&mut database)?;
    let second = inputs().skip(DAY / 2);
    with_journal(position, Box::new(database), without_snapshots(), second, false)?;

    let (mut from_opening, mut from_half) = (vec![], vec![]);
    for _ in 0..extent.turns {
        for (place, samples, replayed) in
            [(&whole, &mut from_opening, DAY + 1), (&half, &mut from_half, DAY + 1 - DAY / 2)]
        {
            let mut database = place.open()?;
            let started = Instant::now();
            let recovered = recover(&mut database, SHARD, &Source)?.context("there is a journal")?;
            samples.push(started.elapsed().as_secs_f64());
            ensure!(
                recovered.report.replayed == replayed as u64,
                "{} inputs were stepped again, not {replayed}",
                recovered.report.replayed
            );
        }
    }
    let goal = Some(Goal::AtMost(2.0));
    figures.add("recovery", "a day of 28,800 bars, from the opening", "s", &from_opening, goal);
    figures.add("recovery", "the same, from a snapshot at half", "s", &from_half, goal);
    Ok(())
}
