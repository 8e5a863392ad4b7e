//! Who signs for an account on Solana: a process of its own, or the host.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use bulkhead_configuration::{Configuration, SignerPlace, Solana};
use bulkhead_signing::keystore::{KeyKind, KeyName};
use bulkhead_signing::solana::{SolanaLocalSigner, SolanaProcessSigner};
use bulkhead_solana::signer::SolanaSigner;
use solana_address::Address;

use super::super::external_key;
use super::super::signer::{Signers, socket};
use crate::keys::keystore_in;

/// The address of an account's key, which is no secret.
pub(crate) fn address(configuration: &Configuration) -> Result<Address> {
    let (solana, name) = key(configuration)?;
    if let Some(address) = &solana.address {
        return super::settings::address("solana.address", address);
    }
    let info = keystore_in(&configuration.storage).info(&name)?;
    ensure!(info.kind == KeyKind::Solana, "solana.key: {name} is no key for Solana");
    super::settings::address("the keystore", &info.address)
}

/// Who signs for an account.
pub(crate) async fn open(
    signers: &mut Signers<'_>,
    configuration: &Configuration,
) -> Result<Arc<dyn SolanaSigner>> {
    let (solana, name) = key(configuration)?;
    let storage = &configuration.storage;
    let address = address(configuration)?;
    let signer: Arc<dyn SolanaSigner> = match solana.signer {
        SignerPlace::Process => {
            let socket = socket(storage, solana.socket.as_ref());
            let signer = SolanaProcessSigner::connect(&socket, address, solana.signer_user).await.context(
                "the signer does not answer; start `bulkhead signer` with the same configuration, and leave it running",
            )?;
            Arc::new(signer)
        }
        SignerPlace::Local => {
            let unlocked = signers.unlocked(storage)?;
            Arc::new(SolanaLocalSigner::open(unlocked, &name, &storage.join("spending"))?)
        }
        SignerPlace::Ledger => open_ledger(solana, name.clone(), address, &storage.join("spending"))?,
        SignerPlace::Web3signer => bail!("a Web3Signer signs nothing for Solana"),
    };
    let found = signer.address();
    // What was confirmed speaks of this address.
    ensure!(
        found == address,
        "solana.address is {address}, and the address of the key \"{name}\" is {found}; correct it or leave it out"
    );
    Ok(signer)
}

#[cfg(feature = "ledger")]
fn open_ledger(
    solana: &Solana,
    name: KeyName,
    wallet: Address,
    spending: &Path,
) -> Result<Arc<dyn SolanaSigner>> {
    use bulkhead_signing::ledger::DerivationPath;
    use bulkhead_signing::solana::SolanaLedgerSigner;
    let external = solana.external.as_ref().context("solana.external is missing")?;
    let path = external_key::path_of(external, "solana.external.path", DerivationPath::solana())?;
    let (policy, transport) = (external_key::policy(external)?, external_key::transport(external)?);
    Ok(Arc::new(SolanaLedgerSigner::open(name, transport, path, wallet, policy, spending)?))
}

#[cfg(not(feature = "ledger"))]
fn open_ledger(_: &Solana, _: KeyName, _: Address, _: &Path) -> Result<Arc<dyn SolanaSigner>> {
    bail!(external_key::NO_LEDGER)
}

fn key(configuration: &Configuration) -> Result<(&Solana, KeyName)> {
    let solana = configuration.solana.as_ref().context("the section [solana] is missing")?;
    let name = solana.key.as_deref().context("solana.key is missing")?;
    Ok((solana, name.parse().context("solana.key")?))
}
