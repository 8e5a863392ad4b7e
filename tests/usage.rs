//! What the command says when it is used wrongly, and its exit status.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use support::{json, output, plugin, strategies, succeed};

fn complaint(directory: &std::path::Path, arguments: &[&str]) -> (i32, String) {
    let output = output(directory, arguments);
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn wrong_configuration_is_reported_whole_with_status_2() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join("c.toml"),
        "cash = \"much\"\n[risk]\nmax_ordr = 1\n[paper]\nlatency = 3\n",
    )
    .unwrap();
    let (status, text) = complaint(directory.path(), &["run", "--config", "c.toml"]);
    assert_eq!(status, 2, "{text}");
    for part in
        ["3 problems", "c.toml: cash = \"much\"", "c.toml: risk.max_ordr", "c.toml: paper.latency = 3"]
    {
        assert!(text.contains(part), "{part} is missing in: {text}");
    }
}

#[test]
fn wrong_usage_has_status_2_and_failures_have_status_1() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(complaint(directory.path(), &["backtest"]).0, 2);
    assert_eq!(complaint(directory.path(), &["run", "--duration", "soon"]).0, 2);
    let (status, text) =
        complaint(directory.path(), &["backtest", "--strategy", "x", "--data", "x", "--cash", "-5"]);
    assert_eq!(status, 2);
    assert!(text.contains("an amount above 0 and below"), "{text}");
    let (status, text) =
        complaint(directory.path(), &["backtest", "--strategy", "nothing", "--data", "nothing.csv"]);
    assert_eq!(status, 1);
    assert!(
        text.contains("there is no plugin \"nothing\"") && text.contains("cargo xtask plugins"),
        "{text}"
    );
}

#[test]
fn a_bad_data_file_is_named_with_its_line() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("x.csv"), "not,a,table\n1,2,3\n").unwrap();
    let sma = plugin("sma-crossover");
    let (status, text) =
        complaint(directory.path(), &["backtest", "--strategy", sma.to_str().unwrap(), "--data", "X=x.csv"]);
    assert_eq!(status, 1);
    assert!(text.contains("x.csv"), "{text}");
}

#[test]
fn an_unknown_parameter_is_refused_with_those_that_exist() {
    let directory = tempfile::tempdir().unwrap();
    let sma = plugin("sma-crossover");
    let line = ["backtest", "--strategy", sma.to_str().unwrap(), "--data", "X=x.csv", "--param", "fsat=3"];
    let (status, text) = complaint(directory.path(), &line);
    assert_eq!(status, 2, "{text}");
    assert!(text.contains("sma-crossover:fast"), "{text}");
    for (flag, value) in
        [("--weight", "half"), ("--weight", "momentum=1"), ("--param", "fast"), ("--sizing", "2")]
    {
        let line = ["backtest", "--strategy", sma.to_str().unwrap(), "--data", "X=x.csv", flag, value];
        let (status, text) = complaint(directory.path(), &line);
        assert_eq!(status, 2, "{text}");
        assert!(text.contains(flag), "{text}");
    }
}

#[test]
fn a_shipped_plugin_passes_its_check_and_a_foreign_file_does_not() {
    let directory = tempfile::tempdir().unwrap();
    // The models that they are granted are looked for here.
    strategies(directory.path(), &["ai"]);
    for name in ["momentum", "scalping", "ai", "breakout", "sma-crossover"] {
        let file = plugin(name);
        let report = json(directory.path(), &["plugin", "check", file.to_str().unwrap(), "--json"]);
        assert!(report.to_string().contains(name), "{report}");
    }
    std::fs::write(directory.path().join("bad.wasm"), b"\0asm\x01\0\0\0").unwrap();
    let (status, text) = complaint(directory.path(), &["plugin", "check", "bad.wasm"]);
    assert_eq!(status, 1);
    assert!(text.contains("bad.wasm is refused"), "{text}");
}

#[test]
fn plugins_are_listed_and_an_earlier_version_is_put_back() {
    let directory = tempfile::tempdir().unwrap();
    let strategies = strategies(directory.path(), &["sma-crossover"]);
    let list = json(directory.path(), &["plugin", "list", "--json"]);
    let hash = list["files"][0]["sha256"].as_str().unwrap().to_owned();
    assert_eq!(list["kept"][0], hash.as_str());
    let file = strategies.join("sma-crossover.wasm");
    let before = std::fs::read(&file).unwrap();
    std::fs::write(&file, b"broken").unwrap();
    for slot in ["../sma-crossover", "", ".hidden"] {
        let (status, text) = complaint(directory.path(), &["plugin", "rollback", slot, &hash]);
        assert_eq!(status, 1);
        assert!(text.contains("is no slot"), "{text}");
    }
    succeed(directory.path(), &["plugin", "rollback", "sma-crossover", &hash[..10]]);
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn the_configuration_can_be_shown_and_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let text = succeed(directory.path(), &["config", "--set", "risk.max_order=0.05"]);
    assert!(text.contains("max_order = \"0.05\""), "{text}");
    std::fs::write(directory.path().join("again.toml"), &text).unwrap();
    assert_eq!(succeed(directory.path(), &["config", "--config", "again.toml"]), text);
}
