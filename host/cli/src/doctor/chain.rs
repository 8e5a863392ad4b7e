//! What a host needs of a chain: servers that answer, agree and are of the right chain, and a clock that agrees with it.

use anyhow::Result;
use bulkhead_configuration::{Configuration, Evm, Mode};
use bulkhead_evm::chain::{Chain as _, ChainError};
use bulkhead_evm::rpc::{EndpointSettings, Endpoints};
use bulkhead_store::clock::now;
use tokio::runtime::Builder;

use super::{Check, Verdict, contracts, funds, is_of_a_chain, key};
use crate::chain::settings;
use crate::key_arguments::PassphraseArguments;

/// A chain whose newest block is older stands still, or the clock is ahead.
const OLD_SECONDS: i64 = 120;

/// Chains take blocks that are so far ahead of others' clocks.
const AHEAD_SECONDS: i64 = 15;

/// Everything about the accounts that have to do with a chain.
pub(super) fn checks(
    accounts: &[(String, Configuration)],
    passphrase: &PassphraseArguments,
) -> Result<Vec<Check>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut checks = Vec::new();
    let mut keys = key::Keys::new(passphrase);
    for (name, configuration) in accounts.iter().filter(|(_, configuration)| is_of_a_chain(configuration)) {
        if configuration.mode == Mode::Live {
            checks.push(runtime.block_on(keys.check(configuration)).of(name));
        }
        let has_begun = funds::has_begun(configuration);
        checks.extend(runtime.block_on(of_account(name, configuration, has_begun))?);
        if configuration.mode == Mode::Live {
            checks.push(funds::books(name, configuration).of(name));
        }
    }
    Ok(checks)
}

/// What is looked at before an account trades, but its key and its books, which have begun or not.
pub(super) async fn of_account(
    name: &str,
    configuration: &Configuration,
    has_begun: bool,
) -> Result<Vec<Check>> {
    let Some(evm) = &configuration.evm else {
        let checks = on_solana(configuration, has_begun).await?;
        return Ok(checks.into_iter().map(|check| check.of(name)).collect());
    };
    let servers = settings::endpoints(evm)?;
    let mut checks = endpoints(evm, &servers).await?;
    let all = Endpoints::new(evm.chain_id, &servers)?;
    let reachable = checks.iter().any(|check| check.verdict == Verdict::Ok);
    if reachable {
        checks.push(clock(evm, &all).await);
        checks.push(contracts::check(evm, &all).await?);
        if configuration.mode == Mode::Live {
            checks.extend(funds::checks(configuration, evm, &all, has_begun).await?);
        }
    } else {
        checks.push(Check::skipped("chain", "no server of it can be asked"));
    }
    if configuration.mode == Mode::Live {
        checks.push(key::limits(configuration, evm)?);
    }
    Ok(checks.into_iter().map(|check| check.of(name)).collect())
}

#[cfg(feature = "solana")]
async fn on_solana(configuration: &Configuration, has_begun: bool) -> Result<Vec<Check>> {
    super::solana::checks(configuration, has_begun).await
}

#[cfg(not(feature = "solana"))]
#[expect(clippy::unused_async, reason = "as with Solana")]
async fn on_solana(_: &Configuration, _: bool) -> Result<Vec<Check>> {
    let advice = "build it with `--features solana`, or trade on paper on another feed";
    Ok(vec![Check::failed("chain", crate::WITHOUT_SOLANA, advice)])
}

