//! What a host needs of Solana: servers that answer, agree and are of the right cluster, an aggregator that quotes, funds,
//! and a key that may do what is to be done.

use alloy_primitives::U256;
use anyhow::{Context as _, Result};
use bulkhead_configuration::{Configuration, Mode, SignerPlace, Solana};
use bulkhead_signing::solana::{SolanaPolicy, SolanaProcessSigner};
use bulkhead_solana::amounts::{from_units, to_units_down};
use bulkhead_solana::cluster::{Cluster as _, ClusterError};
use bulkhead_solana::executor::{StartError, check_tokens};
use bulkhead_solana::holding::holding;
use bulkhead_solana::jupiter::Ask;
use bulkhead_solana::programs::SOL_DECIMALS;
use bulkhead_solana::rpc::{EndpointSettings, Endpoints};
use bulkhead_solana::settings::SolanaSettings;
use rust_decimal::Decimal;
use solana_address::Address;

use super::{Check, Verdict};
use crate::chain::signer::{Signers, socket};
use crate::chain::solana::{settings, signer};

/// A server that is further behind another is of no use before it has caught up.
const FAR_BEHIND: u64 = 50;

/// What a trade takes for its signature and for token accounts that it makes, in lamports, on the safe side.
const LAMPORTS_OF_A_TRADE: u64 = 5_000_000;

/// What is looked at before an account trades, but its key and its books, which have begun or not.
pub(super) async fn checks(configuration: &Configuration, has_begun: bool) -> Result<Vec<Check>> {
    let solana = configuration.solana.as_ref().context("the section of the chain is missing")?;
    let servers = settings::endpoints(solana)?;
    let mut checks = endpoints(solana, &servers).await?;
    checks.extend(aggregator(solana, has_begun).await?);
    if checks.iter().any(|check| check.verdict == Verdict::Ok) {
        let all = Endpoints::new(solana.genesis_hash(), &servers)?;
        checks.push(tokens(solana, &all).await?);
    }
    if configuration.mode == Mode::Live {
        if checks.iter().any(|check| check.verdict == Verdict::Ok) {
            let all = Endpoints::new(solana.genesis_hash(), &servers)?;
            checks.extend(funds(configuration, solana, &all, has_begun).await?);
        }
        checks.push(limits(configuration, solana)?);
    }
    Ok(checks)
}

/// Each server by itself, and how far they are apart.
async fn endpoints(solana: &Solana, servers: &[EndpointSettings]) -> Result<Vec<Check>> {
    let (mut checks, mut heights) = (Vec::new(), Vec::new());
    for (number, server) in servers.iter().enumerate() {
        let one = Endpoints::new(solana.genesis_hash(), std::slice::from_ref(server))?;
        let name = format!("endpoint {} ({})", number + 1, one.names().join(", "));
        match endpoint(solana, &one).await {
            Ok(height) => {
                checks.push(Check::ok(name, format!("cluster {}, block {height}", solana.cluster)));
                heights.push(height);
            }
            Err(check) => checks.push(Check { name, ..check }),
        }
    }
    // While one answers, another may be away.
    if heights.is_empty() {
        for check in checks.iter_mut().filter(|check| check.verdict == Verdict::Warning) {
            check.verdict = Verdict::Failed;
        }
    }
    if let (Some(newest), Some(oldest), true) =
        (heights.iter().max(), heights.iter().min(), heights.len() > 1)
    {
        let name = "endpoints agree";
        let apart = newest.saturating_sub(*oldest);
        checks.push(if apart > FAR_BEHIND {
            let advice = "a server that lags is left alone until it has caught up";
            Check::warning(name, format!("one is {apart} blocks behind another"), advice)
        } else {
            Check::ok(name, format!("within {apart} blocks"))
        });
    }
    Ok(checks)
}

async fn endpoint(solana: &Solana, one: &Endpoints) -> Result<u64, Check> {
    let away = |error: ClusterError| {
        let advice = "see that the address is right and the server runs; solana.endpoints names it";
        Check::warning("", error.to_string(), advice)
    };
    let found = one.genesis_hash().await.map_err(away)?;
    if found != solana.genesis_hash() {
        let wanted = solana.genesis_hash();
        let found = format!("it is of cluster {found}, and solana.cluster is {wanted}");
        return Err(Check::failed("", found, "one of both is wrong in the configuration"));
    }
    Ok(one.heights().await.map_err(away)?.newest)
}

/// Whether the tokens are what is configured.
async fn tokens(solana: &Solana, all: &Endpoints) -> Result<Check> {
    const NAME: &str = "tokens";
    Ok(match check_tokens(all, &settings::solana_settings(solana)?).await {
        Ok(()) => Check::ok(NAME, "their mints are what is configured"),
        Err(StartError::Cluster(error)) => Check::skipped(NAME, error.to_string()),
        Err(error) => {
            Check::failed(NAME, error.to_string(), "amounts would be others than they are meant to be")
        }
    })
}

