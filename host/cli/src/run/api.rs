//! The admin API beside the accounts: a task that may fail, be flooded or be slow without their noticing.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use bulkhead_alerts::History;
use bulkhead_api::live::{Hub, Publisher};
use bulkhead_api::{
    BacktestProgram, Host, HostFigures, InstalledPlugin, PluginDirectory, PluginProblem, Reconciliations,
    RequestObserver, Role, Settings, WalletAddress, WalletHolder, serve,
};
use bulkhead_configuration::{Configuration, Wallet, WalletRole};
use bulkhead_core::identifier::ContentHash;
use bulkhead_core::time::Timestamp;
use bulkhead_feeds::pacer::Speed;

use bulkhead_store::database::{Database, DatabaseUrl, Options, WrittenPlugin};
use bulkhead_store::storage::StoreError;

use super::alerts::Desk;
use crate::arguments::ConfigurationArguments;
use crate::model_files::GrantingSandbox;
use crate::shard::database_url;
use crate::strategy_files;

/// Longest name of a slot that can be uploaded, in bytes.
const LONGEST_SLOT: usize = 64;

/// What is needed to serve the API, and each account's way to those who watch it. Nothing when it is off.
pub(super) fn prepare(
    (arguments, configuration): (&ConfigurationArguments, &Configuration),
    accounts: &[String],
    sandbox: &GrantingSandbox,
    (alerts, reconciliations): (Option<History>, Reconciliations),
    figures: HostFigures,
    observer: Option<Arc<dyn RequestObserver>>,
    poke: impl Fn() + Send + Sync + 'static,
) -> Result<Option<(Settings, Host, Vec<Publisher>)>> {
    let api = &configuration.api;
    let Some(listen) = api.listen.0 else { return Ok(None) };
    let wallets = wallets(configuration, accounts)?;
    let (hub, publishers) = Hub::start(accounts).context("the live updates can't be started")?;
    let settings = Settings {
        mode: configuration.mode.name().to_owned(),
        listen,
        allow_remote: api.allow_remote,
        requests_per_minute: NonZeroU32::new(api.requests_per_minute.0).unwrap_or(NonZeroU32::MIN),
        connections: usize::try_from(api.connections.0).unwrap_or(usize::MAX),
        connections_per_address: usize::try_from(api.connections_per_address.0).unwrap_or(usize::MAX),
        session: api.session.0,
        trusted_proxies: api.trusted_proxies.iter().map(|network| network.0).collect(),
        hosts: api.hosts.clone(),
        origins: api.origins.clone(),
        certificate: api.certificate.clone().zip(api.certificate_key.clone()),
        wallets,
        largest_upload: usize::try_from(api.largest_upload.0).unwrap_or(usize::MAX),
        // At full speed the engine takes whatever processors there are.
        updates_wait: configuration.speed != Speed::Max,
    };
    let directory = StrategiesDirectory {
        url: database_url(configuration)?,
        sandbox: sandbox.clone(),
        directory: configuration.strategies.directory.clone(),
    };
    let host = Host {
        url: database_url(configuration)?,
        hub,
        plugins: Arc::new(directory),
        alerts: Arc::new(Desk::new(configuration, alerts)?),
        reconciliations,
        backtests: Arc::new(OwnProgram { arguments: arguments.clone() }),
        backtest_directory: configuration.storage.join("backtests"),
        poke: Arc::new(poke),
        figures,
        observer,
    };
    Ok(Some((settings, host, publishers)))
}

/// The wallets whose holders may do something.
pub(super) fn wallets(
    configuration: &Configuration,
    accounts: &[String],
) -> Result<BTreeMap<WalletAddress, WalletHolder>> {
    configuration.api.wallets.iter().map(|(address, wallet)| holder(address, wallet, accounts)).collect()
}

/// A wallet of the configuration.
fn holder(address: &str, wallet: &Wallet, accounts: &[String]) -> Result<(WalletAddress, WalletHolder)> {
    let parsed = address.parse().with_context(|| format!("api.wallets.{address}"))?;
    let account = wallet.account.clone();
    ensure!(
        accounts.contains(&account),
        "api.wallets.{address}.account = \"{account}\": one of {} is expected",
        accounts.join(", ")
    );
    let role = match wallet.role {
        WalletRole::Viewer => Role::Viewer,
        WalletRole::Trader => Role::Trader,
        WalletRole::Operator => Role::Operator,
    };
    Ok((parsed, WalletHolder { account, role }))
}

