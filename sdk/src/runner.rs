//! The loop between the host's calls and a strategy's handlers. It holds no global state, so that a process
//! can run any number of native instances; the [`harness`](crate::harness) and an exported plugin both stand
//! on it.

use std::cmp::Reverse;

use crate::context::{Context, unknown_instrument};
use crate::state::{Envelope, decode, encode, fingerprint};
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
                is_of_its_scope && needs.wants_bars_of(history.interval)
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
                if !self.needs.wants_bars_of(bar.interval) {
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
            parameters: fingerprint(&self.parameters.to_settings()),
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
        let has_new_parameters = envelope.parameters != fingerprint(&self.parameters.to_settings());
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
/// complete at once the longer comes first, as in trading.
fn replay(histories: &[&History], mut observe: impl FnMut(&Bar)) {
    let mut next_rows = vec![0; histories.len()];
    loop {
        let candidates = histories.iter().zip(&mut next_rows).filter_map(|(history, row)| {
            let bar = bar_at(history, *row)?;
            Some((bar, row))
        });
        let Some((bar, row)) = candidates.min_by_key(|(bar, _)| (bar.close_time(), Reverse(bar.interval)))
        else {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Stance;
    use crate::harness::Setup;
    use crate::{Fill, Instrument, LogLevel, ParameterValue, Quote, Setting, Side, Signal, Trade};

    #[derive(crate::Parameters)]
    struct Settings {
        /// Length of a bar in seconds.
        #[parameter(default = 60, min = 1, max = 3_600)]
        interval: u32,
        /// Closes from which it buys.
        #[parameter(default = 10.0)]
        level: f64,
    }

    /// Buys at a level, sells below it, and writes down what it was told.
    #[crate::state]
    #[derive(Debug, PartialEq)]
    struct Recorder {
        level: f64,
        observed: Vec<f64>,
        heard: Vec<String>,
    }

    impl Strategy for Recorder {
        type Parameters = Settings;

        const STATE_SCHEMA: u32 = 2;

        fn needs(settings: &Settings) -> Needs {
            Needs::bars(settings.interval).and_bars(300).quotes().trades().signal("mood").timer(60).warm_up(5)
        }

        fn check(settings: &Settings) -> Result<(), String> {
            if settings.level > 0.0 { Ok(()) } else { Err("level must be above 0".to_owned()) }
        }

        fn new(settings: &Settings) -> Self {
            Self { level: settings.level, observed: Vec::new(), heard: Vec::new() }
        }

        fn observe(&mut self, bar: &Bar) {
            self.observed.push(bar.close);
        }

        fn on_bar(&mut self, bar: &Bar, context: &mut Context) {
            match context.stance() {
                Stance::Flat if bar.close >= self.level => {
                    context.buy();
                }
                Stance::Long if bar.close < self.level => {
                    context.close();
                }
                _ => {}
            }
        }

        fn on_quote(&mut self, quote: &Quote, _context: &mut Context) {
            self.heard.push(format!("quote {}", quote.bid));
        }

        fn on_trade(&mut self, trade: &Trade, _context: &mut Context) {
            self.heard.push(format!("trade {}", trade.price));
        }

        fn on_signal(&mut self, signal: &Signal, context: &mut Context) {
            self.heard.push(format!("{} {}", context.signal_name(signal.id).unwrap_or("?"), signal.value));
        }

        fn on_timer(&mut self, time: Timestamp, context: &mut Context) {
            self.heard.push(format!("timer {} {}", time.seconds, context.instrument().symbol));
        }

        fn on_fill(&mut self, fill: &Fill, _context: &mut Context) {
            self.heard.push(format!("fill {:?}", fill.side));
        }

        fn migrate(from_schema: u32, bytes: &[u8], settings: &Settings) -> Result<Self, String> {
            if from_schema != 1 {
                return Err(format!("layout {from_schema} is unknown"));
            }
            let observed: Vec<f64> = decode(bytes)?;
            Ok(Self { level: settings.level, observed, heard: Vec::new() })
        }
    }

    fn config(ids: &[u32]) -> Config {
        let instrument = |id: &u32| Instrument {
            id: *id,
            symbol: format!("I{id}-USD"),
            tick: 0.01,
            lot: 0.001,
            min_notional: 0.0,
        };
        Config {
            instruments: ids.iter().map(instrument).collect(),
            settings: Vec::new(),
            signals: vec![crate::SignalName { id: 4, name: "mood".to_owned() }],
            history: Vec::new(),
        }
    }

    fn start(ids: &[u32]) -> Runner<Recorder> {
        Runner::start(config(ids)).unwrap()
    }

    fn bar(instrument: u32, interval: u32, close: f64) -> Event {
        let open_time = Timestamp::from_seconds(600);
        Event::Bar(Bar {
            instrument,
            interval,
            open_time,
            open: close,
            high: close,
            low: close,
            close,
            volume: 1.0,
        })
    }

    fn history(instrument: u32, interval: u32, rows: &[(u32, f64)]) -> History {
        let closes: Vec<f64> = rows.iter().map(|row| row.1).collect();
        History {
            instrument,
            interval,
            open_time: rows.iter().map(|row| row.0).collect(),
            open: closes.clone(),
            high: closes.clone(),
            low: closes.clone(),
            close: closes,
            volume: vec![0.0; rows.len()],
        }
    }

    #[test]
    fn each_instrument_has_its_own_memory() {
        let mut runner = start(&[3, 7]);
        runner.on_events(&[bar(3, 60, 1.0), bar(7, 60, 2.0), bar(3, 60, 3.0)]).unwrap();
        assert_eq!(runner.strategies()[0].observed, [1.0, 3.0]);
        assert_eq!(runner.strategies()[1].observed, [2.0]);
    }

    #[test]
    fn stops_after_the_first_event_that_makes_it_act() {
        let mut runner = start(&[0]);
        let events = [bar(0, 60, 1.0), bar(0, 60, 11.0), bar(0, 60, 12.0)];
        let reaction = runner.on_events(&events).unwrap();
        assert_eq!((reaction.consumed, reaction.actions.len()), (2, 1));
        assert_eq!(runner.strategies()[0].observed, [1.0, 11.0], "the third was not seen");
        let reaction = runner.on_events(&events[2..]).unwrap();
        assert_eq!((reaction.consumed, reaction.actions.len()), (1, 0));
    }

    #[test]
    fn every_event_reaches_its_handler() {
        let mut runner = start(&[0, 1]);
        let time = Timestamp::from_seconds(120);
        let quote =
            Quote { instrument: 0, time, bid: 5.0, ask: 6.0, bid_size: 0.0, ask_size: 0.0, liquidity: 0.0 };
        let trade = Trade { instrument: 0, time, price: 5.5, quantity: 1.0, taker: Side::Buy };
        let fill = Fill {
            tag: 0,
            instrument: 0,
            time,
            side: Side::Buy,
            price: 5.0,
            quantity: 1.0,
            fee: 0.0,
            cause: crate::FillCause::Operator,
        };
        let events = [
            Event::Quote(quote),
            Event::Trade(trade),
            Event::Signal(Signal { instrument: 0, id: 4, time, value: 0.5 }),
            Event::Timer(time),
            Event::Fill(fill),
        ];
        assert_eq!(runner.on_events(&events).unwrap().consumed, 5);
        let expected = ["quote 5", "trade 5.5", "mood 0.5", "timer 120 I0-USD", "fill Side::Buy"];
        assert_eq!(runner.strategies()[0].heard, expected);
        assert_eq!(runner.strategies()[1].heard, ["timer 120 I1-USD"]);
    }

    #[test]
    fn past_bars_are_observed_in_the_order_in_which_they_were_complete() {
        let mut config = config(&[0, 1]);
        config.history = vec![
            history(0, 300, &[(0, 1_000.0), (300, 2_000.0)]),
            history(0, 60, &[(180, 1.0), (240, 2.0), (300, 3.0)]),
            history(1, 60, &[(0, 9.0)]),
            history(0, 3_600, &[(0, 7.0)]),
        ];
        let runner = Runner::<Recorder>::start(config).unwrap();
        assert_eq!(
            runner.strategies()[0].observed,
            [1.0, 1_000.0, 2.0, 3.0, 2_000.0],
            "an unwanted interval is left out"
        );
        assert_eq!(runner.strategies()[1].observed, [9.0]);
    }

    #[test]
    fn a_start_that_makes_no_sense_is_refused() {
        let refusal = |change: fn(&mut Config)| {
            let mut config = config(&[0]);
            change(&mut config);
            Runner::<Recorder>::start(config).err().unwrap()
        };
        let uneven = refusal(|config| {
            config.history = vec![history(0, 60, &[(0, 1.0)])];
            config.history[0].low.clear();
        });
        assert_eq!(uneven, "the columns of the history of instrument 0 differ in length");
        let unknown = refusal(|config| config.history = vec![history(5, 60, &[(0, 1.0)])]);
        assert!(unknown.contains("instrument 5"), "{unknown}");
        assert!(refusal(|config| config.instruments.clear()).contains("no instrument"));
        let level = refusal(|config| {
            let value = ParameterValue::Number(-1.0);
            config.settings = vec![Setting { name: "level".to_owned(), value }];
        });
        assert_eq!(level, "level must be above 0");
    }

    #[test]
    fn unwanted_bars_are_ignored_with_one_warning() {
        let mut runner = start(&[0]);
        let _ = log::drain();
        let reaction = runner.on_events(&[bar(0, 120, 11.0), bar(0, 120, 11.0)]).unwrap();
        assert_eq!((reaction.consumed, reaction.actions.len()), (2, 0));
        let lines = log::drain();
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].0, LogLevel::Warn);
        assert!(lines[0].1.contains("120 s") && lines[0].1.contains("[60, 300]"), "{lines:?}");
    }

    #[test]
    fn needs_follow_the_parameters() {
        let identity = Identity { name: "recorder", version: "1.2.3" };
        let description = identity.describe::<Recorder>(&Settings { interval: 900, ..Settings::default() });
        assert_eq!(description.inputs.bar_intervals, [900, 300]);
        assert_eq!(description.inputs.signals, ["mood"]);
        assert_eq!((description.state_schema, description.warm_up_bars), (2, 5));
        assert_eq!((description.inputs.timer_seconds, description.inputs.quotes), (60, true));
        assert_eq!(description.parameters.len(), 2);
    }

    #[test]
    fn memory_and_account_come_back_also_under_new_numbers() {
        let mut runner = start(&[1, 2]);
        runner.on_events(&[bar(2, 60, 11.0)]).unwrap();
        let state = runner.save().unwrap();
        let mut renumbered = config(&[5, 6]);
        renumbered.instruments[0].symbol = "I2-USD".to_owned();
        let mut other = Runner::<Recorder>::start(renumbered).unwrap();
        other.restore(&state).unwrap();
        assert_eq!(other.strategies()[0].observed, [11.0]);
        assert!(other.strategies()[1].observed.is_empty(), "I6-USD is new");
        assert_eq!(other.context().holdings()[0].orders.len(), 1);
        assert_eq!(other.context().holdings()[0].position.instrument, 5);
        assert_eq!(other.context().next_tag(), 2);
        assert_eq!(other.save().unwrap().schema, 2);
    }

    #[test]
    fn saving_twice_gives_the_same_bytes() {
        let mut runner = start(&[0, 1]);
        runner.on_events(&[bar(0, 60, 1.5), bar(1, 60, 12.0)]).unwrap();
        let state = runner.save().unwrap();
        let mut other = start(&[0, 1]);
        other.restore(&state).unwrap();
        assert_eq!(other.save().unwrap(), state);
    }

    #[test]
    fn new_parameters_start_from_the_past_bars() {
        let mut runner = start(&[0]);
        runner.on_events(&[bar(0, 60, 11.0)]).unwrap();
        let state = runner.save().unwrap();
        let mut changed = config(&[0]);
        changed.settings = vec![Setting { name: "level".to_owned(), value: ParameterValue::Number(20.0) }];
        changed.history = vec![history(0, 60, &[(0, 3.0)])];
        let mut other = Runner::<Recorder>::start(changed).unwrap();
        other.restore(&state).unwrap();
        assert_eq!(other.strategies()[0], Recorder { level: 20.0, observed: vec![3.0], heard: Vec::new() });
        assert_eq!(other.context().holdings()[0].orders.len(), 1, "the account is carried over all the same");
    }

    #[test]
    fn an_older_layout_is_migrated() {
        let old = Envelope {
            parameters: fingerprint(&Settings::default().to_settings()),
            next_tag: 8,
            capital: crate::Capital::default(),
            holdings: Vec::new(),
            strategies: vec![("I0-USD".to_owned(), encode(&vec![1.0, 2.0]).unwrap())],
        };
        let mut state = SavedState { schema: 1, bytes: old.to_bytes().unwrap() };
        let mut runner = start(&[0]);
        runner.restore(&state).unwrap();
        assert_eq!(runner.strategies()[0].observed, [1.0, 2.0]);
        state.schema = 9;
        assert_eq!(runner.restore(&state), Err("layout 9 is unknown".to_owned()));
    }

    #[test]
    fn a_damaged_state_changes_nothing() {
        let mut runner = start(&[0, 1]);
        runner.on_events(&[bar(0, 60, 1.0), bar(1, 60, 2.0)]).unwrap();
        let before = runner.save().unwrap();
        let mut other = start(&[0, 1]);
        other.on_events(&[bar(0, 60, 5.0), bar(1, 60, 11.0)]).unwrap();
        let good = other.save().unwrap();
        for length in 0..good.bytes.len() {
            let state = SavedState { schema: 2, bytes: good.bytes[..length].to_vec() };
            assert!(runner.restore(&state).is_err(), "{length} bytes");
            assert_eq!(runner.save().unwrap(), before, "{length} bytes");
        }
        let mut longer = good.clone();
        longer.bytes.push(0);
        assert!(runner.restore(&longer).is_err());
        let mut foreign = good;
        foreign.bytes[0] = 77;
        assert!(runner.restore(&foreign).unwrap_err().contains("layout 77"));
    }

    /// Holds twice as much of the instrument that rose more.
    #[crate::state]
    struct Pair {
        closes: Vec<(u32, f64)>,
    }

    impl Strategy for Pair {
        type Parameters = ();

        const SCOPE: Scope = Scope::AllInstruments;

        fn needs((): &()) -> Needs {
            Needs::bars(60)
        }

        fn new((): &()) -> Self {
            Self { closes: Vec::new() }
        }

        fn observe(&mut self, bar: &Bar) {
            self.closes.push((bar.instrument, bar.close));
        }

        fn on_bar(&mut self, bar: &Bar, context: &mut Context) {
            let other = context.instruments().iter().map(|one| one.id).find(|id| *id != bar.instrument);
            if let Some(context) = other.and_then(|id| context.focus(id)) {
                context.buy();
            }
        }
    }

    #[test]
    fn one_strategy_can_serve_all_instruments() {
        let mut start = config(&[0, 1]);
        start.history = vec![history(0, 60, &[(0, 1.0), (60, 2.0)]), history(1, 60, &[(0, 8.0)])];
        let mut runner = Runner::<Pair>::start(start).unwrap();
        assert_eq!(runner.strategies().len(), 1);
        assert_eq!(runner.strategies()[0].closes, [(0, 1.0), (1, 8.0), (0, 2.0)]);
        let reaction = runner.on_events(&[bar(0, 60, 3.0)]).unwrap();
        assert_eq!(reaction.actions[0].submit().unwrap().instrument, 1);
        let state = runner.save().unwrap();
        let mut other = Runner::<Pair>::start(config(&[0, 1])).unwrap();
        other.restore(&state).unwrap();
        assert_eq!(other.strategies()[0].closes.len(), 4);
    }

    proptest::proptest! {
        #[test]
        fn it_makes_no_difference_how_many_events_come_at_a_time(
            closes in proptest::collection::vec((0_u32..2, 5.0_f64..15.0), 1..60),
            size in 1_usize..20,
        ) {
            let run = |size: usize| {
                let mut harness = Setup::new().instruments(&["A-USD", "B-USD"]).start::<Recorder>().unwrap();
                let events: Vec<Event> = closes.iter().map(|(id, close)| bar(*id, 60, *close)).collect();
                let actions: Vec<_> = events.chunks(size).flat_map(|chunk| harness.feed(chunk)).collect();
                (actions, harness.save().unwrap())
            };
            proptest::prop_assert_eq!(run(1), run(size));
        }
    }
}
