//! Methods about accounts.

use serde_json::{Value, json};
use solana_account::Account;
use solana_address::Address;

use super::{RpcError, View, address, encoded, in_context};
use crate::tokens::{self, TOKEN, TOKEN_2022, holding};

/// How many accounts are asked for at once.
const MOST_ACCOUNTS: usize = 100;

impl View {
    pub(super) fn about_accounts(&self, method: &str, parameters: &Value) -> Option<Result<Value, RpcError>> {
        Some(match method {
            "getBalance" => self.balance(parameters),
            "getAccountInfo" => self.account(parameters),
            "getMultipleAccounts" => self.accounts(parameters),
            "getMinimumBalanceForRentExemption" => {
                let bytes = parameters[0].as_u64().unwrap_or_default();
                Ok(tokens::rent_of(usize::try_from(bytes).unwrap_or_default()).into())
            }
            "getTokenAccountBalance" => self.token_balance(parameters),
            "getTokenAccountsByOwner" => self.token_accounts(parameters),
            "getTokenSupply" => self.supply(parameters),
            "getTokenLargestAccounts" => self.largest(parameters),
            _ => return None,
        })
    }

    fn balance(&self, parameters: &Value) -> Result<Value, RpcError> {
        let address = address(&parameters[0])?;
        let ledger = self.ledger();
        let lamports = ledger.account(&address).map_or(0, |account| account.lamports);
        Ok(in_context(self.reached(&ledger, &parameters[1])?, lamports.into()))
    }

    fn account(&self, parameters: &Value) -> Result<Value, RpcError> {
        let address = address(&parameters[0])?;
        let ledger = self.ledger();
        let account = ledger.account(&address).as_ref().map_or(Value::Null, shown);
        Ok(in_context(self.reached(&ledger, &parameters[1])?, account))
    }

    fn accounts(&self, parameters: &Value) -> Result<Value, RpcError> {
        let wanted = parameters[0].as_array().cloned().unwrap_or_default();
        if wanted.len() > MOST_ACCOUNTS {
            return Err(RpcError::parameters("Too many inputs provided; max 100"));
        }
        let ledger = self.ledger();
        let mut found = Vec::new();
        for wanted in &wanted {
            found.push(ledger.account(&address(wanted)?).as_ref().map_or(Value::Null, shown));
        }
        Ok(in_context(self.reached(&ledger, &parameters[1])?, found.into()))
    }

    fn token_balance(&self, parameters: &Value) -> Result<Value, RpcError> {
        let address = address(&parameters[0])?;
        let ledger = self.ledger();
        let held = ledger.account(&address).as_ref().and_then(holding);
        let held = held.ok_or_else(|| RpcError::parameters("Invalid param: could not find account"))?;
        let amount = amount(held.amount, self.decimals(&ledger, held.mint));
        Ok(in_context(self.reached(&ledger, &parameters[1])?, amount))
    }

    fn token_accounts(&self, parameters: &Value) -> Result<Value, RpcError> {
        let owner = address(&parameters[0])?;
        let mint = parameters[1].get("mint").map(address).transpose()?;
        let program = parameters[1].get("programId").map(address).transpose()?;
        let ledger = self.ledger();
        let mut found = Vec::new();
        for known in [TOKEN, TOKEN_2022] {
            if program.is_some_and(|program| program != known) {
                continue;
            }
            for (key, account) in ledger.accounts_of(&known) {
                let Some(held) = holding(&account) else { continue };
                if held.owner == owner && mint.is_none_or(|mint| mint == held.mint) {
                    found.push(json!({"pubkey": key.to_string(), "account": shown(&account)}));
                }
            }
        }
        Ok(in_context(self.reached(&ledger, &parameters[2])?, found.into()))
    }

    fn supply(&self, parameters: &Value) -> Result<Value, RpcError> {
        let mint = address(&parameters[0])?;
        let ledger = self.ledger();
        let account = ledger.account(&mint).filter(|account| account.data.len() >= 82);
        let account = account.ok_or_else(|| RpcError::parameters("Invalid param: not a Token mint"))?;
        let supply = u64::from_le_bytes(account.data[36..44].try_into().expect("8 bytes"));
        Ok(in_context(ledger.slot(), amount(supply, account.data[44])))
    }

    fn largest(&self, parameters: &Value) -> Result<Value, RpcError> {
        let mint = address(&parameters[0])?;
        let ledger = self.ledger();
        let mut found: Vec<(Address, u64)> = [TOKEN, TOKEN_2022]
            .iter()
            .flat_map(|program| ledger.accounts_of(program))
            .filter_map(|(key, account)| holding(&account).map(|held| (key, held)))
            .filter(|(_, held)| held.mint == mint)
            .map(|(key, held)| (key, held.amount))
            .collect();
        found.sort_by_key(|(_, amount)| std::cmp::Reverse(*amount));
        let decimals = self.decimals(&ledger, mint);
        let shown = found.iter().take(20).map(|(key, held)| {
            let mut shown = amount(*held, decimals);
            shown["address"] = key.to_string().into();
            shown
        });
        Ok(in_context(ledger.slot(), shown.collect()))
    }

    pub(super) fn decimals(&self, ledger: &crate::ledger::Ledger, mint: Address) -> u8 {
        if mint == tokens::WRAPPED_SOL {
            return 9;
        }
        ledger.account(&mint).and_then(|account| account.data.get(44).copied()).unwrap_or_default()
    }
}

/// An account as nodes show it when they are asked for base64.
pub(super) fn shown(account: &Account) -> Value {
    json!({
        "data": [encoded(&account.data), "base64"],
        "executable": account.executable,
        "lamports": account.lamports,
        "owner": account.owner.to_string(),
        "rentEpoch": account.rent_epoch,
        "space": account.data.len(),
    })
}

/// An amount of tokens as nodes show it.
pub(super) fn amount(units: u64, decimals: u8) -> Value {
    let digits = format!("{units:0>width$}", width = usize::from(decimals) + 1);
    let (whole, part) = digits.split_at(digits.len() - usize::from(decimals));
    let part = part.trim_end_matches('0');
    let text = if part.is_empty() { whole.to_owned() } else { format!("{whole}.{part}") };
    let number: f64 = text.parse().expect("it is a number");
    json!({"amount": units.to_string(), "decimals": decimals, "uiAmount": number, "uiAmountString": text})
}
