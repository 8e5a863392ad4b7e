//! `bulkhead run`: the host at work. Each account is looked after by one thread; everything else speaks to these
//! threads by messages.

mod account;
mod alerts;
mod api;
#[cfg_attr(not(feature = "evm"), path = "without_chains.rs")]
mod chains;
mod live;
mod log;
mod messages;
mod outside;
mod plugin_watch;
mod requests;
mod status;
mod summary;
mod supervision;
mod traces;
mod uploads;
mod watchers;
mod worker;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{channel, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};
use bulkhead_alerts::{Alerts, Notices, Work};
use bulkhead_api::{Host, HostFigures, Reconciliations, Rights, Settings};
use bulkhead_configuration::Configuration;
use bulkhead_core::identifier::ContentHash;
use bulkhead_sandbox::Sandbox;

use self::chains::Chains;
use self::live::LiveUpdates;
pub(crate) use self::messages::Origin;
use self::messages::{HandedOver, Message, Messages};
#[cfg(feature = "evm")]
pub(crate) use self::outside::Outside;
pub(crate) use self::outside::{StartOutside, Told};
use self::status::StatusView;
use self::summary::Summary;
use self::supervision::{Task, TaskFailure, supervise};
use self::watchers::Watchers;
use self::worker::{Assignment, End, Terms, Worker};
use crate::arguments::RunArguments;
use crate::configuration;
use crate::market_data::MarketData;
use crate::model_files::GrantingSandbox;
use crate::open_files;
use crate::shard;
use crate::strategy_files::{self, PluginFile};

/// How long the end of a run may take after a signal.
const LONGEST_END: Duration = Duration::from_millis(4_800);

