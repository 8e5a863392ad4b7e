//! Keys and what signs with them: an encrypted keystore, a policy for each key, and signers that are in this process, in
//! one of their own, behind HTTP, or in a device.
//!
//! What this crate must never do: let a secret into a log, an error, debug output or a file that is not encrypted; make
//! a key without being asked; sign what it does not understand; give out a signature before it is counted against the
//! key's limits on a disk.
//!
//! Where to start reading: [`EvmSigner`], which the executor of EVM chains uses; [`policy`], which says what a key may
//! sign; [`keystore`] for what is on the disk.

mod clock;
mod error;
mod guarded;
pub mod import;
#[cfg(feature = "keyring")]
pub mod keyring;
pub mod keystore;
#[cfg(feature = "ledger")]
pub mod ledger;
mod local;
mod memory;
pub mod passphrase;
pub mod policy;
pub mod process;
mod request;
mod secret;
mod signer;
#[cfg(feature = "solana")]
pub mod solana;
mod spending;
mod web3signer;

pub use error::SigningError;
pub use guarded::Guarded;
pub use local::{LocalSigner, OpenSignerError};
pub use memory::forbid_core_files;
pub use request::{
    InvalidOrderName, InvalidTransaction, MAX_ORDER_BYTES, MAX_TRANSACTION_BYTES, OrderName, Purpose,
    SignedTransaction, SigningRequest, Step, signing_payload, transaction_of_payload,
};
pub use secret::{Passphrase, Secret};
pub use signer::EvmSigner;
pub use spending::SpendingError;
pub use web3signer::{InvalidWeb3Signer, Web3Signer};
