//! From a quote to what does it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use solana_address::Address;
use solana_instruction::Instruction;
use solana_message::{AddressLookupTableAccount, VersionedMessage, v0};
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;

use super::{Quoted, State, is_wrapped};
use crate::program::Swap;
use crate::tokens::{self, TOKEN, WRAPPED_SOL, associated};

/// What the older form computes at most.
const UNITS: u32 = 200_000;

/// The instructions of a swap, by what they are for.
pub(super) struct Parts {
    pub(super) budget: Vec<Instruction>,
    pub(super) setup: Vec<Instruction>,
    pub(super) swap: Instruction,
    pub(super) cleanup: Option<Instruction>,
    pub(super) other: Vec<Instruction>,
    pub(super) tables: Vec<AddressLookupTableAccount>,
    pub(super) payer: Address,
}

impl State {
    fn parts(&self, quoted: &Quoted, user: Address, is_current: bool) -> Parts {
        let (given, got) = quoted.pool.sides(quoted.input);
        let source = associated(user, quoted.input, given.token_program);
        let destination = associated(user, quoted.output, got.token_program);
        let mut setup = Vec::new();
        if is_wrapped(quoted.input) {
            setup.push(tokens::create_idempotent(user, user, WRAPPED_SOL, TOKEN));
            setup.push(tokens::transfer_lamports(user, source, quoted.amount));
            setup.push(tokens::sync_native(source));
        }
        setup.push(tokens::create_idempotent(user, user, quoted.output, got.token_program));
        let swap = Swap {
            user,
            given,
            source,
            got,
            destination,
            elsewhere: None,
            amount: quoted.amount,
            quoted: quoted.out,
            slippage_bps: quoted.slippage_bps,
            platform_fee_bps: 0,
        };
        let wrapped = is_wrapped(quoted.input) || is_wrapped(quoted.output);
        let own = associated(user, WRAPPED_SOL, TOKEN);
        let mut parts = Parts {
            budget: Vec::new(),
            setup,
            swap: if is_current { swap.route_v2() } else { swap.route() },
            cleanup: wrapped.then(|| tokens::close(TOKEN, own, user, user)),
            other: Vec::new(),
            tables: self.now().tables.clone(),
            payer: user,
        };
        let tamper = self.now().tamper;
        if let Some(tamper) = tamper {
            tamper.apply(&mut parts, swap, is_current);
        }
        parts
    }

    /// The whole transaction, unsigned, as the older form gives it.
    pub(super) fn assembled(&self, quoted: &Quoted, user: Address, fee: u64) -> Value {
        let mut parts = self.parts(quoted, user, false);
        let price = fee.saturating_mul(1_000_000) / u64::from(UNITS);
        let mut instructions = vec![tokens::unit_limit(UNITS), tokens::unit_price(price)];
        instructions.append(&mut parts.budget);
        instructions.append(&mut parts.setup);
        instructions.push(parts.swap);
        instructions.extend(parts.cleanup);
        instructions.extend(parts.other);
        let (hash, last) = self.ledger().blockhash(self.now().blockhash_age);
        let message = v0::Message::try_compile(&parts.payer, &instructions, &parts.tables, hash);
        let message = VersionedMessage::V0(message.expect("it can be compiled"));
        let signatures = vec![Signature::default(); usize::from(message.header().num_required_signatures)];
        let transaction = VersionedTransaction { signatures, message };
        let bytes = wincode::serialize(&transaction).expect("it can be written");
        json!({
            "swapTransaction": STANDARD.encode(bytes), "lastValidBlockHeight": last,
            "prioritizationFeeLamports": fee, "computeUnitLimit": UNITS, "simulationError": null
        })
    }

    /// The instructions by themselves, as the current form gives them.
    pub(super) fn put_instructions(&self, answer: &mut Value, quoted: &Quoted, user: Address) {
        let parts = self.parts(quoted, user, true);
        let list = |list: &[Instruction]| list.iter().map(shown).collect::<Vec<_>>();
        let mut budget = vec![tokens::unit_price(1_000)];
        budget.extend(parts.budget);
        let (hash, last) = self.ledger().blockhash(self.now().blockhash_age);
        let tables = parts.tables.iter().map(|table| {
            let addresses: Vec<String> = table.addresses.iter().map(Address::to_string).collect();
            (table.key.to_string(), Value::from(addresses))
        });
        answer["computeBudgetInstructions"] = list(&budget).into();
        answer["setupInstructions"] = list(&parts.setup).into();
        answer["swapInstruction"] = shown(&parts.swap);
        answer["cleanupInstruction"] = parts.cleanup.as_ref().map_or(Value::Null, shown);
        answer["otherInstructions"] = list(&parts.other).into();
        answer["tipInstruction"] = Value::Null;
        answer["addressesByLookupTableAddress"] = tables.collect();
        answer["blockhashWithMetadata"] = json!({"blockhash": hash.to_bytes(), "lastValidBlockHeight": last});
    }
}

fn shown(instruction: &Instruction) -> Value {
    let accounts = instruction.accounts.iter().map(|account| {
        json!({"pubkey": account.pubkey.to_string(), "isSigner": account.is_signer, "isWritable": account.is_writable})
    });
    json!({
        "programId": instruction.program_id.to_string(), "accounts": accounts.collect::<Vec<_>>(),
        "data": STANDARD.encode(&instruction.data)
    })
}