/// Serves until something fails.
pub(super) fn work(settings: &Settings, host: &Host) -> Result<()> {
    Ok(serve(settings, host, |address| announce(settings, host, address))?)
}

/// Says where it is, and how to get in when nobody can yet.
fn announce(settings: &Settings, host: &Host, address: SocketAddr) {
    let scheme = if settings.certificate.is_some() { "https" } else { "http" };
    let address = format!("{scheme}://{address}");
    let tokens = Database::open(&host.url, Options::reader()).and_then(|mut database| database.tokens());
    if tokens.is_ok_and(|tokens| tokens.is_empty()) {
        tracing::info!(
            address,
            "the dashboard and the API are here; `bulkhead token create --name NAME --role admin` makes the token \
             that they ask for"
        );
    } else {
        tracing::info!(address, "the dashboard and the API are here");
    }
}

/// This program, which runs backtests as well, under the same configuration.
struct OwnProgram {
    arguments: ConfigurationArguments,
}

impl BacktestProgram for OwnProgram {
    fn command(&self, strategy: &str, days: u32, seed: u64, json: &Path, page: &Path) -> Command {
        let ConfigurationArguments { config, set, strategies } = &self.arguments;
        let mut command = Command::new(strategy_files::own_program());
        command.args([
            "backtest",
            "--background",
            "--fill",
            "realistic",
            "--weight",
            "1",
            "--strategy",
            strategy,
        ]);
        command.args(["--simulate", &format!("{days}d"), "--seed", &seed.to_string()]);
        command.args(["--ends-with", &std::process::id().to_string()]);
        command.arg("--json").arg(json).arg("--html").arg(page);
        command.args(config.iter().flat_map(|file| [OsStr::new("--config"), file.as_os_str()]));
        command.args(strategies.iter().flat_map(|folder| [OsStr::new("--strategies"), folder.as_os_str()]));
        command.args(set.iter().flat_map(|setting| ["--set", setting]));
        command
    }
}

/// The strategies directory, for those who upload.
struct StrategiesDirectory {
    /// Where it is written down who uploads.
    url: DatabaseUrl,
    sandbox: GrantingSandbox,
    directory: PathBuf,
}

impl StrategiesDirectory {
    fn put(&self, slot: &str, file: &[u8], by: &str) -> Result<InstalledPlugin, PluginProblem> {
        // Stricter than what an operator may call a file: this came from far away.
        let legible = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if !strategy_files::is_slot_name(slot) || slot.len() > LONGEST_SLOT || !slot.bytes().all(legible) {
            return Err(PluginProblem::Slot(slot.to_owned()));
        }
        // Looked into before it is where the host takes it up: a file that can't run changes nothing.
        let (hash, description) = strategy_files::prepare_file(&self.sandbox, slot, file)
            .map_err(|error| PluginProblem::Refused(format!("{error:#}")))?;
        let note = |modified: Option<Timestamp>| {
            let modified = modified.context("the file system does not say when a file was written")?;
            let file = WrittenPlugin { slot: slot.to_owned(), version: hash, modified };
            Ok(Database::open(&self.url, Options::reader())?.note_upload(&file, by)?)
        };
        strategy_files::put(&self.directory, slot, file, note).map_err(|error| {
            match error.downcast::<StoreError>() {
                Ok(error) => PluginProblem::Unattributed(error.to_string()),
                Err(error) => PluginProblem::Directory(format!("{error:#}")),
            }
        })?;
        Ok(InstalledPlugin {
            slot: slot.to_owned(),
            name: description.name,
            version: description.version,
            hash: hash.to_string(),
        })
    }
}

impl PluginDirectory for StrategiesDirectory {
    fn install(&self, slot: &str, file: &[u8], by: &str) -> Result<InstalledPlugin, PluginProblem> {
        self.put(slot, file, by)
    }

    fn roll_back(
        &self,
        slot: &str,
        version: &ContentHash,
        by: &str,
    ) -> Result<InstalledPlugin, PluginProblem> {
        let file = self
            .sandbox
            .sandbox()
            .kept_file(version)
            .map_err(|_| PluginProblem::Unknown(version.to_string()))?;
        self.put(slot, &file, by)
    }
}
