//! One server, asked with Solana's own client.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use serde_json::json;
use solana_account::Account;
use solana_account_decoder_client_types::{UiAccount, UiAccountEncoding};
use solana_address::Address;
use solana_commitment_config::{CommitmentConfig, CommitmentLevel};
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_rpc_client::rpc_client::RpcClientConfig;
use solana_rpc_client_api::client_error::{Error as ClientError, ErrorKind};
use solana_rpc_client_api::config::{
    RpcAccountInfoConfig, RpcSendTransactionConfig, RpcSimulateTransactionAccountsConfig,
    RpcSimulateTransactionConfig, RpcTransactionConfig,
};
use solana_rpc_client_api::request::{RpcError, RpcRequest};
use solana_rpc_client_api::response::{Response, RpcKeyedAccount};
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;
use solana_transaction_status_client_types::option_serializer::OptionSerializer;
use solana_transaction_status_client_types::{
    EncodedConfirmedTransactionWithStatusMeta, TransactionConfirmationStatus, TransactionStatus,
    UiTransactionEncoding, UiTransactionTokenBalance,
};

use super::majority::MOST_BLOCKS_BEHIND;
use super::transport::{
    EndpointSettings, InvalidAddress, Line, Transport, is_about_question, without_secrets,
};
use crate::cluster::{ClusterError, Expiring, Heights, Level, Lifetime, Rejection, Sent, Status, Trial};
use crate::programs::{BLOCKHASH_BLOCKS, TOKEN, TOKEN_2022};
use crate::settlement::{Moved, TokenBalance};

/// How many accounts a node shows at once.
const MOST_ACCOUNTS: usize = 100;

/// No transaction was signed longer than this before the last height at which it is valid.
const MOST_VALID_BLOCKS: u64 = BLOCKHASH_BLOCKS + MOST_BLOCKS_BEHIND;

/// Some slots have no block. More than every second never was without one.
const SLOTS_FOR_BLOCK: u64 = 2;

/// Accounts, and the slots that they are of: one, unless they are more than a node shows at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AccountsInSlots {
    pub(super) slots: BTreeSet<u64>,
    /// In the order in which they were asked for.
    pub(super) accounts: Vec<Option<Account>>,
}

/// What one server says of a transaction that may be over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// It has it.
    Known,
    /// It has not, and is not so far that it could say that it never will.
    NotYet,
    /// Its blocks up to this height are final without it.
    Never(u64),
    /// It has forgotten the blocks that the transaction could be in.
    Forgotten,
}

/// A server.
pub struct Endpoint {
    line: Arc<Line>,
    client: RpcClient,
    /// The newest block that it has spoken of.
    height: AtomicU64,
    /// The cluster that it says it is of, once it was asked.
    cluster: OnceLock<String>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Endpoint").field("name", &self.name()).finish_non_exhaustive()
    }
}

impl Endpoint {
    /// A server that nothing is known of yet.
    ///
    /// # Errors
    ///
    /// [`InvalidAddress`] when nobody can be asked there.
    pub fn new(settings: &EndpointSettings) -> Result<Self, InvalidAddress> {
        let line = Arc::new(Line::new(settings)?);
        let transport = Transport { line: Arc::clone(&line), number: AtomicU64::new(0) };
        let client = RpcClient::new_sender(transport, RpcClientConfig::default());
        Ok(Self { line, client, height: AtomicU64::new(0), cluster: OnceLock::new() })
    }

    /// The host's name, which is no secret.
    #[must_use]
    pub fn name(&self) -> &str {
        self.line.name()
    }

    pub(super) fn line(&self) -> &Line {
        &self.line
    }

    /// The newest block that it has spoken of.
    pub(super) fn height(&self) -> u64 {
        self.height.load(Ordering::Relaxed)
    }

    /// The cluster that it was found to be of.
    pub(super) fn known_cluster(&self) -> Option<&str> {
        self.cluster.get().map(String::as_str)
    }

