use bulkhead_sdk::{Bar, Quote, Timestamp, state};

use crate::instrument::InstrumentState;
use crate::market::Market;
use crate::row::Row;
use crate::signals::SignalKind;

/// Makes the rows of any number of instruments, each named by its number.
///
/// Events are handed over in the order in which they came. What the value holds is all that rows depend on: saved and
/// restored, it goes on with the same bits.
#[state]
#[derive(Debug, Clone)]
pub struct Extractor {
    market: Market,
    /// By rising number.
    instruments: Vec<(u32, InstrumentState)>,
}

impl Default for Extractor {
    fn default() -> Self {
        Self::new()
    }
}

impl Extractor {
    /// One that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { market: Market::new(), instruments: Vec::new() }
    }

    /// Takes a complete bar of one minute and gives the features at its end.
    ///
    /// `None` for a bar that is skipped: of another length, not later than the one before, or with prices that are not
    /// above 0 or do not lie between low and high.
    pub fn on_bar(&mut self, bar: &Bar) -> Option<Row> {
        let place = self.place(bar.instrument);
        let (_, instrument) = self.instruments.get_mut(place)?;
        instrument.on_bar(bar, &mut self.market)
    }

    /// Takes best prices; they count from the instrument's next bar on.
    pub fn on_quote(&mut self, quote: &Quote) {
        let place = self.place(quote.instrument);
        if let Some((_, instrument)) = self.instruments.get_mut(place) {
            instrument.on_quote(quote);
        }
    }

    /// Takes a signal; it counts from the instrument's next bar on.
    pub fn on_signal(&mut self, instrument: u32, kind: SignalKind, time: Timestamp, value: f64) {
        let place = self.place(instrument);
        if let Some((_, instrument)) = self.instruments.get_mut(place) {
            instrument.on_signal(kind, time, value);
        }
    }

    /// Whether every window of the instrument is full. Quotes and signals are not asked for: they say themselves
    /// whether they are known.
    #[must_use]
    pub fn is_ready(&self, instrument: u32) -> bool {
        let known = self.instruments.iter().find(|(number, _)| *number == instrument);
        known.is_some_and(|(_, state)| state.is_ready())
    }

    /// Gives instruments other numbers, as after a restart that counts them anew; those for which `number` is `None`
    /// are forgotten.
    pub fn renumber(&mut self, number: impl Fn(u32) -> Option<u32>) {
        self.instruments.retain_mut(|(instrument, _)| match number(*instrument) {
            Some(other) => {
                *instrument = other;
                true
            }
            None => false,
        });
        self.instruments.sort_by_key(|(instrument, _)| *instrument);
    }

    /// Where the instrument is, made room for when it is new.
    fn place(&mut self, instrument: u32) -> usize {
        match self.instruments.binary_search_by_key(&instrument, |(number, _)| *number) {
            Ok(place) => place,
            Err(place) => {
                self.instruments.insert(place, (instrument, InstrumentState::new()));
                place
            }
        }
    }
}
