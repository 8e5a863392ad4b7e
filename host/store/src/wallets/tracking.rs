//! Which wallets are tracked, and their profiles.

use super::watching::WatchKey;
use super::{TrackedWalletRow, WatchCursorRow};
use crate::database::table::{OnConflict, TableRow as _};
use crate::database::value::{Column as _, Value};
use crate::database::{Database, Session};
use crate::storage::StoreError;

impl Database {
    /// Tracks a wallet more. It is possible beside the writer; a host that runs begins to watch it when it starts anew.
    ///
    /// # Errors
    ///
    /// [`StoreError::Exists`] when the address is tracked already or the name is another one's; another [`StoreError`] when
    /// it could not be written.
    pub fn track_wallet(&mut self, wallet: &TrackedWalletRow) -> Result<(), StoreError> {
        match self.call(|session| session.insert([wallet].into_iter(), OnConflict::Fail)) {
            Err(StoreError::Conflict(_)) => Err(StoreError::Exists(format!(
                "the wallet {} is tracked already, or another one is called \"{}\"",
                wallet.address, wallet.name
            ))),
            added => added,
        }
    }

    /// All wallets that are tracked, by name.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn tracked_wallets(&mut self) -> Result<Vec<TrackedWalletRow>, StoreError> {
        let sql = format!("{} ORDER BY name", TrackedWalletRow::TABLE.select());
        let rows = self.call(|session| session.query(&sql, Vec::new()))?;
        rows.into_iter().map(TrackedWalletRow::from_row).collect()
    }

    /// Changes what people make of a trader. `false` when there is no wallet of this name.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it could not be written.
    pub fn set_wallet_profile(&mut self, name: &str, tier: &str, followers: u64) -> Result<bool, StoreError> {
        let sql = "UPDATE tracked_wallets SET tier = $1, followers = $2 WHERE name = $3";
        let values = vec![text(tier), followers.to_value(), text(name)];
        self.call(|session| session.transaction(|session| Ok(session.execute(sql, values)? > 0)))
    }

    /// Tracks a wallet no more. Its trades stay; if it is tracked again, watching begins anew at that moment. `false` when
    /// there is no wallet of this name.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it could not be written.
    pub fn untrack_wallet(&mut self, name: &str) -> Result<bool, StoreError> {
        self.call(|session| {
            session.transaction(|session| {
                let Some(wallet) = named(session, name)? else { return Ok(false) };
                let key = WatchKey::Wallet(wallet.address.clone()).to_string();
                let cursor = format!("DELETE FROM {} WHERE watched = $1", WatchCursorRow::TABLE.name);
                session.execute(&cursor, vec![text(&key)])?;
                session
                    .execute("DELETE FROM tracked_wallets WHERE address = $1", vec![text(&wallet.address)])?;
                Ok(true)
            })
        })
    }
}

fn named(session: &mut Session<'_>, name: &str) -> Result<Option<TrackedWalletRow>, StoreError> {
    let sql = format!("{} WHERE name = $1", TrackedWalletRow::TABLE.select());
    let row = session.query(&sql, vec![text(name)])?.pop();
    row.map(TrackedWalletRow::from_row).transpose()
}

pub(super) fn text(text: &str) -> Value {
    Value::Text(Some(text.to_owned()))
}