    fn answer<T>(&self, answer: Result<T, ClientError>) -> Result<T, ClusterError> {
        answer.map_err(|error| match error.kind() {
            ErrorKind::RpcError(RpcError::RpcResponseError { code, message, .. }) => {
                let said = format!("{}: {message} ({code})", self.name());
                if is_about_question(*code) {
                    ClusterError::Refused(said)
                } else {
                    ClusterError::Unavailable(said)
                }
            }
            ErrorKind::RpcError(RpcError::RpcRequestError(why)) => {
                ClusterError::Unavailable(format!("{}: {why}", self.name()))
            }
            ErrorKind::SerdeJson(_) | ErrorKind::RpcError(_) => {
                self.line.note_broken("an answer that can't be read");
                ClusterError::Malformed(format!("{}: an answer can't be read", self.name()))
            }
            _ => ClusterError::Unavailable(format!("{}: it could not be asked", self.name())),
        })
    }

    pub(super) fn malformed(&self, what: &str) -> ClusterError {
        ClusterError::Malformed(format!("{}: {what}", self.name()))
    }

    pub(super) async fn genesis_hash(&self) -> Result<String, ClusterError> {
        let hash = self.answer(self.client.get_genesis_hash().await)?.to_string();
        Ok(self.cluster.get_or_init(|| hash).clone())
    }

    pub(super) async fn heights(&self) -> Result<Heights, ClusterError> {
        let newest = self.client.get_block_height_with_commitment(CommitmentConfig::processed()).await;
        let newest = self.answer(newest)?;
        self.height.store(newest, Ordering::Relaxed);
        let finalized = self.client.get_block_height_with_commitment(CommitmentConfig::finalized()).await;
        Ok(Heights { newest, finalized: self.answer(finalized)? })
    }

    pub(super) async fn lifetime(&self) -> Result<Lifetime, ClusterError> {
        let answer = self.client.get_latest_blockhash_with_commitment(CommitmentConfig::confirmed()).await;
        let (blockhash, last_valid_height) = self.answer(answer)?;
        Ok(Lifetime { blockhash, last_valid_height })
    }

    /// The newest slot of this level.
    pub(super) async fn slot(&self, level: Level) -> Result<u64, ClusterError> {
        self.answer(self.client.get_slot_with_commitment(commitment(level)).await)
    }

    /// Accounts as they are in blocks of this level, and in a slot no older than this. A node that is not that far
    /// answers nothing.
    pub(super) async fn accounts(
        &self,
        addresses: &[Address],
        level: Level,
        least_slot: Option<u64>,
    ) -> Result<AccountsInSlots, ClusterError> {
        let config = RpcAccountInfoConfig {
            encoding: Some(UiAccountEncoding::Base64),
            commitment: Some(commitment(level)),
            min_context_slot: least_slot,
            ..RpcAccountInfoConfig::default()
        };
        let mut found =
            AccountsInSlots { slots: BTreeSet::new(), accounts: Vec::with_capacity(addresses.len()) };
        for some in addresses.chunks(MOST_ACCOUNTS) {
            let texts: Vec<String> = some.iter().map(Address::to_string).collect();
            let answer: Result<Response<Vec<Option<UiAccount>>>, _> =
                self.client.send(RpcRequest::GetMultipleAccounts, json!([texts, config])).await;
            let Response { context, value: accounts } = self.answer(answer)?;
            if accounts.len() != some.len() {
                return Err(self.malformed("other accounts than were asked for"));
            }
            if context.slot < least_slot.unwrap_or_default() {
                return Err(self.malformed("accounts of an older slot than was asked for"));
            }
            found.slots.insert(context.slot);
            for account in accounts {
                found.accounts.push(account.map(|account| self.account(&account)).transpose()?);
            }
        }
        Ok(found)
    }

    fn account(&self, account: &UiAccount) -> Result<Account, ClusterError> {
        account.to_account().ok_or_else(|| self.malformed("an account that can't be read"))
    }

    pub(super) async fn token_accounts(
        &self,
        owner: Address,
        level: Level,
    ) -> Result<Vec<(Address, Account)>, ClusterError> {
        let mut found = Vec::new();
        for program in [TOKEN, TOKEN_2022] {
            let filter = json!({"programId": program.to_string()});
            let config = json!({"encoding": "base64", "commitment": commitment(level).commitment});
            let answer: Result<Response<Vec<RpcKeyedAccount>>, _> = self
                .client
                .send(RpcRequest::GetTokenAccountsByOwner, json!([owner.to_string(), filter, config]))
                .await;
            for RpcKeyedAccount { pubkey, account } in self.answer(answer)?.value {
                let address = pubkey.parse().map_err(|_| self.malformed("an address that can't be read"))?;
                found.push((address, self.account(&account)?));
            }
        }
        Ok(found)
    }

