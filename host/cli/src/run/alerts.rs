//! Alerts beside the accounts: started before them, and given a moment to deliver what is left at the end.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use bulkhead_alerts::{Alerts, Commands, Count, Publisher};
use bulkhead_api::HostFigures;
use bulkhead_configuration::Configuration;

use crate::shard::database_url;

/// How long the end of a run may take for what is not delivered yet.
pub(super) const LONGEST_END: Duration = Duration::from_secs(1);

/// Starts them, unless nobody is to be told anything; with each account's way in.
pub(super) fn start(
    configuration: &Configuration,
    accounts: &[String],
    figures: &HostFigures,
    poke: impl Fn() + Send + Sync + 'static,
) -> Result<(Option<Alerts>, Vec<Publisher>)> {
    let settings = crate::alerts::settings(configuration)?;
    if settings.is_empty() {
        return Ok((None, Vec::new()));
    }
    let requests = Commands {
        database: database_url(configuration)?,
        accounts: accounts.to_vec(),
        poke: Arc::new(poke),
    };
    let figures = figures.clone();
    let count: Count = Arc::new(move |channel, what| figures.alert(channel, what.name()));
    let (alerts, publishers) = Alerts::start(settings, requests, &count)?;
    Ok((Some(alerts), publishers))
}
