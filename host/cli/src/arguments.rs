//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use bulkhead_feeds::pacer::Speed;
use clap::{Args, Parser, Subcommand, ValueEnum};
use rust_decimal::Decimal;

use crate::key_arguments::{KeysCommand, PassphraseArguments, SignerArguments};

/// What this program is called with to compile one file in a process of its own.
pub(crate) const COMPILE_PLUGIN: &str = "compile-plugin";

/// A host for trading strategies in WebAssembly: they see the market and propose orders, and nothing else.
#[derive(Debug, Parser)]
#[command(name = "bulkhead", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// When to colour the output.
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto)]
    pub(crate) color: Colour,
    /// How log lines are written, on standard error; as the configuration says when left out.
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// A command line that is well formed and does not fit what it speaks of.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct WrongUsage(pub(crate) String);

/// When to colour the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Trade: feed the strategies of the directory and execute what they propose, on paper.
    Run(RunArguments),
    /// Let strategies trade the past and report how they did.
    Backtest(BacktestArguments),
    /// Write what the AI strategy's models see at each bar into a Parquet file, to train models on.
    Features(FeaturesArguments),
    /// Take the steps of the journal again and check that every output is the one that was recorded.
    Replay(ReplayArguments),
    /// Stop trading until it is resumed, also of a host that is not running now.
    Halt(HaltArguments),
    /// End a halt.
    Resume(ResumeArguments),
    /// Hold the books against the chain, and say what becomes of a difference.
    Reconcile(ReconcileArguments),
    /// Look whether everything is as a host needs it to trade.
    Doctor(DoctorArguments),
    /// Buy or sell by hand, through the risk gate.
    #[command(subcommand)]
    Order(OrderCommand),
    /// Sell a strategy's position whole, at the market.
    Close(CloseArguments),
    /// Take a working order back, a strategy's too.
    Cancel(CancelArguments),
    /// Hold what an account executed against another one: a chain against paper, as a rule.
    Compare(CompareArguments),
    /// Look after the database.
    #[command(subcommand)]
    Db(DatabaseCommand),
    /// Look at plugin files and versions.
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Say who may use the dashboard and the admin API.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Make and look after the keys that sign transactions.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Sign transactions in a process of its own, within the policy of each key.
    Signer(SignerArguments),
    /// See whether people are told what happens.
    #[command(subcommand)]
    Alert(AlertCommand),
    /// Show the configuration as it is understood.
    Config(ConfigurationArguments),
    /// Compile the plugin on standard input under limits; the host starts this itself.
    #[command(name = COMPILE_PLUGIN, hide = true)]
    CompilePlugin {
        /// Bytes of memory.
        memory_bytes: u64,
        /// Seconds of CPU time.
        seconds: u64,
    },
}

/// Where the configuration comes from.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConfigurationArguments {
    /// A TOML file with what differs from the defaults.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Set one key, as in `--set risk.max_order=0.2`; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// The directory with the plugin files.
    #[arg(long, value_name = "DIR")]
    pub(crate) strategies: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    #[command(flatten)]
    pub(crate) configuration: ConfigurationArguments,
    /// End after this much real time, such as 60s or 5m; without it run until Ctrl-C or the end of the data.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) duration: Option<Duration>,
    /// Event seconds in a second of real time, or "max".
    #[arg(long, value_name = "N|max", allow_negative_numbers = true)]
    pub(crate) speed: Option<Speed>,
    /// End with one JSON object on standard output; log lines go to standard error.
    #[arg(long)]
    pub(crate) json: bool,
    /// Print log lines even on a terminal, instead of the status view.
    #[arg(long)]
    pub(crate) plain: bool,
    /// Let real funds move, where the configuration says mode = "live". What with is shown and confirmed before anything
    /// is traded.
    #[arg(long)]
    pub(crate) live: bool,
    /// Confirm what real funds are traded with, where nobody is at a terminal. A run without it says which token that is.
    #[arg(long, value_name = "TOKEN", requires = "live")]
    pub(crate) live_token: Option<String>,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArguments,
}

