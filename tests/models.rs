//! Models beside the strategies, as operators and their strategies meet them: taken up, replaced, refused, replayed; and
//! what a strategy may do with them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::{Path, PathBuf};

use serde_json::Value;
use support::account::Account;
use support::host::Host;
use support::{json, output, plugin, random_bars, replace, root, test_plugin, write_csv};

/// Lets the hostile strategy see a model.
const GRANT: &str = "--set=models.grants.hostile=[\"answer\"]";

fn model(name: &str) -> Vec<u8> {
    std::fs::read(root().join("host/inference/testdata").join(name)).unwrap()
}

/// A directory with the hostile strategy and a model for it.
fn directory_with(model_file: &[u8]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let strategies = directory.path().join("strategies");
    std::fs::create_dir(&strategies).unwrap();
    std::fs::copy(test_plugin("hostile"), strategies.join("hostile.wasm")).unwrap();
    std::fs::write(strategies.join("answer.onnx"), model_file).unwrap();
    write_csv(&directory.path().join("bars.csv"), &random_bars(600, 3));
    directory
}

/// A good strategy, and beside it one that asks a model and then misbehaves so.
fn beside(directory: &Path, misdeed: &str) -> Vec<String> {
    let good = plugin("sma-crossover").display().to_string();
    let data = format!("X-USD={}", directory.join("bars.csv").display());
    let misdeed = format!("hostile:misdeed={misdeed}");
    let mut arguments =
        vec!["backtest", "--strategy", &good, "hostile", "--weight", "0.5", "0.5", "--data", &data];
    arguments.extend(["--param", &misdeed, "--sizing", "quantity=2", "--risk", "none", "--json", "-", GRANT]);
    arguments.into_iter().map(str::to_owned).collect()
}

/// The kinds of the hostile strategy's faults; nobody else has any.
fn faults(report: &Value) -> Vec<&str> {
    let faults = report["faults"].as_array().map_or(&[][..], Vec::as_slice);
    assert!(faults.iter().all(|fault| fault["strategy"] == "hostile"), "{faults:?}");
    faults.iter().map(|fault| fault["kind"].as_str().unwrap()).collect()
}

fn trades_of<'a>(report: &'a Value, strategy: &str) -> Vec<&'a Value> {
    report["trades"].as_array().unwrap().iter().filter(|trade| trade["strategy"] == strategy).collect()
}

#[test]
fn whatever_a_strategy_does_with_models_is_its_own_affair() {
    let directory = directory_with(&model("logarithm.onnx"));
    let calm = json(directory.path(), &beside(directory.path(), "nothing but asking"));
    assert!(faults(&calm).is_empty(), "{:?}", faults(&calm));
    assert!(!trades_of(&calm, "hostile").is_empty());
    let expected = trades_of(&calm, "sma-crossover");
    assert!(expected.len() > 5, "{} trades test too little", expected.len());
    for (misdeed, kind) in [
        ("model-not-granted", "model"),
        ("model-row", "model"),
        ("model-nan", "model"),
        ("model-answer", "model"),
        ("model-often", "out-of-fuel"),
    ] {
        let report = json(directory.path(), &beside(directory.path(), misdeed));
        assert_eq!(trades_of(&report, "sma-crossover"), expected, "beside {misdeed}");
        let faults = faults(&report);
        assert!(!faults.is_empty() && faults.iter().all(|fault| *fault == kind), "{misdeed}: {faults:?}");
    }
}

#[test]
fn a_model_that_is_missing_or_broken_refuses_the_strategy_with_the_reason() {
    let directory = directory_with(&model("linear.onnx"));
    let refusal = |file: Option<&[u8]>| {
        let path = directory.path().join("strategies/answer.onnx");
        match file {
            Some(file) => std::fs::write(path, file).unwrap(),
            None => std::fs::remove_file(path).unwrap(),
        }
        let output = output(directory.path(), &beside(directory.path(), "nothing"));
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8_lossy(&output.stderr).replace('\n', " ")
    };
    let whole = model("trees.onnx");
    let said = refusal(Some(&whole[..whole.len() / 2]));
    assert!(said.contains("answer.onnx is refused: it is not an ONNX file, or it is damaged"), "{said}");
    let mut circle = whole;
    // The first branch of the tree leads to itself.
    let place = circle.windows(17).position(|part| part == b"nodes_truenodeids").unwrap();
    let ones = circle[place..].iter().position(|byte| *byte == 1).unwrap();
    circle[place + ones] = 0;
    let said = refusal(Some(&circle));
    assert!(said.contains("answer.onnx is refused: ") && said.contains("tree"), "{said}");
    let said = refusal(None);
    assert!(said.contains("it is granted the model \"answer\", and there is no"), "{said}");
    assert!(said.contains("models.grants"), "{said}");
}

