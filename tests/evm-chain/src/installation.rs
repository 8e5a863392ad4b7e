//! Where the node and the compiled contracts are.

use std::path::{Path, PathBuf};

use alloy::primitives::Bytes;
use alloy::primitives::hex;
use serde_json::Value;

/// Says where the packages are installed; the test's own set-up sets it.
const VARIABLE: &str = "BULKHEAD_EVM_CHAIN";

const HINT: &str = "run `cargo xtask evm-chain`, which installs the node and the contracts with npm";

/// The folder with `node_modules` and `compiled`.
pub(crate) fn folder() -> PathBuf {
    std::env::var_os(VARIABLE).map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from)
}

/// The node's program itself. The script that npm puts before it takes longer to start than the node.
pub(crate) fn node() -> PathBuf {
    let platform = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => "linux-amd64",
        ("linux", "aarch64") => "linux-arm64",
        ("macos", "x86_64") => "darwin-amd64",
        ("macos", "aarch64") => "darwin-arm64",
        (system, machine) => panic!("there is no anvil for {system} on {machine}"),
    };
    let path = folder().join(format!("node_modules/@foundry-rs/anvil-{platform}/bin/anvil"));
    assert!(path.is_file(), "{} is missing: {HINT}", path.display());
    path
}

/// The code of a contract of Uniswap, from the JSON that its package ships.
pub(crate) fn packaged(path: &str) -> Bytes {
    let path = folder().join("node_modules/@uniswap").join(path);
    let artifact: Value = serde_json::from_slice(&read(&path))
        .unwrap_or_else(|error| panic!("{} is not JSON: {error}", path.display()));
    // The tools of V2 put the code into an object, those of V3 don't.
    let code = artifact["evm"]["bytecode"]["object"].as_str().or_else(|| artifact["bytecode"].as_str());
    decode(code.unwrap_or_else(|| panic!("{} has no code", path.display())), &path)
}

/// The code of a contract of our own, from what `compile.mjs` made.
pub(crate) fn compiled(contract: &str) -> Bytes {
    let path = folder().join("compiled").join(format!("{contract}.bin"));
    let text = String::from_utf8(read(&path)).unwrap_or_else(|_| panic!("{} is not text", path.display()));
    decode(&text, &path)
}

/// The code of a contract of our own as it is once it is deployed.
#[must_use]
pub fn runtime(contract: &str) -> Bytes {
    let path = folder().join("compiled").join(format!("{contract}.runtime"));
    let text = String::from_utf8(read(&path)).unwrap_or_else(|_| panic!("{} is not text", path.display()));
    decode(&text, &path)
}

fn decode(code: &str, path: &Path) -> Bytes {
    hex::decode(code).unwrap_or_else(|error| panic!("the code in {}: {error}", path.display())).into()
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}; {HINT}", path.display()))
}
