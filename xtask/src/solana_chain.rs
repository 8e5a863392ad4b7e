//! The Solana chain that things are tried on: a real virtual machine behind JSON-RPC, with an aggregator in front.

use anyhow::Result;

use crate::process;
use crate::workspace::Workspace;

/// Runs one until it is interrupted.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    process::run(workspace.cargo().args([
        "run",
        "--quiet",
        "-p",
        "bulkhead-solana-chain",
        "--example",
        "serve_solana",
    ]))
}
