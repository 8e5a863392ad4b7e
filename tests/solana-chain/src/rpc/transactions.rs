//! Methods about transactions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use solana_address::Address;
use solana_signature::Signature;
use solana_transaction::versioned::VersionedTransaction;
use solana_transaction_error::TransactionError;

use super::{RpcError, View, accounts, address, commitment, encoded, in_context, text, unreadable};
use crate::ledger::{Landed, Ledger, Refusal};
use crate::tokens::Holding;

/// The most bytes that a transaction may have.
const MOST_BYTES: usize = 1_232;

impl View {
    pub(super) fn about_transactions(
        &self,
        method: &str,
        parameters: &Value,
    ) -> Option<Result<Value, RpcError>> {
        Some(match method {
            "sendTransaction" => self.send(parameters),
            "simulateTransaction" => self.simulate(parameters),
            "getSignatureStatuses" => self.statuses(parameters),
            "getTransaction" => self.transaction(parameters),
            "getSignaturesForAddress" => self.signatures(parameters),
            "sendBundle" => self.bundle(parameters),
            "getInflightBundleStatuses" => self.bundle_statuses(parameters),
            _ => return None,
        })
    }

    fn send(&self, parameters: &Value) -> Result<Value, RpcError> {
        let transaction = decoded(parameters)?;
        let told = parameters[1]["skipPreflight"].as_bool().unwrap_or_default();
        let skips = told || *self.without_preflight.lock().expect("nothing panics while it holds this");
        let accepted = self.ledger().accept(transaction, !skips);
        match accepted {
            Ok(signature) => Ok(signature.to_string().into()),
            Err(Refusal::Unreadable(why)) => Err(RpcError::parameters(why)),
            Err(Refusal::Preflight { error, logs, units }) => Err(RpcError {
                code: -32_002,
                message: format!("Transaction simulation failed: {error}"),
                data: json!({
                    "err": error, "logs": logs, "accounts": null, "unitsConsumed": units, "returnData": null,
                    "innerInstructions": null, "replacementBlockhash": null
                }),
            }),
        }
    }

    /// A bundle of one, named by its signature.
    fn bundle(&self, parameters: &Value) -> Result<Value, RpcError> {
        let transaction = decoded(&json!([parameters[0][0], parameters[1]]))?;
        let signature = transaction.signatures[0].to_string();
        if !*self.swallows_bundles.lock().expect("nothing panics while it holds this") {
            // It is taken as it is: whoever leads tries it.
            let _ = self.ledger().accept(transaction, false);
        }
        Ok(signature.into())
    }

    fn bundle_statuses(&self, parameters: &Value) -> Result<Value, RpcError> {
        let ledger = self.ledger();
        let mut found = Vec::new();
        for id in parameters[0].as_array().cloned().unwrap_or_default() {
            let signature: Signature = text(&id)?.parse().map_err(unreadable)?;
            let slot = ledger.landed(&signature).map(|landed| landed.slot);
            let status = if slot.is_some() { "Landed" } else { "Invalid" };
            found.push(json!({"bundle_id": id, "status": status, "landed_slot": slot}));
        }
        Ok(in_context(ledger.slot(), found.into()))
    }

    fn simulate(&self, parameters: &Value) -> Result<Value, RpcError> {
        let transaction = decoded(parameters)?;
        let options = &parameters[1];
        let ledger = self.ledger();
        let slot = self.slot(&ledger, commitment(options));
        let failed = |error: &TransactionError, logs: &[String], units: u64| {
            in_context(
                slot,
                json!({"err": error, "logs": logs, "accounts": null, "unitsConsumed": units, "returnData": null}),
            )
        };
        if options["replaceRecentBlockhash"] != true
            && !ledger.is_good(transaction.message.recent_blockhash())
        {
            return Ok(failed(&TransactionError::BlockhashNotFound, &[], 0));
        }
        if options["sigVerify"] == true {
            let message = transaction.message.serialize();
            let keys = transaction.message.static_account_keys();
            let is_right =
                transaction.signatures.iter().zip(keys).all(|(one, key)| one.verify(key.as_ref(), &message));
            if !is_right {
                return Err(RpcError {
                    code: -32_003,
                    message: "Transaction signature verification failure".to_owned(),
                    data: Value::Null,
                });
            }
        }
        let (meta, after) = match ledger.simulate(&transaction) {
            Ok(tried) => tried,
            Err((error, meta)) => return Ok(failed(&error, &meta.logs, meta.compute_units_consumed)),
        };
        let wanted = options["accounts"]["addresses"].as_array().cloned().unwrap_or_default();
        let mut accounts = Vec::new();
        for wanted in &wanted {
            let wanted = address(wanted)?;
            let changed = after.iter().find(|(key, _)| *key == wanted).map(|(_, account)| account.clone());
            let account = changed.or_else(|| ledger.account(&wanted)).filter(|account| account.lamports > 0);
            accounts.push(account.as_ref().map_or(Value::Null, accounts::shown));
        }
        let accounts = if wanted.is_empty() { Value::Null } else { accounts.into() };
        Ok(in_context(
            slot,
            json!({
                "err": null, "logs": meta.logs, "accounts": accounts, "unitsConsumed": meta.compute_units_consumed,
                "returnData": null
            }),
        ))
    }

    fn statuses(&self, parameters: &Value) -> Result<Value, RpcError> {
        let ledger = self.ledger();
        let newest = self.slot(&ledger, "processed");
        let mut found = Vec::new();
        for wanted in parameters[0].as_array().cloned().unwrap_or_default() {
            let signature: Signature = text(&wanted)?.parse().map_err(unreadable)?;
            let landed = ledger.landed(&signature).filter(|landed| self.remembers(landed.slot, newest));
            found.push(landed.map_or(Value::Null, |landed| self.status(&ledger, landed)));
        }
        Ok(in_context(newest, found.into()))
    }

