//! By what right a change is asked for, and whether that right is still there when it is carried out: a request may wait
//! for long, and its token be taken back meanwhile.

use std::collections::BTreeMap;

use bulkhead_core::time::Timestamp;
use bulkhead_store::database::Database;
use bulkhead_store::journal::ShardId;
use bulkhead_store::storage::{Authority, Request, StoreError};

use crate::tokens::{self, Role};
use crate::wallets::{WalletAddress, WalletHolder};

/// What a caller showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CredentialKind {
    /// A token, or a cookie that stands for one.
    Token,
    /// A signature of a wallet, or a cookie that stands for one.
    Wallet,
}

impl CredentialKind {
    /// As it is written down.
    const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Wallet => "wallet",
        }
    }

    /// The right to what needs this role.
    pub(crate) fn authority(self, needed: Role) -> Authority {
        Authority { credential: self.name().to_owned(), needed_role: needed.name().to_owned() }
    }
}

/// Looks at the rights of those who asked through the API again.
#[derive(Debug, Clone)]
pub struct Rights {
    wallets: BTreeMap<WalletAddress, WalletHolder>,
}

impl Rights {
    /// With the wallets that the configuration knows.
    #[must_use]
    pub const fn new(wallets: BTreeMap<WalletAddress, WalletHolder>) -> Self {
        Self { wallets }
    }

    /// Why the one who asked may not have it done any more; `None` when it may be done. Whoever wrote to the database
    /// without the API needs no right but that.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read; then it must not be done yet.
    pub fn lapsed(
        &self,
        database: &mut Database,
        shard: ShardId,
        request: &Request,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        let Some(Authority { credential, needed_role }) = &request.authority else { return Ok(None) };
        let name = &request.actor;
        let held = match credential.as_str() {
            "token" => match database.token(name)? {
                None => Err(format!("there is no token \"{name}\"")),
                Some(token) if token.revoked.is_some() => Err(format!("the token \"{name}\" was taken back")),
                Some(token) => match tokens::role(&token, now) {
                    None => Err(format!("the token \"{name}\" has expired")),
                    Some(role) => Ok((role, token.account)),
                },
            },
            "wallet" => match name.parse().ok().and_then(|address| self.wallets.get(&address)) {
                None => Err(format!("the configuration does not know the wallet {name}")),
                Some(holder) => Ok((holder.role, Some(holder.account.clone()))),
            },
            _ => Err(format!("\"{credential}\" is no credential that this version of bulkhead knows")),
        };
        let lapsed = match held {
            Err(why) => Some(why),
            Ok((role, only)) => {
                let mut accounts = database.account_names()?.into_iter();
                let account = accounts.find(|row| row.shard == shard).map(|row| row.name);
                match (Role::named(needed_role), only) {
                    (Some(needed), _) if role < needed => {
                        Some(format!("\"{name}\" has the role {role}, and {needed} is needed"))
                    }
                    (None, _) => Some(format!("\"{needed_role}\" is no role")),
                    (Some(_), Some(only)) if account.as_ref() != Some(&only) => {
                        Some(format!("\"{name}\" is for the account \"{only}\" alone"))
                    }
                    (Some(_), _) => None,
                }
            }
        };
        Ok(lapsed.map(|why| format!("when it was to be carried out, {why}; nothing was done")))
    }
}

#[cfg(test)]
mod tests {
    use bulkhead_core::time::Span;
    use bulkhead_store::database::{DatabaseUrl, Options};

    use super::*;
    use crate::tokens::create;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    fn request(actor: &str, authority: Option<Authority>) -> Request {
        Request { id: 1, actor: actor.to_owned(), command: String::new(), asked: NOW, authority }
    }

    #[test]
    fn a_right_is_there_as_long_as_its_token_is_good_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::file(folder.path().join("bulkhead.db"));
        let mut database = Database::open(&url, Options::writer().migrating()).unwrap();
        database.register_accounts(&["main".to_owned(), "other".to_owned()]).unwrap();
        let expires = Some(NOW.plus(Span::from_seconds(10)));
        create(&mut database, "ann", Role::Trader, None, NOW, expires).unwrap();
        create(&mut database, "bob", Role::Admin, Some("other"), NOW, None).unwrap();
        let rights = Rights::new(BTreeMap::new());
        let token = |needed| Some(CredentialKind::Token.authority(needed));
        let mut lapsed = |actor: &str, authority, seconds| {
            let now = NOW.plus(Span::from_seconds(seconds));
            rights.lapsed(&mut database, ShardId(0), &request(actor, authority), now).unwrap()
        };
        assert_eq!(lapsed("ann", token(Role::Trader), 9), None);
        assert!(lapsed("ann", token(Role::Trader), 10).unwrap().contains("\"ann\" has expired"));
        let low = lapsed("ann", token(Role::Operator), 0).unwrap();
        assert!(low.contains("has the role trader, and operator is needed"), "{low}");
        assert!(lapsed("bob", token(Role::Trader), 0).unwrap().contains("for the account \"other\" alone"));
        assert!(lapsed("zoe", token(Role::Trader), 0).unwrap().contains("no token \"zoe\""));
        // A name alone is no right, nor is one that nobody understands.
        let odd = |credential: &str, role: &str| {
            Some(Authority { credential: credential.to_owned(), needed_role: role.to_owned() })
        };
        for authority in [odd("", "trader"), odd("token", ""), odd("token", "root"), odd("oath", "trader")] {
            assert!(lapsed("ann", authority.clone(), 0).is_some(), "{authority:?}");
        }
        // The command line asks in any name.
        assert_eq!(lapsed("zoe", None, 0), None);
        database.revoke_token("ann", NOW).unwrap();
        let revoked = rights.lapsed(&mut database, ShardId(0), &request("ann", token(Role::Viewer)), NOW);
        assert!(revoked.unwrap().unwrap().contains("was taken back; nothing was done"));
    }

    #[test]
    fn a_wallet_has_what_the_configuration_says_now() {
        let mut database = Database::open(&"sqlite::memory:".parse().unwrap(), Options::writer().migrating());
        let database = database.as_mut().unwrap();
        database.register_accounts(&["main".to_owned(), "other".to_owned()]).unwrap();
        let address = format!("0x{}", "12".repeat(20));
        let holder = |account: &str, role| WalletHolder { account: account.to_owned(), role };
        let mut lapsed = |holder: Option<WalletHolder>| {
            let wallets = holder.map(|holder| (address.parse().unwrap(), holder));
            let request = request(&address, Some(CredentialKind::Wallet.authority(Role::Trader)));
            Rights::new(wallets.into_iter().collect()).lapsed(database, ShardId(0), &request, NOW).unwrap()
        };
        assert_eq!(lapsed(Some(holder("main", Role::Operator))), None);
        assert!(lapsed(None).unwrap().contains("does not know the wallet"));
        assert!(lapsed(Some(holder("main", Role::Viewer))).unwrap().contains("trader is needed"));
        assert!(lapsed(Some(holder("other", Role::Trader))).unwrap().contains("alone"));
    }
}
