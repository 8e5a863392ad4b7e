use solana_account::Account;
use solana_address::Address;

use super::endpoint::AccountsInSlots;
use super::majority::reached_by_most;
use super::{Endpoint, Endpoints};
use crate::cluster::{ClusterError, Level};

/// How often accounts are read that can't be read at once, until two readings in a row are the same.
const MOST_READINGS: usize = 5;

/// Accounts as they were at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The slot after which they were so.
    pub slot: u64,
    /// In the order in which they were asked for.
    pub accounts: Vec<Option<Account>>,
}

impl Endpoints {
    /// Accounts in blocks of this level, as every server has them that is as far as most are.
    ///
    /// A node shows the state after its newest slot and no older one, so servers can't be asked about the same slot. They
    /// are all asked for one that most have reached, or a later one, and have to say the same. Each server's accounts are
    /// those of one slot; where they are more than it shows at once, it is asked until two answers in a row are the same.
    ///
    /// # Errors
    ///
    /// [`ClusterError::Disagreement`] when one says something else than another: it lies, or something has just moved, and
    /// asking again will tell. Another [`ClusterError`] when none answers.
    pub async fn snapshot(&self, addresses: &[Address], level: Level) -> Result<Snapshot, ClusterError> {
        let slots = self.ask_these("the slot", self.voters(), |endpoint| endpoint.slot(level)).await?;
        let least = reached_by_most(slots).ok_or_else(|| self.nobody())?;
        let read = |endpoint| snapshot(endpoint, addresses, level, least);
        let found = self.ask_these("accounts", self.voters(), read).await?;
        let mut found = found.into_iter();
        let Some(mut first) = found.next() else { return Err(self.nobody()) };
        for other in found {
            if let Some(address) = difference(addresses, &first.accounts, &other.accounts) {
                let (one, other) = (first.slot, other.slot);
                let what = format!("{address} is not the same in slot {one} and slot {other} of two of them");
                return Err(ClusterError::Disagreement(what));
            }
            first.slot = first.slot.min(other.slot);
        }
        Ok(first)
    }
}

async fn snapshot(
    endpoint: &Endpoint,
    addresses: &[Address],
    level: Level,
    least: u64,
) -> Result<Snapshot, ClusterError> {
    let mut before: Option<AccountsInSlots> = None;
    for _ in 0..MOST_READINGS {
        let found = endpoint.accounts(addresses, level, Some(least)).await?;
        let is_same =
            |before: &AccountsInSlots| difference(addresses, &before.accounts, &found.accounts).is_none();
        if found.slots.len() <= 1 || before.as_ref().is_some_and(is_same) {
            let slot = found.slots.first().copied().unwrap_or(least);
            return Ok(Snapshot { slot, accounts: found.accounts });
        }
        before = Some(found);
    }
    let name = endpoint.name();
    Err(ClusterError::Unavailable(format!("{name}: the accounts moved on whenever they were read")))
}

/// The first account that is not the same in both. When its rent was looked at last is none of its state.
fn difference(
    addresses: &[Address],
    some: &[Option<Account>],
    others: &[Option<Account>],
) -> Option<Address> {
    let essence = |account: &Option<Account>| {
        account.clone().map(|account| (account.lamports, account.owner, account.data, account.executable))
    };
    let mut pairs = addresses.iter().zip(some.iter().zip(others));
    pairs.find(|(_, (one, other))| essence(one) != essence(other)).map(|(address, _)| *address)
}
