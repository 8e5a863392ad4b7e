//! What is signed and what for, and how an answer is held against it.

use std::fmt;
use std::str::FromStr;

use alloy_consensus::transaction::RlpEcdsaDecodableTx as _;
use alloy_consensus::{SignableTransaction as _, Signed, TxEip1559};
use alloy_primitives::{Address, B256, Bytes, Signature};
use serde::{Deserialize, Serialize};

use crate::error::SigningError;

/// The most bytes that a transaction may have before it is signed. The largest swap has a tenth of it.
pub const MAX_TRANSACTION_BYTES: usize = 64 * 1024;
/// The most bytes that the name of an order may have.
pub const MAX_ORDER_BYTES: usize = 128;

/// What a transaction does for its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Lets a spender take tokens.
    Approve,
    /// Trades at a router.
    Swap,
    /// Turns native currency into its token.
    Wrap,
    /// Turns the token back into native currency.
    Unwrap,
    /// Uses up the nonce: nothing to nobody, so that what was signed before with this nonce can't land.
    Cancel,
}

impl Step {
    /// The step's name in logs and on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Swap => "swap",
            Self::Wrap => "wrap",
            Self::Unwrap => "unwrap",
            Self::Cancel => "cancel",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The name of the order that a transaction is for: 1 to [`MAX_ORDER_BYTES`] visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OrderName(String);

impl OrderName {
    /// The name itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OrderName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A text that can't name an order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an order's name has 1 to {MAX_ORDER_BYTES} visible ASCII characters")]
pub struct InvalidOrderName;

impl TryFrom<String> for OrderName {
    type Error = InvalidOrderName;

    fn try_from(name: String) -> Result<Self, InvalidOrderName> {
        let is_valid =
            (1..=MAX_ORDER_BYTES).contains(&name.len()) && name.bytes().all(|c| c.is_ascii_graphic());
        if is_valid { Ok(Self(name)) } else { Err(InvalidOrderName) }
    }
}

impl FromStr for OrderName {
    type Err = InvalidOrderName;

    fn from_str(name: &str) -> Result<Self, InvalidOrderName> {
        name.to_owned().try_into()
    }
}

impl From<OrderName> for String {
    fn from(name: OrderName) -> Self {
        name.0
    }
}

/// What a transaction is for. The signer gives no second order a nonce that it signed for a first one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Purpose {
    /// The order; of a cancellation, the order whose nonce is used up.
    pub order: OrderName,
    /// What the transaction does for it. It must agree with what the transaction says.
    pub step: Step,
}

impl fmt::Display for Purpose {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} for order {}", self.step, self.order)
    }
}

/// An unsigned transaction and what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningRequest {
    /// What is to be signed.
    pub transaction: TxEip1559,
    /// What it is for.
    pub purpose: Purpose,
}

/// A transaction that can be sent, together with its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTransaction {
    /// The bytes for `eth_sendRawTransaction`: EIP-2718's type, then the transaction with its signature.
    pub raw: Bytes,
    /// The transaction's hash, by which the chain knows it.
    pub hash: B256,
}

impl SignedTransaction {
    /// Puts a signature on the transaction that was asked for.
    ///
    /// # Errors
    /// [`SigningError::WrongAnswer`] when the signature is not `address`'s of this transaction, or one of those that
    /// chains refuse (EIP-2).
    pub fn from_signature(
        request: &SigningRequest,
        signature: Signature,
        address: Address,
        signer: &str,
    ) -> Result<Self, SigningError> {
        if signature.normalize_s().is_some() {
            return Err(SigningError::wrong_answer(signer, "the signature is one that chains refuse"));
        }
        let digest = request.transaction.signature_hash();
        match signature.recover_address_from_prehash(&digest) {
            Ok(found) if found == address => {}
            Ok(found) => {
                return Err(SigningError::wrong_answer(
                    signer,
                    format!(
                        "the signature is {found}'s, or of another transaction, and not {address}'s of this one"
                    ),
                ));
            }
            Err(_) => return Err(SigningError::wrong_answer(signer, "the signature is not valid")),
        }
        let signed = request.transaction.clone().into_signed(signature);
        let mut raw = Vec::new();
        signed.eip2718_encode(&mut raw);
        Ok(Self { hash: *signed.hash(), raw: raw.into() })
    }

    /// Holds an answer against what was asked for: the same transaction in every field, signed by `address`, with
    /// that hash, and not one byte more.
    ///
    /// # Errors
    /// [`SigningError::WrongAnswer`] says what differs.
    pub fn verified(
        raw: &[u8],
        hash: B256,
        request: &SigningRequest,
        address: Address,
        signer: &str,
    ) -> Result<Self, SigningError> {
        let mut rest = raw;
        let answered = Signed::<TxEip1559>::eip2718_decode(&mut rest)
            .map_err(|_| SigningError::wrong_answer(signer, "it is no signed EIP-1559 transaction"))?;
        if *answered.tx() != request.transaction {
            return Err(SigningError::wrong_answer(
                signer,
                "it is another transaction than the one asked for",
            ));
        }
        let expected = Self::from_signature(request, *answered.signature(), address, signer)?;
        if *expected.raw != *raw {
            return Err(SigningError::wrong_answer(
                signer,
                "the transaction is not encoded as chains expect",
            ));
        }
        if expected.hash != hash {
            return Err(SigningError::wrong_answer(signer, "the hash is not the transaction's"));
        }
        Ok(expected)
    }
}

