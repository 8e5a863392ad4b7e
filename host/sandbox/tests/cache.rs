//! Compiled code and versions on disk.

#![expect(clippy::unwrap_used, reason = "a failure here is the test's")]

mod guest;

use std::fs;
use std::path::Path;

use bulkhead_core::identifier::ContentHash;
use bulkhead_core::strategy::StrategySource as _;
use bulkhead_sandbox::{Limits, Refused, Sandbox, Settings};
use guest::{Guest, bars, config, run};

fn sandbox(directory: &Path) -> Sandbox {
    let settings = Settings {
        limits: Limits::default(),
        artefacts: Some(directory.join("code")),
        versions: Some(directory.join("versions")),
        ..Settings::default()
    };
    Sandbox::new(settings).unwrap()
}

/// A second process finds the code compiled and the version kept, and runs the same.
#[test]
fn a_version_outlives_its_process() {
    for file in [Guest::steady().module(), Guest::steady().component()] {
        outlives_its_process(&file);
    }
}

fn outlives_its_process(file: &[u8]) {
    let directory = tempfile::tempdir().unwrap();
    let first = sandbox(directory.path());
    let (version, described) = first.prepare(file).unwrap();
    let actions = run(&mut first.start(&version, &config()).unwrap(), &bars(100), 1).unwrap();
    assert_eq!(fs::read_dir(directory.path().join("code")).unwrap().count(), 1);
    drop(first);
    let second = sandbox(directory.path());
    assert_eq!(second.kept_versions().unwrap(), [version]);
    assert!(second.describe(&version).is_err(), "described before it was prepared");
    assert_eq!(second.prepare_kept(&version).unwrap(), described);
    assert_eq!(second.describe(&version).unwrap(), described);
    assert_eq!(second.is_from_cache(&version), Some(true));
    assert_eq!(run(&mut second.start(&version, &config()).unwrap(), &bars(100), 1).unwrap(), actions);
}

/// Damaged code is compiled anew, whatever was damaged.
#[test]
fn damaged_code_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let (version, _) = sandbox(directory.path()).prepare(&Guest::steady().module()).unwrap();
    let file = fs::read_dir(directory.path().join("code")).unwrap().next().unwrap().unwrap().path();
    let mut code = fs::read(&file).unwrap();
    let middle = code.len() / 2;
    code[middle] ^= 0xff;
    fs::write(&file, &code).unwrap();
    let again = sandbox(directory.path());
    again.prepare_kept(&version).unwrap();
    assert_eq!(again.is_from_cache(&version), Some(false));
    let once_more = sandbox(directory.path());
    once_more.prepare_kept(&version).unwrap();
    assert_eq!(once_more.is_from_cache(&version), Some(true));
}

/// A version that was never there can't be gone back to.
#[test]
fn an_unknown_version() {
    let directory = tempfile::tempdir().unwrap();
    let unknown = ContentHash::of(b"unknown");
    let sandbox = sandbox(directory.path());
    assert!(matches!(sandbox.prepare_kept(&unknown), Err(Refused::UnknownVersion(_))));
    assert!(sandbox.instantiate(&unknown, &config()).is_err());
}

/// What was refused is not kept.
#[test]
fn a_refused_file_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let sandbox = sandbox(directory.path());
    sandbox.prepare(&Guest::named("Not A Name").module()).unwrap_err();
    assert!(sandbox.kept_versions().unwrap().is_empty());
}
