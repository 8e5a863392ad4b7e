//! The loop between the host's calls and a strategy's handlers. It holds no global state, so that a process
//! can run any number of native instances; the [`harness`](crate::harness) and an exported plugin both stand
//! on it.

use crate::context::{Context, unknown_instrument};
use crate::state::{Envelope, decode, encode};
use crate::{
    Bar, Config, Description, Event, History, Inputs, Needs, Parameters, Reaction, SavedState, Scope,
    Strategy, Timestamp, log,
};

/// A strategy's name and version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Lower case with hyphens.
    pub name: &'static str,
    /// Semantic version.
    pub version: &'static str,
}

impl Identity {
    /// What the strategy says of itself, with its needs under these parameters.
    #[must_use]
    pub fn describe<S: Strategy>(self, parameters: &S::Parameters) -> Description {
        let needs = S::needs(parameters);
        Description {
            name: self.name.to_owned(),
            version: self.version.to_owned(),
            state_schema: S::STATE_SCHEMA,
            parameters: S::Parameters::describe(),
            inputs: Inputs {
                bar_intervals: needs.bar_intervals,
                quotes: needs.quotes,
                trades: needs.trades,
                signals: needs.signals,
                timer_seconds: needs.timer_seconds,
            },
            warm_up_bars: needs.warm_up_bars,
        }
    }
}

/// A running strategy.
pub struct Runner<S: Strategy> {
    parameters: S::Parameters,
    needs: Needs,
    /// One for each of the context's instruments, or a single one.
    strategies: Vec<S>,
    context: Context,
    has_told_of_unwanted_bars: bool,
}

impl<S: Strategy> Runner<S> {
    /// Starts the strategy and lets it observe the past bars.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the settings; or a history that contradicts itself.
    pub fn start(config: Config) -> Result<Self, String> {
        let parameters = S::Parameters::from_settings(&config.settings)?;
        S::check(&parameters)?;
        if config.instruments.is_empty() {
            return Err("the host listed no instrument to trade".to_owned());
        }
        let context = Context::new(config.instruments, config.signals);
        let count = match S::SCOPE {
            Scope::EachInstrument => context.instruments().len(),
            Scope::AllInstruments => 1,
        };
        let mut strategies: Vec<S> = (0..count).map(|_| S::new(&parameters)).collect();
        let needs = S::needs(&parameters);
        for history in &config.history {
            check_columns(history)?;
            context.place(history.instrument).ok_or_else(|| unknown_instrument(history.instrument))?;
        }
        for (place, strategy) in strategies.iter_mut().enumerate() {
            let id = context.instruments().get(place).map(|instrument| instrument.id);
            let is_for_it = |history: &&History| {
                let is_of_its_scope = S::SCOPE == Scope::AllInstruments || Some(history.instrument) == id;
                is_of_its_scope && needs.bar_intervals.contains(&history.interval)
            };
            let histories: Vec<&History> = config.history.iter().filter(is_for_it).collect();
            replay(&histories, |bar| strategy.observe(bar));
        }
        Ok(Self { parameters, needs, strategies, context, has_told_of_unwanted_bars: false })
    }

    /// The parameters in force.
    pub const fn parameters(&self) -> &S::Parameters {
        &self.parameters
    }

    /// The strategies' memories, by the instruments' rising id.
    pub fn strategies(&self) -> &[S] {
        &self.strategies
    }

    /// The account as the host told it.
    pub const fn context(&self) -> &Context {
        &self.context
    }

    /// Hands events to the strategy, up to the first that makes it act.
    ///
    /// # Errors
    ///
    /// When the host breaks the contract.
    pub fn on_events(&mut self, events: &[Event]) -> Result<Reaction, String> {
        let mut consumed = 0;
        for event in events {
            self.on_event(event)?;
            consumed += 1;
            if self.context.has_acted() {
                break;
            }
        }
        Ok(Reaction { consumed, actions: self.context.take_actions() })
    }

    #[inline]
    fn on_event(&mut self, event: &Event) -> Result<(), String> {
        let place = self.context.take_in(event)?;
        let context = &mut self.context;
        let strategy = &mut self.strategies[index::<S>(place)];
        match event {
            Event::Bar(bar) => {
                if !self.needs.bar_intervals.contains(&bar.interval) {
                    self.tell_of_unwanted_bar(bar.interval);
                    return Ok(());
                }
                strategy.observe(bar);
                strategy.on_bar(bar, context);
            }
            Event::Quote(quote) => strategy.on_quote(quote, context),
            Event::Trade(trade) => strategy.on_trade(trade, context),
            Event::Signal(signal) => strategy.on_signal(signal, context),
            Event::Timer(time) => self.on_timer(*time),
            Event::Fill(fill) => strategy.on_fill(fill, context),
            Event::OrderUpdate(update) => strategy.on_order_update(update, context),
            Event::Position(position) => strategy.on_position(position, context),
            Event::Capital(_) => {}
        }
        Ok(())
    }

