//! `bulkhead signer`: signs in a process of its own.

use std::sync::Arc;

use anyhow::{Result, bail};
use bulkhead_signing::keystore::{KeyKind, KeyName};
use bulkhead_signing::process::serve_until_ended;
use bulkhead_signing::{EvmSigner, LocalSigner};

use crate::key_arguments::SignerArguments;
use crate::keys::{open, protect_memory, storage, unlock};

/// Serves until it is interrupted.
pub(crate) fn signer(arguments: &SignerArguments) -> Result<()> {
    protect_memory();
    let store = open(&arguments.keystore)?;
    let storage = storage(&arguments.keystore)?;
    let unlocked = unlock(&store, &arguments.passphrase)?;
    let names: Vec<KeyName> = if arguments.key.is_empty() {
        let keys = unlocked.list()?.into_iter().filter(|key| key.kind == KeyKind::Evm);
        keys.map(|key| key.name).collect()
    } else {
        arguments.key.iter().map(|name| name.parse()).collect::<Result<_, _>>()?
    };
    if names.is_empty() {
        bail!("there is no key for EVM chains; `bulkhead keys new NAME` makes one");
    }
    let mut signers: Vec<Arc<dyn EvmSigner>> = Vec::new();
    for name in &names {
        let signer = LocalSigner::open(&unlocked, name, &storage.join("spending"))?;
        tracing::info!(key = %name, address = %signer.address(), "signs with");
        signers.push(Arc::new(signer));
    }
    // The master key is not needed any more.
    drop(unlocked);
    let socket = arguments.socket.clone().unwrap_or_else(|| storage.join("signer").join("socket"));
    Ok(serve_until_ended(&socket, arguments.client, signers)?)
}