#[derive(Debug, Args)]
pub(crate) struct BacktestArguments {
    #[command(flatten)]
    pub(crate) configuration: ConfigurationArguments,
    /// Plugins: names in the strategies directory, or files.
    #[arg(long, required = true, num_args = 1.., value_name = "NAME|FILE")]
    pub(crate) strategy: Vec<String>,
    /// Shares of the capital: one for each strategy in order, or NAME=SHARE. Equal shares by default.
    #[arg(long, num_args = 1.., value_name = "SHARE")]
    pub(crate) weight: Vec<String>,
    #[command(flatten)]
    pub(crate) market: PastMarketArguments,
    /// A parameter, for all strategies that have it or as NAME:KEY=VALUE for one; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) param: Vec<String>,
    /// What the account starts with [default: 10000].
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) cash: Option<Decimal>,
    /// Proportional fee in basis points [default: 10].
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) fee_bps: Option<Decimal>,
    /// Slippage of every order in basis points [default: 0].
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) slippage_bps: Option<f64>,
    /// When market orders fill [default: next-open].
    #[arg(long, value_enum)]
    pub(crate) fill: Option<Fill>,
    /// The size of standard orders: fraction=0.02, notional=1000 or quantity=2.
    #[arg(long, value_name = "METHOD=SIZE")]
    pub(crate) sizing: Option<String>,
    /// The risk gate's limits: "default", "none" (solvency only, no exits of the host's), or a TOML file.
    #[arg(long, value_name = "default|none|FILE")]
    pub(crate) risk: Option<String>,
    /// Write the report as JSON to this file; "-" for standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the report as one self-contained HTML page.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Let everything else on the machine go first, and tell every second how far it is.
    #[arg(long)]
    pub(crate) background: bool,
    /// End when the process of this number does, which started this one.
    #[arg(long, hide = true, value_name = "PROCESS")]
    pub(crate) ends_with: Option<u32>,
}

