//! A host that a test watches through its log.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::bulkhead;

/// Long enough for a slow, busy machine; nothing waits that long when all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A running `bulkhead run`.
pub(crate) struct Host {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Drop for Host {
    /// A test that fails leaves no host behind; one that has ended is not there to be killed.
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Host {
    pub(crate) fn start(directory: &Path, arguments: &[impl AsRef<OsStr>]) -> Self {
        let mut command = bulkhead(directory);
        command.arg("run").args(arguments);
        Self::start_command(command)
    }

    /// Starts a command that ends up being `bulkhead run`.
    pub(crate) fn start_command(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let log = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines, seen: Vec::new() }
    }

    /// Waits for a log line with all of these parts.
    pub(crate) fn wait_for(&mut self, parts: &[&str]) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if parts.iter().all(|part| line.contains(part)) {
                        return line;
                    }
                }
                Err(_) => panic!("no line with {parts:?} in:\n{}", self.seen.join("\n")),
            }
        }
    }

    /// How many of the lines until the last one that was waited for have all of these parts.
    pub(crate) fn count(&self, parts: &[&str]) -> usize {
        self.seen.iter().filter(|line| parts.iter().all(|part| line.contains(part))).count()
    }

    /// Waits for its end; what it printed at it.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let mut text = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        (self.child.wait().unwrap(), text)
    }

    /// Ends it where it stands, as a crash would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Sends what Ctrl-C sends.
    pub(crate) fn interrupt(&self) {
        self.signal("-INT");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
    }

    /// Memory of the process that is in use now, in bytes. Linux only.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().strip_suffix("kB").unwrap().trim().parse::<u64>().unwrap() * 1024
    }

    /// Ends it as [`Self::stop`] does; its whole log.
    pub(crate) fn log(mut self) -> Vec<String> {
        self.terminate();
        let mut text = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(self.child.wait().unwrap().success());
        self.seen.extend(self.lines.iter());
        std::mem::take(&mut self.seen)
    }

    /// Sends SIGTERM; the summary that the host ends with.
    pub(crate) fn stop(self) -> Value {
        self.terminate();
        let (status, text) = self.end();
        assert!(status.success());
        serde_json::from_str(&text).unwrap()
    }
}
