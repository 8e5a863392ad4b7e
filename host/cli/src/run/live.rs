//! What an account hands to those who watch it: everything once it is durable, as with all that leaves.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bulkhead_alerts::History;
use bulkhead_api::live::{
    AskingView, FeedView, JournalView, LiveView, Publisher, QualityView, SlotCounts, Surroundings,
};
use bulkhead_api::{HostFigures, written};
use bulkhead_core::engine::{Engine, Slot};
use bulkhead_core::identifier::InstrumentId;
use bulkhead_core::instrument::Instrument;
use bulkhead_core::market::Bar;
use bulkhead_core::money::Overflow;
use bulkhead_core::time::Timestamp;
use bulkhead_feeds::Feed;
use bulkhead_feeds::quality::QualityCounters;
use bulkhead_sequencer::sequencer::{JournalStatus, Sequencer};
use bulkhead_store::journal::{NumberedOutput, Sequence};

use super::summary::Tally;
use crate::market_data::{Asking, MarketData};

/// Bars that are handed over with one view at most; at full speed nobody could look at more.
const MOST_BARS: usize = 2_000;

/// Bars a second are counted over so long.
const RATE_OVER: Duration = Duration::from_secs(4);

/// The live updates of one account.
pub(super) struct LiveUpdates {
    publisher: Publisher,
    account: String,
    figures: HostFigures,
    alerts: Option<History>,
    source: String,
    data: Arc<MarketData>,
    next: Instant,
    /// Read off the engine after this input, which is not durable yet, with the bars until then.
    ahead: Option<(Sequence, LiveView, Vec<Bar>)>,
    /// The newest that was handed over.
    shown: Option<LiveView>,
    /// Since the last view.
    bars: VecDeque<Bar>,
    /// Moments and bars until then.
    rate: VecDeque<(Instant, u64)>,
}

impl LiveUpdates {
    /// Of an account that is fed by this source with these data.
    pub(super) fn new(
        publisher: Publisher,
        account: String,
        figures: HostFigures,
        alerts: Option<History>,
        source: String,
        data: Arc<MarketData>,
    ) -> Self {
        Self {
            publisher,
            account,
            figures,
            alerts,
            source,
            data,
            next: Instant::now(),
            ahead: None,
            shown: None,
            bars: VecDeque::new(),
            rate: VecDeque::new(),
        }
    }

    /// The account is open: what it knows of the market already is there to be charted.
    pub(super) fn begin(&mut self, sequencer: &Sequencer) {
        self.publisher.past(sequencer.engine());
    }

    /// A bar that the engine takes.
    pub(super) fn bar(&mut self, bar: Bar) {
        if self.bars.len() == MOST_BARS {
            self.bars.pop_front();
        }
        self.bars.push_back(bar);
    }

    /// Outputs that became durable.
    pub(super) fn outputs(&mut self, sequencer: &Sequencer, outputs: Vec<NumberedOutput>) {
        self.publisher.outputs(sequencer.engine(), outputs);
    }

    /// Looks at the account if it is time, and hands over what was seen once that is durable.
    pub(super) fn refresh(
        &mut self,
        now: Instant,
        sequencer: &Sequencer,
        tally: &Tally,
        feed: &dyn Feed,
    ) -> Result<(), Overflow> {
        let engine = sequencer.engine();
        if now >= self.next && self.ahead.is_none() {
            self.next = now + self.publisher.view_every();
            let surroundings = Surroundings {
                journal: journal(sequencer),
                feed: self.feed(now, tally, quality(feed, engine)),
                alerts: revision(self.alerts.as_ref(), &self.account),
            };
            let costs = |slot: &Slot| self.figures.call_costs(&self.account, slot.name());
            let counts = |slot: &Slot| SlotCounts { costs: costs(slot), ..tally.counts(slot.id()) };
            let view = LiveView::read(engine, surroundings, counts)?;
            self.ahead = Some((sequencer.sequence(), view, self.bars.drain(..).collect()));
        }
        let durable = sequencer.durable();
        if let Some((_, mut view, bars)) = self.ahead.take_if(|(until, ..)| *until <= durable) {
            view.journal = journal(sequencer);
            self.publisher.bars(engine, bars);
            self.publisher.view(engine, view.clone());
            self.shown = Some(view);
        } else if let Some(view) = &mut self.shown {
            let mut alerts = view.alerts;
            if now >= self.next {
                self.next = now + self.publisher.view_every();
                alerts = revision(self.alerts.as_ref(), &self.account);
            }
            let journal = journal(sequencer);
            if journal.state != view.journal.state || alerts != view.alerts {
                // Neither is a consequence of an input, and both must be seen above all when nothing else moves on.
                (view.journal, view.alerts) = (journal, alerts);
                self.publisher.view(engine, view.clone());
            }
        }
        Ok(())
    }

    fn feed(&mut self, now: Instant, tally: &Tally, quality: Vec<QualityView>) -> FeedView {
        while let Some((at, _)) = self.rate.front()
            && self.rate.len() > 1
            && now.saturating_duration_since(*at) > RATE_OVER
        {
            self.rate.pop_front();
        }
        let (from, before) = self.rate.front().copied().unwrap_or((now, tally.bars));
        self.rate.push_back((now, tally.bars));
        let seconds = now.saturating_duration_since(from).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "bars of a few seconds are few")]
        let bars = tally.bars.saturating_sub(before) as f64;
        FeedView {
            source: self.source.clone(),
            bars: tally.bars,
            bars_per_second: if seconds > 0.0 { bars / seconds } else { 0.0 },
            quality,
            asking: self.data.asking().map(asking),
        }
    }
}

fn asking(asking: Asking) -> AskingView {
    let Asking { newest, failures, failing } = asking;
    AskingView {
        newest: newest.map(written),
        failures,
        failing,
        newest_seconds: newest.map(Timestamp::seconds),
    }
}

fn quality(feed: &dyn Feed, engine: &Engine) -> Vec<QualityView> {
    let known = engine.settings().instruments.iter();
    let counters = feed.quality();
    let of = |(id, instrument): (InstrumentId, &Instrument)| {
        let QualityCounters { rows, repaired, skipped, missing, .. } = *counters.get(&id)?;
        Some(QualityView { instrument: instrument.symbol.clone(), rows, repaired, skipped, missing })
    };
    (0..).map(InstrumentId).zip(known).filter_map(of).collect()
}

fn revision(alerts: Option<&History>, account: &str) -> u64 {
    alerts.map_or(0, |history| history.revision(account))
}

fn journal(sequencer: &Sequencer) -> JournalView {
    let (state, why) = match sequencer.status() {
        JournalStatus::Writing => ("writing", ""),
        JournalStatus::Waiting { why, .. } => ("waiting", why.as_str()),
    };
    JournalView { state: state.to_owned(), why: why.to_owned(), durable: sequencer.durable().0 }
}