/// A market that has an end.
#[derive(Debug, Args)]
pub(crate) struct PastMarketArguments {
    /// CSV files with bars, each with the symbol of its instrument if the file's name does not say it.
    #[arg(long, required_unless_present = "simulate", num_args = 1.., value_name = "[SYMBOL=]FILE")]
    pub(crate) data: Vec<String>,
    /// Take the simulated market for so long instead of files, such as 30d.
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "data")]
    pub(crate) simulate: Option<Duration>,
    /// The seed of the simulated market; the configuration's when left out.
    #[arg(long, value_name = "NUMBER", requires = "simulate")]
    pub(crate) seed: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct FeaturesArguments {
    #[command(flatten)]
    pub(crate) configuration: ConfigurationArguments,
    #[command(flatten)]
    pub(crate) market: PastMarketArguments,
    /// The Parquet file to write.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// How market orders fill in a backtest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fill {
    /// At the next bar's open.
    NextOpen,
    /// At the close of the bar that made the strategy act. Looks ahead.
    SameClose,
    /// As the paper venue of `run` does: latency, impact, partial fills, failed transactions, gas.
    Realistic,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArguments {
    #[command(flatten)]
    pub(crate) configuration: ConfigurationArguments,
    /// The account; may be left out when there is one only.
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,
    /// The first input to look at: steps begin at the last snapshot before it.
    #[arg(long, value_name = "SEQUENCE")]
    pub(crate) from: Option<u64>,
    /// The last input to step.
    #[arg(long, value_name = "SEQUENCE")]
    pub(crate) until: Option<u64>,
    /// Print every input with what followed from it.
    #[arg(long)]
    pub(crate) print: bool,
    /// Show only what differs, should something differ.
    #[arg(long)]
    pub(crate) diff: bool,
    /// Print JSON: one object at the end, and with --print one a line for each input.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct HaltArguments {
    #[command(flatten)]
    pub(crate) configuration: ConfigurationArguments,
    /// The account; all accounts when left out.
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,
    /// Why, for those who find trading stopped.
    #[arg(long, default_value = "an operator stopped trading")]
    pub(crate) reason: String,
    /// Take back working orders as well.
    #[arg(long)]
    pub(crate) cancel: bool,
    /// Close all positions at the market as well.
    #[arg(long)]
    pub(crate) flatten: bool,
    /// Don't wait until a running host has done it.
    #[arg(long)]
    pub(crate) no_wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ResumeArguments {
    #[command(flatten)]
    pub(crate) configuration: ConfigurationArguments,
    /// The account; all accounts when left out.
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,
    /// Don't wait until a running host has done it.
    #[arg(long)]
    pub(crate) no_wait: bool,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ReconcileArguments {
    #[command(subcommand)]
    pub(crate) action: Option<ReconcileAction>,
    #[command(flatten)]
    pub(crate) configuration: ConfigurationArguments,
    /// The account; all that trade on a chain when left out.
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,
    /// Print what was found as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ReconcileAction {
    /// Book a difference as something that you brought or took away.
    Adopt(AdjustmentArguments),
    /// Book what is missing as lost.
    WriteOff(AdjustmentArguments),
    /// Say that a difference is fine; it counts again when it becomes another one.
    Ignore {
        /// The difference, as `bulkhead reconcile` names it.
        #[arg(long, value_name = "NAME")]
        difference: String,
        /// Why it is fine.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        request: RequestArguments,
    },
    /// Have an ignored difference count again.
    StopIgnoring {
        /// The difference, as `bulkhead reconcile` names it.
        #[arg(long, value_name = "NAME")]
        difference: String,
        /// Why.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        request: RequestArguments,
    },
}

/// A difference that is to be booked.
#[derive(Debug, Args)]
pub(crate) struct AdjustmentArguments {
    /// In which token.
    #[arg(long, value_name = "SYMBOL")]
    pub(crate) token: String,
    /// The instrument, where several are of the same token.
    #[arg(long, value_name = "SYMBOL")]
    pub(crate) instrument: Option<String>,
    /// What a unit is worth; needed where units of an instrument came.
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) price: Option<Decimal>,
    /// Whose position it is; may be left out where it can be only one's.
    #[arg(long, value_name = "NAME")]
    pub(crate) strategy: Option<String>,
    /// Why.
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) request: RequestArguments,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    #[command(flatten)]
    pub(crate) configuration: ConfigurationArguments,
    #[command(flatten)]
    pub(crate) passphrase: PassphraseArguments,
    /// Print what was found as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Of whom something is asked, and how the answer is told.
#[derive(Debug, Args)]
pub(crate) struct RequestArguments {
    #[command(flatten)]
    pub(crate) configuration: ConfigurationArguments,
    /// The account; may be left out when there is one only.
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,
    /// Don't wait until a running host has done it.
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Print what became of it as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// In whose books, and what.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The strategy in whose books it is booked; it need not run.
    #[arg(long, value_name = "NAME")]
    pub(crate) strategy: String,
    /// The symbol of what is traded.
    #[arg(long, value_name = "SYMBOL")]
    pub(crate) instrument: String,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct AmountToBuy {
    /// Units of what is traded, moved down to the lot.
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) quantity: Option<Decimal>,
    /// For so much money, at the limit or else the last price.
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) notional: Option<Decimal>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct AmountToSell {
    /// Units of what is traded, moved down to the lot.
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) quantity: Option<Decimal>,
    /// For so much money, at the limit or else the last price.
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) notional: Option<Decimal>,
    /// The whole position; its working sales are taken back.
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OrderCommand {
    /// Buy. The position gets the exits of the configuration.
    Buy {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        amount: AmountToBuy,
        /// At this price or better; at the market when left out.
        #[arg(long, value_name = "PRICE", allow_negative_numbers = true)]
        limit: Option<Decimal>,
        #[command(flatten)]
        request: RequestArguments,
    },
    /// Sell what is held.
    Sell {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        amount: AmountToSell,
        /// At this price or better; at the market when left out.
        #[arg(long, value_name = "PRICE", allow_negative_numbers = true)]
        limit: Option<Decimal>,
        #[command(flatten)]
        request: RequestArguments,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CloseArguments {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) request: RequestArguments,
}

#[derive(Debug, Args)]
pub(crate) struct CancelArguments {
    /// The order's number.
    pub(crate) order: u64,
    #[command(flatten)]
    pub(crate) request: RequestArguments,
}

#[derive(Debug, Args)]
pub(crate) struct CompareArguments {
    /// The account to compare with, one on paper as a rule.
    pub(crate) with: String,
    /// The account that is looked at.
    pub(crate) account: String,
    #[command(flatten)]
    pub(crate) configuration: ConfigurationArguments,
    /// Only what this strategy did.
    #[arg(long, value_name = "NAME")]
    pub(crate) strategy: Option<String>,
    /// Only what was executed at this moment or later, such as 2026-03-01T12:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<jiff::Timestamp>,
    /// Only what was executed before this moment.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<jiff::Timestamp>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DatabaseCommand {
    /// Bring the schema up to date.
    Migrate {
        #[command(flatten)]
        configuration: ConfigurationArguments,
    },
    /// Copy the database while the host goes on, and check the copy.
    Backup {
        #[command(flatten)]
        configuration: ConfigurationArguments,
        /// The SQLite file to make.
        file: PathBuf,
    },
    /// Fill an empty database from a backup, and check it.
    Restore {
        #[command(flatten)]
        configuration: ConfigurationArguments,
        /// The backup.
        file: PathBuf,
    },
    /// Check that the journal holds together.
    Verify {
        #[command(flatten)]
        configuration: ConfigurationArguments,
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// Verify a plugin file: identity, parameters, imports, size, fuel, determinism.
    Check {
        #[command(flatten)]
        configuration: ConfigurationArguments,
        /// The plugin file.
        file: PathBuf,
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the plugins of the strategies directory and the versions that are kept.
    List {
        #[command(flatten)]
        configuration: ConfigurationArguments,
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Put an earlier version back into the strategies directory; a running host takes it up.
    Rollback {
        #[command(flatten)]
        configuration: ConfigurationArguments,
        /// The slot, that is the file's name without ".wasm".
        slot: String,
        /// The version's content hash, or the first digits of it.
        #[arg(value_name = "SHA256")]
        hash: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AlertCommand {
    /// Send a test through the channels that are configured, and say what came of it.
    Test {
        #[command(flatten)]
        configuration: ConfigurationArguments,
        /// The channel: telegram, or webhooks.NAME; all of them when left out.
        #[arg(long, value_name = "NAME")]
        channel: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token and show it, this once.
    Create {
        #[command(flatten)]
        configuration: ConfigurationArguments,
        /// What it is called, unlike all others that ever were: the audit names who did something by it.
        #[arg(long)]
        name: String,
        /// What its holder may do.
        #[arg(long, value_enum)]
        role: TokenRole,
        /// The only account that it is for; all accounts when left out.
        #[arg(long, value_name = "NAME")]
        account: Option<String>,
        /// After how long it is not valid any more, such as 12h or 30d; it does not expire when left out.
        #[arg(long, value_name = "TIME", value_parser = duration)]
        expires: Option<Duration>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the tokens that ever were, without their secrets.
    List {
        #[command(flatten)]
        configuration: ConfigurationArguments,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take a token back.
    Revoke {
        #[command(flatten)]
        configuration: ConfigurationArguments,
        /// The token's name.
        name: String,
    },
}

/// What a token's holder may do; each may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TokenRole {
    /// Read everything.
    Viewer,
    /// Order, and close positions.
    Trader,
    /// Halt and resume, change weights, modes and parameters, bring strategies in and take them out.
    Operator,
    /// Make and take back tokens as well.
    Admin,
}

fn duration(text: &str) -> Result<Duration, String> {
    use bulkhead_configuration::TextValue as _;
    bulkhead_core::time::Span::parse(text)
        .and_then(|span| u64::try_from(span.nanos()).ok())
        .map(Duration::from_nanos)
        .ok_or_else(|| format!("\"{text}\" is no length of time; write 250ms, 60s, 5m, 1h or 1d"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn an_order_has_one_amount_and_all_is_for_sales() {
        let parse = |line: &str| {
            let line = format!("bulkhead order {line} --strategy a --instrument X-USD");
            Arguments::try_parse_from(line.split(' ')).map(|_| ()).map_err(|error| error.kind())
        };
        assert_eq!(parse("buy --quantity 2"), Ok(()));
        assert_eq!(parse("sell --all --limit 12.5"), Ok(()));
        assert!(parse("buy --all").is_err());
        assert!(parse("buy").is_err());
        assert!(parse("sell --quantity 1 --notional 5").is_err());
    }

    #[test]
    fn several_strategies_and_files_can_be_given() {
        let line = "bulkhead backtest --strategy a b --weight 0.5 0.5 --data X=x.csv y.csv --fill same-close";
        let arguments = Arguments::try_parse_from(line.split(' ')).unwrap();
        let Command::Backtest(backtest) = arguments.command else { panic!("a backtest") };
        assert_eq!((backtest.strategy.len(), backtest.market.data.len()), (2, 2));
        assert_eq!(backtest.fill, Some(Fill::SameClose));
    }
}
