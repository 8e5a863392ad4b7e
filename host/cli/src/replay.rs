//! `bulkhead replay`: the steps of a journal taken again, and compared with what was recorded.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use bulkhead_configuration::Configuration;
use bulkhead_core::engine::Engine;
use bulkhead_core::input::Input;
use bulkhead_core::output::Output;
use bulkhead_sequencer::replay::{Divergence, Replay, ReplayError};
use bulkhead_store::database::{Database, DatabaseUrl, Options};
use bulkhead_store::journal::{Sequence, ShardId};
use bulkhead_store::storage::Storage;
use indicatif::ProgressBar;
use serde::Serialize;

use crate::arguments::ReplayArguments;
use crate::configuration;
use crate::playing::progress_bar;
use crate::shard::{self, KeptVersions, database_url};
use crate::strategy_files;

/// The bar moves on after so many inputs.
const INPUTS_A_TICK: u64 = 4_096;

/// What a replay amounted to, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Summary {
    schema: u32,
    /// Whether every output was the one that was recorded.
    agrees: bool,
    /// The first input that was stepped.
    from: u64,
    /// The last one.
    until: u64,
    inputs: u64,
    outputs: u64,
    digest: String,
    seconds: f64,
    inputs_per_second: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    divergence: Option<Sides>,
}

/// Where something else followed than was recorded.
#[derive(Debug, Serialize)]
struct Sides {
    sequence: u64,
    input: Input,
    recorded: Vec<Output>,
    repeated: Vec<Output>,
}

/// One input with what followed from it, as `--print --json` prints it.
#[derive(Serialize)]
struct Printed<'a> {
    sequence: u64,
    input: &'a Input,
    outputs: &'a [Output],
}

/// Replays the journal of the configuration's database.
pub(crate) fn replay(arguments: &ReplayArguments) -> Result<()> {
    let configuration = configuration::layers(&arguments.configuration, None)?.read()?;
    let url = database_url(&configuration)?;
    let mut database = Database::open(&url, Options::reader())?;
    let versions = KeptVersions::new(strategy_files::sandbox(&configuration)?, &url);
    let shard = shard::find(&mut database, arguments.account.as_deref())?;
    let tail = database.tail(shard)?.with_context(|| format!("{shard} has no journal in {url}"))?;
    let until = arguments.until.map_or(tail.last.0, |until| until.min(tail.last.0));
    let mut replay = begin(&mut database, shard, &versions, arguments.from)?;
    let from = replay.engine_sequence().0 + 1;
    if arguments.from.is_some_and(|asked| asked > tail.last.0) {
        bail!("the journal ends at {}; --from must not be after that", tail.last);
    }

    let bar =
        if arguments.print { ProgressBar::hidden() } else { progress_bar(Some(until + 1 - from.min(until))) };
    let print_from = arguments.from.unwrap_or(from);
    let mut outputs_seen = 0;
    let mut printing = Ok(());
    let started = Instant::now();
    let done = replay.run(&mut database, Some(Sequence(until)), &mut |engine, sequence, input, outputs| {
        outputs_seen += outputs.len() as u64;
        if sequence.0.is_multiple_of(INPUTS_A_TICK) {
            bar.set_position(sequence.0 - from);
        }
        if arguments.print && sequence.0 >= print_from && printing.is_ok() {
            printing = print(arguments.json, engine, sequence, input, outputs);
        }
    });
    bar.finish_and_clear();
    let seconds = started.elapsed().as_secs_f64();
    printing?;
    let divergence = match done {
        Ok(()) => None,
        Err(ReplayError::Diverged(found)) => Some(found),
        Err(error) => return Err(error.into()),
    };
    let inputs = replay.inputs();
    let summary = Summary {
        schema: 1,
        agrees: divergence.is_none(),
        from,
        until: from + inputs - 1,
        inputs,
        outputs: outputs_seen,
        digest: replay.engine().digest().to_string(),
        seconds,
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no 53 bits")]
        inputs_per_second: inputs as f64 / seconds.max(1e-9),
        divergence: divergence.as_deref().map(Sides::of),
    };
    if arguments.json {
        anstream::println!("{}", serde_json::to_string_pretty(&summary)?);
    } else {
        anstream::println!("{}", summary.for_people());
    }
    match divergence {
        None => Ok(()),
        Some(found) => {
            if !arguments.json {
                anstream::println!("{}", both_sides(&found, arguments.diff));
            }
            bail!("{}: something else followed than was recorded", found.sequence)
        }
    }
}

/// Steps everything that can be stepped of all journals again; how many inputs that was.
pub(crate) fn agree(configuration: &Configuration, url: &DatabaseUrl) -> Result<u64> {
    let mut database = Database::open(url, Options::reader())?;
    let versions = KeptVersions::new(strategy_files::sandbox(configuration)?, url);
    let mut inputs = 0;
    for shard in database.shards()? {
        inputs += agreeing(&mut database, shard, &versions).with_context(|| shard.to_string())?;
    }
    Ok(inputs)
}

