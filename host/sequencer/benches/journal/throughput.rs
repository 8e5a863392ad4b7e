//! Events and orders a second behind a journal, and what the journal costs the engine.

use anyhow::{Result, ensure};
use bulkhead_store::database::Synchronous;

use crate::Extent;
use crate::figures::Figures;
use crate::market::{bars, deployment};
use crate::measure::number;
use crate::place::{Kind, Places};
use crate::run::{fresh, with_journal, without_journal, without_snapshots};

const PART: &str = "throughput";

/// Bars an order in a market that is traded rarely, and in one that is traded on every other bar.
pub(crate) const QUIET: u32 = 100;
pub(crate) const BUSY: u32 = 2;

pub(crate) fn measure(extent: Extent, places: &Places, figures: &mut Figures) -> Result<()> {
    let kinds = places.kinds(&[
        Kind::Sqlite(Synchronous::Full),
        Kind::Sqlite(Synchronous::Normal),
        Kind::Postgres(Synchronous::Full),
    ]);
    for (bars_per_order, events) in [(QUIET, extent.quiet_events), (BUSY, extent.busy_events)] {
        let inputs = bars(events);
        let mut samples = vec![Samples::default(); kinds.len()];
        let mut alone = Vec::new();
        for _ in 0..extent.turns {
            let bare = without_journal(bars_per_order, &inputs)?;
            alone.push(number(events) / bare.wall.as_secs_f64());
            for (kind, samples) in kinds.iter().zip(&mut samples) {
                let (_place, mut database) = places.make(*kind)?;
                let position = fresh(&mut database)?;
                let all = std::iter::once(deployment(bars_per_order)).chain(inputs.iter().cloned());
                let took = with_journal(position, Box::new(database), without_snapshots(), all, true)?;
                ensure!(took.orders == bare.orders, "{} orders, not {}", took.orders, bare.orders);
                samples.events.push(number(events) / took.wall.as_secs_f64());
                samples.orders.push(number(took.orders) / took.wall.as_secs_f64());
                samples.engine.push(took.engine.as_secs_f64() / bare.engine.as_secs_f64());
                samples.wall.push(took.wall.as_secs_f64() / bare.wall.as_secs_f64());
            }
        }
        let market = format!("an order in {bars_per_order} bars");
        figures.add(PART, format!("{market}: without a journal"), "events/s", &alone, None);
        for (kind, samples) in kinds.iter().zip(&samples) {
            let name = format!("{market}: {}", kind.name());
            figures.add(PART, &*name, "events/s", &samples.events, None);
            figures.add(PART, &*name, "orders/s", &samples.orders, None);
            let part = "cost of the journal";
            figures.add(part, format!("{name}, engine's thread"), "× CPU", &samples.engine, None);
            figures.add(part, format!("{name}, until durable"), "× time", &samples.wall, None);
        }
    }
    Ok(())
}

#[derive(Debug, Clone, Default)]
struct Samples {
    events: Vec<f64>,
    orders: Vec<f64>,
    engine: Vec<f64>,
    wall: Vec<f64>,
}
