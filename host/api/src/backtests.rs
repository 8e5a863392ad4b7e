//! Backtests over the API: each is a process of its own at a low priority, so that it takes nothing from what trades
//! here and can be ended at any time. What it made stays in a folder until newer ones take its place.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bulkhead_store::clock::now;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::api::{Answer, Api, At, Body};
use crate::authorisation::Caller;
use crate::documents::time;
use crate::live::reads::List;
use crate::problem::{Kind, Problem, ProblemDocument};

/// Backtests that wait or run at a time.
const MOST_AT_WORK: usize = 8;

/// Backtests that are kept.
const MOST_KEPT: usize = 50;

/// Longest simulated time, in days.
const MOST_DAYS: u32 = 366;

/// How long a backtest may run: a year of four instruments takes a minute or two.
const LONGEST_RUN: Duration = Duration::from_secs(3_600);

/// How often it is looked whether one has ended that says nothing more.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// Letters of what a backtest complained about that are told.
const LONGEST_REASON: usize = 2_000;

/// How the host runs a backtest.
pub trait BacktestProgram: Send + Sync {
    /// The program that lets this strategy trade a simulated market of so many days, and writes its report as JSON and as
    /// a page. It tells how far it is by lines `backtest: N %` on standard error.
    fn command(&self, strategy: &str, days: u32, seed: u64, json: &Path, page: &Path) -> Command;
}

/// A backtest that is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BacktestBody {
    /// For whom it is run; it is only to be found again by.
    #[serde(default)]
    account: Option<String>,
    /// The name of a file in the strategies directory.
    strategy: String,
    /// Days of the simulated market, 1 to 366.
    #[schema(minimum = 1, maximum = 366)]
    days: u32,
    /// The same seed makes the same market.
    #[serde(default)]
    seed: u64,
}

/// What a backtest found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub(crate) struct BacktestSummary {
    /// Final over initial equity, less one.
    #[serde(rename = "return")]
    total_return: Option<f64>,
    /// The deepest fall from a peak, as a fraction.
    max_drawdown: Option<f64>,
    /// Of daily returns, annualised.
    sharpe: Option<f64>,
    /// Closed trades.
    trades: Option<u64>,
    /// Wins of all trades, 0 to 1.
    win_rate: Option<f64>,
    /// What was left, a decimal string.
    final_equity: Option<String>,
}

/// How a backtest stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Stage {
    Waiting,
    Running,
    Done,
    Failed,
    Cancelled,
}

impl Stage {
    const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether it has yet to end.
    const fn is_at_work(self) -> bool {
        matches!(self, Self::Waiting | Self::Running)
    }
}

/// A backtest.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Backtest {
    /// Its number, rising.
    id: u64,
    /// waiting, running, done, failed or cancelled.
    #[schema(value_type = String)]
    state: Stage,
    /// How far it is, 0 to 1.
    progress: f64,
    /// When it was asked for.
    created: String,
    /// Who asked for it.
    by: String,
    /// Why it failed; null otherwise.
    reason: Option<String>,
    /// What was asked for.
    request: BacktestBody,
    /// What it found, once it is done.
    summary: Option<BacktestSummary>,
}

/// All backtests of this run of the host.
pub(crate) struct Backtests {
    program: Arc<dyn BacktestProgram>,
    directory: PathBuf,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    next: u64,
    /// Oldest first.
    jobs: VecDeque<Backtest>,
    /// Whether one is being run: they take turns.
    at_work: bool,
    /// The process of the one that runs.
    process: Option<Arc<Mutex<Child>>>,
}

