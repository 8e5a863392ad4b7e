//! Who may use the admin API. Tokens are written beside the writer, as requests are: whoever may write to the
//! database's file or log in to its server may hand out tokens.

use bulkhead_core::identifier::ContentHash;
use bulkhead_core::time::Timestamp;

use super::table::{OnConflict, TableRow as _, table_row};
use super::{Database, Session};
use crate::database::value::{Column as _, Value};
use crate::storage::StoreError;

table_row! {
    /// A token of the admin API, without its secret.
    TokenRow in "tokens"
    key {
        /// SHA-256 of the secret.
        hash: ContentHash,
    }
    rest {
        /// What people call it, unlike all others, and for ever.
        name: String,
        /// What its holder may do.
        role: String,
        /// The only account that it is for; all when there is none.
        account: Option<String>,
        /// When it was made.
        created: Timestamp,
        /// From when on it is not valid any more.
        expires: Option<Timestamp>,
        /// When it was taken back.
        revoked: Option<Timestamp>,
        /// When it was used last, to about a minute.
        last_used: Option<Timestamp>,
    }
}

impl Database {
    /// Writes a new token down. It is possible beside the writer.
    ///
    /// # Errors
    ///
    /// [`StoreError::Exists`] when there is or was a token of this name; another [`StoreError`] when it could
    /// not be written.
    pub fn add_token(&mut self, token: &TokenRow) -> Result<(), StoreError> {
        match self.call(|session| session.insert([token].into_iter(), OnConflict::Fail)) {
            // The hash is of random bits, so it is the name.
            Err(StoreError::Conflict(_)) => Err(StoreError::Exists(format!(
                "there is or was a token \"{}\"; give the new one another name",
                token.name
            ))),
            added => added,
        }
    }

    /// The token of this name.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn token(&mut self, name: &str) -> Result<Option<TokenRow>, StoreError> {
        self.call(|session| named(session, name))
    }

    /// All tokens that ever were, by name.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn tokens(&mut self) -> Result<Vec<TokenRow>, StoreError> {
        let sql = format!("{} ORDER BY name", TokenRow::TABLE.select());
        let rows = self.call(|session| session.query(&sql, Vec::new()))?;
        rows.into_iter().map(TokenRow::from_row).collect()
    }

    /// Takes a token back. One that was taken back already keeps its first time. `false` when there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it could not be written.
    pub fn revoke_token(&mut self, name: &str, now: Timestamp) -> Result<bool, StoreError> {
        let sql = "UPDATE tokens SET revoked = COALESCE(revoked, $1) WHERE name = $2";
        self.stamp_token(sql, name, now)
    }

    /// Notes that a token was used.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it could not be written.
    pub fn token_used(&mut self, name: &str, now: Timestamp) -> Result<bool, StoreError> {
        self.stamp_token("UPDATE tokens SET last_used = $1 WHERE name = $2", name, now)
    }

    fn stamp_token(&mut self, sql: &str, name: &str, now: Timestamp) -> Result<bool, StoreError> {
        let values = vec![now.to_value(), Value::Text(Some(name.to_owned()))];
        self.call(|session| session.transaction(|session| Ok(session.execute(sql, values)? > 0)))
    }
}

fn named(session: &mut Session<'_>, name: &str) -> Result<Option<TokenRow>, StoreError> {
    let sql = format!("{} WHERE name = $1", TokenRow::TABLE.select());
    let row = session.query(&sql, vec![Value::Text(Some(name.to_owned()))])?.pop();
    row.map(TokenRow::from_row).transpose()
}
