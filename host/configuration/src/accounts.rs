//! Accounts: what each has of its own, laid over what all have in common.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml::Table;

use super::chain::SignerPlace;
use super::{Configuration, Evm, InvalidConfiguration, Layers, Mode, Problem, Solana};

/// The account's name when the configuration names none.
const ONLY: &str = "main";

/// What an account can have of its own.
const OWN: [&str; 9] = ["cash", "evm", "faults", "mode", "paper", "risk", "sizing", "slots", "solana"];

/// The longest name of an account, in characters.
const LONGEST_NAME: usize = 64;

/// The keys under `[accounts.NAME]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OwnSettings(Table);

impl Layers {
    /// All that is wrong with an account, apart from what is wrong without it.
    pub(super) fn account_problems(&self, name: &str, own: &OwnSettings, common: &[Problem]) -> Vec<Problem> {
        let problem = |key: &str, found: String, allowed: &str| Problem {
            origin: self.origin(key).to_owned(),
            key: key.to_owned(),
            found,
            allowed: allowed.to_owned(),
        };
        let path = format!("accounts.{name}");
        let mut problems = Vec::new();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
        if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(plain) {
            let allowed = "an account's name is made of 1 to 64 lower-case letters, digits, - and _";
            problems.push(problem(&path, String::new(), allowed));
        }
        for (key, value) in &own.0 {
            if !OWN.contains(&key.as_str()) {
                let allowed = "an account has mode, cash, slots, risk, sizing, paper, faults, evm and solana of its own; \
                               everything else is the host's";
                problems.push(problem(&format!("{path}.{key}"), value.to_string(), allowed));
            }
        }
        let with_account = self.with_account(own).read_alone();
        let more = with_account.1.into_iter().filter(|problem| !common.contains(problem));
        problems.extend(
            more.map(|Problem { key, found, allowed, .. }| {
                problem(&format!("{path}.{key}"), found, &allowed)
            }),
        );
        problems
    }

    /// Accounts that would spend what another one does.
    pub(super) fn shared_keys(
        &self,
        configuration: &Configuration,
    ) -> Result<Vec<Problem>, InvalidConfiguration> {
        let mut owners: BTreeMap<(String, &str, String), String> = BTreeMap::new();
        let mut problems = Vec::new();
        let live = configuration.accounts()?.into_iter().filter(|(_, account)| account.mode == Mode::Live);
        for (name, account) in live {
            let (section, place, key, address, signer) = match (account.evm, account.solana) {
                (Some(Evm { chain_id, key, address, signer, .. }), _) => {
                    // An address may be written with capitals or without.
                    ("evm", chain_id.to_string(), key, address.map(|address| address.to_lowercase()), signer)
                }
                (None, Some(Solana { cluster, key, address, signer, .. })) => {
                    ("solana", cluster, key, address, signer)
                }
                (None, None) => continue,
            };
            // A device that two speak to gives one the other's answers, whichever chains they trade on.
            let device = (signer == SignerPlace::Ledger).then(|| "ledger".to_owned());
            let wanted =
                [(place.clone(), "key", key), (place, "address", address), (String::new(), "signer", device)];
            for (place, which, found) in wanted {
                let Some(found) = found else { continue };
                let owner = owners.entry((place, which, found.clone())).or_insert_with(|| name.clone());
                if *owner != name {
                    let path = format!("accounts.{name}.{section}.{which}");
                    problems.push(Problem {
                        origin: self.origin(&path).to_owned(),
                        key: path,
                        found,
                        allowed: format!(
                            "{owner} trades with this {which} already; an account needs one of its own"
                        ),
                    });
                }
            }
        }
        Ok(problems)
    }

    /// Accounts that mean something else by an instrument than the feed that all of them see: instruments go by the order of
    /// the markets' symbols.
    pub(super) fn other_markets(
        &self,
        configuration: &Configuration,
    ) -> Result<Vec<Problem>, InvalidConfiguration> {
        let mut problems = Vec::new();
        if configuration.accounts.is_empty() || !configuration.feed.source.is_live() {
            return Ok(problems);
        }
        for (name, account) in configuration.accounts()? {
            let mut others = Vec::new();
            if let (Some(own), Some(common)) = (&account.evm, &configuration.evm) {
                others.push(("evm.chain_id", own.chain_id != common.chain_id));
                others.push(("evm.currency", own.currency != common.currency));
                others.push(("evm.tokens", own.tokens != common.tokens));
                others.push(("evm.markets", own.markets != common.markets));
            }
            if let (Some(own), Some(common)) = (&account.solana, &configuration.solana) {
                others.push(("solana.cluster", own.cluster != common.cluster));
                others.push(("solana.currency", own.currency != common.currency));
                others.push(("solana.tokens", own.tokens != common.tokens));
                others.push(("solana.markets", own.markets != common.markets));
            }
            for (key, _) in others.into_iter().filter(|(_, is_other)| *is_other) {
                let path = format!("accounts.{name}.{key}");
                problems.push(Problem {
                    origin: self.origin(&path).to_owned(),
                    key: path,
                    found: String::new(),
                    allowed: "all accounts see the same market, so this is the same for all of them"
                        .to_owned(),
                });
            }
        }
        Ok(problems)
    }

