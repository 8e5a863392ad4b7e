//! What a key may sign. A policy belongs to one key, is enforced where the key is, and knows nothing of the risk gate:
//! what a host that went wrong can do with a key is what its policy allows.
//!
//! Where to start reading: [`Policy`], then `decode`, which says what a transaction does, and `check`, which holds that
//! against the policy.

pub(crate) mod amount;
mod check;
mod contracts;
mod decode;
mod refusal;
mod rules;

pub use check::{Allowed, check};
pub use decode::{Asset, Call, Swap, decode};
pub use refusal::Refusal;
pub use rules::{
    ChainPolicy, InvalidPolicy, Limit, Policy, Router, RouterKind, TokenPolicy, TokenRule, WEI_PER_GWEI,
};

#[cfg(test)]
mod tests;
