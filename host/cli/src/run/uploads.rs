//! How the files of the strategies directory came there. The API writes it down before a file is there, so it is known
//! whatever happens to the host in between; of what was copied in by hand nothing is written down.

use std::path::Path;

use anyhow::{Context as _, Result};
use bulkhead_core::identifier::ContentHash;
use bulkhead_store::database::{Database, DatabaseUrl, Options, WrittenPlugin};

use super::messages::Origin;
use crate::strategy_files::{PluginFile, modified};

/// Finds out of each file that can run how it came there.
pub(super) fn attribute(url: &DatabaseUrl, files: &mut [PluginFile]) -> Result<()> {
    let mut database = Database::open(url, Options::reader())?;
    for file in files {
        if let Some(version) = file.version() {
            file.origin = find(&mut database, &file.slot, version, &file.path)?;
        }
    }
    Ok(())
}

/// How the file that is there now came there, if it holds this version.
pub(super) fn origin(url: &DatabaseUrl, slot: &str, version: ContentHash, path: &Path) -> Result<Origin> {
    find(&mut Database::open(url, Options::reader())?, slot, version, path)
}

fn find(database: &mut Database, slot: &str, version: ContentHash, path: &Path) -> Result<Origin> {
    // One that is gone by now, or has another content, has another time as well.
    let Some(modified) = std::fs::metadata(path).ok().and_then(|metadata| modified(&metadata)) else {
        return Ok(Origin::ByHand);
    };
    let file = WrittenPlugin { slot: slot.to_owned(), version, modified };
    let person = database.uploader(&file).context("it can't be found out who brought a plugin in")?;
    Ok(person.map_or(Origin::ByHand, Origin::BroughtBy))
}
