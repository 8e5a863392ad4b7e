//! The demo, bounded in time: does a host built from this tree trade with all its strategies?

use std::fs::File;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::demo::Demo;
use crate::process;
use crate::workspace::Workspace;

const ARGUMENTS: [&str; 5] = ["--duration", "20s", "--speed", "max", "--json"];

/// The run itself takes 20 s; a host that hangs must not hang CI.
const LIMIT: Duration = Duration::from_secs(120);

/// Runs the demo and checks its summary.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let demo = Demo::prepare(workspace)?;
    let summary_file = workspace.target.join("demo").join("summary.json");
    let output =
        File::create(&summary_file).with_context(|| format!("cannot create {}", summary_file.display()))?;
    // At full speed a line for each fill would be tens of thousands of lines.
    process::run_within(demo.command(&ARGUMENTS).env("RUST_LOG", "warn").stdout(output), LIMIT)?;

    let printed = std::fs::read_to_string(&summary_file)?;
    let traded = check_summary(&printed, workspace.plugins().map(|plugin| plugin.name.as_str()))
        .with_context(|| {
            format!("the demo's summary in {} is not as it should be", summary_file.display())
        })?;
    let replay_file = workspace.target.join("demo").join("replay.json");
    let output =
        File::create(&replay_file).with_context(|| format!("cannot create {}", replay_file.display()))?;
    process::run_within(demo.replay().stdout(output), LIMIT)?;
    let replayed = std::fs::read_to_string(&replay_file)?;
    check_replay(&printed, &replayed)?;
    eprintln!("The demo ran; {traded}. Taken again, every step came out the same.");
    Ok(())
}

/// Checks what `bulkhead run --json` printed last; returns a sentence on what happened.
fn check_summary<'a>(printed: &str, plugins: impl Iterator<Item = &'a str>) -> Result<String> {
    let summary = last_json_value(printed)?;
    let strategies = summary["strategies"].as_array().context("it has no list 'strategies'")?;
    let mut lines = Vec::new();
    for plugin in plugins {
        let strategy = strategies.iter().find(|strategy| strategy["name"] == plugin);
        let strategy = strategy.with_context(|| format!("strategy {plugin} is missing"))?;
        let count = |key: &str| {
            strategy[key].as_u64().with_context(|| format!("strategy {plugin} has no count of '{key}'"))
        };
        let (fills, faults) = (count("fills")?, count("faults")?);
        ensure!(faults == 0, "strategy {plugin} had {faults} faults");
        ensure!(fills > 0, "strategy {plugin} did not trade");
        lines.push(format!("{plugin}: {fills} fills"));
    }
    ensure!(summary["digest"].as_str().is_some_and(|digest| !digest.is_empty()), "it has no digest");
    Ok(lines.join(", "))
}

/// Checks that `bulkhead replay --json` came to the same end.
fn check_replay(ran: &str, replayed: &str) -> Result<()> {
    let (ran, replayed) = (last_json_value(ran)?, last_json_value(replayed)?);
    ensure!(replayed["agrees"] == true, "the replay of the demo does not agree: {replayed}");
    ensure!(
        replayed["digest"] == ran["digest"],
        "the demo's digest is {}, its replay's {}",
        ran["digest"],
        replayed["digest"]
    );
    Ok(())
}

/// The summary ends the output; it may be on one line or on many.
fn last_json_value(printed: &str) -> Result<Value> {
    let starts = std::iter::once(0).chain(printed.match_indices("\n{").map(|(at, _)| at + 1));
    let values = starts.filter_map(|start| serde_json::from_str(printed[start..].trim()).ok());
    values.last().context("it does not end with a JSON object")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(fills: u64, faults: u64) -> String {
        format!(
            r#"{{"strategies": [{{"name": "a", "fills": 3, "faults": 0}},
                {{"name": "b", "fills": {fills}, "faults": {faults}}}], "equity": "100", "digest": "ab12"}}"#
        )
    }

    fn complaint(printed: &str) -> String {
        format!("{:#}", check_summary(printed, ["a", "b"].into_iter()).expect_err("something is wrong"))
    }

    #[test]
    fn a_replay_must_agree_and_come_to_the_same_digest() {
        let ran = r#"{"digest": "ab"}"#;
        assert!(check_replay(ran, r#"{"agrees": true, "digest": "ab"}"#).is_ok());
        assert!(check_replay(ran, r#"{"agrees": true, "digest": "cd"}"#).is_err());
        assert!(check_replay(ran, r#"{"agrees": false, "digest": "ab"}"#).is_err());
    }

    #[test]
    fn a_run_in_which_every_strategy_traded_passes() {
        let said = check_summary(&summary(2, 0), ["a", "b"].into_iter()).expect("all is well");
        assert_eq!(said, "a: 3 fills, b: 2 fills");
    }

    #[test]
    fn what_is_wrong_with_a_run_is_named() {
        assert_eq!(complaint(&summary(0, 0)), "strategy b did not trade");
        assert_eq!(complaint(&summary(2, 1)), "strategy b had 1 faults");
        assert_eq!(
            complaint(r#"{"strategies": [{"name": "a", "fills": 1, "faults": 0}]}"#),
            "strategy b is missing"
        );
        assert_eq!(complaint("{}"), "it has no list 'strategies'");
        assert_eq!(complaint(""), "it does not end with a JSON object");
        assert_eq!(complaint(&summary(2, 0).replace("ab12", "")), "it has no digest");
    }

    #[test]
    fn the_summary_may_follow_other_lines() {
        let printed = format!("{{\"progress\": 1}}\n{}\n", summary(2, 0).replace('\n', " "));
        check_summary(&printed, ["a", "b"].into_iter()).expect("the last one counts");
    }
}