fn agreeing(database: &mut Database, shard: ShardId, versions: &KeptVersions) -> Result<u64> {
    let mut replay = match Replay::from_opening(database, shard, versions) {
        Err(ReplayError::NoOpening(_)) => return Ok(0),
        begun => begun?.0,
    };
    match replay.run(database, None, &mut |_, _, _, _| {}) {
        Err(ReplayError::Dropped { .. }) => {}
        done => {
            done?;
            return Ok(replay.inputs());
        }
    }
    // Market data are dropped from the oldest on, and never what a snapshot that is kept needs.
    let oldest = database.snapshots(shard)?.pop().context("there is no snapshot")?;
    let mut replay = Replay::from_snapshot(database, &oldest, versions)?;
    replay.run(database, None, &mut |_, _, _, _| {})?;
    Ok(replay.inputs())
}

/// From the newest snapshot before the first input that is asked for, or from the journal's beginning.
fn begin<'a>(
    database: &mut Database,
    shard: ShardId,
    versions: &'a KeptVersions,
    from: Option<u64>,
) -> Result<Replay<'a>> {
    if let Some(from) = from {
        for head in database.snapshots(shard)? {
            if head.chain.sequence().0 < from {
                return Ok(Replay::from_snapshot(database, &head, versions)?);
            }
        }
    }
    Ok(Replay::from_opening(database, shard, versions)?.0)
}

fn print(json: bool, engine: &Engine, sequence: Sequence, input: &Input, outputs: &[Output]) -> Result<()> {
    let mut out = anstream::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, &Printed { sequence: sequence.0, input, outputs })?;
        writeln!(out)?;
        return Ok(());
    }
    let time = jiff::Timestamp::from_nanosecond(i128::from(engine.now().nanos()))?;
    writeln!(out, "{} {time} {:?}", sequence.0, input.kind)?;
    for output in outputs {
        writeln!(out, "    {output:?}")?;
    }
    Ok(())
}

/// The outputs of both sides; with `only_differences`, only those that the other side doesn't have at this
/// place.
fn both_sides(found: &Divergence, only_differences: bool) -> String {
    let mut text = format!("{}\n  input: {:?}", found.sequence, found.input);
    let count = found.recorded.len().max(found.repeated.len());
    for place in 0..count {
        let (recorded, repeated) = (found.recorded.get(place), found.repeated.get(place));
        if recorded == repeated {
            if let Some(output) = recorded.filter(|_| !only_differences) {
                let _ = write!(text, "\n    {output:?}");
            }
            continue;
        }
        for (sign, output) in [('-', recorded), ('+', repeated)] {
            if let Some(output) = output {
                let _ = write!(text, "\n  {sign} {output:?}");
            }
        }
    }
    text.push_str("\n  (- recorded, + repeated)");
    text
}

impl Sides {
    fn of(found: &Divergence) -> Self {
        Self {
            sequence: found.sequence.0,
            input: found.input.clone(),
            recorded: found.recorded.clone(),
            repeated: found.repeated.clone(),
        }
    }
}

impl Summary {
    fn for_people(&self) -> String {
        let verdict = if self.agrees { "every output is as recorded" } else { "THE OUTPUTS DIFFER" };
        format!(
            "{verdict}: {} inputs from {} to {}, {} outputs · {:.2} s, {:.0} inputs/s · digest {}",
            self.inputs,
            self.from,
            self.until,
            self.outputs,
            self.seconds,
            self.inputs_per_second,
            self.digest.get(..12).unwrap_or(&self.digest)
        )
    }
}

#[cfg(test)]
mod tests {
    use bulkhead_core::input::InputKind;

    use super::*;

    fn state(reason: &str) -> Output {
        Output::InputRefused { time: Default::default(), reason: reason.to_owned() }
    }

    #[test]
    fn a_divergence_is_shown_with_both_sides() {
        let found = Divergence {
            sequence: Sequence(7),
            input: Input { time: Default::default(), kind: InputKind::Timer },
            recorded: vec![state("same"), state("before")],
            repeated: vec![state("same"), state("now"), state("more")],
        };
        let all = both_sides(&found, false);
        assert!(all.contains("    InputRefused") && all.contains("same"), "{all}");
        let differences = both_sides(&found, true);
        assert!(!differences.contains("same"), "{differences}");
        let signs: Vec<char> =
            differences.lines().filter_map(|line| line.strip_prefix("  ")?.chars().next()).collect();
        assert_eq!(signs, ['i', '-', '+', '+', '(']);
    }
}