/// Whether every market has a price. An account that has begun is not kept from looking after its orders without.
async fn aggregator(solana: &Solana, has_begun: bool) -> Result<Vec<Check>> {
    let verdict = if has_begun { Verdict::Warning } else { Verdict::Failed };
    let swaps = settings::swaps(solana)?;
    let mut checks = Vec::new();
    for (symbol, watched) in solana.markets.keys().zip(settings::watched(solana)?) {
        let (market, name) = (&watched.market, format!("price of {symbol}"));
        let ask = Ask {
            input: market.quote.mint,
            output: market.base.mint,
            amount: to_units_down(watched.probe, market.quote.decimals)?,
            slippage_bps: bps(solana),
            taker: Address::default(),
            venues: Vec::new(),
        };
        checks.push(match swaps.quote(&ask).await {
            Ok(quote) if quote.out_amount > 0 => {
                let bought = from_units(quote.out_amount, market.base.decimals);
                let (probe, currency, base) = (watched.probe, &market.quote.symbol, &market.base.symbol);
                Check::ok(name, format!("{probe} {currency} buy {bought} {base}"))
            }
            Ok(_) => Check::failed(
                name,
                "the aggregator gives nothing for it",
                "make solana.markets.*.probe larger",
            ),
            Err(error) => {
                let advice = "see that solana.swaps and the token's mint are right";
                Check::new(name, verdict, error.to_string(), advice)
            }
        });
    }
    Ok(checks)
}

fn bps(solana: &Solana) -> u16 {
    u16::try_from(solana.execution.slippage_bps).unwrap_or(u16::MAX)
}

/// SOL for fees, and the currency to trade with.
async fn funds(
    configuration: &Configuration,
    solana: &Solana,
    all: &Endpoints,
    has_begun: bool,
) -> Result<Vec<Check>> {
    let wallet = match signer::address(configuration) {
        Ok(wallet) => wallet,
        Err(error) => return Ok(vec![Check::skipped("balances", format!("{error:#}"))]),
    };
    let chain = settings::solana_settings(solana)?;
    let currency = &chain.markets.first().context("there is no market")?.quote;
    let account = currency.account_of(wallet);
    let found = match all.accounts(&[wallet, account]).await {
        Ok(found) => found,
        Err(error) => {
            let advice = "see that the servers answer and are of the right cluster";
            return Ok(vec![Check::failed("balances", error.to_string(), advice)]);
        }
    };
    let lamports = found.first().and_then(Option::as_ref).map_or(0, |account| account.lamports);
    let units = match currency.is_native() {
        true => lamports.saturating_sub(chain.reserve),
        false => found.get(1).and_then(Option::as_ref).and_then(holding).map_or(0, |holding| holding.amount),
    };
    let there = from_units(units, currency.decimals);
    let (cash, symbol) = (configuration.cash.0, &solana.currency);
    let shown = format!("{there} {symbol}");
    let of_currency = if has_begun {
        Check::ok("currency", format!("{shown}; `bulkhead reconcile` holds the books against it"))
    } else if there < cash {
        let found = format!("{shown}, and the account is to begin with cash = {}", cash.normalize());
        Check::failed("currency", found, "send the rest to the wallet, or lower cash")
    } else {
        Check::ok("currency", format!("{shown}, of which the account begins with {}", cash.normalize()))
    };
    Ok(vec![for_fees(lamports, &chain, wallet), of_currency])
}

fn for_fees(lamports: u64, chain: &SolanaSettings, wallet: Address) -> Check {
    const NAME: &str = "native balance";
    let shown = |lamports| from_units(lamports, SOL_DECIMALS);
    let found = format!("{} SOL at {wallet} for fees and rent", shown(lamports));
    let advice = "send SOL to the wallet";
    let trade = LAMPORTS_OF_A_TRADE.saturating_add(chain.fees.most_priority);
    if lamports == 0 || lamports < chain.reserve {
        let found = format!("{found}, and solana.fees.reserve is {}", shown(chain.reserve));
        Check::failed(NAME, found, advice)
    } else if lamports.saturating_sub(chain.reserve) < trade {
        let found = format!("{found}; a trade may cost {} beside the reserve", shown(trade));
        Check::warning(NAME, found, advice)
    } else {
        Check::ok(NAME, found)
    }
}

