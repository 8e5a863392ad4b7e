//! Who signs for an account: a process of its own, or the host.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use alloy_primitives::Address;
use anyhow::{Context as _, Result, bail};
use bulkhead_configuration::{Configuration, Evm, SignerPlace as Place};
use bulkhead_signing::keystore::{KeyName, Unlocked};
use bulkhead_signing::process::ProcessSigner;
use bulkhead_signing::{EvmSigner, LocalSigner};

use super::external_key;
use crate::key_arguments::PassphraseArguments;
use crate::keys::{keystore_in, protect_memory, unlock};

/// Where the signer's process listens.
pub(crate) fn socket(storage: &Path, configured: Option<&PathBuf>) -> PathBuf {
    configured.cloned().unwrap_or_else(|| storage.join("signer").join("socket"))
}

/// The address of an account's key, which is no secret.
pub(crate) fn address(configuration: &Configuration) -> Result<Address> {
    let (evm, name) = key(configuration)?;
    if let Some(address) = &evm.address {
        return address.parse().context("evm.address");
    }
    let info = keystore_in(&configuration.storage).info(&name)?;
    info.evm_address().with_context(|| format!("evm.key: {name} is no key for EVM chains"))
}

/// Opens signers, and asks for the passphrase of the keystore at most once.
pub(crate) struct Signers<'a> {
    passphrase: &'a PassphraseArguments,
    unlocked: Option<Unlocked>,
}

impl<'a> Signers<'a> {
    pub(crate) const fn new(passphrase: &'a PassphraseArguments) -> Self {
        Self { passphrase, unlocked: None }
    }

    /// The keystore, unlocked.
    pub(crate) fn unlocked(&mut self, storage: &Path) -> Result<&Unlocked> {
        if self.unlocked.is_none() {
            protect_memory();
            self.unlocked = Some(unlock(&keystore_in(storage), self.passphrase)?);
        }
        self.unlocked.as_ref().context("the keystore is locked")
    }

    /// Who signs for an account on an EVM chain.
    pub(crate) async fn open(&mut self, configuration: &Configuration) -> Result<Arc<dyn EvmSigner>> {
        let (evm, name) = key(configuration)?;
        let storage = &configuration.storage;
        let address = address(configuration)?;
        let signer: Arc<dyn EvmSigner> = match evm.signer {
            Place::Process => {
                let socket = socket(storage, evm.socket.as_ref());
                let signer = ProcessSigner::connect(&socket, address, evm.signer_user).await.context(
                    "the signer does not answer; start `bulkhead signer` with the same configuration, and leave it running",
                )?;
                Arc::new(signer)
            }
            Place::Local => {
                let unlocked = self.unlocked(storage)?;
                Arc::new(LocalSigner::open(unlocked, &name, &storage.join("spending"))?)
            }
            place @ (Place::Ledger | Place::Web3signer) => {
                let spending = storage.join("spending");
                external_key::open_evm(place, evm.external.as_ref(), &name, address, &spending)?
            }
        };
        // What was confirmed speaks of this address.
        let found = signer.address();
        if found != address {
            bail!(
                "evm.address is {address}, and the address of the key \"{name}\" is {found}; correct it or leave it out"
            );
        }
        Ok(signer)
    }
}

fn key(configuration: &Configuration) -> Result<(&Evm, KeyName)> {
    let evm = configuration.evm.as_ref().context("the section [evm] is missing")?;
    let name = evm.key.as_deref().context("evm.key is missing")?;
    Ok((evm, name.parse().context("evm.key")?))
}
