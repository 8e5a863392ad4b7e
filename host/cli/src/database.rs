//! `bulkhead db`: looking after the database.

use anyhow::Result;
use bulkhead_store::database::{Database, Options};

use crate::arguments::DatabaseCommand;
use crate::configuration::Layers;
use crate::shard::database_url;

/// Does what is asked.
pub(crate) fn database(command: &DatabaseCommand) -> Result<()> {
    match command {
        DatabaseCommand::Migrate { configuration } => {
            let configuration = Layers::of(configuration, None)?.read()?;
            let url = database_url(&configuration)?;
            Database::open(&url, Options::writer().migrating())?;
            anstream::println!("{url} is up to date");
            Ok(())
        }
        _ => anyhow::bail!("not there yet"),
    }
}
