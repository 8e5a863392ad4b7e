//! The shipped strategies, as built for wasm32, in the real sandbox.

#![expect(clippy::panic, reason = "a failure here is the test's")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bulkhead_sandbox::Limits;
use bulkhead_sandbox::check::{CheckReport, check_granted};

/// Reads a built plugin.
fn plugin(name: &str) -> Vec<u8> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins");
    let folder = std::env::var_os("BULKHEAD_PLUGINS").map_or_else(default, PathBuf::from);
    let path = folder.join(format!("{name}.wasm"));
    fs::read(&path).unwrap_or_else(|error| {
        panic!("{}: {error}. Build the plugins first: cargo xtask plugins", path.display())
    })
}

fn checked(name: &str) -> CheckReport {
    let model = include_bytes!("../../../plugins/ai/models/ai-ensemble.onnx").to_vec();
    let models = (Default::default(), BTreeMap::from([("ai-ensemble".to_owned(), model)]));
    let report = check_granted(&plugin(name), &Limits::default(), None, &models);
    assert!(report.passed(), "{name}: {:?}", report.problems);
    report
}

/// Each passes `plugin check`, does the same twice, carries its memory over, and imports nothing but the log; one asks
/// models as well.
#[test]
fn every_shipped_strategy_passes_the_check() {
    for name in ["sma-crossover", "momentum", "scalping", "ai", "breakout"] {
        let report = checked(name);
        let (file, series) = (report.file.unwrap(), report.series.unwrap());
        println!("{name}: {file:?} {series:?}");
        assert!(series.deterministic, "{name}");
        assert!(series.survives_restart, "{name} forgets something that it needs");
        assert!(series.largest_fuel_percent < 1.0, "{name}: {series:?}");
        let allowed = |import: &String| {
            import.starts_with("bulkhead:strategy/logging@")
                || (name == "ai" && import.starts_with("bulkhead:strategy/inference@"))
        };
        assert!(file.imports.iter().all(allowed), "{file:?}");
    }
}

/// The standard series has enough in it for the average's rule to trade on.
#[test]
fn the_sma_crossover_trades_on_the_standard_series() {
    assert!(checked("sma-crossover").series.unwrap().actions > 20);
}