    fn status(&self, ledger: &Ledger, landed: &Landed) -> Value {
        let level = self.level(ledger, landed);
        let depth = self.slot(ledger, "processed").saturating_sub(landed.slot);
        let confirmations = if level == "finalized" { Value::Null } else { depth.into() };
        let error = landed.result.as_ref().err();
        let status = error.map_or(json!({"Ok": null}), |error| json!({"Err": error}));
        json!({
            "slot": landed.slot, "confirmations": confirmations, "err": error, "status": status,
            "confirmationStatus": level
        })
    }

    fn level(&self, ledger: &Ledger, landed: &Landed) -> &'static str {
        if landed.slot <= self.slot(ledger, "finalized") {
            "finalized"
        } else if landed.slot <= self.slot(ledger, "confirmed") {
            "confirmed"
        } else {
            "processed"
        }
    }

    fn transaction(&self, parameters: &Value) -> Result<Value, RpcError> {
        let signature: Signature = text(&parameters[0])?.parse().map_err(unreadable)?;
        let options = &parameters[1];
        if options["encoding"].as_str() != Some("base64") {
            return Err(RpcError::parameters("this node only knows base64"));
        }
        let ledger = self.ledger();
        let newest = self.slot(&ledger, commitment(options));
        let landed = ledger.landed(&signature).filter(|landed| self.remembers(landed.slot, newest));
        let Some(landed) = landed else {
            return Ok(Value::Null);
        };
        let bytes = wincode::serialize(&landed.transaction).expect("it was read from bytes");
        let error = landed.result.as_ref().err();
        let status = error.map_or(json!({"Ok": null}), |error| json!({"Err": error}));
        let addresses = |list: &[Address]| list.iter().map(Address::to_string).collect::<Vec<_>>();
        let tokens = |list: &[(usize, Holding)]| {
            let shown = list.iter().map(|(index, held)| {
                json!({
                    "accountIndex": index, "mint": held.mint.to_string(), "owner": held.owner.to_string(),
                    "programId": held.program.to_string(),
                    "uiTokenAmount": accounts::amount(held.amount, self.decimals(&ledger, held.mint))
                })
            });
            shown.collect::<Vec<_>>()
        };
        Ok(json!({
            "slot": landed.slot, "blockTime": Ledger::time_of(landed.slot), "version": 0,
            "transaction": [encoded(&bytes), "base64"],
            "meta": {
                "err": error, "status": status, "fee": landed.meta.fee,
                "preBalances": landed.lamports_before, "postBalances": landed.lamports_after,
                "preTokenBalances": tokens(&landed.tokens_before), "postTokenBalances": tokens(&landed.tokens_after),
                "innerInstructions": null, "logMessages": landed.meta.logs, "rewards": [],
                "loadedAddresses": {
                    "writable": addresses(&landed.loaded_writable), "readonly": addresses(&landed.loaded_readonly)
                },
                "computeUnitsConsumed": landed.meta.compute_units_consumed
            }
        }))
    }

    fn signatures(&self, parameters: &Value) -> Result<Value, RpcError> {
        let of = address(&parameters[0])?;
        let options = &parameters[1];
        let ledger = self.ledger();
        let newest = self.slot(&ledger, commitment(options));
        if options["minContextSlot"].as_u64().is_some_and(|least| newest < least) {
            let message = "Minimum context slot has not been reached".to_owned();
            return Err(RpcError { code: -32_016, message, data: json!({"contextSlot": newest}) });
        }
        let most = options["limit"].as_u64().unwrap_or(1_000);
        if !(1..=1_000).contains(&most) {
            return Err(RpcError::parameters("Invalid limit; max 1000"));
        }
        // One that this node does not know is no bound below, and lets nothing through above.
        let number = |name: &str| {
            let signature = options[name].as_str()?.parse::<Signature>().ok()?;
            Some(ledger.landed(&signature).filter(|landed| landed.slot <= newest).map(|landed| landed.number))
        };
        let (until, before) = (number("until").flatten(), number("before"));
        let mut found: Vec<(&Signature, &Landed)> = ledger
            .all_landed()
            .filter(|(_, landed)| {
                landed.keys.contains(&of)
                    && landed.slot <= newest
                    && until.is_none_or(|until| landed.number > until)
                    && before.is_none_or(|before| before.is_some_and(|before| landed.number < before))
            })
            .collect();
        found.sort_by_key(|(_, landed)| std::cmp::Reverse(landed.number));
        let shown = found.iter().take(usize::try_from(most).unwrap_or(1_000)).map(|(signature, landed)| {
            json!({
                "signature": signature.to_string(), "slot": landed.slot, "err": landed.result.as_ref().err(),
                "memo": null, "blockTime": Ledger::time_of(landed.slot), "confirmationStatus": self.level(&ledger, landed)
            })
        });
        Ok(shown.collect())
    }
}

fn decoded(parameters: &Value) -> Result<VersionedTransaction, RpcError> {
    if parameters[1]["encoding"].as_str() != Some("base64") {
        return Err(RpcError::parameters("this node only knows base64"));
    }
    let bytes = STANDARD.decode(text(&parameters[0])?).map_err(unreadable)?;
    if bytes.len() > MOST_BYTES {
        let message =
            format!("base64 encoded transaction too large: {} bytes (max: {MOST_BYTES})", bytes.len());
        return Err(RpcError::parameters(message));
    }
    let transaction = wincode::deserialize(&bytes);
    transaction.map_err(|error| RpcError::parameters(format!("failed to deserialize transaction: {error}")))
}
