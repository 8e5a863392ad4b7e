//! Accounts and their shards: the database that all are in, where each journal ends, and where its feed goes on.

use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use bulkhead_api::HostFigures;
use bulkhead_configuration::{Configuration, Mode};
use bulkhead_core::engine::{ChangeableSettings, Engine, EngineSettings};
use bulkhead_core::identifier::ContentHash;
use bulkhead_core::strategy::StrategySource;
use bulkhead_core::venue::Execution;
use bulkhead_feeds::Feed;
use bulkhead_sandbox::Sandbox;
use bulkhead_sequencer::recovery::{Recovered, RecoveryReport, begin, recover};
use bulkhead_sequencer::replay::Versions;
use bulkhead_sequencer::sequencer::{Position, Sequencer};
use bulkhead_store::database::{Database, DatabaseUrl, Options};
use bulkhead_store::journal::{Opening, Sequence, ShardId};
use bulkhead_store::read_models::{Change, PluginVersionRow};

use crate::arguments::WrongUsage;
use crate::market_data::MarketData;
use crate::measured::MeasuredSource;

/// Inputs that are read at a time while a feed is taken to where it goes on.
const SKIPPED_AT_ONCE: usize = 8_192;

/// An account that is to be run: its name, where its journal is, and what the configuration says of it.
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) shard: ShardId,
    pub(crate) configuration: Configuration,
}

/// A shard that is ready to go on, and how it came there.
pub(crate) struct Shard {
    pub(crate) sequencer: Sequencer,
    /// The market from the first input that is not in the journal.
    pub(crate) feed: Box<dyn Feed + Send>,
    /// What the recovery did and how long it took; `None` when the journal began just now.
    pub(crate) recovery: Option<(RecoveryReport, f64)>,
    /// What the configuration says now and the account does not do yet.
    pub(crate) settings: Option<ChangeableSettings>,
}

/// The versions that the sandbox kept, and those in the database.
pub(crate) struct KeptVersions {
    sandbox: Sandbox,
    url: DatabaseUrl,
    /// Whose calls are counted, and where; nobody's when an account is only looked at.
    measured: Option<(String, HostFigures)>,
}

impl KeptVersions {
    pub(crate) fn new(sandbox: Sandbox, url: &DatabaseUrl) -> Self {
        Self { sandbox, url: url.clone(), measured: None }
    }

    /// The same, with the calls of the account's strategies counted.
    fn measured(self, account: &str, figures: &HostFigures) -> Self {
        Self { measured: Some((account.to_owned(), figures.clone())), ..self }
    }

    /// A database that was restored elsewhere brings its versions along.
    fn prepare_from_database(&self, version: &ContentHash) -> Result<()> {
        let row = Database::open(&self.url, Options::reader())?.plugin_version(version)?;
        let row = row.context("it is not in the database either")?;
        self.sandbox.prepare_packed(&row.wasm)?;
        Ok(())
    }
}

impl Versions for KeptVersions {
    fn source(&self) -> Box<dyn StrategySource> {
        let sandbox = self.sandbox.clone();
        match self.measured.clone() {
            Some((account, figures)) => Box::new(MeasuredSource { sandbox, account, figures }),
            None => Box::new(sandbox),
        }
    }

    fn prepare(&self, version: &ContentHash) -> Result<(), String> {
        let Err(refused) = self.sandbox.prepare_kept(version) else { return Ok(()) };
        self.prepare_from_database(version).map_err(|error| format!("{refused}; {error:#}"))
    }
}

/// What is written down of a version that runs for the first time.
pub(crate) fn version_row(
    sandbox: &Sandbox,
    version: &ContentHash,
    shard: ShardId,
    sequence: Sequence,
) -> Result<Change> {
    let description = sandbox.prepare_kept(version)?;
    Ok(Change::PluginVersion(PluginVersionRow {
        hash: *version,
        name: description.name,
        version: description.version,
        shard,
        first_sequence: sequence,
        wasm: sandbox.packed(version)?,
    }))
}

