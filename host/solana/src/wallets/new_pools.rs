//! Pools that come to be. A transaction makes a pool when a configured program is called in it and says so in its log, and
//! vaults of two tokens come to be under one owner. Where a program has its accounts and arguments is not relied on.

use std::collections::{BTreeMap, BTreeSet};

use bulkhead_core::identifier::InstrumentId;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use solana_address::Address;
use solana_signature::Signature;

use super::recognition::Leg;
use super::settings::WatchName;
use crate::rpc::history::Parsed;
use crate::settings::Market;

/// A program that makes pools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolProgram {
    /// What people call it.
    pub name: WatchName,
    /// The program.
    pub program: Address,
    /// The address whose transactions are looked at: best one that is in those alone that make pools, such as where the
    /// program's fee for that goes. The program itself is in all of its transactions, and for a busy one these are far too
    /// many.
    pub watched: Address,
    /// A part of the line that the program logs when it makes a pool.
    pub log: String,
}

/// A pool that came to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPool {
    /// Whose.
    pub program: WatchName,
    /// In which transaction.
    pub signature: Signature,
    /// The slot of its block.
    pub slot: u64,
    /// When its block was made, in seconds since 1970, where the node knows.
    pub time: Option<i64>,
    /// Whose vaults they are: the pool itself, or what signs for all pools of the program.
    pub owner: Address,
    /// What is in one of them, the one of the lower mint; nothing yet when 0.
    pub one: Leg,
    /// What is in the other.
    pub other: Leg,
    /// Of which instrument it is; none when no market is of its tokens.
    pub instrument: Option<InstrumentId>,
    /// Whether its block can't leave the chain any more.
    pub is_final: bool,
    /// Whether strategies were told.
    pub told: bool,
}

impl NewPool {
    /// What is told to strategies: the instrument, and how much of its quote token the pool begins with.
    #[must_use]
    pub fn quote_size(&self, markets: &[Market]) -> Option<(InstrumentId, f64)> {
        let market = markets.iter().find(|market| Some(market.instrument) == self.instrument)?;
        let quote = if self.one.mint == market.quote.mint { self.one } else { self.other };
        Some((market.instrument, quote.amount.to_f64()?))
    }
}

/// The pools that a transaction made. None when it failed, or its logs were cut off.
#[must_use]
pub fn made(
    parsed: &Parsed,
    signature: Signature,
    program: &PoolProgram,
    markets: &[Market],
) -> Vec<NewPool> {
    let moved = &parsed.moved;
    if moved.error.is_some() || !says(&moved.logs, program) {
        return Vec::new();
    }
    let signer = moved.keys.first();
    let old: BTreeSet<usize> = moved.tokens_before.iter().map(|balance| balance.index).collect();
    let mut vaults: BTreeMap<Address, BTreeMap<Address, u128>> = BTreeMap::new();
    for vault in &moved.tokens_after {
        if !old.contains(&vault.index) && signer != Some(&vault.owner) {
            *vaults.entry(vault.owner).or_default().entry(vault.mint).or_default() +=
                u128::from(vault.amount);
        }
    }
    let mut pools = Vec::new();
    for (owner, held) in vaults {
        let mut held = held.into_iter().map(|(mint, amount)| {
            let decimals = *parsed.decimals.get(&mint)?;
            let amount = Decimal::try_from_i128_with_scale(amount.try_into().ok()?, decimals.into()).ok()?;
            Some(Leg { mint, amount: amount.normalize() })
        });
        let (Some(Some(one)), Some(Some(other)), None) = (held.next(), held.next(), held.next()) else {
            continue;
        };
        let fits = |market: &&Market| {
            let pair = (market.base.mint, market.quote.mint);
            pair == (one.mint, other.mint) || pair == (other.mint, one.mint)
        };
        pools.push(NewPool {
            program: program.name.clone(),
            signature,
            slot: moved.slot,
            time: parsed.time,
            owner,
            one,
            other,
            instrument: markets.iter().find(fits).map(|market| market.instrument),
            is_final: false,
            told: false,
        });
    }
    pools
}

