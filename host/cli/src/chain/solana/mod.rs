//! Trading on Solana: what the configuration says of it in the terms of those who do it.

pub(crate) mod quotes;
pub(crate) mod settings;
pub(crate) mod signer;
pub(crate) mod venue;
pub(crate) mod wallets;
mod watch_book;