/// Runs until the duration, the data or a signal ends it.
pub(crate) fn run(arguments: &RunArguments) -> Result<()> {
    let configuration = configuration::layers(&arguments.configuration, None)?.read()?;
    let granting = GrantingSandbox::new(strategy_files::sandbox(&configuration)?, &configuration);
    let sandbox = granting.sandbox().clone();
    let data = Arc::new(MarketData::open(&configuration)?);
    let (database, accounts) = shard::open_database(&configuration)?;
    let mut chains = Chains::start(&configuration, &accounts, arguments)?;
    let speed = arguments.speed.unwrap_or(configuration.speed);
    let several = accounts.len() > 1;
    let names: Vec<String> = accounts.iter().map(|account| account.name.clone()).collect();
    let mut views = match arguments.json || arguments.plain {
        true => Vec::new(),
        false => StatusView::start(speed, &configuration.strategies.directory, &names),
    };
    views.reverse();
    let (poke, pokes) = sync_channel(1);
    let poke = move || {
        // One that finds another waiting is not needed.
        let _ = poke.try_send(());
    };
    let figures = HostFigures::new().context("the metrics can't be set up")?;
    let (alerts, mut callers, alert_work) = alerts::prepare(&configuration, &names, &figures, poke.clone())?;
    callers.reverse();
    let history = alerts.as_ref().map(Alerts::history);
    let told =
        Told { reconciliations: Reconciliations::default(), notices: alerts.as_ref().map(Alerts::notices) };
    let traces = traces::start(&configuration, &figures)?;
    let served = api::prepare(
        (&arguments.configuration, &configuration),
        &names,
        &granting,
        (history.clone(), told.reconciliations.clone()),
        figures.clone(),
        traces.as_ref().map(|traces| traces.requests()),
        poke,
    )?;
    let (serving, mut publishers) = match served {
        Some((settings, host, publishers)) => (Some((settings, host)), publishers),
        None => (None, Vec::new()),
    };
    publishers.reverse();

    let threads = configuration.threads.0.count().min(accounts.len()).max(1);
    let mut shares: Vec<Vec<Assignment>> = (0..threads).map(|_| Vec::new()).collect();
    let mut keep = Some(database);
    for (number, (account, outside)) in accounts.into_iter().zip(chains.venues()).enumerate() {
        let database = match &keep {
            // Keeps other processes out until all accounts have ended.
            Some(database) if several => database.share(account.shard)?,
            _ => keep.take().context("an account has no connection to the database")?,
        };
        let source = configuration.feed.source.name();
        let live = publishers.pop().map(|publisher| {
            let name = account.name.clone();
            let (figures, history) = (figures.clone(), history.clone());
            LiveUpdates::new(publisher, name, figures, history, source.to_owned(), Arc::clone(&data))
        });
        let watchers = Watchers {
            view: views.pop(),
            live,
            alerts: callers.pop(),
            figures: figures.clone(),
            traces: traces.as_ref().map(|traces| traces.inputs(&account.name)),
        };
        shares[number % threads].push(Assignment { account, database, watchers, outside });
    }
    let (senders, receivers): (Vec<_>, Vec<_>) = shares.iter().map(|_| channel()).unzip();
    let messages = Messages::to(senders.iter().cloned());
    let notices = alerts.as_ref().map(Alerts::notices);
    let reports = Reports { messages: messages.clone(), notices, figures };
    start_alerts(alert_work, &reports)?;
    stop_on_signals(messages, sandbox.clone())?;
    let files = prepare_directory(&configuration, &granting)?;
    let refused = files.iter().filter_map(PluginFile::refused_content).collect();
    let rights = Rights::new(api::wallets(&configuration, &names)?);
    let handed_over = HandedOver::default();
    let terms = Terms {
        sandbox: sandbox.clone(),
        files,
        data: data.clone(),
        rights: rights.clone(),
        handed_over: handed_over.clone(),
        told,
        speed,
        duration: arguments.duration,
        several,
    };
    let started = Instant::now();
    let mut workers = Vec::new();
    for ((share, waker), receiver) in shares.into_iter().zip(senders).zip(receivers) {
        workers.push(Worker::start(share, terms.clone(), waker, receiver)?);
    }
    chains.follow(&configuration, &data, &reports)?;
    start_plugin_watch(&configuration, &granting, refused, &reports)?;
    let (url, messages) = (shard::database_url(&configuration)?, reports.messages.clone());
    start_task(
        Task { name: "requests".into(), degrades: "what operators ask for is not noticed" },
        move || requests::look(&url, &rights, &handed_over, &pokes, &messages),
        &reports,
    )?;
    if let Some((settings, host)) = serving {
        open_files::make_room(settings.connections);
        start_api(settings, host, &reports)?;
    }
    drop(reports);

    let mut ends: Vec<End> = workers.into_iter().flat_map(Worker::join).collect();
    chains.end();
    drop(keep);
    if let Some(alerts) = alerts {
        alerts.close(alerts::LONGEST_END);
    }
    if let Some(traces) = traces {
        traces.close(traces::LONGEST_END);
    }
    ends.sort_by_key(|end| end.shard);
    sum_up(ends, started.elapsed().as_secs_f64(), arguments.json)
}

/// Looks into what is in the strategies directory at the start, once for all accounts.
fn prepare_directory(configuration: &Configuration, sandbox: &GrantingSandbox) -> Result<Arc<[PluginFile]>> {
    let directory = &configuration.strategies.directory;
    tracing::info!(directory = %directory.display(), "preparing the strategies");
    let mut files = strategy_files::prepare(sandbox, directory)?;
    uploads::attribute(&shard::database_url(configuration)?, &mut files)?;
    if files.is_empty() {
        tracing::warn!(
            directory = %directory.display(),
            "there are no strategies; copy .wasm files there, they are taken up while the host runs"
        );
    }
    for file in &files {
        if let Some(reason) = &file.refused {
            tracing::error!(file = %file.path.display(), reason, "plugin refused");
        }
    }
    Ok(files.into())
}

