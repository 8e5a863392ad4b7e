//! What an address has on an EVM chain, for [`bulkhead_venue::reconcile`] to hold books against.
//!
//! All figures are of one block, named by its hash, and all servers that know the block must say the same.

pub mod figures;
pub mod wallet;

pub use self::figures::Figures;
pub use self::wallet::{EvmWallet, books};
