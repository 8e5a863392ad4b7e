//! Signs with a Ledger on which the Solana app is open, within a policy that this process keeps.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bulkhead_solana::signer::{SignerError, SolanaSigner};
use bulkhead_solana::verify::Verified;
use solana_address::Address;
use solana_signature::Signature;

use super::local::{Hand, HandError, Inner, signed};
use super::request::SolanaRequest;
use super::spending::SolanaSpending;
use crate::clock::{Clock, system_clock};
use crate::keystore::KeyName;
use crate::ledger::device::{App, Device, NotDone};
use crate::ledger::{DerivationPath, Transport, solana_app};
use crate::policy::Policy;

/// Signs with one key of a Ledger. A person looks at each transaction and confirms it on the device. The app explains few
/// swaps, so most need *blind signing*, which shows a hash instead: what the transaction does is then held against what
/// was asked for by this process alone, and against the policy before a person is asked.
///
/// What is asked for counts from then on, also when the person refuses or never answers. The policy holds for those who
/// come this way.
#[derive(Clone)]
pub struct SolanaLedgerSigner {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for SolanaLedgerSigner {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SolanaLedgerSigner")
            .field("name", &self.inner.name())
            .field("wallet", &self.inner.wallet())
            .finish_non_exhaustive()
    }
}

impl SolanaLedgerSigner {
    /// Asks the device for its key at a path. `expected` is the address that the configuration names: another device, or
    /// one with another seed, is found out here and not at the first order. What is signed is written down in `spending`, a
    /// directory that outlives the process.
    ///
    /// # Errors
    /// When the device can't be asked or has another key, and when what was signed before is not known.
    pub fn open(
        name: KeyName,
        transport: Box<dyn Transport>,
        path: DerivationPath,
        expected: Address,
        policy: Policy,
        spending: &Path,
    ) -> Result<Self, SignerError> {
        Self::open_at(name, transport, path, expected, policy, spending, system_clock())
    }

    pub(super) fn open_at(
        name: KeyName,
        transport: Box<dyn Transport>,
        path: DerivationPath,
        expected: Address,
        policy: Policy,
        spending: &Path,
        clock: Clock,
    ) -> Result<Self, SignerError> {
        // A device that two speak to gives one the other's answers: so first it is seen that no other is at work.
        let record = SolanaSpending::open(spending, &expected.to_string(), clock());
        let record = record.map_err(|error| SignerError::Unavailable(error.to_string()))?;
        let mut device = Device::new(App::Solana, transport);
        let answer =
            device.ask(&solana_app::get_public_key(&path)).map_err(|error| match HandError::from(error) {
                HandError::Refused(why) => SignerError::Refused(why),
                HandError::Unavailable(why) => SignerError::Unavailable(why),
                HandError::Wrong(why) => SignerError::Wrong(why),
            })?;
        let wallet = Address::try_from(answer.as_slice())
            .map_err(|_| SignerError::Wrong("the Ledger answers no public key of 32 bytes".to_owned()))?;
        if wallet != expected {
            return Err(SignerError::Wrong(format!(
                "the Ledger's address at {path} is {wallet}, not {expected}: it is another device or another seed"
            )));
        }
        let key = Box::new(LedgerKey { path, device: Mutex::new(device) });
        Ok(Self { inner: Arc::new(Inner::new(name, wallet, policy, key, record, clock)) })
    }
}

#[async_trait]
impl SolanaSigner for SolanaLedgerSigner {
    fn address(&self) -> Address {
        self.inner.wallet()
    }

    fn name(&self) -> &str {
        self.inner.name()
    }

    async fn sign(&self, order: &str, transaction: &Verified) -> Result<Signature, SignerError> {
        let order = order.parse().map_err(|error| SignerError::Refused(format!("{order:?}: {error}")))?;
        Ok(signed(self.inner.clone(), SolanaRequest::new(order, transaction)).await?)
    }
}

struct LedgerKey {
    path: DerivationPath,
    /// One exchange after the other: a device knows no two at a time.
    device: Mutex<Device>,
}

impl Hand for LedgerKey {
    fn sign(&self, message: &[u8]) -> Result<Signature, HandError> {
        let mut device = self.device.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = device.ask_all(&solana_app::sign(&self.path, message))?;
        drop(device);
        Signature::try_from(answer.as_slice())
            .map_err(|_| HandError::Wrong("the Ledger answers no signature of 64 bytes".to_owned()))
    }
}

impl From<NotDone> for HandError {
    fn from(error: NotDone) -> Self {
        match error {
            NotDone::Refused(why) => Self::Refused(why),
            NotDone::Unavailable(why) => Self::Unavailable(why),
            NotDone::Wrong(why) => Self::Wrong(format!("the Ledger's answer: {why}")),
        }
    }
}