impl Backtests {
    pub(crate) fn new(program: Arc<dyn BacktestProgram>, directory: PathBuf) -> Arc<Self> {
        Arc::new(Self { program, directory, kept: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn folder(&self, id: u64) -> PathBuf {
        self.directory.join(id.to_string())
    }

    fn add(self: &Arc<Self>, request: BacktestBody, by: String) -> Result<Backtest, Problem> {
        let mut kept = self.lock();
        let busy = kept.jobs.iter().filter(|job| job.state.is_at_work()).count();
        if busy >= MOST_AT_WORK {
            return Err(Problem::new(
                Kind::Busy,
                format!("{busy} backtests wait already; ask again when one is done"),
            ));
        }
        if kept.next == 0 {
            // What an earlier run left.
            drop(fs::remove_dir_all(&self.directory));
        }
        kept.next += 1;
        let job = Backtest {
            id: kept.next,
            state: Stage::Waiting,
            progress: 0.0,
            created: time(now()),
            by,
            reason: None,
            request,
            summary: None,
        };
        kept.jobs.push_back(job.clone());
        // One that ended: some always have, as few are at work.
        let ended = |job: &Backtest| !job.state.is_at_work();
        if kept.jobs.len() > MOST_KEPT
            && let Some(oldest) = kept.jobs.iter().position(ended)
            && let Some(oldest) = kept.jobs.remove(oldest)
        {
            drop(fs::remove_dir_all(self.folder(oldest.id)));
        }
        if !kept.at_work {
            let backtests = Arc::clone(self);
            let started =
                std::thread::Builder::new().name("backtests".to_owned()).spawn(move || backtests.work());
            if let Err(error) = started {
                kept.jobs.pop_back();
                tracing::error!(%error, "no backtest can be started");
                return Err(Problem::new(
                    Kind::Internal,
                    "no backtest can be started; the host's log says why",
                ));
            }
            kept.at_work = true;
        }
        Ok(job)
    }

    /// Runs what waits, one after another.
    fn work(&self) {
        loop {
            let next = {
                let mut kept = self.lock();
                let next = kept.jobs.iter_mut().find(|job| job.state == Stage::Waiting);
                let Some(job) = next else {
                    kept.at_work = false;
                    return;
                };
                job.state = Stage::Running;
                job.clone()
            };
            let outcome = self.run(&next);
            self.lock().process = None;
            self.change(next.id, |job| match outcome {
                _ if job.state == Stage::Cancelled => {}
                Ok(summary) => {
                    job.state = Stage::Done;
                    job.progress = 1.0;
                    job.summary = Some(summary);
                }
                Err(reason) => {
                    job.state = Stage::Failed;
                    job.reason = Some(reason);
                }
            });
        }
    }

    fn change(&self, id: u64, change: impl FnOnce(&mut Backtest)) {
        if let Some(job) = self.lock().jobs.iter_mut().find(|job| job.id == id) {
            change(job);
        }
    }

    /// Takes one back that waits, or ends it while it runs.
    fn cancel(&self, id: u64) -> Option<Backtest> {
        let mut kept = self.lock();
        let process = kept.process.clone();
        let job = kept.jobs.iter_mut().find(|job| job.id == id)?;
        let state = job.state;
        if state.is_at_work() {
            job.state = Stage::Cancelled;
        }
        let job = job.clone();
        drop(kept);
        if let Some(process) = process.filter(|_| state == Stage::Running) {
            end(&process);
        }
        Some(job)
    }

    fn run(&self, job: &Backtest) -> Result<BacktestSummary, String> {
        let folder = self.folder(job.id);
        fs::create_dir_all(&folder).map_err(|error| format!("its folder can't be made: {error}"))?;
        let (json, page) = (folder.join("report.json"), folder.join("report.html"));
        let BacktestBody { strategy, days, seed, .. } = &job.request;
        let mut command = self.program.command(strategy, *days, *seed, &json, &page);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("it can't be started: {error}"))?;
        let log = child.stderr.take();
        let process = Arc::new(Mutex::new(child));
        let was_cancelled = {
            let mut kept = self.lock();
            kept.process = Some(Arc::clone(&process));
            kept.jobs.iter().any(|other| other.id == job.id && other.state == Stage::Cancelled)
        };
        if was_cancelled {
            end(&process);
        }
        let (done, in_time) = channel::<()>();
        let watched = Arc::clone(&process);
        let watch = std::thread::spawn(move || {
            let late = in_time.recv_timeout(LONGEST_RUN) == Err(RecvTimeoutError::Timeout);
            if late {
                end(&watched);
            }
            late
        });
        let mut said = String::new();
        if let Some(log) = log {
            for line in BufReader::new(log).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line);
                match percent(&line) {
                    Some(percent) => self.change(job.id, |job| job.progress = percent / 100.0),
                    None if said.len() < LONGEST_REASON => {
                        said.push_str(&line);
                        said.push('\n');
                    }
                    None => {}
                }
            }
        }
        // Without holding on to it, for those who end it.
        let status = loop {
            match process.lock().unwrap_or_else(PoisonError::into_inner).try_wait() {
                Ok(None) => {}
                Ok(Some(status)) => break Ok(status),
                Err(error) => break Err(error),
            }
            std::thread::sleep(BETWEEN_LOOKS);
        };
        let status = status.map_err(|error| format!("it can't be waited for: {error}"))?;
        drop(done);
        if watch.join().unwrap_or(false) {
            return Err(format!("it was ended after {} minutes", LONGEST_RUN.as_secs() / 60));
        }
        if !status.success() {
            let said = said.trim();
            return Err(if said.is_empty() { format!("it ended with {status}") } else { said.to_owned() });
        }
        let report = fs::read(&json).map_err(|error| format!("its report can't be read: {error}"))?;
        let report: Value =
            serde_json::from_slice(&report).map_err(|error| format!("its report can't be read: {error}"))?;
        Ok(BacktestSummary::of(&report["metrics"]))
    }
}

