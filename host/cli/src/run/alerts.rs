//! Alerts beside the accounts: started before them, and given a moment to deliver what is left at the end.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use bulkhead_alerts::{Alerts, Commands, Count, History, Publisher, Recorded, Settings, Work};
use bulkhead_api::{
    AlertDelivery, AlertDesk, AlertEntry, AlertTestProblem, ChannelTest, HostFigures, written,
};
use bulkhead_configuration::Configuration;

use crate::shard::database_url;

/// How long the end of a run may take for what is not delivered yet.
pub(super) const LONGEST_END: Duration = Duration::from_millis(500);

/// Prepares them, unless nobody is to be told anything and nobody can read them; with each account's way in, and what is to
/// be done meanwhile.
pub(super) fn prepare(
    configuration: &Configuration,
    accounts: &[String],
    figures: &HostFigures,
    poke: impl Fn() + Send + Sync + 'static,
) -> Result<(Option<Alerts>, Vec<Publisher>, Vec<Work>)> {
    let settings = crate::alerts::settings(configuration)?;
    if settings.is_empty() && configuration.api.listen.0.is_none() {
        return Ok((None, Vec::new(), Vec::new()));
    }
    let requests = Commands {
        database: database_url(configuration)?,
        accounts: accounts.to_vec(),
        poke: Arc::new(poke),
    };
    let figures = figures.clone();
    let count: Count = Arc::new(move |channel, what| figures.alert(channel, what.name()));
    let (alerts, publishers, work) = Alerts::prepare(settings, requests, &count);
    Ok((Some(alerts), publishers, work))
}

/// What was told lately and the way to all channels, for those who ask through the API.
pub(super) struct Desk {
    settings: Settings,
    history: Option<History>,
}

impl Desk {
    pub(super) fn new(configuration: &Configuration, history: Option<History>) -> Result<Self> {
        Ok(Self { settings: crate::alerts::settings(configuration)?, history })
    }
}

impl AlertDesk for Desk {
    fn newest(&self, account: &str, of_host: bool, before: Option<u64>, most: usize) -> Vec<AlertEntry> {
        let found = self.history.as_ref().map(|history| history.newest(account, of_host, before, most));
        found.unwrap_or_default().into_iter().map(entry).collect()
    }

    fn test(&self, channel: Option<&str>) -> Result<Vec<ChannelTest>, AlertTestProblem> {
        if self.settings.is_empty() {
            return Err(AlertTestProblem::NoChannel);
        }
        let tests = bulkhead_alerts::test(self.settings.clone(), channel)
            .map_err(|error| AlertTestProblem::UnknownChannel(error.to_string()))?;
        let told = |test: bulkhead_alerts::Test| ChannelTest {
            channel: test.channel,
            delivered: test.outcome.is_ok(),
            problem: test.outcome.err(),
        };
        Ok(tests.into_iter().map(told).collect())
    }
}

fn entry(recorded: Recorded) -> AlertEntry {
    let Recorded { number, noticed, alert, repetition, deliveries } = recorded;
    AlertEntry {
        number,
        kind: alert.kind.name().to_owned(),
        severity: alert.kind.severity().name().to_owned(),
        account: alert.account,
        subject: alert.subject,
        strategy: alert.strategy,
        instrument: alert.instrument,
        title: alert.title,
        text: alert.text,
        time: alert.time.map(written),
        noticed: written(noticed),
        sequence: alert.sequence,
        repeated: alert.repeated,
        repetition,
        deliveries: deliveries
            .into_iter()
            .map(|delivery| AlertDelivery {
                channel: delivery.channel.to_string(),
                state: delivery.state.name().to_owned(),
                why: delivery.why,
            })
            .collect(),
    }
}
