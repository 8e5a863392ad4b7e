//! Driving the built binary.
#![allow(dead_code, reason = "each test uses its own part")]

pub(crate) mod account;
pub(crate) mod bomb;
#[cfg(feature = "evm")]
pub(crate) mod chain_place;
pub(crate) mod client;
pub(crate) mod host;
#[cfg(feature = "evm")]
pub(crate) mod outside_account;
pub(crate) mod random;
pub(crate) mod raw;
pub(crate) mod receiver;
#[cfg(target_os = "linux")]
pub(crate) mod small_disk;
#[cfg(feature = "solana")]
pub(crate) mod solana_place;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Writes a file so that it appears whole.
pub(crate) fn replace(path: &Path, bytes: &[u8]) {
    let partial = path.with_extension("partial");
    std::fs::write(&partial, bytes).unwrap();
    std::fs::rename(&partial, path).unwrap();
}

/// A built plugin. The tests' own set-up builds them.
pub(crate) fn plugin(name: &str) -> PathBuf {
    let directory =
        std::env::var_os("BULKHEAD_PLUGINS").map_or_else(|| root().join("target/plugins"), PathBuf::from);
    let path = directory.join(format!("{name}.wasm"));
    assert!(path.is_file(), "{} is missing: run `cargo xtask plugins`", path.display());
    path
}

/// The plugin as another version: a custom section more makes another hash and changes nothing else.
pub(crate) fn another_version(name: &str) -> Vec<u8> {
    let mut bytes = std::fs::read(plugin(name)).unwrap();
    bytes.extend([0, 6, 4, b'n', b'o', b't', b'e', b'!']);
    bytes
}

/// A built plugin that is for tests alone.
pub(crate) fn test_plugin(name: &str) -> PathBuf {
    let path = plugin("sma-crossover").with_file_name("../test-plugins").join(format!("{name}.wasm"));
    assert!(path.is_file(), "{} is missing: run `cargo xtask plugins`", path.display());
    path
}

/// The command, with its storage and strategies in a directory of the test's own.
pub(crate) fn bulkhead(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bulkhead"));
    command
        .current_dir(directory)
        .env_remove("RUST_LOG")
        .env("NO_COLOR", "1")
        // Hosts side by side would fight for the port.
        .env("BULKHEAD__API__LISTEN", "off")
        .env("BULKHEAD__STORAGE", directory.join("storage"))
        .stdin(Stdio::null());
    command
}

pub(crate) fn output(directory: &Path, arguments: &[impl AsRef<OsStr>]) -> Output {
    bulkhead(directory).args(arguments).output().unwrap()
}

/// Runs to a successful end; its standard output.
pub(crate) fn succeed(directory: &Path, arguments: &[impl AsRef<OsStr>]) -> String {
    let output = output(directory, arguments);
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{:?}: {complaint}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// Runs to a successful end; its standard output as JSON.
pub(crate) fn json(directory: &Path, arguments: &[impl AsRef<OsStr>]) -> Value {
    serde_json::from_str(&succeed(directory, arguments)).unwrap()
}

/// The model of the AI strategy.
pub(crate) fn shipped_model() -> PathBuf {
    root().join("plugins/ai/models/ai-ensemble.onnx")
}

/// A strategies directory with these plugins, and the model of the AI strategy if that is one of them.
pub(crate) fn strategies(directory: &Path, names: &[&str]) -> PathBuf {
    let strategies = directory.join("strategies");
    std::fs::create_dir_all(&strategies).unwrap();
    for name in names {
        std::fs::copy(plugin(name), strategies.join(format!("{name}.wasm"))).unwrap();
    }
    if names.contains(&"ai") {
        std::fs::copy(shipped_model(), strategies.join("ai-ensemble.onnx")).unwrap();
    }
    strategies
}

/// One-minute bars in cents that cross often; the same for the same seed.
pub(crate) fn random_bars(count: usize, seed: u64) -> Vec<[i64; 4]> {
    let mut state = seed | 1;
    let mut draw = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        i64::try_from((state >> 33) % below).unwrap()
    };
    let mut price = 10_000;
    (0..count)
        .map(|_| {
            let open = price + draw(3) - 1;
            price = (open + draw(41) - 20 + (10_000 - open) / 100).max(1_000);
            let high = open.max(price) + draw(6);
            let low = open.min(price) - draw(6);
            [open, high, low, price]
        })
        .collect()
}

/// Writes bars in cents as a CSV file with prices in units.
pub(crate) fn write_csv(path: &Path, bars: &[[i64; 4]]) {
    use std::fmt::Write as _;
    let mut text = String::from("timestamp,open,high,low,close,volume\n");
    for (minute, bar) in bars.iter().enumerate() {
        let [open, high, low, close] = bar.map(|cents| format!("{}.{:02}", cents / 100, cents % 100));
        let time = 1_640_995_200 + minute * 60;
        writeln!(text, "{time},{open},{high},{low},{close},1000").unwrap();
    }
    std::fs::write(path, text).unwrap();
}