/// An account in which a strategy trades that asks a model, and where the model lies.
fn trading_by_a_model(parent: &Path) -> (Account, PathBuf) {
    let account = Account::new(parent, "account")
        .with("models.grants.hostile=[\"answer\"]")
        .with("slots.momentum.weight=0")
        .with("slots.hostile.mode=live")
        .with("slots.hostile.weight=0.25")
        .with("slots.hostile.parameters.misdeed=nothing but asking");
    let strategies = account.directory.join("strategies");
    std::fs::copy(test_plugin("hostile"), strategies.join("hostile.wasm")).unwrap();
    let path = strategies.join("answer.onnx");
    std::fs::write(&path, model("linear.onnx")).unwrap();
    (account, path)
}

#[test]
fn a_model_is_replaced_while_it_trades_and_the_replay_uses_those_that_were_used() {
    let parent = tempfile::tempdir().unwrap();
    let (account, path) = trading_by_a_model(parent.path());
    let arguments = account.arguments(&["--speed", "3000", "--json"]);
    let mut host = Host::start(&account.directory, &arguments);
    host.wait_for(&["strategy started", "hostile"]);
    replace(&path, b"no model");
    host.wait_for(&["refused", "answer.onnx", "not an ONNX file"]);
    replace(&path, &model("logarithm.onnx"));
    host.wait_for(&["strategy replaced", "hostile"]);
    // Without a model those who have it go on.
    std::fs::remove_file(&path).unwrap();
    std::thread::sleep(std::time::Duration::from_secs(2));
    let summary = host.stop();
    let hostile = summary["strategies"].as_array().unwrap().iter().find(|slot| slot["name"] == "hostile");
    assert_eq!(hostile.unwrap()["faults"], 0, "{summary}");

    account.succeed(&["replay"]);
    // A database that was taken elsewhere brings its models along.
    std::fs::remove_dir_all(account.directory.join("storage/versions")).unwrap();
    account.succeed(&["replay"]);
}

/// Two bytes for each of many operators, which take a hundred times as much when they are read.
fn greedy() -> Vec<u8> {
    const GRAPH: u8 = 7 << 3 | 2;
    const NODE: u8 = 1 << 3 | 2;
    const LENGTH: usize = 14_000_000;
    let mut file = vec![GRAPH];
    let mut left = LENGTH;
    while left >= 0x80 {
        file.push(u8::try_from(left & 0x7f).unwrap() | 0x80);
        left >>= 7;
    }
    file.push(u8::try_from(left).unwrap());
    file.extend([NODE, 0].repeat(LENGTH / 2));
    file
}

/// It is tried in the process that compiles, whose limit it runs into; nobody else is any the wiser.
#[test]
fn a_model_that_takes_all_memory_is_refused_and_the_others_trade_on() {
    const LITTLE_MEMORY: &str = "--set=sandbox.compile_memory_bytes=300000000";
    const WHY: &str = "more than 286 MiB of memory (limit compile_memory_bytes)";
    let parent = tempfile::tempdir().unwrap();
    let (account, path) = trading_by_a_model(parent.path());
    let account = account.with("risk.breakers.losses=off");
    let arguments = account.arguments(&["--speed", "3000", "--json", LITTLE_MEMORY]);
    let mut host = Host::start(&account.directory, &arguments);
    host.wait_for(&["strategy started", "hostile"]);
    replace(&path, &greedy());
    host.wait_for(&["refused", "answer.onnx", WHY]);
    host.wait_for(&["fill", "breakout"]);
    host.wait_for(&["fill", "hostile"]);
    let summary = host.stop();
    for slot in summary["strategies"].as_array().unwrap() {
        assert_eq!(slot["faults"], 0, "{summary}");
    }

    let directory = directory_with(&greedy());
    let mut arguments = beside(directory.path(), "nothing");
    arguments.push(LITTLE_MEMORY.to_owned());
    let output = output(directory.path(), &arguments);
    let said = String::from_utf8_lossy(&output.stderr).replace('\n', " ");
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("answer.onnx is refused: ") && said.contains(WHY), "{said}");
}