/// The database of the configuration: an SQLite file in the storage directory unless it says otherwise.
pub(crate) fn database_url(configuration: &Configuration) -> Result<DatabaseUrl> {
    let url = match &configuration.journal.database {
        Some(url) => url.clone(),
        None => format!("sqlite:{}", configuration.storage.join("bulkhead.db").display()),
    };
    url.parse().context("journal.database")
}

/// Opens the database and gives every account of the configuration its shard. As long as the database is
/// held, no other process writes to it.
pub(crate) fn open_database(configuration: &Configuration) -> Result<(Database, Vec<Account>)> {
    let url = database_url(configuration)?;
    let mut database = open_to_write(configuration, &url)?;
    let accounts = configuration.accounts()?;
    let names: Vec<String> = accounts.iter().map(|(name, _)| name.clone()).collect();
    let known = database.register_accounts(&names)?;
    for row in known.iter().filter(|row| !names.contains(&row.name)) {
        let open = database.positions(row.shard)?.len();
        tracing::warn!(
            account = row.name,
            positions = open,
            "an account in the database is not in the configuration: it is not run, and nothing guards its positions"
        );
    }
    let shard = |name: &str| known.iter().find(|row| row.name == name).map(|row| row.shard);
    let accounts = accounts.into_iter().map(|(name, configuration)| {
        let shard = shard(&name).with_context(|| format!("the account {name} has no shard"))?;
        Ok(Account { name, shard, configuration })
    });
    Ok((database, accounts.collect::<Result<_>>()?))
}

/// The shard of an account by its name; of the only one when none is named.
pub(crate) fn find(database: &mut Database, account: Option<&str>) -> Result<ShardId> {
    let known = database.account_names()?;
    let found = match account {
        Some(name) => known.iter().find(|row| row.name == name),
        None if known.len() == 1 => known.first(),
        None => None,
    };
    match found {
        Some(row) => Ok(row.shard),
        None if known.is_empty() => bail!("there is no account in {}", database.url()),
        None => {
            let names: Vec<&str> = known.iter().map(|row| row.name.as_str()).collect();
            let asked = account.map(|name| format!("there is no account \"{name}\": ")).unwrap_or_default();
            let why =
                format!("{asked}{} holds {}; name one with --account", database.url(), names.join(", "));
            Err(WrongUsage(why).into())
        }
    }
}

/// Recovers the account or begins it, and takes a feed to where its journal ends. `wake` is called whenever the
/// journal has moved on.
pub(crate) fn open(
    account: &Account,
    mut database: Database,
    sandbox: &Sandbox,
    data: &MarketData,
    figures: &HostFigures,
    wake: impl Fn() + Send + 'static,
) -> Result<Shard> {
    let Account { name, configuration, shard } = account;
    let url = database.url().clone();
    let started = Instant::now();
    let versions = KeptVersions::new(sandbox.clone(), &url).measured(name, figures);
    let settings = configuration.engine_settings(data.instruments.clone(), data.signals.clone());
    let mut feed = data.feed()?;
    let mut changed = None;
    let recovered = recover(&mut database, *shard, &versions).with_context(|| unrecovered(&url))?;
    let (position, recovery) = match recovered {
        Some(Recovered { position, opening, report }) => {
            check_market(&url, &opening, data)?;
            check_execution(&url, &opening, execution(configuration))?;
            go_on(feed.as_mut(), &position)?;
            changed = changed_settings(&position.engine, &settings)?;
            (position, Some((report, started.elapsed().as_secs_f64())))
        }
        None => {
            let made_by = this_program();
            let execution = execution(configuration);
            let opening = Opening { settings, feed: data.identity.clone(), made_by, execution };
            (begin(&mut database, *shard, &opening, &versions)?, None)
        }
    };
    // Nothing of that was a call of this run.
    figures.forget_calls(name);
    let policy = configuration.journal.policy();
    let sequencer = Sequencer::start_waking(position, Box::new(database), policy, wake)
        .context("the journal's thread can't be started")?;
    Ok(Shard { sequencer, feed, recovery, settings: changed })
}

