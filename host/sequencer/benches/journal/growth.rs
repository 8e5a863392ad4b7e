//! How much a database grows.

use anyhow::Result;
use bulkhead_sequencer::sequencer::Policy;
use bulkhead_store::database::{Database, Synchronous};
use bulkhead_store::journal::{RecordKind, RecordNumber};
use bulkhead_store::storage::Storage as _;

use crate::Extent;
use crate::figures::Figures;
use crate::market::{bars, deployment};
use crate::measure::number;
use crate::place::{Kind, Places};
use crate::run::{SHARD, fresh, with_journal, without_snapshots};
use crate::throughput::{BUSY, QUIET};

const PART: &str = "growth";

/// Inputs in a group while a feed is faster than the store, and while one bar of each instrument comes at a
/// time. Given, so that the figures don't depend on the machine.
const LARGE: usize = 512;
const SMALL: usize = 20;

pub(crate) fn measure(extent: Extent, places: &Places, figures: &mut Figures) -> Result<()> {
    let kinds = places.kinds(&[Kind::Sqlite(Synchronous::Normal), Kind::Postgres(Synchronous::Normal)]);
    for kind in kinds {
        for (bars_per_order, events, group_inputs) in [
            (QUIET, extent.quiet_events, LARGE),
            (QUIET, extent.busy_events, SMALL),
            (BUSY, extent.busy_events, LARGE),
        ] {
            let (place, mut database) = places.make(kind)?;
            let empty = place.bytes()?;
            let position = fresh(&mut database)?;
            let inputs = std::iter::once(deployment(bars_per_order)).chain(bars(events));
            let policy = Policy { group_inputs, ..without_snapshots() };
            let took = with_journal(position, Box::new(database), policy, inputs, false)?;
            let whole = place.bytes()? - empty;
            let (market, outputs) = payloads(&mut place.open()?)?;

            let market_name =
                format!("{}, an order in {bars_per_order} bars, {group_inputs} a group", kind.name());
            let mut add = |name: &str, unit, value: f64| {
                figures.add(PART, format!("{market_name}: {name}"), unit, &[value], None);
            };
            add("whole database", "MB/1M events", whole / number(events));
            add("market data", "MB/1M events", market / number(events));
            add("outputs", "bytes/order", outputs / number(took.orders));
            match place.read_model_bytes()? {
                Some(rows) => add("read models", "bytes/order", rows / number(took.orders)),
                None => add(
                    "read models and the rest",
                    "bytes/order",
                    (whole - market - outputs) / number(took.orders),
                ),
            }
        }
    }
    Ok(())
}

/// Bytes of payload of inputs and of outputs.
fn payloads(database: &mut Database) -> Result<(f64, f64)> {
    let (mut market, mut outputs) = (0, 0);
    let mut after = RecordNumber(0);
    loop {
        let page = database.records(SHARD, after, 64)?;
        let Some(last) = page.last() else { return Ok((number(market), number(outputs))) };
        after = last.number;
        for record in &page {
            let bytes = record.payload.as_ref().map_or(0, Vec::len);
            match record.kind {
                RecordKind::Outputs => outputs += bytes,
                _ => market += bytes,
            }
        }
    }
}
