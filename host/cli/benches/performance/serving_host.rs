//! A host that trades and serves its API, in a process of its own, looked at from outside.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::Suite;

/// Nothing takes so long when all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// The thread that trades.
const TRADING_THREAD: &str = "accounts";

/// An account that is traded, with its configuration, its database and a token.
pub(crate) struct Plan {
    directory: PathBuf,
    speed: &'static str,
    /// An admin's token.
    secret: String,
}

impl Plan {
    /// The crossover plugin in a slot, a feed as the configuration says it, and an API with room for so many.
    pub(crate) fn new(
        suite: &Suite,
        name: &str,
        feed: &str,
        connections: usize,
        speed: &'static str,
    ) -> Result<Self> {
        let directory = suite.directory.join(name);
        let strategies = directory.join("strategies");
        std::fs::create_dir_all(&strategies)?;
        std::fs::copy(&suite.plugin, strategies.join("sma-crossover.wasm"))?;
        let settings = format!(
            "storage = {:?}\n[log]\nformat = \"json\"\n[strategies]\ndirectory = {strategies:?}\n\
             [slots.sma-crossover]\nmode = \"live\"\nweight = 0.5\n[slots.momentum]\nweight = 0\n\
             [risk]\ncooldown = \"off\"\n\
             [api]\nlisten = \"127.0.0.1:0\"\nconnections = {connections}\nrequests_per_minute = 4000000000\n{feed}",
            directory.join("storage"),
        );
        let mut plan = Self { directory, speed, secret: String::new() };
        std::fs::write(plan.file(), settings)?;
        let token = ["token", "create", "--name", "bench", "--role", "viewer"];
        plan.secret = plan.run(&token)?["secret"].as_str().context("the token has no secret")?.to_owned();
        Ok(plan)
    }

    fn file(&self) -> PathBuf {
        self.directory.join("bulkhead.toml")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bulkhead"));
        command.current_dir(&self.directory).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end; what it says as JSON.
    fn run(&self, arguments: &[&str]) -> Result<Value> {
        let output =
            self.command().args(arguments).arg("--json").arg("--config").arg(self.file()).output()?;
        ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// The database's file.
    pub(crate) fn database(&self) -> PathBuf {
        self.directory.join("storage").join("bulkhead.db")
    }
}

/// A running host.
pub(crate) struct ServingHost {
    child: Child,
    /// Such as 127.0.0.1:40123.
    pub(crate) address: String,
    /// An admin's.
    pub(crate) secret: String,
    released: Arc<Mutex<Vec<Released>>>,
}

/// An order or a fill that the host told of as soon as it was durable.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Released {
    /// The input that it follows from.
    pub(crate) input: u64,
    /// By the machine's clock, in microseconds.
    pub(crate) micros: i64,
}

/// What the thread that trades has had of the processors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) worked: Duration,
    /// Ready to work, and another had the processor.
    pub(crate) waited: Duration,
}

