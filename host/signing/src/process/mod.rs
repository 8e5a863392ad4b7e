//! A signer in a process of its own: the keys are in its memory alone, and what can be asked of it through a Unix socket
//! is a signature within a key's policy. A host that went wrong can't read a key.
//!
//! Where to start reading: `wire` for what is said; [`serve`] for the signer's side; [`ProcessSigner`] for the host's.

mod client;
mod server;
pub(crate) mod wire;

pub use client::ProcessSigner;
#[cfg(feature = "solana")]
pub(crate) use client::{Connection, NAME, unexpected};
pub use server::{Served, SignerSocket, SocketError, serve, serve_until_ended};

#[cfg(test)]
mod tests;
