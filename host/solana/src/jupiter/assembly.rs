//! From the aggregator's parts to a message.

use solana_address::Address;
use solana_hash::Hash;
use solana_instruction::{AccountMeta, Instruction};
use solana_message::{AddressLookupTableAccount, CompileError, VersionedMessage, v0};

use super::Parts;
use crate::programs::COMPUTE_BUDGET;

const SET_UNIT_LIMIT: u8 = 2;
const SET_UNIT_PRICE: u8 = 3;

/// Puts parts together, with limits of one's own in front of them. What does not fit into a table is named in the message.
///
/// # Errors
///
/// When there is too much of something.
pub fn assemble(
    payer: Address,
    parts: &Parts,
    tables: &[AddressLookupTableAccount],
    blockhash: Hash,
    units: u32,
    price: u64,
) -> Result<VersionedMessage, CompileError> {
    let budget = |kind: u8, number: &[u8]| {
        let data = [&[kind], number].concat();
        Instruction { program_id: COMPUTE_BUDGET, accounts: Vec::new(), data }
    };
    let mut instructions =
        vec![budget(SET_UNIT_LIMIT, &units.to_le_bytes()), budget(SET_UNIT_PRICE, &price.to_le_bytes())];
    instructions.extend(parts.instructions.iter().map(|part| {
        Instruction {
            program_id: part.program_id,
            accounts: part
                .accounts
                .iter()
                .map(|account| AccountMeta {
                    pubkey: account.pubkey,
                    is_signer: account.is_signer,
                    is_writable: account.is_writable,
                })
                .collect(),
            data: part.data.clone(),
        }
    }));
    v0::Message::try_compile(&payer, &instructions, tables, blockhash).map(VersionedMessage::V0)
}
