//! `bulkhead signer`: signs in a process of its own.

use std::sync::Arc;

use anyhow::{Result, bail};
use bulkhead_signing::LocalSigner;
use bulkhead_signing::keystore::{KeyInfo, KeyKind, KeyName};
use bulkhead_signing::process::{Served, serve_until_ended};
#[cfg(feature = "solana")]
use bulkhead_signing::solana::SolanaLocalSigner;

use crate::key_arguments::SignerArguments;
use crate::keys::{open, protect_memory, storage, unlock};

/// Serves until it is interrupted.
pub(crate) fn signer(arguments: &SignerArguments) -> Result<()> {
    protect_memory();
    let store = open(&arguments.keystore)?;
    let storage = storage(&arguments.keystore)?;
    let unlocked = unlock(&store, &arguments.passphrase)?;
    let mut keys = unlocked.list()?;
    if arguments.key.is_empty() {
        keys.retain(|key| key.kind == KeyKind::Evm || cfg!(feature = "solana"));
    } else {
        let wanted: Vec<KeyName> = arguments.key.iter().map(|name| name.parse()).collect::<Result<_, _>>()?;
        if let Some(name) = wanted.iter().find(|name| !keys.iter().any(|key| key.name == **name)) {
            bail!("there is no key \"{name}\"; `bulkhead keys list` shows those that there are");
        }
        keys.retain(|key| wanted.contains(&key.name));
    }
    if keys.is_empty() {
        bail!("there is no key to sign with; `bulkhead keys new NAME` makes one");
    }
    let mut served = Served::default();
    let spending = storage.join("spending");
    for KeyInfo { name, kind, address, .. } in &keys {
        match kind {
            KeyKind::Evm => served.evm.push(Arc::new(LocalSigner::open(&unlocked, name, &spending)?)),
            #[cfg(feature = "solana")]
            KeyKind::Solana => served.solana.push(SolanaLocalSigner::open(&unlocked, name, &spending)?),
            #[cfg(not(feature = "solana"))]
            KeyKind::Solana => bail!("\"{name}\" is a key for Solana, and {}", crate::WITHOUT_SOLANA),
        }
        tracing::info!(key = %name, address, "signs with");
    }
    // The master key is not needed any more.
    drop(unlocked);
    let socket = arguments.socket.clone().unwrap_or_else(|| storage.join("signer").join("socket"));
    Ok(serve_until_ended(&socket, arguments.client, served)?)
}
