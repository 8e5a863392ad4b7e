//! Random documents as configuration: understood, or refused with all that is wrong, and never the end of the
//! program.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use bulkhead_configuration::Layers;
use bulkhead_fuzz::configuration::check_layers;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use toml::{Table, Value};

/// The paths of all keys that there are, with those of tables and of some that do not exist.
fn paths() -> Vec<String> {
    let configuration = Layers::defaults().read().unwrap();
    let mut paths = Vec::new();
    collect(&Table::try_from(configuration).unwrap(), "", &mut paths);
    let more = [
        "slots.x.mode",
        "slots.x.weight",
        "slots.x.parameters.period",
        "slots.x.instruments",
        "slots.y.weight",
        "instruments.A-USD.tick",
        "instruments.A-USD.lot",
        "instruments.A-USD.min_notional",
        "instruments.A-USD.cluster",
        "risk.allowed_symbols",
        "journal.database",
        "feed.quality.max_move",
        "no_such_key",
        "risk.no_such_key",
        "slots.x.no_such_key",
        "slots.x",
        "accounts",
        "accounts.a",
        "accounts.a.cash",
        "accounts.a.slots.x.weight",
        "accounts.a.risk.max_order",
        "accounts.B",
        "accounts.a.speed",
        "instruments.A-USD",
        "a.b",
        "",
        ".",
        "..a",
        "slots.",
        "simulator.instruments",
        "risk.exits.take_profits",
    ];
    paths.extend(more.map(str::to_owned));
    paths
}

fn collect(table: &Table, path: &str, paths: &mut Vec<String>) {
    for (key, value) in table {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        if let Value::Table(table) = value {
            collect(table, &path, paths);
        }
        paths.push(path);
    }
}

/// Values at the ends of their ranges and beyond, of every type, as a file would hold them.
const VALUES: [&str; 48] = [
    "0",
    "1",
    "-1",
    "2",
    "9223372036854775807",
    "-9223372036854775808",
    "0.0",
    "-0.0",
    "0.5",
    "1.0",
    "1e-320",
    "1e308",
    "-1e308",
    "inf",
    "-inf",
    "nan",
    "true",
    "false",
    "\"\"",
    "\" \"",
    "\"off\"",
    "\"0\"",
    "\"0.5\"",
    "\"1\"",
    "\"-0.1\"",
    "\"79228162514264337593543950335\"",
    "\"-79228162514264337593543950335\"",
    "\"0.0000000000000000000000000001\"",
    "\"1e-28\"",
    "\"1e28\"",
    "\"1e400\"",
    "\"1e-400\"",
    "\"NaN\"",
    "\"1ms\"",
    "\"0s\"",
    "\"1h\"",
    "\"106751d\"",
    "\"106752d\"",
    "\"9223372036854ms\"",
    "\"PT1S\"",
    "\"-5m\"",
    "\"live\"",
    "\"csv\"",
    "\"max\"",
    "\"2024-01-01T00:00:00Z\"",
    "1979-05-27T07:32:00Z",
    "[]",
    "[{gain = 0.1, share = 1.0}]",
];

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => select(&VALUES[..]).prop_map(str::to_owned),
        1 => select(&["{}", "[[]]", "[\"x\", 1]", "{a = 1}", "{mode = \"live\", weight = 1}"][..]).prop_map(str::to_owned),
        1 => any::<i64>().prop_map(|number| number.to_string()),
        1 => any::<f64>().prop_map(|number| format!("\"{number}\"")),
        1 => "\\PC{0,12}",
        1 => "\"[0-9]{1,30}(\\.[0-9]{1,30})?(e-?[0-9]{1,3})?\"",
        1 => "\"[0-9]{1,20}(ms|s|m|h|d|)\"",
    ]
}

/// Keys with values, by the place of the key in the list of all.
fn settings() -> impl Strategy<Value = Vec<(Index, String)>> {
    proptest::collection::vec((any::<Index>(), value()), 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_values_of_any_keys_are_understood_or_refused(file in settings(), flags in settings()) {
        let paths = paths();
        let mut layers = Layers::defaults();
        for (at, value) in &file {
            layers.set(&paths[at.index(paths.len())], value, "a file");
        }
        let variable = |(at, value): &(Index, String)| {
            let name = paths[at.index(paths.len())].to_uppercase().replace('.', "__");
            (format!("BULKHEAD__{name}"), value.clone())
        };
        layers.add_environment(flags.iter().map(variable));
        check_layers(&layers);
    }

    #[test]
    fn any_text_that_is_toml_is_understood_or_refused(lines in proptest::collection::vec(
        prop_oneof![
            "\\[{1,2}[a-z.\"\\[]{0,12}\\]{1,2}",
            "[a-z_.\"' -]{1,12} ?= ?[\\[{\"'a-z0-9.e+:T,}\\]-]{0,16}",
            "\\PC{0,24}",
        ],
        0..8,
    )) {
        if let Ok(table) = lines.join("\n").parse::<Table>() {
            let mut layers = Layers::defaults();
            layers.add(table, "a file");
            check_layers(&layers);
        }
    }
}
