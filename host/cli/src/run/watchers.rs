//! Those who are told what an account does, once it is durable. None of them is ever waited for.

use std::time::{Instant, SystemTime};

use bulkhead_alerts::Publisher;
use bulkhead_api::HostFigures;
use bulkhead_core::input::{Input, InputKind};
use bulkhead_feeds::Feed;
use bulkhead_sequencer::sequencer::{JournalEvent, Sequencer};
use bulkhead_store::journal::{NumberedOutput, Sequence};

use super::live::LiveUpdates;
use super::log;
use super::status::StatusView;
use super::summary::Tally;
use super::traces::InputTrace;

/// Those who watch one account.
pub(super) struct Watchers {
    /// Instead of log lines, on a terminal.
    pub(super) view: Option<StatusView>,
    /// For those who watch through the API.
    pub(super) live: Option<LiveUpdates>,
    /// For those who are called.
    pub(super) alerts: Option<Publisher>,
    /// For those who measure.
    pub(super) figures: HostFigures,
    /// For those who trace.
    pub(super) traces: Option<Box<dyn InputTrace>>,
}

impl Watchers {
    /// The account is open.
    pub(super) fn begin(&mut self, sequencer: &Sequencer) {
        if let Some(live) = &mut self.live {
            live.begin(sequencer);
        }
        if let Some(alerts) = &mut self.alerts {
            alerts.begin(sequencer.engine());
        }
    }

    /// The engine is about to take an input of the feed.
    pub(super) fn before(&mut self, sequencer: &Sequencer, input: &Input) {
        if let Some(live) = &mut self.live
            && let InputKind::Bar(bar) = input.kind
        {
            live.bar(bar);
        }
        if let Some(alerts) = &mut self.alerts {
            alerts.before(sequencer.engine(), sequencer.sequence(), input.time);
        }
    }

    /// The moment, if anybody wants to know when inputs are taken.
    pub(super) fn moment(&self) -> Option<SystemTime> {
        self.traces.as_ref().map(|_| SystemTime::now())
    }

    /// The engine took an input, which it was about to at this moment.
    pub(super) fn took(&mut self, sequence: Sequence, began: Option<SystemTime>) {
        if let (Some(traces), Some(began)) = (&mut self.traces, began) {
            traces.took(sequence, began);
        }
    }

    /// Something happened to the journal.
    pub(super) fn journal(&mut self, event: &JournalEvent) {
        log::journal(event);
        match (&mut self.alerts, event) {
            (Some(alerts), JournalEvent::Stalled { why }) => alerts.journal_stalled(why),
            (Some(alerts), JournalEvent::Resumed { after }) => alerts.journal_resumed(*after),
            (None, _) => {}
        }
    }

    /// Outputs that became durable.
    pub(super) fn outputs(
        &mut self,
        sequencer: &Sequencer,
        outputs: &mut Vec<NumberedOutput>,
        tally: &mut Tally,
    ) {
        if let Some(alerts) = &mut self.alerts {
            alerts.outputs(sequencer.engine(), outputs);
        }
        if let Some(traces) = &mut self.traces {
            traces.released(sequencer.engine(), sequencer.durable(), outputs);
        }
        for numbered in outputs.iter() {
            let output = &numbered.output;
            tally.add(output);
            if !self.view.as_mut().is_some_and(|view| view.take(output)) {
                log::output(sequencer.engine(), numbered);
            }
        }
        match &mut self.live {
            Some(live) => live.outputs(sequencer, std::mem::take(outputs)),
            None => outputs.clear(),
        }
    }

    /// Shows how the account stands to those for whom it is time.
    pub(super) fn show(&mut self, now: Instant, sequencer: &Sequencer, tally: &Tally, feed: &dyn Feed) {
        if self.view.as_mut().is_some_and(|view| !view.refresh(now, sequencer, tally)) {
            self.view = None;
        }
        if let Some(alerts) = &mut self.alerts {
            alerts.look(sequencer.engine(), sequencer.sequence(), sequencer.durable(), now);
        }
        if let Some(live) = &mut self.live
            && let Err(error) = live.refresh(now, sequencer, tally, feed)
        {
            tracing::warn!(%error, "the account can't be shown to those who watch it");
        }
    }
}
