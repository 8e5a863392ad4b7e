//! Whether a person wants real funds to move: the configuration says so, the command line says so, and somebody has seen
//! what exactly will be traded with.

use std::fmt::Write as _;
use std::io::{BufRead as _, IsTerminal as _, Write as _};

use anyhow::{Result, bail};
use bulkhead_configuration::{Configuration, Mode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::signer;
use crate::arguments::WrongUsage;
use crate::shard::Account;

/// What of a token is typed. Long enough not to be typed by chance.
const TOKEN_BYTES: usize = 5;

/// What real funds are traded with.
struct Terms {
    lines: Vec<String>,
    token: String,
}

impl Terms {
    /// Of the accounts that trade real funds; `None` when none does.
    fn of(accounts: &[Account]) -> Result<Option<Self>> {
        let mut lines = Vec::new();
        let mut hash = Sha256::new();
        for account in accounts.iter().filter(|account| account.configuration.mode == Mode::Live) {
            let configuration = &account.configuration;
            // Other servers are the same chain, and other limits of fees or slippage the same funds.
            let (address, chain, currency, markets, tokens, traded) =
                match (&configuration.evm, &configuration.solana) {
                    (Some(evm), _) => (
                        signer::address(configuration)?.to_string(),
                        json!(evm.chain_id),
                        &evm.currency,
                        evm.markets.keys().collect::<Vec<_>>(),
                        json!(evm.tokens),
                        json!(evm.markets),
                    ),
                    (None, Some(solana)) => (
                        solana_address(configuration)?,
                        json!(solana.cluster),
                        &solana.currency,
                        solana.markets.keys().collect(),
                        json!(solana.tokens),
                        json!([solana.markets, solana.swaps.router]),
                    ),
                    (None, None) => bail!("the section of the chain is missing"),
                };
            let cash = configuration.cash.0;
            let symbols: Vec<&str> = markets.into_iter().map(String::as_str).collect();
            let place = match &chain {
                Value::String(cluster) => format!("cluster {cluster} of Solana"),
                number => format!("chain {number}"),
            };
            lines.push(format!(
                "account {} trades {} with {address} on {place}, with {cash} {currency} to begin with",
                account.name,
                symbols.join(", "),
            ));
            let terms = json!({
                "account": account.name,
                "address": address,
                "chain": chain,
                "cash": cash,
                "currency": currency,
                "tokens": tokens,
                "markets": traded,
            });
            hash.update(terms.to_string());
        }
        if lines.is_empty() {
            return Ok(None);
        }
        let mut token = "live-".to_owned();
        for byte in hash.finalize().iter().take(TOKEN_BYTES) {
            let _ = write!(token, "{byte:02x}");
        }
        Ok(Some(Self { lines, token }))
    }
}

#[cfg(feature = "solana")]
fn solana_address(configuration: &Configuration) -> Result<String> {
    Ok(super::solana::signer::address(configuration)?.to_string())
}

#[cfg(not(feature = "solana"))]
fn solana_address(_: &Configuration) -> Result<String> {
    bail!(crate::WITHOUT_SOLANA)
}

/// Sees that a person wants what the configuration says, if it is about real funds.
///
/// `live` is whether the command line says that real funds may move, `token` what was typed there for these very terms.
pub(crate) fn ask(accounts: &[Account], live: bool, token: Option<&str>) -> Result<()> {
    let Some(Terms { lines, token: wanted }) = Terms::of(accounts)? else {
        return match live || token.is_some() {
            false => Ok(()),
            true => Err(WrongUsage(
                "--live: the configuration trades on paper; mode = \"live\" says otherwise".to_owned(),
            )
            .into()),
        };
    };
    let what = lines.join("\n  ");
    if !live {
        let why = format!(
            "the configuration is for real funds:\n  {what}\nsay --live as well if that is wanted, or --set mode=paper"
        );
        return Err(WrongUsage(why).into());
    }
    match token {
        Some(token) if token == wanted => Ok(()),
        Some(_) => Err(WrongUsage(format!(
            "--live-token is for other terms than these:\n  {what}\nlook at them; their token is {wanted}"
        ))
        .into()),
        None if std::io::stdin().is_terminal() => {
            anstream::eprintln!("Real funds will be traded with:\n  {what}");
            anstream::eprint!("Type {wanted} to go on: ");
            std::io::stderr().flush()?;
            let mut typed = String::new();
            std::io::stdin().lock().read_line(&mut typed)?;
            if typed.trim() == wanted {
                return Ok(());
            }
            Err(WrongUsage("something else was typed; nothing was traded".to_owned()).into())
        }
        None => Err(WrongUsage(format!(
            "real funds would be traded with:\n  {what}\nnobody is at a terminal to confirm that; --live-token {wanted} does"
        ))
        .into()),
    }
}
