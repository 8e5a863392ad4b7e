//! Trading on a chain: what the configuration says of it in the terms of those who do it, and the way between an account's
//! journal and its executor.

pub(crate) mod consent;
pub(crate) mod external_key;
pub(crate) mod host;
mod journal;
pub(crate) mod pools;
pub(crate) mod reconciliation;
pub(crate) mod settings;
pub(crate) mod signer;
#[cfg(feature = "solana")]
pub(crate) mod solana;
mod venue;
