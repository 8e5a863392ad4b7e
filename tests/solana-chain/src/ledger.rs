use std::collections::BTreeMap;
use std::sync::Arc;

use litesvm::LiteSVM;
use litesvm::types::TransactionMetadata;
use solana_account::Account;
use solana_address::Address;
use solana_address_lookup_table_interface::state::AddressLookupTable;
use solana_hash::Hash;
use solana_message::VersionedMessage;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;

use crate::tokens::{Holding, Mint, WRAPPED_SOL, holding};
use crate::validator::{VALIDATOR_VARIABLE, Validator};

/// A blockhash is good for so many blocks.
pub const VALID_BLOCKS: u64 = 150;

/// Blocks and slots are not counted from the same number, as some slots have no block.
const SLOTS_WITHOUT_BLOCK: u64 = 1_000;

/// A node drops what waits when it knows more than this many.
const MOST_WAITING: usize = 10_000;

/// What becomes of a transaction that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It is executed in the next slot.
    Next,
    /// It is lost on the way, and nobody says so.
    Lost,
    /// It waits until [`Ledger::release`].
    Held,
    /// It is executed in a block that will be none of the chain's; see [`Ledger::abandon_fork`].
    OnFork,
}

/// What a transaction moved, as nodes tell it.
#[derive(Debug, Clone)]
pub struct Landed {
    /// In which slot.
    pub slot: u64,
    /// How many landed before it.
    pub number: u64,
    /// As it was sent.
    pub transaction: VersionedTransaction,
    /// How it ended.
    pub result: Result<(), TransactionError>,
    /// Its logs, and what it cost.
    pub meta: TransactionMetadata,
    /// All its accounts: those in it, then those of its lookup tables.
    pub keys: Vec<Address>,
    /// Those of its lookup tables that it may write to.
    pub loaded_writable: Vec<Address>,
    /// Those that it may only read.
    pub loaded_readonly: Vec<Address>,
    /// Lamports of all accounts before.
    pub lamports_before: Vec<u64>,
    /// Lamports of all accounts after.
    pub lamports_after: Vec<u64>,
    /// Tokens before, with the number of their account.
    pub tokens_before: Vec<(usize, Holding)>,
    /// Tokens after.
    pub tokens_after: Vec<(usize, Holding)>,
}

/// What a trial logged, and the accounts as they would be.
pub type Tried = (TransactionMetadata, Vec<(Address, Account)>);

/// How a trial failed, and what it logged.
pub type Failed = (TransactionError, TransactionMetadata);

/// What a node answers when it is sent a transaction that it does not want.
#[derive(Debug, Clone)]
pub enum Refusal {
    /// It can't be read.
    Unreadable(String),
    /// It would fail.
    Preflight {
        /// How.
        error: TransactionError,
        /// What it would log.
        logs: Vec<String>,
        /// What it would compute.
        units: u64,
    },
}

