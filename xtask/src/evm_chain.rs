//! The chain that the tests of the EVM executor run on: a node, the contracts of Uniswap and a compiler, all from npm.

use std::path::PathBuf;

use anyhow::{Result, ensure};

use crate::dashboard::{install, node, npm};
use crate::process;
use crate::workspace::Workspace;

/// The packages whose tests need it.
pub(crate) const PACKAGES: [&str; 2] = ["bulkhead-evm", "bulkhead-evm-chain"];

/// Prepares the chain, and starts one to try things on if that is wanted.
pub(crate) fn run(workspace: &Workspace, serve: bool) -> Result<()> {
    let prepared = prepare(workspace)?;
    if !serve {
        return Ok(());
    }
    ensure!(prepared, "install Node to start the chain");
    process::run(workspace.cargo().args(["run", "--quiet", "-p", "bulkhead-evm-chain", "--example", "serve"]))
}

/// Installs the node and compiles the tokens, unless that was done. `false` where there is no Node to do it with.
pub(crate) fn prepare(workspace: &Workspace) -> Result<bool> {
    if let Err(reason) = node() {
        eprintln!("There is no chain to test on: {reason:#}. The tests of the EVM executor are left out.");
        return Ok(false);
    }
    let folder: PathBuf = workspace.root.join("tests").join("evm-chain");
    install(&folder)?;
    process::run(npm(&folder).args(["run", "--silent", "compile"]))?;
    Ok(true)
}