fn this_program() -> String {
    format!("bulkhead {}", env!("CARGO_PKG_VERSION"))
}

fn unrecovered(url: &DatabaseUrl) -> String {
    format!(
        "the account in {url} could not be recovered, so nothing is traded; if another version of bulkhead ran \
         it last, let that one run and end in order first: from then on this one ({}) can go on",
        this_program()
    )
}

fn open_to_write(configuration: &Configuration, url: &DatabaseUrl) -> Result<Database> {
    let mut options = Options::writer();
    options.synchronous = configuration.journal.durability.into();
    // Whole at once: an operator may ask for something at any moment.
    Database::make(url)?;
    if url.path().is_none() && configuration.journal.migrate {
        options = options.migrating();
    }
    Ok(Database::open(url, options)?)
}

/// The inputs that follow must be those of the market that the journal is of.
fn check_market(url: &DatabaseUrl, opening: &Opening, data: &MarketData) -> Result<()> {
    ensure!(
        opening.feed == data.identity,
        "the account in {url} trades another market:\n  there: {}\n  here:  {}\n\
         run it with that market, or give this run a database of its own: --set journal.database=sqlite:FILE",
        opening.feed,
        data.identity
    );
    Ok(())
}

/// Where an account's orders are executed.
const fn execution(configuration: &Configuration) -> Execution {
    match configuration.mode {
        Mode::Paper => Execution::Paper,
        Mode::Live => Execution::Outside,
    }
}

/// Books of paper money say nothing of real funds, and the other way round.
fn check_execution(url: &DatabaseUrl, opening: &Opening, wanted: Execution) -> Result<()> {
    let name = |execution| match execution {
        Execution::Paper => "paper",
        Execution::Outside => "real funds",
    };
    ensure!(
        opening.execution == wanted,
        "the account in {url} trades {}, and the configuration says {}; give this run a database of its own: \
         --set journal.database=sqlite:FILE",
        name(opening.execution),
        name(wanted)
    );
    Ok(())
}

/// What the configuration changes of an account that exists. What people changed while it ran stays until then, and
/// is replaced as a whole with the rest.
fn changed_settings(engine: &Engine, configured: &EngineSettings) -> Result<Option<ChangeableSettings>> {
    let account = engine.settings();
    if account.cash != configured.cash {
        tracing::warn!(
            account = %account.cash,
            configured = %configured.cash,
            "the cash in the configuration is for a new account; this one keeps what it has"
        );
    }
    let wanted = configured.changeable();
    if wanted == *engine.configured_settings() {
        return Ok(None);
    }
    if account.changeable() != *engine.configured_settings() {
        tracing::warn!(
            version = engine.settings_version(),
            "the configuration changed, and replaces the settings that were changed while the host ran"
        );
    }
    wanted.check(account).context("the configuration does not fit the account that the journal holds")?;
    Ok(Some(wanted))
}

/// Takes a feed that begins at its beginning to the first input that is not in the journal. What is live goes on from now.
fn go_on(feed: &mut dyn Feed, position: &Position) -> Result<()> {
    if feed.is_live() {
        return Ok(());
    }
    let mut left = position.feed_inputs;
    let mut skipped = Vec::with_capacity(SKIPPED_AT_ONCE);
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(SKIPPED_AT_ONCE).min(SKIPPED_AT_ONCE);
        skipped.clear();
        let taken = feed.next_batch(&mut skipped, most)? as u64;
        ensure!(
            taken > 0,
            "the journal has {} inputs of this market, but it ends {left} before that: \
             run it with the data that it began with",
            position.feed_inputs
        );
        left -= taken;
    }
    Ok(())
}
