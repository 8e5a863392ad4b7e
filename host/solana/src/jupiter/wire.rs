//! The aggregator's JSON, as far as it is read.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rust_decimal::Decimal;
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use solana_address::Address;

/// What both forms say of a swap.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Quoted {
    #[serde(deserialize_with = "address")]
    pub(super) input_mint: Address,
    #[serde(deserialize_with = "address")]
    pub(super) output_mint: Address,
    #[serde(deserialize_with = "amount")]
    pub(super) in_amount: u64,
    #[serde(deserialize_with = "amount")]
    pub(super) out_amount: u64,
    #[serde(deserialize_with = "amount")]
    pub(super) other_amount_threshold: u64,
    pub(super) swap_mode: String,
    pub(super) slippage_bps: u16,
    #[serde(default, deserialize_with = "part")]
    pub(super) price_impact_pct: Option<Decimal>,
    #[serde(default)]
    pub(super) route_plan: Vec<Step>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Step {
    pub(super) swap_info: SwapInfo,
}

#[derive(Debug, Deserialize)]
pub(super) struct SwapInfo {
    #[serde(default)]
    pub(super) label: String,
}

/// The current form's instructions.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Built {
    #[serde(default)]
    pub(super) setup_instructions: Vec<Instruction>,
    pub(super) swap_instruction: Instruction,
    #[serde(default)]
    pub(super) cleanup_instruction: Option<Instruction>,
    #[serde(default)]
    pub(super) other_instructions: Vec<Instruction>,
    #[serde(default)]
    pub(super) addresses_by_lookup_table_address: Option<BTreeMap<String, serde::de::IgnoredAny>>,
}

/// An instruction, as the aggregator writes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instruction {
    /// Which program is called.
    #[serde(deserialize_with = "address")]
    pub program_id: Address,
    /// With which accounts.
    pub accounts: Vec<AccountMeta>,
    /// And which bytes.
    #[serde(deserialize_with = "bytes")]
    pub data: Vec<u8>,
}

/// An account of an instruction.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountMeta {
    /// Which.
    #[serde(deserialize_with = "address")]
    pub pubkey: Address,
    /// Whether it has to sign.
    pub is_signer: bool,
    /// Whether it may be written to.
    pub is_writable: bool,
}

/// What the older form wants for a transaction.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SwapRequest<'a> {
    pub(super) user_public_key: String,
    pub(super) quote_response: &'a RawValue,
    pub(super) wrap_and_unwrap_sol: bool,
    pub(super) dynamic_compute_unit_limit: bool,
    pub(super) prioritization_fee_lamports: u64,
}

/// What it answers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SwapResponse {
    #[serde(deserialize_with = "bytes")]
    pub(super) swap_transaction: Vec<u8>,
}

/// What both answer when they say no.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Refusal {
    #[serde(default)]
    pub(super) error: String,
    #[serde(default)]
    pub(super) error_code: Option<serde_json::Value>,
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| D::Error::custom("an address can't be read"))
}

fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    STANDARD.decode(text).map_err(|_| D::Error::custom("it is no base64"))
}

fn amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| D::Error::custom("an amount is no whole number"))
}

/// A text in one form, a number in the other.
fn part<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
    struct Part;
    impl Visitor<'_> for Part {
        type Value = Option<Decimal>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a part of 1")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
            let read = text.parse().or_else(|_| Decimal::from_scientific(text));
            read.map(Some).map_err(|_| E::custom("a part that can't be read"))
        }

        fn visit_f64<E: serde::de::Error>(self, part: f64) -> Result<Self::Value, E> {
            Decimal::try_from(part).map(Some).map_err(|_| E::custom("a part that can't be read"))
        }

        fn visit_u64<E: serde::de::Error>(self, part: u64) -> Result<Self::Value, E> {
            Ok(Some(part.into()))
        }

        fn visit_i64<E: serde::de::Error>(self, part: i64) -> Result<Self::Value, E> {
            Ok(Some(part.into()))
        }

        fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }
    deserializer.deserialize_any(Part)
}