/// Each server by itself, and whether they tell of the same chain.
async fn endpoints(evm: &Evm, servers: &[EndpointSettings]) -> Result<Vec<Check>> {
    let (mut checks, mut answering) = (Vec::new(), Vec::new());
    for (number, server) in servers.iter().enumerate() {
        let one = Endpoints::new(evm.chain_id, std::slice::from_ref(server))?;
        let name = format!("endpoint {} ({})", number + 1, one.names().join(", "));
        match endpoint(evm, &one).await {
            Ok(height) => {
                checks.push(Check::ok(name, format!("chain {}, block {height}", evm.chain_id)));
                answering.push((one, height));
            }
            Err(Unusable { verdict, found, advice }) => checks.push(Check::new(name, verdict, found, advice)),
        }
    }
    // While one answers, another may be away.
    if answering.is_empty() {
        for check in checks.iter_mut().filter(|check| check.verdict == Verdict::Warning) {
            check.verdict = Verdict::Failed;
        }
    }
    if answering.len() > 1 {
        checks.push(agreement(&answering).await);
    }
    Ok(checks)
}

/// Why a server is not used.
struct Unusable {
    verdict: Verdict,
    found: String,
    advice: &'static str,
}

/// The newest block of a server that can be used.
async fn endpoint(evm: &Evm, one: &Endpoints) -> Result<u64, Unusable> {
    let away = |error: ChainError| Unusable {
        verdict: Verdict::Warning,
        found: error.to_string(),
        advice: "see that the address is right and the server runs; evm.endpoints names it",
    };
    let found = one.chain_id().await.map_err(away)?;
    if found != evm.chain_id {
        return Err(Unusable {
            verdict: Verdict::Failed,
            found: format!("it is of chain {found}, and evm.chain_id is {}", evm.chain_id),
            advice: "one of both is wrong in the configuration",
        });
    }
    let height = one.head().await.map_err(away)?.number;
    match one.is_syncing().await {
        Ok(true) => Err(Unusable {
            verdict: Verdict::Warning,
            found: format!("it catches up with the chain, at block {height}"),
            advice: "wait until it has, or name another server",
        }),
        // Some don't say, and answer well.
        Ok(false) | Err(_) => Ok(height),
    }
}

async fn agreement(answering: &[(Endpoints, u64)]) -> Check {
    let name = "endpoints agree";
    let common = answering.iter().map(|(_, height)| *height).min().unwrap_or_default();
    let newest = answering.iter().map(|(_, height)| *height).max().unwrap_or_default();
    let mut hashes = Vec::new();
    for (one, _) in answering {
        // One that does not have it lags, and is told of as such.
        hashes.extend(one.block_hash(common).await.ok().flatten());
    }
    let advice =
        "one of them is on another branch or lies: remove it, or wait until a reorganisation is over";
    if hashes.windows(2).any(|pair| pair[0] != pair[1]) {
        Check::failed(name, format!("they tell of different blocks of height {common}"), advice)
    } else if newest - common > 3 {
        let found = format!("one is {} blocks behind another", newest - common);
        Check::warning(name, found, "a server that lags is left alone until it has caught up")
    } else {
        Check::ok(name, format!("on block {common}"))
    }
}

/// Deadlines of trades are by this machine's clock, and kept by the chain's.
async fn clock(evm: &Evm, all: &Endpoints) -> Check {
    let block = match all.head().await {
        Ok(head) => head.timestamp,
        Err(error) => return Check::skipped("clock", error.to_string()),
    };
    let clock = now().nanos() / 1_000_000_000;
    let ahead = i64::try_from(block).unwrap_or(i64::MAX).saturating_sub(clock);
    let deadline = evm.execution.deadline.0.nanos() / 1_000_000_000;
    let advice = "set the clock (`timedatectl set-ntp true`)";
    if ahead >= deadline {
        let found = format!(
            "the newest block is {ahead} s ahead of this clock: every trade would come too late for its deadline"
        );
        Check::failed("clock", found, advice)
    } else if ahead > AHEAD_SECONDS {
        Check::warning("clock", format!("the newest block is {ahead} s ahead of this clock"), advice)
    } else if -ahead > OLD_SECONDS {
        let found = format!("the newest block is {} s old", -ahead);
        Check::warning("clock", found, "the chain stands still, the servers lag, or this clock is ahead")
    } else {
        Check::ok("clock", format!("the newest block is {} s old", (-ahead).max(0)))
    }
}