    pub(super) async fn largest_accounts(&self, mint: Address) -> Result<Vec<u64>, ClusterError> {
        let answer = self
            .client
            .get_token_largest_accounts_with_commitment(&mint, CommitmentConfig::confirmed())
            .await;
        let largest = self.answer(answer)?.value;
        let amounts = largest.iter().map(|held| held.amount.amount.parse());
        amounts.collect::<Result<_, _>>().map_err(|_| self.malformed("an amount that can't be read"))
    }

    pub(super) async fn recent_prices(&self, writable: &[Address]) -> Result<Vec<u64>, ClusterError> {
        let paid = self.answer(self.client.get_recent_prioritization_fees(writable).await)?;
        Ok(paid.into_iter().map(|paid| paid.prioritization_fee).collect())
    }

    pub(super) async fn try_out(
        &self,
        transaction: &VersionedTransaction,
        shown: &[Address],
    ) -> Result<Trial, ClusterError> {
        let accounts = RpcSimulateTransactionAccountsConfig {
            encoding: Some(UiAccountEncoding::Base64),
            addresses: shown.iter().map(Address::to_string).collect(),
        };
        let config = RpcSimulateTransactionConfig {
            commitment: Some(CommitmentConfig::confirmed()),
            accounts: (!shown.is_empty()).then_some(accounts),
            ..RpcSimulateTransactionConfig::default()
        };
        let answer = self.client.simulate_transaction_with_config(transaction, config).await;
        let tried = self.answer(answer)?.value;
        let found = tried.accounts.unwrap_or_default();
        let accounts =
            found.iter().map(|account| account.as_ref().map(|account| self.account(account)).transpose());
        let accounts = accounts.collect::<Result<Vec<_>, _>>()?;
        let error: Option<TransactionError> = tried.err.map(Into::into);
        if error.is_none() && accounts.len() != shown.len() {
            return Err(self.malformed("a trial without the accounts that were asked for"));
        }
        let logs = tried.logs.unwrap_or_default();
        Ok(Trial { error, units: tried.units_consumed.unwrap_or_default(), accounts, logs })
    }

    pub(super) async fn status(&self, signature: Signature) -> Result<Option<Status>, ClusterError> {
        let answer = self.client.get_signature_statuses_with_history(&[signature]).await;
        let status = self.answer(answer)?.value.into_iter().next().flatten();
        Ok(status.map(|status| {
            let level = level_of(&status);
            Status { slot: status.slot, level, error: status.err }
        }))
    }

    /// Whether this server's own final blocks are without a transaction, and are all that it could be in.
    pub(super) async fn word(&self, of: &Expiring) -> Result<Word, ClusterError> {
        // First what it knows, then how far it is: the other way round a block between the two answers would be missed.
        if self.status(of.signature).await?.is_some() {
            return Ok(Word::Known);
        }
        let level = CommitmentConfig::finalized();
        let epoch = self.answer(self.client.get_epoch_info_with_commitment(level).await)?;
        if epoch.block_height <= of.last_valid_height
            || self.answer(self.client.is_blockhash_valid(&of.blockhash, level).await)?
        {
            return Ok(Word::NotYet);
        }
        let first = self.answer(self.client.get_first_available_block().await)?;
        let signed_at = of.last_valid_height.saturating_sub(MOST_VALID_BLOCKS);
        let blocks = epoch.block_height.saturating_sub(signed_at);
        let needed = epoch.absolute_slot.saturating_sub(blocks.saturating_mul(SLOTS_FOR_BLOCK));
        Ok(if first <= needed { Word::Never(epoch.block_height) } else { Word::Forgotten })
    }

    pub(super) async fn moved(
        &self,
        signature: Signature,
        level: Level,
    ) -> Result<Option<Moved>, ClusterError> {
        let config = RpcTransactionConfig {
            encoding: Some(UiTransactionEncoding::Base64),
            // Nodes show no transaction of a block that is only processed.
            commitment: Some(commitment(level.max(Level::Confirmed))),
            max_supported_transaction_version: Some(0),
        };
        let answer: Result<Option<EncodedConfirmedTransactionWithStatusMeta>, _> =
            self.client.send(RpcRequest::GetTransaction, json!([signature.to_string(), config])).await;
        let Some(found) = self.answer(answer)? else { return Ok(None) };
        let moved = moved(&found, signature);
        moved.map(Some).ok_or_else(|| self.malformed("what a transaction moved can't be read"))
    }