/// The chain itself.
pub struct Ledger {
    svm: LiteSVM,
    slot: u64,
    /// The blockhash of each slot that is still good or was so a short while ago, the newest last.
    hashes: Vec<(u64, Hash)>,
    landed: BTreeMap<Signature, Landed>,
    /// How many have landed so far, on forks too.
    count: u64,
    waiting: Vec<VersionedTransaction>,
    held: Vec<VersionedTransaction>,
    /// The state that the chain goes back to when its fork is abandoned, and what landed on the fork.
    fork: Option<(LiteSVM, Vec<Signature>)>,
    delivery: Delivery,
    /// What others paid lately for each unit, in millionths of a lamport.
    recent_fees: Vec<u64>,
    sent: Vec<Signature>,
    /// Who keeps the chain in the machine's place. Then accounts, slots and blockhashes are its own, and nothing of this
    /// machine happens.
    validator: Option<Arc<Validator>>,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        // Blockhashes and signatures are looked at here: the machine knows one blockhash, a node 150.
        let mut svm =
            LiteSVM::new().with_sigverify(false).with_blockhash_check(false).with_transaction_history(0);
        svm.add_program(crate::program::ROUTER, crate::program::BINARY)
            .expect("the swap program can be loaded");
        let mut ledger = Self {
            svm,
            slot: SLOTS_WITHOUT_BLOCK,
            hashes: Vec::new(),
            landed: BTreeMap::new(),
            count: 0,
            waiting: Vec::new(),
            held: Vec::new(),
            fork: None,
            delivery: Delivery::Next,
            recent_fees: vec![0, 1_000, 2_000, 5_000, 10_000],
            sent: Vec::new(),
            validator: Validator::start().map(Arc::new),
        };
        let wrapped = Mint::plain(9).account(0);
        ledger.set_account(WRAPPED_SOL, wrapped);
        ledger.go_on(VALID_BLOCKS);
        ledger
    }

    /// The newest slot.
    #[must_use]
    pub fn slot(&self) -> u64 {
        self.validator.as_ref().map_or(self.slot, |validator| validator.slot())
    }

    /// The height of the block in a slot.
    #[must_use]
    pub const fn height_at(slot: u64) -> u64 {
        slot.saturating_sub(SLOTS_WITHOUT_BLOCK)
    }

    /// When the block of a slot was made, in seconds since 1970.
    #[must_use]
    pub const fn time_of(slot: u64) -> i64 {
        // Two and a half slots go by in a second.
        1_790_000_000 + slot.cast_signed() * 2 / 5
    }

    /// A validator does none of what only a test's own chain can be told to do.
    pub(crate) fn must_be_ours(&self) {
        assert!(
            self.validator.is_none(),
            "{VALIDATOR_VARIABLE} names a validator, which can't be told to do this"
        );
    }

    /// So many slots go by. What waits is executed in the first.
    pub fn advance(&mut self, slots: u64) {
        self.must_be_ours();
        self.go_on(slots);
    }

    /// Time goes by, as it does on a validator by itself.
    pub(crate) fn go_on(&mut self, slots: u64) {
        for _ in 0..slots {
            self.slot += 1;
            let hash = Hash::new_from_array(scrambled(self.slot));
            self.hashes.push((self.slot, hash));
            let oldest = self.slot.saturating_sub(2 * VALID_BLOCKS);
            self.hashes.retain(|(slot, _)| *slot >= oldest);
            self.svm.warp_to_slot(self.slot);
            for transaction in std::mem::take(&mut self.waiting) {
                self.execute(transaction);
            }
        }
    }

    /// The blockhash of the newest slot, or of one so many before, and the last height that it is good for.
    #[must_use]
    pub fn blockhash(&self, slots_before: u64) -> (Hash, u64) {
        if let Some(validator) = &self.validator {
            return validator.blockhash();
        }
        let at = self.slot.saturating_sub(slots_before);
        let found = self.hashes.iter().rev().find(|(slot, _)| *slot <= at).or(self.hashes.first());
        let (slot, hash) = found.expect("there is always one");
        (*hash, Self::height_at(*slot) + VALID_BLOCKS)
    }

    fn is_recent(&self, hash: &Hash) -> bool {
        self.was_good(hash, self.slot)
    }

    /// What becomes of transactions that are accepted from now on.
    pub fn deliver(&mut self, delivery: Delivery) {
        // That is what a validator does anyway.
        if delivery != Delivery::Next {
            self.must_be_ours();
        }
        self.delivery = delivery;
    }

    /// What was held waits for the next slot now, like everything that comes.
    pub fn release(&mut self) {
        self.must_be_ours();
        self.delivery = Delivery::Next;
        self.waiting.append(&mut self.held);
    }

    /// The block with what landed on the fork is none of the chain's any more.
    pub fn abandon_fork(&mut self) {
        self.must_be_ours();
        let Some((state, landed)) = self.fork.take() else { return };
        self.svm = state;
        self.svm.warp_to_slot(self.slot);
        for signature in landed {
            self.landed.remove(&signature);
        }
        self.delivery = Delivery::Next;
    }

    /// Takes a transaction as a node does.
    ///
    /// # Errors
    ///
    /// What the node says when it does not want it. Without a preflight it wants all that it can read.
    pub fn accept(
        &mut self,
        transaction: VersionedTransaction,
        preflight: bool,
    ) -> Result<Signature, Refusal> {
        let signature =
            *transaction.signatures.first().ok_or_else(|| Refusal::Unreadable("no signature".to_owned()))?;
        if preflight {
            if !is_signed(&transaction) {
                return Err(refused(TransactionError::SignatureFailure));
            }
            if !self.is_recent(transaction.message.recent_blockhash()) {
                return Err(refused(TransactionError::BlockhashNotFound));
            }
            if self.landed.contains_key(&signature) {
                return Err(refused(TransactionError::AlreadyProcessed));
            }
            self.simulate(&transaction).map_err(|failed| Refusal::Preflight {
                error: failed.0,
                logs: failed.1.logs,
                units: failed.1.compute_units_consumed,
            })?;
        }
        self.sent.push(signature);
        let is_waiting =
            |list: &[VersionedTransaction]| list.iter().any(|known| known.signatures[0] == signature);
        if is_waiting(&self.waiting) || is_waiting(&self.held) || self.waiting.len() >= MOST_WAITING {
            return Ok(signature);
        }
        match self.delivery {
            Delivery::Next | Delivery::OnFork => self.waiting.push(transaction),
            Delivery::Held => self.held.push(transaction),
            Delivery::Lost => {}
        }
        Ok(signature)
    }

    /// Every signature that was accepted, as often as it was.
    #[must_use]
    pub fn sent(&self) -> &[Signature] {
        &self.sent
    }

    fn execute(&mut self, transaction: VersionedTransaction) {
        let signature = transaction.signatures[0];
        let fits = is_signed(&transaction)
            && self.is_recent(transaction.message.recent_blockhash())
            && !self.landed.contains_key(&signature);
        let Some((keys, writable, readonly)) = fits.then(|| self.resolve(&transaction.message)).flatten()
        else {
            return;
        };
        let before = (self.delivery == Delivery::OnFork && self.fork.is_none()).then(|| self.svm.clone());
        let (lamports_before, tokens_before) = self.balances(&keys);
        let (result, meta) = match self.svm.send_transaction(transaction.clone()) {
            Ok(meta) => (Ok(()), meta),
            // A block takes no transaction that can't pay for itself.
            Err(failed) if failed.meta.fee == 0 => return,
            Err(failed) => (Err(failed.err), failed.meta),
        };
        if let Some(before) = before {
            self.fork = Some((before, Vec::new()));
        }
        if let Some((_, on_fork)) = &mut self.fork {
            on_fork.push(signature);
        }
        let (lamports_after, tokens_after) = self.balances(&keys);
        let number = self.count;
        self.count += 1;
        let landed = Landed {
            slot: self.slot,
            number,
            transaction,
            result,
            meta,
            keys,
            loaded_writable: writable,
            loaded_readonly: readonly,
            lamports_before,
            lamports_after,
            tokens_before,
            tokens_after,
        };
        self.landed.insert(signature, landed);
    }

    /// Tries a transaction and changes nothing. Neither signatures nor the blockhash are looked at.
    ///
    /// # Errors
    ///
    /// How it would fail.
    #[expect(clippy::result_large_err, reason = "it is what the machine gives")]
    pub fn simulate(&self, transaction: &VersionedTransaction) -> Result<Tried, Failed> {
        match self.svm.simulate_transaction(transaction.clone()) {
            Ok(tried) => {
                let after = tried.post_accounts.into_iter();
                Ok((tried.meta, after.map(|(key, account)| (key, account.into())).collect()))
            }
            Err(failed) => Err((failed.err, failed.meta)),
        }
    }

    /// Whether a blockhash is good at the moment.
    #[must_use]
    pub fn is_good(&self, hash: &Hash) -> bool {
        self.is_recent(hash)
    }

    /// Whether a blockhash was known and good in the block of a slot. It is not remembered for ever.
    #[must_use]
    pub fn was_good(&self, hash: &Hash, slot: u64) -> bool {
        let made = self.hashes.iter().find(|(_, known)| known == hash).map(|(made, _)| *made);
        made.is_some_and(|made| (made..=made + VALID_BLOCKS).contains(&slot))
    }

    /// What became of a transaction.
    #[must_use]
    pub fn landed(&self, signature: &Signature) -> Option<&Landed> {
        self.must_be_ours();
        self.landed.get(signature)
    }

    /// How many transactions landed that this wallet pays for.
    #[must_use]
    pub fn landed_of(&self, wallet: &Address) -> usize {
        if let Some(validator) = &self.validator {
            return validator.landed_of(wallet);
        }
        self.landed.values().filter(|landed| landed.keys.first() == Some(wallet)).count()
    }

    /// Who keeps the chain, if not this machine.
    pub(crate) fn validator(&self) -> Option<Arc<Validator>> {
        self.validator.clone()
    }

    /// A server handed a transaction to the validator.
    pub(crate) fn note_sent(&mut self, signature: Signature) {
        self.sent.push(signature);
    }

    /// Everything that landed.
    pub fn all_landed(&self) -> impl Iterator<Item = (&Signature, &Landed)> {
        self.must_be_ours();
        self.landed.iter()
    }

    /// An account.
    #[must_use]
    pub fn account(&self, address: &Address) -> Option<Account> {
        if let Some(validator) = &self.validator {
            return validator.account(address).filter(|account| account.lamports > 0);
        }
        self.svm.get_account(address).filter(|account| account.lamports > 0)
    }

    /// All accounts of a program.
    #[must_use]
    pub fn accounts_of(&self, program: &Address) -> Vec<(Address, Account)> {
        self.svm.get_program_accounts(program)
    }

    /// Puts an account there.
    pub fn set_account(&mut self, address: Address, account: Account) {
        if let Some(validator) = &self.validator {
            return validator.set_account(&address, &account);
        }
        self.svm.set_account(address, account).expect("any account can be set");
    }

    /// What others paid lately for each unit, in millionths of a lamport.
    #[must_use]
    pub fn recent_fees(&self) -> &[u64] {
        &self.recent_fees
    }

    /// From now on others are said to have paid this.
    pub fn set_recent_fees(&mut self, fees: &[u64]) {
        self.must_be_ours();
        self.recent_fees = fees.to_vec();
    }

    fn balances(&self, keys: &[Address]) -> (Vec<u64>, Vec<(usize, Holding)>) {
        let accounts: Vec<Option<Account>> = keys.iter().map(|key| self.account(key)).collect();
        let lamports = accounts.iter().map(|account| account.as_ref().map_or(0, |account| account.lamports));
        let tokens = accounts.iter().enumerate().filter_map(|(index, account)| {
            let held = holding(account.as_ref()?)?;
            Some((index, held))
        });
        (lamports.collect(), tokens.collect())
    }

    /// All accounts of a message, then those of its tables that are writable and those that are not. `None` when a table
    /// does not have them.
    fn resolve(&self, message: &VersionedMessage) -> Option<(Vec<Address>, Vec<Address>, Vec<Address>)> {
        let (mut writable, mut readonly) = (Vec::new(), Vec::new());
        for lookup in message.address_table_lookups().unwrap_or_default() {
            let account = self.account(&lookup.account_key)?;
            let table = AddressLookupTable::deserialize(&account.data).ok()?;
            for index in &lookup.writable_indexes {
                writable.push(*table.addresses.get(usize::from(*index))?);
            }
            for index in &lookup.readonly_indexes {
                readonly.push(*table.addresses.get(usize::from(*index))?);
            }
        }
        let mut keys = message.static_account_keys().to_vec();
        keys.extend(&writable);
        keys.extend(&readonly);
        Some((keys, writable, readonly))
    }
}

/// Whether every signature that is needed is there and right.
fn is_signed(transaction: &VersionedTransaction) -> bool {
    let needed = usize::from(transaction.message.header().num_required_signatures);
    let message = transaction.message.serialize();
    let keys = transaction.message.static_account_keys();
    transaction.signatures.len() == needed
        && transaction
            .signatures
            .iter()
            .zip(keys)
            .all(|(signature, key)| signature.verify(key.as_ref(), &message))
}

fn refused(error: TransactionError) -> Refusal {
    Refusal::Preflight { error, logs: Vec::new(), units: 0 }
}

/// Bytes that differ for each number and look like nothing.
fn scrambled(number: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for byte in &mut bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        *byte = state.to_le_bytes()[3];
    }
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes
}
