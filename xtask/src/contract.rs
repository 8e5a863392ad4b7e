//! Whether the API keeps its description: thousands of requests made up from the `OpenAPI` document, wrong ones among
//! them, against a host that trades. Each answer must be one that the document names, and never a failure of ours.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::demo::Demo;
use crate::dependencies::cache;
use crate::process;
use crate::python;
use crate::workspace::Workspace;

/// Pinned, so that a new release can't change what passes.
const VERSION: &str = "4.32.5";

/// What must be asked at least.
const FEWEST_REQUESTS: u64 = 2_000;

/// How long the host may take until its API answers.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(900);

/// What each answer must be like.
const CHECKS: &str =
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

/// Live updates don't end, and logging out or taking tokens back would end the test's own.
const LEFT_OUT: &str = "/(live|events|session)$|/tokens/\\{token\\}$";

/// Fuzzes the API of a demo that runs.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let schemathesis = find_or_install()?;
    let demo = Demo::prepare(workspace)?;
    let mut host = Host::start(&demo)?;
    let token = demo.token("contract")?;
    let reports = workspace.target.join("contract");
    std::fs::create_dir_all(&reports)?;
    let report = reports.join("report.json");
    let mut command = Command::new(schemathesis);
    command
        .current_dir(&reports)
        .args(["run", &format!("http://{}/api/v1/openapi.json", host.address)])
        .args(["--checks", CHECKS, "--exclude-path-regex", LEFT_OUT, "--seed", "1"])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", "60", "--continue-on-failure"])
        .args(["--workers", "2", "--no-color", "--generation-database", "none", "--warnings", "off"])
        .arg("--header")
        .arg(format!("Authorization: Bearer {token}"))
        .arg("--report-json-path")
        .arg(&report);
    let fuzzed = process::run_within_as("schemathesis run, with a token of an admin", &mut command, LIMIT);
    let trades = host.child.try_wait()?.is_none();
    host.stop()?;
    fuzzed.context("the API does not keep its description")?;
    ensure!(trades, "the host ended while its API was asked");
    let asked = requests(&report)?;
    ensure!(asked >= FEWEST_REQUESTS, "only {asked} requests were made; {FEWEST_REQUESTS} are wanted");
    process::run(demo.replay().stdout(Stdio::null()))?;
    eprintln!("{asked} requests, each answered as described; what they changed replays as it was.");
    Ok(())
}

/// How many requests the report tells of.
fn requests(report: &Path) -> Result<u64> {
    let text =
        std::fs::read_to_string(report).with_context(|| format!("cannot read {}", report.display()))?;
    let report: Value = serde_json::from_str(&text).context("schemathesis' report")?;
    report["test_cases"]["generated"].as_u64().context("schemathesis' report has no number of test cases")
}

/// A demo at work, with its API on a free port.
struct Host {
    child: Child,
    address: String,
}

impl Host {
    fn start(demo: &Demo) -> Result<Self> {
        let mut command = demo.command(&["--plain", "--json", "--speed", "600"]);
        command
            .env("BULKHEAD__API__LISTEN", "127.0.0.1:0")
            .env("BULKHEAD__API__REQUESTS_PER_MINUTE", "10000000")
            .env("NO_COLOR", "1")
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        eprintln!("$ {}", process::shown(&command));
        let mut child = command.spawn().context("cannot start the host")?;
        let log = child.stderr.take().context("the host's log")?;
        let (sender, lines) = std::sync::mpsc::channel();
        // Read to its end, so that the host never waits for somebody to read it.
        std::thread::spawn(move || {
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                drop(sender.send(line));
            }
        });
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(line) = lines.recv_timeout(left) else {
                child.kill()?;
                child.wait()?;
                bail!("the host's log does not tell where its API is");
            };
            if let Some(address) = address(&line) {
                return Ok(Self { child, address });
            }
        }
    }

    fn stop(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

/// Where a line of the log says that the API is.
fn address(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("the dashboard and the API are here")?;
    let (_, rest) = rest.split_once("http://")?;
    Some(rest.chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect())
}

/// The pinned schemathesis, in an environment of its own that is kept in the cache.
fn find_or_install() -> Result<PathBuf> {
    let kept_in = cache()?.join(format!("schemathesis-{VERSION}"));
    let program = kept_in.join("bin").join("schemathesis");
    let is_there = process::capture(Command::new(&program).arg("--version"));
    if is_there.is_ok_and(|answer| answer.contains(VERSION)) {
        return Ok(program);
    }
    eprintln!("Installing schemathesis {VERSION} into {}, once.", kept_in.display());
    python::make_environment("schemathesis", Path::new("python3"), &kept_in)?;
    let mut install = Command::new(kept_in.join("bin").join("pip"));
    install.args(["install", "--quiet", "--disable-pip-version-check"]);
    process::run(install.arg(format!("schemathesis=={VERSION}")))?;
    Ok(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_tells_where_the_api_is() {
        let line = "INFO the dashboard and the API are here address=\"http://127.0.0.1:40123\"";
        assert_eq!(address(line).as_deref(), Some("127.0.0.1:40123"));
        assert_eq!(address("INFO strategy started slot=\"http://x\""), None);
    }
}