/// Whether the program itself, and not another one that it calls or that is called before or after it, logs the line.
fn says(logs: &[String], program: &PoolProgram) -> bool {
    let id = program.program.to_string();
    let mut running: Vec<&str> = Vec::new();
    for line in logs {
        let mut words = line.split(' ');
        match (words.next(), words.next(), words.next()) {
            (Some("Program"), Some(name), Some("invoke")) => running.push(name),
            (Some("Program"), Some(name), Some("success" | "failed:")) if running.last() == Some(&name) => {
                running.pop();
            }
            // What a program logs begins like this, whatever it says.
            (Some("Program"), Some("log:"), _)
                if running.last() == Some(&id.as_str()) && line.contains(&program.log) =>
            {
                return true;
            }
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use solana_transaction_error::TransactionError;

    use super::*;
    use crate::programs::{TOKEN, WRAPPED_SOL};
    use crate::settings::Token;
    use crate::settlement::{Moved, TokenBalance};

    fn key(number: u8) -> Address {
        Address::new_from_array([number; 32])
    }

    fn program() -> PoolProgram {
        let name = WatchName::new("amm").unwrap();
        PoolProgram { name, program: key(9), watched: key(8), log: "Instruction: CreatePool".to_owned() }
    }

    fn logs(of: &[(u8, &str)]) -> Vec<String> {
        let lines = of.iter().flat_map(|(number, says)| {
            let id = key(*number).to_string();
            [
                format!("Program {id} invoke [1]"),
                format!("Program log: {says}"),
                format!("Program {id} success"),
            ]
        });
        lines.collect()
    }

    fn transaction() -> Parsed {
        let balance = |index, mint, owner, amount| TokenBalance { index, mint, owner, amount };
        let moved = Moved {
            slot: 5,
            error: None,
            fee: 0,
            keys: (0..6).map(key).collect(),
            lamports_before: vec![0; 6],
            lamports_after: vec![0; 6],
            tokens_before: vec![balance(1, key(20), key(0), 50)],
            tokens_after: vec![
                balance(1, key(20), key(0), 0),
                balance(2, key(20), key(4), 50),
                balance(3, WRAPPED_SOL, key(4), 2_000_000_000),
                // The creator's share.
                balance(5, key(21), key(0), 10),
            ],
            logs: logs(&[(9, "Instruction: CreatePool { .. }")]),
        };
        Parsed {
            moved,
            time: Some(7),
            decimals: BTreeMap::from([(key(20), 1), (WRAPPED_SOL, 9), (key(21), 6)]),
        }
    }

    fn found(parsed: &Parsed) -> Vec<NewPool> {
        let token = |mint| Token { symbol: "T".to_owned(), mint, program: TOKEN, decimals: 9 };
        let market = Market { instrument: InstrumentId(3), base: token(key(20)), quote: token(WRAPPED_SOL) };
        let pools = made(parsed, Signature::default(), &program(), std::slice::from_ref(&market));
        if let [pool] = pools.as_slice() {
            assert_eq!(pool.quote_size(&[market]), Some((InstrumentId(3), 2.0)));
        }
        pools
    }

    #[test]
    fn a_pool_is_known_by_its_vaults() {
        let pools = found(&transaction());
        assert_eq!(pools.len(), 1);
        let legs = [pools[0].one, pools[0].other].map(|leg| (leg.mint, leg.amount));
        assert!(legs.contains(&(key(20), 5.into())) && legs.contains(&(WRAPPED_SOL, 2.into())), "{legs:?}");
        assert_eq!((pools[0].owner, pools[0].slot, pools[0].time), (key(4), 5, Some(7)));
    }

    #[test]
    fn another_program_can_not_say_it_for_this_one() {
        let mut parsed = transaction();
        parsed.moved.logs = logs(&[(9, "Instruction: Swap"), (7, "Instruction: CreatePool")]);
        assert_eq!(found(&parsed), []);
        let id = key(9).to_string();
        parsed.moved.logs = logs(&[(7, &format!("Program {id} invoke [1] Instruction: CreatePool"))]);
        assert_eq!(found(&parsed), []);
    }

    #[test]
    fn what_failed_or_has_no_two_vaults_made_none() {
        let mut parsed = transaction();
        parsed.moved.error = Some(TransactionError::AccountNotFound);
        assert_eq!(found(&parsed), []);
        let mut parsed = transaction();
        parsed.moved.tokens_before.push(parsed.moved.tokens_after[2]);
        assert_eq!(found(&parsed), [], "a vault was there before");
        let mut parsed = transaction();
        parsed.moved.tokens_after[2].mint = key(20);
        assert_eq!(found(&parsed), [], "both are of one token");
    }
}