/// Why bytes are no unsigned EIP-1559 transaction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no unsigned EIP-1559 transaction: {0}")]
pub struct InvalidTransaction(&'static str);

/// The bytes whose Keccak-256 hash is signed: the type 2, then the unsigned fields.
#[must_use]
pub fn signing_payload(transaction: &TxEip1559) -> Vec<u8> {
    transaction.encoded_for_signing()
}

/// Reads what [`signing_payload`] wrote, and nothing else: each transaction has one encoding.
///
/// # Errors
/// When the bytes are anything else.
pub fn transaction_of_payload(payload: &[u8]) -> Result<TxEip1559, InvalidTransaction> {
    if payload.len() > MAX_TRANSACTION_BYTES {
        return Err(InvalidTransaction("it is too long"));
    }
    let Some((2, mut fields)) = payload.split_first() else {
        return Err(InvalidTransaction("its type is not 2"));
    };
    let transaction =
        TxEip1559::rlp_decode(&mut fields).map_err(|_| InvalidTransaction("its fields can't be read"))?;
    if signing_payload(&transaction) != payload {
        return Err(InvalidTransaction("it has another encoding than the one that is signed"));
    }
    Ok(transaction)
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{TxKind, U256, b256};
    use alloy_signer::SignerSync as _;
    use alloy_signer_local::PrivateKeySigner;
    use proptest::prelude::*;

    use super::*;

    const KEY: B256 = b256!("0x1111111111111111111111111111111111111111111111111111111111111111");
    const OTHER: B256 = b256!("0x2222222222222222222222222222222222222222222222222222222222222222");

    fn request() -> SigningRequest {
        SigningRequest {
            transaction: TxEip1559 {
                chain_id: 31_337,
                nonce: 7,
                gas_limit: 100_000,
                max_fee_per_gas: 20,
                max_priority_fee_per_gas: 1,
                to: TxKind::Call(Address::repeat_byte(3)),
                value: U256::from(5),
                access_list: Default::default(),
                input: Bytes::from_static(&[1, 2, 3]),
            },
            purpose: Purpose { order: "main/1".parse().unwrap(), step: Step::Swap },
        }
    }

    fn signed(request: &SigningRequest, key: B256) -> (SignedTransaction, Address) {
        let key = PrivateKeySigner::from_bytes(&key).unwrap();
        let signature = key.sign_hash_sync(&request.transaction.signature_hash()).unwrap();
        let signed = SignedTransaction::from_signature(request, signature, key.address(), "test");
        (signed.unwrap(), key.address())
    }

    #[test]
    fn what_was_asked_for_is_taken() {
        let (answer, address) = signed(&request(), KEY);
        let verified = SignedTransaction::verified(&answer.raw, answer.hash, &request(), address, "test");
        assert_eq!(verified.unwrap(), answer);
    }

    #[test]
    fn another_transaction_key_or_hash_is_not() {
        let (answer, address) = signed(&request(), KEY);
        let mut other = request();
        other.transaction.value = U256::from(6);
        let refused = |raw: &[u8], hash, request: &SigningRequest, address| {
            let verified = SignedTransaction::verified(raw, hash, request, address, "test");
            assert!(verified.as_ref().is_err_and(SigningError::must_halt), "{verified:?}");
        };
        refused(&answer.raw, answer.hash, &other, address);
        refused(&answer.raw, answer.hash, &request(), signed(&request(), OTHER).1);
        refused(&answer.raw, B256::ZERO, &request(), address);
        let mut longer = answer.raw.to_vec();
        longer.push(0);
        refused(&longer, answer.hash, &request(), address);
    }

    #[test]
    fn a_payload_is_read_as_it_was_written() {
        let transaction = request().transaction;
        assert_eq!(transaction_of_payload(&signing_payload(&transaction)).unwrap(), transaction);
    }

    proptest! {
        #[test]
        fn no_bytes_bring_a_reader_down(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = transaction_of_payload(&bytes);
            let address = Address::repeat_byte(1);
            let verified = SignedTransaction::verified(&bytes, B256::ZERO, &request(), address, "test");
            prop_assert!(verified.is_err());
        }

        #[test]
        fn a_changed_byte_of_an_answer_is_found(place in 0_usize..100, change in 1_u8..) {
            let (answer, address) = signed(&request(), KEY);
            let mut raw = answer.raw.to_vec();
            let place = place % raw.len();
            raw[place] ^= change;
            let hash = alloy_primitives::keccak256(&raw);
            prop_assert!(SignedTransaction::verified(&raw, hash, &request(), address, "test").is_err());
        }
    }
}