impl ServingHost {
    /// Starts it, and waits until it trades.
    pub(crate) fn start(plan: &Plan) -> Result<Self> {
        let mut child = plan
            .command()
            .args(["run", "--plain", "--speed", plan.speed, "--config"])
            .arg(plan.file())
            // Orders and fills as they become durable; at full speed there are too many of them.
            .env(
                "RUST_LOG",
                if plan.speed == "max" {
                    "warn,bulkhead::run::api=info"
                } else {
                    "info,bulkhead::run::log=debug"
                },
            )
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("the host can't be started")?;
        let log = BufReader::new(child.stderr.take().context("the host has no log")?);
        let released = Arc::new(Mutex::new(Vec::new()));
        let (sender, address) = std::sync::mpsc::channel();
        let collected = Arc::clone(&released);
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                let Ok(line) = serde_json::from_str::<Value>(&line) else { continue };
                let fields = if line["fields"].is_object() { &line["fields"] } else { &line };
                match fields["message"].as_str() {
                    Some("fill" | "order accepted") => {
                        let time = line["timestamp"].as_str().and_then(|time| time.parse().ok());
                        if let (Some(input), Some(time)) = (fields["input"].as_u64(), time) {
                            let time: jiff::Timestamp = time;
                            let released = Released { input, micros: time.as_microsecond() };
                            collected.lock().unwrap_or_else(PoisonError::into_inner).push(released);
                        }
                    }
                    Some(message) if message.starts_with("the dashboard and the API are here") => {
                        let address = fields["address"].as_str().unwrap_or_default();
                        drop(sender.send(address.trim_start_matches("http://").to_owned()));
                    }
                    _ => {}
                }
            }
        });
        let address = address.recv_timeout(PATIENCE).context("the host does not say where its API is")?;
        let host = Self { child, address, secret: plan.secret.clone(), released };
        host.bars()?;
        Ok(host)
    }

    /// What was released since this was asked last.
    pub(crate) fn released(&self) -> Vec<Released> {
        std::mem::take(&mut *self.released.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The body of an answer, on a connection of its own.
    pub(crate) fn get(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let (address, secret) = (&self.address, &self.secret);
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {secret}\r\nConnection: close\r\n\r\n"
        )?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let (head, body) = text.split_once("\r\n\r\n").context("no answer")?;
        ensure!(head.starts_with("HTTP/1.1 200"), "{path}: {text}");
        Ok(body.to_owned())
    }

    /// The bars that it has taken, at the moment at which it makes a new count known.
    pub(crate) fn bars(&self) -> Result<(u64, Instant)> {
        let asked = Instant::now();
        let mut before = None;
        loop {
            if let Ok(view) = self.get("/api/v1/accounts/main/view") {
                let view: Value = serde_json::from_str(&view)?;
                let bars = view["feed"]["bars"].as_u64();
                if let (Some(before), Some(now)) = (before, bars)
                    && now > before
                {
                    return Ok((now, Instant::now()));
                }
                before = bars.or(before);
            }
            ensure!(asked.elapsed() < PATIENCE, "the host does not trade");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// How many clients have live updates.
    pub(crate) fn subscribers(&self) -> Result<usize> {
        let metrics = self.get("/metrics")?;
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix("bulkhead_live_subscribers{account=\"main\"} "));
        Ok(line.context("no subscribers are told")?.trim().parse()?)
    }

    /// How many seconds the commits of the journal took so far, and how many there were.
    pub(crate) fn commits(&self) -> Result<(f64, f64)> {
        let metrics = self.get("/metrics")?;
        let figure = |name: &str| -> Result<f64> {
            let line = metrics.lines().find_map(|line| {
                line.strip_prefix("bulkhead_journal_commit_seconds_")?
                    .strip_prefix(name)?
                    .strip_prefix("{account=\"main\"} ")
            });
            Ok(line.context("no commits are told")?.trim().parse()?)
        };
        Ok((figure("sum")?, figure("count")?))
    }

    /// Memory of the host that is in use now, in bytes. Linux only.
    pub(crate) fn resident_bytes(&self) -> Result<f64> {
        crate::measure::resident_bytes_of(&self.process().join("status"))
    }

    /// What the thread that trades has had so far. Linux only.
    pub(crate) fn usage(&self) -> Result<Usage> {
        for thread in std::fs::read_dir(self.process().join("task"))? {
            let thread = thread?.path();
            if std::fs::read_to_string(thread.join("comm")).is_ok_and(|name| name.trim() == TRADING_THREAD) {
                let statistics = std::fs::read_to_string(thread.join("schedstat"))?;
                let mut numbers = statistics.split_whitespace().map(|number| number.parse().ok());
                let mut next = || numbers.next().flatten().map(Duration::from_nanos);
                let (worked, waited) = next().zip(next()).context("schedstat can't be read")?;
                return Ok(Usage { worked, waited });
            }
        }
        anyhow::bail!("no thread of the host trades")
    }

    fn process(&self) -> PathBuf {
        Path::new("/proc").join(self.child.id().to_string())
    }
}

impl Drop for ServingHost {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
