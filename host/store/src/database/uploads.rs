//! Who brought plugin files in. It is written beside the writer, as requests are.

use bulkhead_core::identifier::ContentHash;
use bulkhead_core::time::Timestamp;

use super::Database;
use super::table::{OnConflict, Table};
use super::value::{Column as _, Kind, Value};
use crate::storage::StoreError;

pub(super) const TABLE: Table = Table {
    name: "plugin_uploads",
    columns: &[
        ("slot", Kind::Text),
        ("version", Kind::Text),
        ("modified", Kind::Integer),
        ("actor", Kind::Text),
    ],
    key: &["slot", "version", "modified"],
};

/// A file of the strategies directory, told from every other one that was ever there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenPlugin {
    /// The slot that it is for.
    pub slot: String,
    /// What it holds.
    pub version: ContentHash,
    /// When it was written, as its file system says.
    pub modified: Timestamp,
}

impl WrittenPlugin {
    fn values(&self) -> Vec<Value> {
        vec![Value::Text(Some(self.slot.clone())), self.version.to_value(), self.modified.to_value()]
    }
}

impl Database {
    /// Writes down who brings a file in, before it is there.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it could not be written.
    pub fn note_upload(&mut self, file: &WrittenPlugin, actor: &str) -> Result<(), StoreError> {
        let mut values = file.values();
        values.push(Value::Text(Some(actor.to_owned())));
        self.call(|session| {
            session.transaction(|session| {
                session.insert_values(&TABLE, std::iter::once(values), OnConflict::Replace)
            })
        })
    }

    /// Who brought this file in; `None` of one that nobody brought in through the host.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the database can't be read.
    pub fn uploader(&mut self, file: &WrittenPlugin) -> Result<Option<String>, StoreError> {
        let sql = "SELECT actor FROM plugin_uploads WHERE slot = $1 AND version = $2 AND modified = $3";
        let row = self.call(|session| session.query(sql, file.values()))?.pop();
        row.map(|row| row.first(TABLE.name)).transpose()
    }
}
