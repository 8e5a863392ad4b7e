//! From the journal back to the engine.

use bulkhead_core::engine::{Engine, RestoreError};
use bulkhead_core::identifier::{InstrumentId, OrderId, StrategyId};
use bulkhead_core::money::Quantity;
use bulkhead_core::order::{Order, OrderState, Side};
use bulkhead_core::time::Timestamp;
use bulkhead_core::venue::Venue as _;
use bulkhead_core::venue::inquiry::{Resolution, Standing, resolve};
use bulkhead_store::journal::{Chain, Opening, PayloadError, RecordKind, Sequence, ShardId, encode};
use bulkhead_store::storage::{Group, Storage, StoreError};

use crate::audit;
use crate::replay::{Replay, ReplayError, Versions, read_opening};
use crate::sequencer::Position;

/// What a recovery did.
#[derive(Debug, Clone, PartialEq)]
pub struct RecoveryReport {
    /// The input up to which the snapshot goes that it began with; `None` when it began with the journal.
    pub snapshot: Option<Sequence>,
    /// Newer snapshots that could not be used, and why.
    pub unusable_snapshots: Vec<(Sequence, String)>,
    /// Inputs that were stepped again.
    pub replayed: u64,
    /// The journal's last input.
    pub last: Sequence,
    /// Its event time.
    pub time: Timestamp,
    /// Orders that have not ended.
    pub orders: Vec<OpenOrder>,
}

/// An order that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenOrder {
    /// Which.
    pub id: OrderId,
    /// Whose.
    pub strategy: StrategyId,
    /// For what.
    pub instrument: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// Where it stands.
    pub state: OrderState,
    /// What is not executed.
    pub remaining: Quantity,
    /// What follows from what its venue says of it.
    pub resolution: Resolution,
}

/// A recovered shard.
pub struct Recovered {
    /// Where it goes on.
    pub position: Position,
    /// What it began with.
    pub opening: Opening,
    /// What the recovery did.
    pub report: RecoveryReport,
}

/// Begins a shard's journal.
///
/// # Errors
///
/// [`ReplayError`] when the engine can't be set up so, or the store does not take the opening record.
pub fn begin(
    storage: &mut dyn Storage,
    shard: ShardId,
    opening: &Opening,
    versions: &dyn Versions,
) -> Result<Position, ReplayError> {
    let engine = Engine::new(opening.settings.clone(), versions.source())?.executing(opening.execution);
    let mut chain = Chain::start(shard);
    let payload = encode(opening)
        .map_err(|error| StoreError::Payload { place: "the opening record".to_owned(), error })?;
    let record = chain.append(RecordKind::Opening, Sequence(0), Sequence(0), Timestamp::EPOCH, payload);
    let changes = vec![audit::first_settings(shard, &opening.settings)];
    storage.commit(&Group { records: vec![record], changes, ..Group::default() })?;
    Ok(Position { engine, chain, uncovered: Sequence(1), feed_inputs: 0, since_snapshot: 0 })
}

/// Goes on where a shard's journal ends; `None` when there is no journal yet.
///
/// Takes the newest snapshot that is whole, and steps again what follows it. What does not hold together, or
/// does not come out as it was recorded, is reported, never repaired.
///
/// # Errors
///
/// [`ReplayError`], with the place in the journal.
pub fn recover(
    storage: &mut dyn Storage,
    shard: ShardId,
    versions: &dyn Versions,
) -> Result<Option<Recovered>, ReplayError> {
    let Some((_, opening)) = read_opening(storage, shard)? else { return Ok(None) };
    let mut unusable_snapshots = Vec::new();
    let mut beginning = None;
    let last = storage.tail(shard)?.map(|record| record.number).unwrap_or_default();
    for head in storage.snapshots(shard)? {
        // The two were written together.
        if head.chain.number() > last {
            return Err(ReplayError::Cut { last, snapshot: head.chain.number() });
        }
        match Replay::from_snapshot(storage, &head, versions) {
            Ok(replay) => {
                beginning = Some((replay, head.chain.sequence()));
                break;
            }
            Err(error) if is_damage(&error) => {
                unusable_snapshots.push((head.chain.sequence(), error.to_string()));
            }
            Err(error) => return Err(error),
        }
    }
    let (mut replay, snapshot) = match beginning {
        Some((replay, sequence)) => (replay, Some(sequence)),
        None => (Replay::from_opening(storage, shard, versions)?.0, None),
    };
    replay.run(storage, None, &mut |_, _, _, _| {}).map_err(|error| match error {
        ReplayError::Dropped { .. } if !unusable_snapshots.is_empty() => {
            let unusable = std::mem::take(&mut unusable_snapshots);
            ReplayError::NoSnapshot { error: Box::new(error), unusable }
        }
        error => error,
    })?;
    let replayed = replay.inputs();
    let position = replay.into_position();
    let report = RecoveryReport {
        snapshot,
        unusable_snapshots,
        replayed,
        last: position.chain.sequence(),
        time: position.engine.now(),
        orders: open_orders(&position.engine),
    };
    Ok(Some(Recovered { position, opening, report }))
}

/// Whether a snapshot is broken, so that an older one may do. What comes from a newer program, or needs a
/// strategy version that is not there, would only be found again.
fn is_damage(error: &ReplayError) -> bool {
    matches!(
        error,
        ReplayError::Payload { error: PayloadError::Malformed(_), .. }
            | ReplayError::Restore(RestoreError::Inconsistent(_))
    )
}

/// Asks the venue about every order that has not ended.
fn open_orders(engine: &Engine) -> Vec<OpenOrder> {
    let standing = |order: &Order| match engine.outside() {
        Some(outside) if outside.order(order.terms().id).is_some() => outside.standing(order),
        _ => engine.venue().standing(order),
    };
    engine.orders().map(|order| OpenOrder::of(order, standing(order))).collect()
}

impl OpenOrder {
    fn of(order: &Order, standing: Standing) -> Self {
        let terms = order.terms();
        Self {
            id: terms.id,
            strategy: terms.strategy,
            instrument: terms.instrument,
            side: terms.side,
            state: order.state(),
            remaining: order.remaining(),
            resolution: resolve(order.state(), standing),
        }
    }
}
