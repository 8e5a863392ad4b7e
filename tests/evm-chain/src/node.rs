//! The node's process.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::chain::{Mining, Options};
use crate::installation;

/// A running node. It is ended together with this value.
#[derive(Debug)]
pub(crate) struct Node {
    child: Child,
    port: u16,
}

impl Node {
    /// Starts it, and waits until it listens. Port 0 takes one that is free.
    pub(crate) fn start(options: &Options, port: u16, state: &Path) -> Self {
        let program = installation::node();
        let mut command = Command::new(&program);
        command.args(arguments(options, port)).arg("--state").arg(state);
        // It looks for settings in the home directory and for a configuration above the current one.
        command.current_dir(state.parent().unwrap_or(Path::new("/")));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child =
            command.spawn().unwrap_or_else(|error| panic!("cannot start {}: {error}", program.display()));
        let output = child.stdout.take().expect("its output is a pipe");
        let mut lines = BufReader::new(output).lines();
        let listens = lines.by_ref().find_map(|line| port_of(&line.ok()?));
        let Some(port) = listens else {
            let mut complaint = String::new();
            if let Some(mut errors) = child.stderr.take() {
                let _ = errors.read_to_string(&mut complaint);
            }
            let _ = child.wait();
            panic!("the node ended before it listened: {}", complaint.trim());
        };
        // It prints on; a full pipe would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        if let Some(mut errors) = child.stderr.take() {
            std::thread::spawn(move || std::io::copy(&mut errors, &mut std::io::sink()));
        }
        Self { child, port }
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Ends it in order: it writes its state before.
    pub(crate) fn stop(mut self) {
        let id = Pid::from_child(&self.child);
        kill_process(id, Signal::INT).expect("a node that runs can be told to end");
        let status = self.child.wait().expect("a child can be waited for");
        assert!(status.success(), "the node ended with {status}");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn arguments(options: &Options, port: u16) -> Vec<String> {
    let mut arguments = vec!["--host=127.0.0.1".to_owned(), format!("--port={port}")];
    arguments.push(format!("--chain-id={}", options.chain_id));
    // The accounts are our own.
    arguments.push("--accounts=1".to_owned());
    arguments.push(format!("--slots-in-an-epoch={}", options.slots_in_an_epoch));
    if let Some(fee) = options.base_fee {
        arguments.push(format!("--block-base-fee-per-gas={fee}"));
    }
    match options.mining {
        Mining::Automatic => {}
        Mining::ByHand => arguments.push("--no-mining".to_owned()),
        Mining::Every(pause) => arguments.push(format!("--block-time={}", pause.as_secs_f64())),
    }
    arguments
}

/// What the line that says so says it listens on.
fn port_of(line: &str) -> Option<u16> {
    line.strip_prefix("Listening on 127.0.0.1:")?.trim().parse().ok()
}

/// Where a node keeps its state unless the test says so.
pub(crate) fn state_in(folder: &Path) -> PathBuf {
    folder.join("state.json")
}
