//! Handing a strategy bars ahead of their turn, for speed.
//!
//! A call into a strategy costs as much as dozens of bars do. When the inputs that follow are known, as over
//! files, a strategy that nothing but market data can reach is handed several bars at once. It stops after the
//! first that makes it act, and its answer is kept until that bar's turn comes: the orders, their times and
//! everything else are those of one bar a call. Only log lines may come earlier.
//!
//! A strategy can be reached by market data alone while it has no working order, no guarded position and none
//! that a halt is to close, and wants nothing but the feed's bars. When it fails on several bars at once it is
//! not known on which, so it is rebuilt from its last saved state and the events since, and goes on with one
//! bar a call.

use super::Engine;
use crate::input::{Input, InputKind};
use crate::market::Bar;
use crate::output::Output;
use crate::strategy::{Action, Event, Fault, Strategy};
use crate::time::Span;

/// Bars handed over ahead in one call: what a strategy does not get to because it acts was handed over in
/// vain, so there are few at first, and twice as many each time all were handled.
const FIRST_BARS: usize = 4;
const MOST_BARS: usize = 32;

/// What a slot needs for it.
pub(super) struct Foresight {
    /// How many bars are handed over next.
    bars: usize,
    /// The answer to bars whose turn has not come.
    answer: Option<Answer>,
    /// The events since the state was saved; `None` when they are not all known.
    since_save: Option<Vec<Event>>,
}

struct Answer {
    /// So many bars were handled without acting.
    silent: usize,
    /// What was proposed on the bar after those; nothing if none made it act.
    actions: Vec<Action>,
}

impl Default for Foresight {
    fn default() -> Self {
        Self { bars: FIRST_BARS, answer: None, since_save: None }
    }
}

impl Foresight {
    /// The state was saved: from here on the events are written down.
    pub(super) fn saved(&mut self, written_down: bool) {
        match &mut self.since_save {
            Some(events) if written_down => events.clear(),
            since_save => *since_save = written_down.then(Vec::new),
        }
    }

    /// Another instance took over.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    pub(super) fn heard(&mut self, events: &[Event]) {
        if let Some(since_save) = &mut self.since_save {
            since_save.extend_from_slice(events);
        }
    }
}

impl Engine {
    /// Takes inputs that follow one another with nothing between, as over files: the same as [`Self::step`]
    /// with each, only faster. `after` is called after each input with its outputs, and takes them out.
    pub fn play(&mut self, inputs: &[Input], mut after: impl FnMut(&Self, &Input, &mut Vec<Output>)) {
        self.writes_down = true;
        let mut outputs = std::mem::take(&mut self.buffers.outputs);
        for (place, input) in inputs.iter().enumerate() {
            self.step_knowing(input, inputs.get(place + 1..).unwrap_or_default(), &mut outputs);
            after(self, input, &mut outputs);
            outputs.clear();
        }
        self.buffers.outputs = outputs;
        self.writes_down = false;
    }

    /// Acts on what the strategy answered to this bar earlier. Whether it had.
    pub(super) fn recall(&mut self, index: usize, outputs: &mut Vec<Output>) -> Option<Result<(), Fault>> {
        let slot = &mut self.slots[index];
        let mut answer = slot.foresight.answer.take()?;
        let bar = std::mem::take(&mut slot.inbox);
        slot.foresight.heard(&bar);
        slot.events_seen += 1;
        slot.inbox = bar;
        slot.inbox.clear();
        if answer.silent > 0 {
            answer.silent -= 1;
            if answer.silent > 0 || !answer.actions.is_empty() {
                slot.foresight.answer = Some(answer);
            }
            return Some(Ok(()));
        }
        if let Err(kind) = self.validate(index, &answer.actions) {
            return Some(Err(kind.into()));
        }
        for action in answer.actions {
            self.act(index, action, outputs);
        }
        Some(Ok(()))
    }

