//! Events through an engine, with a journal and without.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bulkhead_core::engine::Engine;
use bulkhead_core::input::Input;
use bulkhead_core::output::Output;
use bulkhead_core::strategy::StrategySource;
use bulkhead_core::venue::Execution;
use bulkhead_sequencer::recovery::{begin, recover};
use bulkhead_sequencer::sequencer::{Policy, Position, Sequencer};
use bulkhead_store::database::Database;
use bulkhead_store::journal::{NumberedOutput, Opening, ShardId};
use bulkhead_store::storage::Storage;
use cpu_time::ThreadTime;

use crate::market::{deployment, settings};
use crate::strategy::Source;

pub(crate) const SHARD: ShardId = ShardId(0);

/// Longer than any run.
pub(crate) const NEVER: Duration = Duration::from_secs(86_400);

/// No snapshots, so that each is taken where it is measured.
pub(crate) fn without_snapshots() -> Policy {
    Policy { snapshot_inputs: u64::MAX, snapshot_delay: NEVER, ..Policy::default() }
}

/// What a run took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Took {
    /// Until everything was durable.
    pub(crate) wall: Duration,
    /// CPU time of the engine's thread.
    pub(crate) engine: Duration,
    pub(crate) orders: usize,
}

/// Begins a journal.
pub(crate) fn fresh(database: &mut Database) -> Result<Position> {
    let opening = Opening {
        settings: settings(),
        feed: "bench".to_owned(),
        made_by: "bench".to_owned(),
        execution: Execution::Paper,
    };
    Ok(begin(database, SHARD, &opening, &Source)?)
}

/// Goes on where a journal ends.
pub(crate) fn recovered(database: &mut Database) -> Result<Position> {
    Ok(recover(database, SHARD, &Source)?.context("there is a journal")?.position)
}

/// An engine whose strategy is deployed.
pub(crate) fn engine(bars_per_order: u32) -> Result<Engine> {
    let source: Box<dyn StrategySource> = Box::new(Source);
    let mut engine = Engine::new(settings(), source)?;
    engine.step(&deployment(bars_per_order), &mut Vec::new());
    Ok(engine)
}

/// Steps all, and drops what follows from it.
pub(crate) fn without_journal(bars_per_order: u32, inputs: &[Input]) -> Result<Took> {
    let mut engine = engine(bars_per_order)?;
    let (mut outputs, mut orders) = (Vec::new(), 0);
    let (wall, cpu) = (Instant::now(), ThreadTime::now());
    for input in inputs {
        // A sequencer owns its inputs too.
        engine.step(&input.clone(), &mut outputs);
        orders += outputs.iter().filter(|output| matches!(output, Output::OrderAccepted(_))).count();
        outputs.clear();
    }
    Ok(Took { wall: wall.elapsed(), engine: cpu.elapsed(), orders })
}

/// Runs behind a journal as fast as it takes events, until all are durable. `close` takes a snapshot at the
/// end.
pub(crate) fn with_journal(
    position: Position,
    storage: Box<dyn Storage>,
    policy: Policy,
    inputs: impl IntoIterator<Item = Input>,
    close: bool,
) -> Result<Took> {
    let mut sequencer = Sequencer::start(position, storage, policy)?;
    let (mut released, mut orders) = (Vec::new(), 0);
    let mut look = |released: &mut Vec<NumberedOutput>| {
        let accepted = |it: &&NumberedOutput| matches!(it.output, Output::OrderAccepted(_));
        orders += released.iter().filter(accepted).count();
        released.clear();
    };
    let (wall, cpu) = (Instant::now(), ThreadTime::now());
    for (place, input) in inputs.into_iter().enumerate() {
        while !sequencer.has_room() {
            sequencer.wait(NEVER, &mut released)?;
        }
        sequencer.step(input);
        // As often as the command does while it has much to do.
        if place % 256 == 0 {
            sequencer.released(&mut released)?;
            look(&mut released);
        }
    }
    let engine = cpu.elapsed();
    if close {
        sequencer.close(NEVER, &mut released)?;
    } else {
        finish(sequencer, &mut released)?;
    }
    let wall = wall.elapsed();
    look(&mut released);
    Ok(Took { wall, engine, orders })
}

/// Waits until all is durable, without a snapshot.
fn finish(mut sequencer: Sequencer, released: &mut Vec<NumberedOutput>) -> Result<()> {
    while let Some(most) = sequencer.next_look() {
        std::thread::sleep(most);
        sequencer.released(released)?;
    }
    Ok(())
}
