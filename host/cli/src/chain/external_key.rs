//! Keys that are in no keystore: in a Ledger, or in a `Web3Signer`. The host keeps what they may sign.

use std::path::Path;
use std::sync::Arc;
#[cfg(feature = "ledger")]
use std::time::Duration;

use alloy_primitives::Address;
use anyhow::{Context as _, Result, bail};
use bulkhead_configuration::{ExternalKey, SignerPlace};
use bulkhead_signing::keystore::KeyName;
use bulkhead_signing::policy::Policy;
use bulkhead_signing::{EvmSigner, Guarded, Web3Signer};

use super::settings::{address_of, duration};

/// What is said where the binary can't.
#[cfg(not(feature = "ledger"))]
pub(crate) const NO_LEDGER: &str =
    "this bulkhead speaks to no Ledger; build it with `cargo build --release --features ledger`";

/// What the key may sign.
pub(crate) fn policy(external: &ExternalKey) -> Result<Policy> {
    let path = &external.policy;
    let read = std::fs::read_to_string(path).map_err(anyhow::Error::from);
    read.and_then(|text| Ok(Policy::from_toml(&text)?))
        .with_context(|| format!("{}, which says what the key may sign, can't be read", path.display()))
}

/// Who signs for EVM chains with such a key.
pub(super) fn open_evm(
    place: SignerPlace,
    external: Option<&ExternalKey>,
    name: &KeyName,
    address: Address,
    spending: &Path,
) -> Result<Arc<dyn EvmSigner>> {
    let external = external.context("evm.external is missing")?;
    let policy = policy(external)?;
    match place {
        SignerPlace::Web3signer => {
            let url = external.url.as_deref().context("evm.external.url is missing")?;
            let url = address_of("evm.external.url", url)?;
            let signer = Web3Signer::new(name.as_str(), &url, address, duration(external.timeout.0));
            let signer = signer.context("evm.external.url")?;
            signer.check()?;
            Ok(Arc::new(Guarded::new(signer, policy, spending)?))
        }
        SignerPlace::Ledger => open_evm_ledger(external, policy, name, address, spending),
        SignerPlace::Process | SignerPlace::Local => bail!("the key is in the keystore"),
    }
}

#[cfg(feature = "ledger")]
fn open_evm_ledger(
    external: &ExternalKey,
    policy: Policy,
    name: &KeyName,
    address: Address,
    spending: &Path,
) -> Result<Arc<dyn EvmSigner>> {
    use bulkhead_signing::SigningError;
    use bulkhead_signing::ledger::{DerivationPath, LedgerSigner};
    let path = path_of(external, "evm.external.path", DerivationPath::default())?;
    let open = || {
        let transport = transport(external).map_err(|error| SigningError::Unavailable {
            signer: name.to_string(),
            why: format!("{error:#}"),
        })?;
        LedgerSigner::open(name.as_str(), transport, path, address)
    };
    Ok(Arc::new(Guarded::open(address, policy, spending, open)?))
}

#[cfg(not(feature = "ledger"))]
fn open_evm_ledger(
    _: &ExternalKey,
    _: Policy,
    _: &KeyName,
    _: Address,
    _: &Path,
) -> Result<Arc<dyn EvmSigner>> {
    bail!(NO_LEDGER)
}

/// Which key of the device is meant.
#[cfg(feature = "ledger")]
pub(super) fn path_of(
    external: &ExternalKey,
    key: &str,
    usual: bulkhead_signing::ledger::DerivationPath,
) -> Result<bulkhead_signing::ledger::DerivationPath> {
    external.path.as_deref().map_or(Ok(usual), |path| path.parse().with_context(|| key.to_owned()))
}

/// The way to the one device that is plugged in.
#[cfg(feature = "ledger")]
pub(super) fn transport(external: &ExternalKey) -> Result<Box<dyn bulkhead_signing::ledger::Transport>> {
    let timeout: Duration = duration(external.timeout.0);
    Ok(Box::new(bulkhead_signing::ledger::HidTransport::open(timeout)?))
}