fn end(process: &Mutex<Child>) {
    if let Err(error) = process.lock().unwrap_or_else(PoisonError::into_inner).kill() {
        tracing::warn!(%error, "a backtest could not be ended");
    }
}

fn percent(line: &str) -> Option<f64> {
    line.strip_prefix("backtest: ")?.strip_suffix(" %")?.parse().ok()
}

impl BacktestSummary {
    fn of(metrics: &Value) -> Self {
        Self {
            total_return: metrics["total_return"].as_f64(),
            max_drawdown: metrics["max_drawdown"].as_f64(),
            sharpe: metrics["sharpe"].as_f64(),
            trades: metrics["trades"].as_u64(),
            win_rate: metrics["win_rate"].as_f64(),
            final_equity: metrics["final_equity"].as_str().map(str::to_owned),
        }
    }
}

/// The backtests that were asked for since the host started, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/backtests",
    tag = "backtests",
    responses((status = 200, description = "The backtests", body = List<Backtest>)),
)]
pub(crate) async fn backtests(State(api): State<Api>) -> Json<List<Backtest>> {
    Json(List { items: api.backtests.lock().jobs.iter().rev().cloned().collect() })
}

/// Runs a strategy over a simulated market, as soon as those before it are done.
#[utoipa::path(
    post,
    path = "/api/v1/backtests",
    tag = "backtests",
    request_body = BacktestBody,
    responses(
        (status = 202, description = "It waits or runs", body = Backtest),
        (status = 400, description = "The body can't be understood", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = ProblemDocument, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn start(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    Body(body): Body<BacktestBody>,
) -> Result<(StatusCode, Json<Backtest>), Problem> {
    if !(1..=MOST_DAYS).contains(&body.days) {
        let detail = format!("days = {}: a whole number from 1 to {MOST_DAYS} is expected", body.days);
        return Err(Problem::new(Kind::BadBody, detail));
    }
    let legible = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let name = &body.strategy;
    if name.is_empty() || name.len() > 64 || name.starts_with(['.', '-']) || !name.bytes().all(legible) {
        let detail =
            format!("strategy = \"{name}\": the name of a file in the strategies directory is expected");
        return Err(Problem::new(Kind::BadBody, detail));
    }
    let job = api.backtests.add(body, caller.name)?;
    Ok((StatusCode::ACCEPTED, Json(job)))
}

fn unknown(id: &str) -> Problem {
    Problem::unknown("backtest", id, "/api/v1/backtests")
}

fn find(api: &Api, id: &str) -> Result<Backtest, Problem> {
    let number: u64 = id.parse().map_err(|_| unknown(id))?;
    api.backtests.lock().jobs.iter().find(|job| job.id == number).cloned().ok_or_else(|| unknown(id))
}

/// A backtest.
#[utoipa::path(
    get,
    path = "/api/v1/backtests/{backtest}",
    tag = "backtests",
    params(("backtest" = u64, Path, description = "Its number")),
    responses((status = 200, description = "How it stands", body = Backtest)),
)]
pub(crate) async fn backtest(State(api): State<Api>, At(id): At<String>) -> Answer<Backtest> {
    find(&api, &id).map(Json)
}

/// Takes a backtest back that waits, or ends it while it runs. One that has ended stays as it is.
#[utoipa::path(
    delete,
    path = "/api/v1/backtests/{backtest}",
    tag = "backtests",
    params(("backtest" = u64, Path, description = "Its number")),
    responses((status = 200, description = "How it stands", body = Backtest)),
)]
pub(crate) async fn cancel_backtest(
    State(api): State<Api>,
    Extension(caller): Extension<Caller>,
    At(id): At<String>,
) -> Answer<Backtest> {
    let number: u64 = id.parse().map_err(|_| unknown(&id))?;
    let job = api.backtests.cancel(number).ok_or_else(|| unknown(&id))?;
    tracing::info!(backtest = number, state = job.state.name(), by = caller.name, "a backtest was cancelled");
    Ok(Json(job))
}

