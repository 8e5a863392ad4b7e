use bulkhead_configuration::{Configuration, InvalidConfiguration, Layers};
use bulkhead_core::engine::Engine;
use bulkhead_core::instrument::Instrument;
use toml::Table;

use crate::strategy::Source;

/// The line between the flags and the file.
const SEPARATOR: &str = "\n---\n";

/// What an environment variable's name begins with.
const VARIABLE: &str = "BULKHEAD__";

/// A line for each flag `KEY=VALUE` or variable `BULKHEAD__KEY=VALUE`, then a line `---`, then a file. Without
/// that line all of it is the file.
///
/// The configuration is understood or refused, as [`check_layers`] says.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (settings, file) = text.split_once(SEPARATOR).unwrap_or(("", text));
    let mut layers = Layers::defaults();
    match file.parse::<Table>() {
        Ok(table) => layers.add(table, "a file"),
        Err(error) => assert!(!error.to_string().is_empty(), "it is refused without a reason"),
    }
    let (variables, flags): (Vec<_>, Vec<_>) = settings.lines().partition(|line| line.starts_with(VARIABLE));
    let variables = variables.iter().filter_map(|line| line.split_once('='));
    layers.add_environment(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
    for flag in flags {
        match layers.add_flag(flag) {
            Ok(()) => assert!(flag.contains('='), "{flag:?} was taken"),
            Err(InvalidConfiguration(problems)) => assert!(!problems.is_empty() && !flag.contains('=')),
        }
    }
    check_layers(&layers);
}

/// What must hold of any layers: they are understood, or refused with all that is wrong. What was understood can
/// be printed, read again, and given to an engine.
pub fn check_layers(layers: &Layers) {
    let configuration = match layers.read() {
        Ok(configuration) => configuration,
        Err(InvalidConfiguration(problems)) => {
            assert!(!problems.is_empty(), "it is refused without a reason");
            assert!(problems.iter().all(|problem| !problem.allowed.is_empty()), "{problems:?}");
            drop(InvalidConfiguration(problems).to_string());
            return;
        }
    };
    // What `bulkhead config` prints can be given to `--config`.
    let printed = toml::to_string_pretty(&configuration).expect("what was read can be written");
    let mut again = Layers::default();
    again.add(printed.parse().expect("what is written is TOML"), "printed");
    let read: Result<Configuration, _> = again.read();
    assert_eq!(read.as_ref(), Ok(&configuration), "{printed}");
    // An engine can be set up with it, or says why not.
    let accounts = configuration.accounts();
    for (_, account) in accounts.expect("what was wrong with the accounts was told when it was read") {
        let settings = account.engine_settings(vec![Instrument::new("A-USD", 2, 4)], Vec::new());
        match Engine::new(settings, Box::new(Source)) {
            Ok(engine) => drop(engine.equity()),
            Err(error) => assert!(!error.to_string().is_empty(), "it is refused without a reason"),
        }
    }
    let policy = configuration.journal.policy();
    assert!(policy.group_inputs > 0 && policy.snapshot_inputs > 0, "{policy:?}");
}