/// Shows what the accounts amounted to. One that failed is told of after those that did not.
fn sum_up(ends: Vec<End>, seconds: f64, json: bool) -> Result<()> {
    let (mut accounts, mut failures) = (Vec::new(), Vec::new());
    for End { outcome, .. } in ends {
        match outcome {
            Ok(account) => accounts.extend(account),
            Err(error) => failures.push(error),
        }
    }
    if accounts.is_empty() && failures.is_empty() && !json {
        anstream::println!("the run ended before an account was opened");
    } else if !accounts.is_empty() || failures.is_empty() {
        let summary = Summary::of(accounts, seconds)?;
        if json {
            anstream::println!("{}", serde_json::to_string_pretty(&summary)?);
        } else {
            anstream::println!("{}", summary.table());
        }
    }
    match failures.len() {
        0 => Ok(()),
        1 => Err(failures.remove(0)),
        count => {
            let lines: Vec<String> = failures.iter().map(|error| format!("\n  {error:#}")).collect();
            Err(anyhow!("{count} accounts failed:{}", lines.concat()))
        }
    }
}

/// Starts what makes and delivers alerts, and what listens to Telegram.
fn start_alerts(work: Vec<Work>, reports: &Reports) -> Result<()> {
    for Work { name, degrades, mut run } in work {
        let work = move || {
            run();
            Ok(())
        };
        start_task(Task { name: name.into(), degrades }, work, reports)?;
    }
    Ok(())
}

/// Starts what looks at the strategies directory.
fn start_plugin_watch(
    configuration: &Configuration,
    sandbox: &GrantingSandbox,
    refused: BTreeSet<ContentHash>,
    reports: &Reports,
) -> Result<()> {
    let (directory, sandbox) = (configuration.strategies.directory.clone(), sandbox.clone());
    let (database, plugins) = (shard::database_url(configuration)?, reports.messages.clone());
    start_task(
        Task { name: "plugin-watch".into(), degrades: "changes in the strategies directory are not noticed" },
        move || plugin_watch::watch(&directory, &sandbox, refused.clone(), &database, &plugins),
        reports,
    )
}

/// Whom the failures of tasks are reported to.
#[derive(Clone)]
struct Reports {
    messages: Messages,
    notices: Option<Notices>,
    figures: HostFigures,
}

impl Reports {
    /// Makes a failure known; whether the host is still there.
    fn failed(&self, failure: &TaskFailure) -> bool {
        log::task(failure);
        let TaskFailure { task, why, failures, .. } = failure;
        self.figures.task_failed(&task.name);
        if let Some(notices) = self.notices.as_ref().filter(|_| failure.is_alarming()) {
            notices.task_failing(&task.name, task.degrades, why, *failures);
        }
        self.messages.send(&Message::Tick)
    }
}

fn start_task(
    task: Task,
    work: impl FnMut() -> Result<()> + Send + 'static,
    reports: &Reports,
) -> Result<()> {
    reports.figures.task(&task.name);
    let reports = reports.clone();
    supervise(task, work, move |failure| reports.failed(&failure))
}

/// Serves the admin API and the dashboard.
fn start_api(settings: Settings, host: Host, reports: &Reports) -> Result<()> {
    start_task(
        Task { name: "api".into(), degrades: "the dashboard and the API do not answer" },
        move || api::work(&settings, &host),
        reports,
    )
}

/// Ctrl-C and SIGTERM end the run in order, within a bound; a second one ends the process at once.
fn stop_on_signals(messages: Messages, sandbox: Sandbox) -> Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let mut signals =
        signal_hook::iterator::Signals::new([SIGINT, SIGTERM]).context("signals can't be handled")?;
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            let mut asked = false;
            for _ in signals.forever() {
                if asked {
                    status::give_back();
                    signal_hook::low_level::exit(1);
                }
                asked = true;
                // Nobody waits for what is being compiled.
                sandbox.stop_compiling();
                messages.send(&Message::Stop);
                end_in_time();
            }
        })
        .context("the signal thread can't be started")?;
    Ok(())
}

/// What the journal took has happened, and nothing else has; so the process may end at any moment.
fn end_in_time() {
    let ended = std::thread::Builder::new().name("end".to_owned()).spawn(|| {
        std::thread::sleep(LONGEST_END);
        status::give_back();
        tracing::error!(
            "the run did not end in time and is cut off; the next start goes on where its journal ends"
        );
        signal_hook::low_level::exit(1);
    });
    if let Err(error) = ended {
        tracing::warn!(%error, "nothing bounds the end of this run");
    }
}