    pub(super) async fn send(&self, transaction: &VersionedTransaction, preflight: bool) -> Sent {
        let config = RpcSendTransactionConfig {
            skip_preflight: !preflight,
            preflight_commitment: Some(CommitmentLevel::Confirmed),
            // It is sent again from here, for as long as that makes sense.
            max_retries: Some(0),
            ..RpcSendTransactionConfig::default()
        };
        let Err(error) = self.client.send_transaction_with_config(transaction, config).await else {
            return Sent::Taken(self.name().to_owned());
        };
        match error.kind() {
            ErrorKind::RpcError(RpcError::RpcResponseError { message, .. }) => {
                let failed = error.get_transaction_error();
                if failed == Some(TransactionError::AlreadyProcessed) {
                    return Sent::Taken(self.name().to_owned());
                }
                Sent::Rejected(Rejection { error: failed, message: without_secrets(message) })
            }
            ErrorKind::RpcError(RpcError::RpcRequestError(why)) => {
                Sent::Unknown(format!("{}: {}", self.name(), without_secrets(why)))
            }
            _ => Sent::Unknown(format!("{}: its answer can't be read", self.name())),
        }
    }
}

/// As nodes call it.
fn commitment(level: Level) -> CommitmentConfig {
    match level {
        Level::Processed => CommitmentConfig::processed(),
        Level::Confirmed => CommitmentConfig::confirmed(),
        Level::Finalized => CommitmentConfig::finalized(),
    }
}

fn level_of(status: &TransactionStatus) -> Level {
    match &status.confirmation_status {
        Some(TransactionConfirmationStatus::Finalized) => Level::Finalized,
        Some(TransactionConfirmationStatus::Confirmed) => Level::Confirmed,
        None if status.confirmations.is_none() => Level::Finalized,
        Some(TransactionConfirmationStatus::Processed) | None => Level::Processed,
    }
}

/// What a node wrote down, if it is of this transaction and can be read.
pub(super) fn moved(
    found: &EncodedConfirmedTransactionWithStatusMeta,
    signature: Signature,
) -> Option<Moved> {
    let transaction = found.transaction.transaction.decode()?;
    if transaction.signatures.first() != Some(&signature) {
        return None;
    }
    let meta = found.transaction.meta.as_ref()?;
    let mut keys = transaction.message.static_account_keys().to_vec();
    if let OptionSerializer::Some(loaded) = &meta.loaded_addresses {
        for address in loaded.writable.iter().chain(&loaded.readonly) {
            keys.push(address.parse().ok()?);
        }
    }
    if meta.pre_balances.len() != keys.len() || meta.post_balances.len() != keys.len() {
        return None;
    }
    let logs = match &meta.log_messages {
        OptionSerializer::Some(logs) => logs.clone(),
        OptionSerializer::None | OptionSerializer::Skip => Vec::new(),
    };
    Some(Moved {
        slot: found.slot,
        error: meta.err.clone().map(Into::into),
        fee: meta.fee,
        keys,
        lamports_before: meta.pre_balances.clone(),
        lamports_after: meta.post_balances.clone(),
        tokens_before: tokens(&meta.pre_token_balances)?,
        tokens_after: tokens(&meta.post_token_balances)?,
        logs,
    })
}

/// A node that leaves the token accounts out, or their owners, knows too little to book by.
fn tokens(balances: &OptionSerializer<Vec<UiTransactionTokenBalance>>) -> Option<Vec<TokenBalance>> {
    let OptionSerializer::Some(balances) = balances else { return None };
    let read = balances.iter().map(|balance| {
        let OptionSerializer::Some(owner) = &balance.owner else { return None };
        Some(TokenBalance {
            index: balance.account_index.into(),
            mint: balance.mint.parse().ok()?,
            owner: owner.parse().ok()?,
            amount: balance.ui_token_amount.amount.parse().ok()?,
        })
    });
    read.collect()
}