/// The report of a backtest that is done, as a page.
#[utoipa::path(
    get,
    path = "/api/v1/backtests/{backtest}/report",
    tag = "backtests",
    params(("backtest" = u64, Path, description = "Its number")),
    responses((status = 200, description = "The page", body = String, content_type = "text/html")),
)]
pub(crate) async fn report(State(api): State<Api>, At(id): At<String>) -> Result<Response, Problem> {
    let job = find(&api, &id)?;
    let page = api.backtests.folder(job.id).join("report.html");
    let page = tokio::task::spawn_blocking(move || fs::read(page)).await;
    let Ok(Ok(page)) = page else {
        return Err(Problem::new(
            Kind::Unknown,
            format!("backtest {id} has no report: it is {}", job.state.name()),
        ));
    };
    // The page has its scripts within it; it may do nothing but draw.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; \
                  sandbox allow-scripts; frame-ancestors 'none'";
    let headers =
        [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, policy)];
    Ok((headers, page).into_response())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// Says what a shell is told to, in place of a backtest.
    struct Shell(&'static str);

    impl BacktestProgram for Shell {
        fn command(&self, strategy: &str, _: u32, seed: u64, json: &Path, _: &Path) -> Command {
            let mut command = Command::new("sh");
            command.args(["-c", self.0, strategy]).arg(json).arg(seed.to_string());
            command
        }
    }

    fn wanted(seed: u64) -> BacktestBody {
        BacktestBody { account: None, strategy: "s".to_owned(), days: 1, seed }
    }

    fn ended(backtests: &Arc<Backtests>, id: u64) -> Backtest {
        let asked = Instant::now();
        loop {
            let job = backtests.lock().jobs.iter().find(|job| job.id == id).cloned().unwrap();
            if !job.state.is_at_work() {
                return job;
            }
            assert!(asked.elapsed() < Duration::from_secs(60), "{job:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn a_backtest_tells_what_it_found_or_why_it_failed() {
        let folder = tempfile::tempdir().unwrap();
        let script = "echo 'backtest: 50 %' >&2; [ $2 = 1 ] || { echo 'no luck' >&2; exit 1; }; \
                      echo '{\"metrics\":{\"trades\":3,\"final_equity\":\"7.5\"}}' > $1";
        let backtests = Backtests::new(Arc::new(Shell(script)), folder.path().join("backtests"));
        let (well, badly) = (
            backtests.add(wanted(1), "zoe".to_owned()).unwrap(),
            backtests.add(wanted(2), "zoe".to_owned()).unwrap(),
        );
        let well = ended(&backtests, well.id);
        assert_eq!((well.state, well.reason), (Stage::Done, None));
        let summary = well.summary.unwrap();
        assert_eq!((summary.trades, summary.final_equity.as_deref()), (Some(3), Some("7.5")));
        let badly = ended(&backtests, badly.id);
        assert_eq!((badly.state, badly.reason.as_deref()), (Stage::Failed, Some("no luck")));
    }

    #[test]
    fn what_waits_is_taken_back_and_what_runs_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let program = Arc::new(Shell("echo 'backtest: 1 %' >&2; exec sleep 1000"));
        let backtests = Backtests::new(program, folder.path().join("b"));
        let ids = [0, 1].map(|seed| backtests.add(wanted(seed), "zoe".to_owned()).unwrap().id);
        let asked = Instant::now();
        while backtests.lock().jobs[0].progress == 0.0 {
            assert!(asked.elapsed() < Duration::from_secs(60));
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(backtests.cancel(ids[1]).unwrap().state, Stage::Cancelled);
        assert_eq!(backtests.cancel(ids[0]).unwrap().state, Stage::Cancelled);
        while backtests.lock().at_work {
            assert!(asked.elapsed() < Duration::from_secs(60), "it still runs");
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(ids.iter().all(|id| ended(&backtests, *id).state == Stage::Cancelled));
        assert_eq!(backtests.cancel(77), None);
    }

    #[test]
    fn they_do_not_pile_up() {
        let folder = tempfile::tempdir().unwrap();
        let backtests = Backtests::new(
            Arc::new(Shell("read x < /dev/stdin; sleep 0.2; exit 1")),
            folder.path().join("b"),
        );
        for seed in 0..MOST_AT_WORK as u64 {
            backtests.add(wanted(seed), "zoe".to_owned()).unwrap();
        }
        assert_eq!(backtests.add(wanted(0), "zoe".to_owned()).unwrap_err().kind, Kind::Busy);
        for id in 1..=MOST_AT_WORK as u64 {
            ended(&backtests, id);
        }
        backtests.add(wanted(0), "zoe".to_owned()).unwrap();
    }
}