    /// What is in force for an account.
    fn with_account(&self, own: &OwnSettings) -> Self {
        let mut layers = self.clone();
        layers.table.remove("accounts");
        let own = own.0.iter().filter(|(key, _)| OWN.contains(&key.as_str()));
        let own = own.map(|(key, value)| (key.clone(), value.clone()));
        layers.add(own.collect(), "the account");
        layers
    }
}

impl Configuration {
    /// The accounts by name, each with what is in force for it.
    ///
    /// # Errors
    ///
    /// What was wrong with the configuration already when it was read.
    pub fn accounts(&self) -> Result<Vec<(String, Self)>, InvalidConfiguration> {
        if self.accounts.is_empty() {
            return Ok(vec![(ONLY.to_owned(), self.clone())]);
        }
        let printed = Table::try_from(self).map_err(|error| {
            InvalidConfiguration(vec![Problem {
                origin: "the configuration".to_owned(),
                key: "accounts".to_owned(),
                found: String::new(),
                allowed: format!("can't be laid over the rest: {error}"),
            }])
        })?;
        let mut common = Layers::default();
        common.add(printed, "the configuration");
        let account =
            |(name, own): (&String, &OwnSettings)| Ok((name.clone(), common.with_account(own).read()?));
        self.accounts.iter().map(account).collect()
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;

    use super::*;
    use crate::read;

    #[test]
    fn without_accounts_there_is_one() {
        let configuration = read("cash = 5").unwrap();
        assert_eq!(configuration.accounts().unwrap(), [("main".to_owned(), configuration.clone())]);
    }

    #[test]
    fn an_account_has_what_it_names_and_the_rest_of_what_all_have() {
        let configuration = read(
            "cash = 5\n[risk]\nmax_order = 0.3\n\
             [accounts.alice]\ncash = 7\nrisk.max_position = 0.5\nslots.momentum.weight = 0.1\n[accounts.bob]",
        )
        .unwrap();
        let accounts = configuration.accounts().unwrap();
        let names: Vec<&str> = accounts.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["alice", "bob"]);
        let (alice, bob) = (&accounts[0].1, &accounts[1].1);
        assert_eq!((alice.cash.0, bob.cash.0), (Decimal::from(7), Decimal::from(5)));
        assert_eq!(
            (alice.risk.max_order, bob.risk.max_order),
            (configuration.risk.max_order, bob.risk.max_order)
        );
        assert_eq!(alice.risk.max_position.0, Some(Decimal::new(5, 1)));
        assert_eq!(alice.slots["momentum"].weight.0, Decimal::new(1, 1));
        assert_eq!(alice.slots["momentum"].mode, bob.slots["momentum"].mode);
        assert_eq!(bob.slots, configuration.slots);
    }

    #[test]
    fn what_is_wrong_with_an_account_is_told_with_its_place() {
        let error = read(
            "cash = -1\n[accounts.alice]\ncash = \"lots\"\nspeed = 3\nslots.momentum.weight = 0.9\n[accounts.Bob]",
        )
        .unwrap_err();
        let keys: Vec<&str> = error.0.iter().map(|problem| problem.key.as_str()).collect();
        let expected =
            ["cash", "accounts.Bob", "accounts.alice.speed", "accounts.alice.cash", "accounts.alice.slots"];
        assert_eq!(keys, expected, "{error}");
        assert!(error.0.iter().all(|problem| problem.origin == "test.toml"), "{error}");
        let error = read("accounts = 3").unwrap_err();
        assert_eq!(error.0[0].key, "accounts");
        let error = read("accounts.alice = 3").unwrap_err();
        assert_eq!(error.0[0].key, "accounts.alice");
    }

    #[test]
    fn what_is_printed_holds_the_accounts_and_can_be_read_again() {
        let configuration = read("[accounts.alice]\ncash = 7").unwrap();
        let printed = toml::to_string_pretty(&configuration).unwrap();
        let mut again = Layers::default();
        again.add(printed.parse().unwrap(), "printed");
        assert_eq!(again.read().unwrap(), configuration, "{printed}");
    }

    #[test]
    fn an_empty_list_of_accounts_is_as_good_as_none() {
        assert_eq!(read("accounts = {}").unwrap().accounts().unwrap().len(), 1);
    }
}
