//! What a signed transaction can cost at most.

use solana_transaction::versioned::VersionedTransaction;

use crate::effects::MOST_RENT;
use crate::fees::priority_fee;
use crate::programs::{
    ASSOCIATED_TOKEN, COMPUTE_BUDGET, LAMPORTS_PER_SIGNATURE, MOST_UNITS, SYSTEM, TOKEN, WRAPPED_SOL,
    associated_account,
};
use crate::verify::{SET_UNIT_LIMIT, SET_UNIT_PRICE, TRANSFER_LAMPORTS};

/// The most that a transaction can cost beside what it trades, in lamports: signatures, what is offered for being taken
/// sooner, tips, and the rent of accounts that it makes. Nothing when it can't be read.
pub(super) fn most_cost(raw: &[u8]) -> u64 {
    let Ok(transaction) = wincode::deserialize::<VersionedTransaction>(raw) else { return 0 };
    let keys = transaction.message.static_account_keys();
    let key = |index: u8| keys.get(usize::from(index)).copied();
    let wrapped = keys.first().map(|wallet| associated_account(*wallet, WRAPPED_SOL, TOKEN));
    let (mut units, mut price, mut lamports) = (MOST_UNITS, 0, 0_u64);
    for instruction in transaction.message.instructions() {
        match (key(instruction.program_id_index), instruction.data.as_slice()) {
            (Some(COMPUTE_BUDGET), [SET_UNIT_LIMIT, limit @ ..]) => {
                units = limit.try_into().map_or(MOST_UNITS, u32::from_le_bytes);
            }
            (Some(COMPUTE_BUDGET), [SET_UNIT_PRICE, offered @ ..]) => {
                price = offered.try_into().map_or(u64::MAX, u64::from_le_bytes);
            }
            (Some(ASSOCIATED_TOKEN), _) => lamports = lamports.saturating_add(MOST_RENT),
            (Some(SYSTEM), data) => {
                let to = instruction.accounts.get(1).and_then(|index| key(*index));
                let amount = data.strip_prefix(&TRANSFER_LAMPORTS).and_then(|rest| rest.try_into().ok());
                // What is wrapped is traded.
                if to.is_none() || to != wrapped {
                    lamports = lamports.saturating_add(amount.map_or(0, u64::from_le_bytes));
                }
            }
            _ => {}
        }
    }
    let signatures = LAMPORTS_PER_SIGNATURE.saturating_mul(transaction.signatures.len() as u64);
    signatures.saturating_add(priority_fee(units, price)).saturating_add(lamports)
}