    fn on_timer(&mut self, time: Timestamp) {
        for (place, strategy) in self.strategies.iter_mut().enumerate() {
            self.context.turn_to(place);
            strategy.on_timer(time, &mut self.context);
        }
    }

    #[cold]
    fn tell_of_unwanted_bar(&mut self, interval: u32) {
        if !self.has_told_of_unwanted_bars {
            self.has_told_of_unwanted_bars = true;
            let wanted = &self.needs.bar_intervals;
            log::warn!("the host sends bars of {interval} s, which are ignored; wanted are {wanted:?} s");
        }
    }

    /// Writes down the memory.
    ///
    /// # Errors
    ///
    /// When serde can't write the strategy.
    pub fn save(&self) -> Result<SavedState, String> {
        let symbols = self.context.instruments().iter().map(|instrument| instrument.symbol.clone());
        let names: Vec<String> = match S::SCOPE {
            Scope::EachInstrument => symbols.clone().collect(),
            Scope::AllInstruments => vec![String::new()],
        };
        let strategies = names
            .into_iter()
            .zip(&self.strategies)
            .map(|(name, strategy)| Ok((name, encode(strategy)?)))
            .collect::<Result<_, String>>()?;
        let envelope = Envelope {
            settings: self.parameters.to_settings(),
            next_tag: self.context.next_tag(),
            capital: *self.context.capital(),
            holdings: symbols.zip(self.context.holdings().iter().cloned()).collect(),
            strategies,
        };
        Ok(SavedState { schema: S::STATE_SCHEMA, bytes: envelope.to_bytes()? })
    }

    /// Goes on from a memory that this or an older version saved. On an error nothing has changed.
    ///
    /// # Errors
    ///
    /// When the memory can't be read or migrated.
    pub fn restore(&mut self, state: &SavedState) -> Result<(), String> {
        let envelope = Envelope::from_bytes(&state.bytes)?;
        let place_of = |symbol: &str| {
            self.context.instruments().iter().position(|instrument| instrument.symbol == symbol)
        };
        let mut memories = Vec::new();
        for (symbol, bytes) in &envelope.strategies {
            let place = match S::SCOPE {
                Scope::EachInstrument => place_of(symbol),
                Scope::AllInstruments => Some(0),
            };
            // An instrument that the strategy no longer trades.
            let Some(place) = place else { continue };
            memories.push((place, self.read(state.schema, bytes)?));
        }
        let holdings = envelope
            .holdings
            .into_iter()
            .filter_map(|(symbol, holding)| Some((place_of(&symbol)?, holding)))
            .collect();
        let has_new_parameters = envelope.settings != self.parameters.to_settings();
        if has_new_parameters {
            log::info!("parameters changed since the memory was saved");
        }
        for (place, saved) in memories {
            let memory = &mut self.strategies[place];
            if has_new_parameters {
                let fresh = std::mem::replace(memory, S::new(&self.parameters));
                *memory = S::with_new_parameters(saved, fresh);
            } else {
                *memory = saved;
            }
        }
        self.context.restore(envelope.next_tag, envelope.capital, holdings);
        Ok(())
    }

    fn read(&self, schema: u32, bytes: &[u8]) -> Result<S, String> {
        if schema == S::STATE_SCHEMA { decode(bytes) } else { S::migrate(schema, bytes, &self.parameters) }
    }
}

/// Which value serves the instrument at this place.
const fn index<S: Strategy>(place: usize) -> usize {
    match S::SCOPE {
        Scope::EachInstrument => place,
        Scope::AllInstruments => 0,
    }
}

/// Calls `observe` with the bars of all histories, in the order in which they were complete; of two that were
/// complete at once the shorter comes first.
fn replay(histories: &[&History], mut observe: impl FnMut(&Bar)) {
    let mut next_rows = vec![0; histories.len()];
    loop {
        let candidates = histories.iter().zip(&mut next_rows).filter_map(|(history, row)| {
            let bar = bar_at(history, *row)?;
            Some((bar, row))
        });
        let Some((bar, row)) = candidates.min_by_key(|(bar, _)| (bar.close_time(), bar.interval)) else {
            return;
        };
        *row += 1;
        observe(&bar);
    }
}

fn bar_at(history: &History, row: usize) -> Option<Bar> {
    Some(Bar {
        instrument: history.instrument,
        interval: history.interval,
        open_time: Timestamp::from_seconds(*history.open_time.get(row)?),
        open: *history.open.get(row)?,
        high: *history.high.get(row)?,
        low: *history.low.get(row)?,
        close: *history.close.get(row)?,
        volume: *history.volume.get(row)?,
    })
}

fn check_columns(history: &History) -> Result<(), String> {
    let length = history.open_time.len();
    let columns = [&history.open, &history.high, &history.low, &history.close, &history.volume];
    if columns.iter().all(|column| column.len() == length) {
        Ok(())
    } else {
        Err(format!("the columns of the history of instrument {} differ in length", history.instrument))
    }
}