    /// Appends the bars that the strategy can be handed ahead of their turn; how many.
    pub(super) fn foresee(&self, index: usize, upcoming: &[Input], events: &mut Vec<Event>) -> usize {
        if upcoming.is_empty() || !self.is_reached_by_bars_alone(index) {
            return 0;
        }
        let slot = &self.slots[index];
        // The state must be saved after the same event as with one bar a call.
        let until_save = slot.next_save.saturating_sub(slot.events_seen + events.len() as u64);
        let most = usize::try_from(until_save).unwrap_or(usize::MAX).min(slot.foresight.bars);
        let own = events.len();
        let mut time = self.now;
        let mut newest: Vec<Bar> = events.iter().filter_map(as_bar).copied().collect();
        for input in upcoming {
            let bar = match &input.kind {
                InputKind::Bar(bar) if input.time >= time => bar,
                // It gets none of these, and nothing of what they do can reach it.
                InputKind::Quote(_) | InputKind::Trade(_) | InputKind::Signal(_) | InputKind::Timer => {
                    continue;
                }
                InputKind::Bar(_) | InputKind::Checkpoint | InputKind::Command(_) | InputKind::Venue(_) => {
                    break;
                }
            };
            if events.len() - own == most {
                break;
            }
            time = input.time;
            if !slot.trades(bar.instrument) {
                continue;
            }
            // Only what the engine will surely take.
            let place = newest.iter().position(|newest| newest.instrument == bar.instrument);
            let before = place.map(|place| newest[place]).or_else(|| self.last_bar(bar));
            let follows = before.is_some_and(|before| {
                before.interval == bar.interval && bar.open_time >= before.close_time()
            });
            if !follows || !bar.is_sound() {
                break;
            }
            match place {
                Some(place) => newest[place] = *bar,
                None => newest.push(*bar),
            }
            events.push(Event::Bar(*bar));
        }
        events.len() - own
    }

    fn last_bar(&self, bar: &Bar) -> Option<Bar> {
        self.prices.market(bar.instrument)?.last_bar().copied()
    }

    fn is_reached_by_bars_alone(&self, index: usize) -> bool {
        let slot = &self.slots[index];
        let needs = &slot.description.needs;
        slot.foresight.since_save.is_some()
            && slot.saved.is_some()
            && needs.bar_intervals == [Span::ZERO]
            && !needs.quotes
            && !needs.trades
            && needs.signals.is_empty()
            && needs.timer.is_none()
            && slot.working.is_empty()
            && !self.orders.values().any(|order| order.terms().strategy == slot.id)
            && !self.keeper.guards_any(slot.id)
            && !self.is_flattening(slot.id)
    }

    /// Keeps an answer until its turn.
    pub(super) fn remember(&mut self, index: usize, silent: usize, actions: &mut Vec<Action>) {
        let bars = &mut self.slots[index].foresight.bars;
        *bars = if actions.is_empty() { (*bars * 2).min(MOST_BARS) } else { FIRST_BARS };
        if silent > 0 || !actions.is_empty() {
            let actions = std::mem::take(actions);
            self.slots[index].foresight.answer = Some(Answer { silent, actions });
        }
    }

    /// Makes the instance anew as it was before a call that failed: from its saved state and what it has
    /// heard since. `None` when that fails too.
    pub(super) fn rebuild(&mut self, index: usize) -> Option<Box<dyn Strategy>> {
        let config = self.instance_config(index).ok()?;
        let slot = &mut self.slots[index];
        let heard = slot.foresight.since_save.take()?;
        let mut instance = self.source.instantiate_in(slot.name(), &slot.deployment.version, &config).ok()?;
        instance.restore(slot.saved.as_ref()?).ok()?;
        let mut actions = Vec::new();
        for event in &heard {
            actions.clear();
            instance.on_events(std::slice::from_ref(event), &mut actions).ok()?;
        }
        // What it logs again has been read.
        instance.drain_log(&mut Vec::new());
        Some(instance)
    }
}

fn as_bar(event: &Event) -> Option<&Bar> {
    match event {
        Event::Bar(bar) => Some(bar),
        _ => None,
    }
}