/// Whether the account's key is there and answers for its address.
pub(super) async fn key(
    name: &str,
    configuration: &Configuration,
    solana: &Solana,
    signers: &mut Signers<'_>,
    can_open: bool,
) -> Check {
    let wallet = match signer::address(configuration) {
        Ok(wallet) => wallet,
        Err(error) => {
            let advice = "`bulkhead keys list` shows the keys, `bulkhead keys new --kind solana` makes one";
            return Check::failed(name, format!("{error:#}"), advice);
        }
    };
    match solana.signer {
        SignerPlace::Process => {
            let socket = socket(&configuration.storage, solana.socket.as_ref());
            match SolanaProcessSigner::connect(&socket, wallet, solana.signer_user).await {
                Ok(_) => Check::ok(name, format!("the signer's process has the key of {wallet}")),
                Err(error) => {
                    let advice = "start `bulkhead signer` with the same configuration, and leave it running";
                    Check::failed(name, error.to_string(), advice)
                }
            }
        }
        SignerPlace::Local if !can_open => {
            let found = format!("{wallet} is in the keystore, which was not opened");
            Check::warning(name, found, "--passphrase-file has it opened as well")
        }
        SignerPlace::Local => match signer::open(signers, configuration).await {
            Ok(_) => Check::ok(name, format!("{wallet} is in the keystore, and opens")),
            Err(error) => Check::failed(name, format!("{error:#}"), "see docs/keys.md"),
        },
        place @ (SignerPlace::Ledger | SignerPlace::Web3signer) => {
            match signer::open(signers, configuration).await {
                Ok(_) => Check::ok(name, super::key::external(place, &wallet.to_string())),
                Err(error) => Check::failed(name, format!("{error:#}"), "see docs/keys.md"),
            }
        }
    }
}

/// What the key's policy refuses of what the gate lets pass.
fn limits(configuration: &Configuration, solana: &Solana) -> Result<Check> {
    const NAME: &str = "key's limits";
    let (key, external) = (solana.key.as_deref(), solana.external.as_ref());
    let policy = match super::key::policy(&configuration.storage, key, solana.signer, external) {
        Ok(policy) => policy,
        Err(error) => return Ok(Check::skipped(NAME, format!("{error:#}"))),
    };
    if policy.allow_anything {
        let found = "the key signs anything";
        return Ok(Check::warning(NAME, found, "fine for a test chain; `bulkhead keys policy` sets limits"));
    }
    let advice = "`bulkhead keys policy` shows and replaces what the key may sign; a signer's process has to be started anew";
    let Some(policy) = &policy.solana else {
        return Ok(Check::failed(NAME, "the key signs nothing for Solana", advice));
    };
    let chain = settings::solana_settings(solana)?;
    let refused = refused(policy, &chain);
    if !refused.is_empty() {
        return Ok(Check::failed(NAME, refused.join("; "), advice));
    }
    let tight = tight(policy, &chain, configuration);
    Ok(if tight.is_empty() {
        Check::ok(NAME, "they let through what the risk gate does")
    } else {
        Check::warning(NAME, tight.join("; "), "raise the key's limits, or lower those of the risk gate")
    })
}

/// What could not be traded at all.
fn refused(policy: &SolanaPolicy, chain: &SolanaSettings) -> Vec<String> {
    let mut refused = Vec::new();
    if !policy.routers.contains(&chain.router.to_string()) {
        refused.push(format!("the program {} is not in it", chain.router));
    }
    for token in chain.markets.iter().flat_map(|market| [&market.quote, &market.base]) {
        if policy.spend(token).is_none() {
            refused.push(format!("{} can't be given", token.symbol));
        }
    }
    if let Some(tip) = &chain.tip {
        let accounts =
            tip.accounts.iter().filter(|account| !policy.tip_accounts.contains(&account.to_string()));
        refused.extend(accounts.map(|account| format!("{account} may get no tip")));
        if U256::from(tip.most) > policy.max_tip {
            refused.push(format!(
                "a tip may be {} lamports, and solana.bundles.tip is {}",
                policy.max_tip, tip.most
            ));
        }
    }
    refused.sort();
    refused.dedup();
    refused
}

/// What could not be traded in full.
fn tight(policy: &SolanaPolicy, chain: &SolanaSettings, configuration: &Configuration) -> Vec<String> {
    let mut tight = Vec::new();
    let cash = configuration.cash.0;
    let largest = configuration.risk.max_order.0.map_or(cash, |part| cash.saturating_mul(part));
    if let Some(quote) = chain.markets.first().map(|market| &market.quote) {
        let wanted = to_units_down(largest, quote.decimals).unwrap_or(u64::MAX);
        let limits = policy.spend(quote).into_iter();
        let limits =
            limits.flat_map(|limit| [("a transaction", limit.per_transaction), ("a day", limit.per_day)]);
        for (what, most) in limits.filter(|(_, most)| *most < U256::from(wanted)) {
            let most = u64::try_from(most).map_or(Decimal::MAX, |units| from_units(units, quote.decimals));
            let (symbol, largest) = (&quote.symbol, largest.normalize());
            tight
                .push(format!("{what} may give {most} {symbol}, and the gate lets orders of {largest} pass"));
        }
    }
    if policy.max_priority_fee < U256::from(chain.fees.most_priority) {
        tight.push(format!(
            "{} lamports may be offered for being taken sooner, and solana.fees.max_priority_fee allows {}",
            policy.max_priority_fee, chain.fees.most_priority
        ));
    }
    tight
}
