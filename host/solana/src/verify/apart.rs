//! The same verification for a signer that can't look at the chain, and doesn't believe who asks it to sign.
//!
//! What a lookup table holds is known only from the chain. So an account that a table names counts as nobody's, unless it is
//! said to be one of the traded tokens' mints or a program: the chain holds these against the wallet's token accounts
//! itself, and a lie about them makes the transaction fail, not pay somebody else. The wallet's own accounts, who gets tips,
//! and whoever else is paid must be written in the message itself.
//!
//! What the aggregator's program does with the pools that it is handed is its own business here; a policy lists the
//! programs that it trusts so far.

use solana_address::{Address, address};
use solana_message::{VersionedMessage, v0};

use super::message::checked;
use super::{Asked, Refused, Tables, Verified, verify};
use crate::programs::{ASSOCIATED_TOKEN, SYSTEM, TOKEN, TOKEN_2022};

/// Nobody's account: the system's own, which takes part in no trade.
const NOBODY: Address = address!("Sysvar1111111111111111111111111111111111111");

/// A table has at most so many addresses.
const MOST_ADDRESSES: usize = 256;

/// What somebody says that a lookup table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// The table.
    pub table: Address,
    /// The place in it, from 0.
    pub index: u8,
    /// What is there.
    pub address: Address,
}

/// Whether a lie about this account could do no harm.
fn is_harmless(address: Address, asked: &Asked) -> bool {
    // Not the router: where the aggregator's instructions leave out who gets what was bought, they name that.
    let programs = [SYSTEM, TOKEN, TOKEN_2022, ASSOCIATED_TOKEN];
    [asked.given.mint, asked.got.mint].contains(&address) || programs.contains(&address)
}

/// What has to be said of the tables of a message.
pub(super) fn claims(message: &v0::Message, tables: &Tables, asked: &Asked) -> Vec<Claim> {
    let mut claims = Vec::new();
    for lookup in &message.address_table_lookups {
        let Some(table) = tables.get(&lookup.account_key) else { continue };
        for index in lookup.writable_indexes.iter().chain(&lookup.readonly_indexes) {
            let address = table.get(usize::from(*index)).copied();
            if let Some(address) = address.filter(|address| is_harmless(*address, asked)) {
                claims.push(Claim { table: lookup.account_key, index: *index, address });
            }
        }
    }
    claims
}

/// Explains all of a message by what was asked for, without knowing what its lookup tables hold.
///
/// # Errors
///
/// [`Refused`] with the first thing that can't be explained, also where it is only a table that could explain it.
pub fn verify_apart(
    message: &VersionedMessage,
    claims: &[Claim],
    asked: &Asked,
) -> Result<Verified, Refused> {
    let mut tables = Tables::new();
    for lookup in &checked(message)?.address_table_lookups {
        tables.insert(lookup.account_key, vec![NOBODY; MOST_ADDRESSES]);
    }
    for claim in claims.iter().filter(|claim| is_harmless(claim.address, asked)) {
        let place = tables.get_mut(&claim.table).and_then(|table| table.get_mut(usize::from(claim.index)));
        if let Some(place) = place {
            *place = claim.address;
        }
    }
    verify(message, &tables, asked)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{AMOUNT, asked, compile, key, transfer, usual};
    use super::super::{Tip, Unexplained};
    use super::*;
    use crate::programs::JUPITER;

    const TABLE: u8 = 100;

    fn table(addresses: &[Address]) -> Tables {
        Tables::from([(key(TABLE), addresses.to_vec())])
    }

    #[test]
    fn what_a_table_names_is_told_as_far_as_it_matters() {
        let asked = asked();
        // A mint, the token program, and a pool.
        let tables = table(&[asked.got.mint, asked.got.program, key(21)]);
        let message = compile(&usual(&asked), &asked, &tables);
        let there = verify(&message, &tables, &asked).unwrap();
        let told: Vec<Address> = there.claims().iter().map(|claim| claim.address).collect();
        assert!(told.contains(&asked.got.mint) && !told.contains(&key(21)), "{told:?}");
        let here = verify_apart(&message, there.claims(), &asked).unwrap();
        assert_eq!((here.summary(), here.signing_payload()), (there.summary(), there.signing_payload()));
        // Without the claims nobody knows that it is the mint.
        assert!(verify_apart(&message, &[], &asked).is_err());
    }

    #[test]
    fn who_is_paid_has_to_be_written_in_the_message() {
        let asked = asked();
        let destination = asked.got.account_of(asked.owner);
        let tables = table(&[destination]);
        let message = compile(&usual(&asked), &asked, &tables);
        assert!(verify(&message, &tables, &asked).is_ok(), "the chain says whose account it is");
        let lie = Claim { table: key(TABLE), index: 0, address: destination };
        let refused = verify_apart(&message, &[lie], &asked).unwrap_err();
        let found = NOBODY;
        let what = Unexplained::OtherAccount { role: "the account", found, wanted: destination };
        assert_eq!(refused, Refused::Instruction { number: 3, what });
    }

    #[test]
    fn a_tip_to_somebody_in_a_table_is_refused() {
        let tip = Some(Tip { accounts: [key(77)].into(), most: AMOUNT });
        let asked = Asked { tip, ..asked() };
        let mut instructions = usual(&asked);
        instructions.push(transfer(asked.owner, key(77), 500));
        let tables = table(&[key(77)]);
        let message = compile(&instructions, &asked, &tables);
        let lie = Claim { table: key(TABLE), index: 0, address: key(77) };
        assert!(verify(&message, &tables, &asked).is_ok());
        assert!(verify_apart(&message, &[lie], &asked).is_err());
    }

    /// The aggregator's program in the place of an account means that it is left out.
    #[test]
    fn somebody_else_is_not_hidden_behind_the_name_of_the_router() {
        let asked = asked();
        let mut instructions = usual(&asked);
        let place = instructions[3].accounts.get_mut(7).unwrap();
        assert_eq!(place.pubkey, JUPITER);
        (place.pubkey, place.is_writable) = (key(88), true);
        let tables = table(&[key(88)]);
        let message = compile(&instructions, &asked, &tables);
        let lie = Claim { table: key(TABLE), index: 0, address: JUPITER };
        let refused = verify_apart(&message, &[lie], &asked).unwrap_err();
        assert!(matches!(refused, Refused::Instruction { number: 4, .. }), "{refused}");
    }

    #[test]
    fn a_claim_of_a_table_that_is_not_used_is_none() {
        let asked = asked();
        let message = compile(&usual(&asked), &asked, &Tables::new());
        let claim = Claim { table: key(TABLE), index: 255, address: JUPITER };
        assert!(verify_apart(&message, &[claim], &asked).is_ok());
    }
}
