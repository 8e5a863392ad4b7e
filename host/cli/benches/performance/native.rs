//! The shipped crossover rule as native code: the plugin's own crate and the SDK's own loop behind the core's
//! trait, converted as the sandbox converts, only without a sandbox.

use bulkhead_core::identifier::{ContentHash, InstrumentId, OrderTag};
use bulkhead_core::strategy::{
    Action, Amount, Description, Event, Fault, FaultKind, FillCause, InstanceConfig, Intent, Needs,
    OrderKind, OrderStatus, Proposal, SavedState, Strategy, StrategySource, Submit,
};
use bulkhead_core::time::{Span, Timestamp};
use bulkhead_sdk as sdk;
use bulkhead_sdk::Parameters as _;
use bulkhead_sdk::runner::Runner;
use sma_crossover::{Settings, SmaCrossover};

/// Makes instances of the rule, whatever version is asked for.
pub(crate) struct NativeCrossovers;

impl StrategySource for NativeCrossovers {
    fn describe(&self, _: &ContentHash) -> Result<Description, Fault> {
        Ok(Description {
            name: "sma-crossover".to_owned(),
            version: "0.1.0".to_owned(),
            state_schema: 1,
            parameters: Vec::new(),
            needs: Needs { bar_intervals: vec![Span::ZERO], ..Needs::default() },
            warm_up_bars: 30,
        })
    }

    fn instantiate(&self, _: &ContentHash, config: &InstanceConfig) -> Result<Box<dyn Strategy>, Fault> {
        let instruments = config.instruments.iter().map(|(id, instrument)| sdk::Instrument {
            id: id.0,
            symbol: instrument.symbol.clone(),
            tick: instrument.tick.approximate(),
            lot: instrument.lot.approximate(),
            min_notional: instrument.min_notional.approximate(),
        });
        let config = sdk::Config {
            instruments: instruments.collect(),
            settings: Settings::default().to_settings(),
            signals: Vec::new(),
            history: Vec::new(),
        };
        let runner = Runner::start(config).map_err(FaultKind::Start)?;
        Ok(Box::new(NativeCrossover { runner, events: Vec::new() }))
    }
}

struct NativeCrossover {
    runner: Runner<SmaCrossover>,
    events: Vec<sdk::Event>,
}

impl Strategy for NativeCrossover {
    fn on_events(&mut self, events: &[Event], actions: &mut Vec<Action>) -> Result<usize, Fault> {
        let answer = if let [event] = events {
            self.runner.on_events(std::slice::from_ref(&converted(event)?))
        } else {
            self.events.clear();
            for event in events {
                self.events.push(converted(event)?);
            }
            self.runner.on_events(&self.events)
        };
        let reaction = answer.map_err(FaultKind::Reported)?;
        for action in reaction.actions {
            actions.push(proposed(action)?);
        }
        Ok(reaction.consumed as usize)
    }

    fn save(&mut self) -> Result<SavedState, Fault> {
        let state = self.runner.save().map_err(FaultKind::Reported)?;
        Ok(SavedState { schema: state.schema, bytes: state.bytes })
    }

    fn restore(&mut self, state: &SavedState) -> Result<(), Fault> {
        let state = sdk::SavedState { schema: state.schema, bytes: state.bytes.clone() };
        self.runner.restore(&state).map_err(|error| FaultKind::Reported(error).into())
    }
}

fn converted(event: &Event) -> Result<sdk::Event, Fault> {
    Ok(match event {
        Event::Bar(bar) => sdk::Event::Bar(sdk::Bar {
            instrument: bar.instrument.0,
            interval: u32::try_from(bar.interval.seconds()).unwrap_or(u32::MAX),
            open_time: timestamp(bar.open_time),
            open: bar.open,
            high: bar.high,
            low: bar.low,
            close: bar.close,
            volume: bar.volume,
        }),
        Event::Fill(fill) => sdk::Event::Fill(sdk::Fill {
            tag: fill.tag.0,
            instrument: fill.instrument.0,
            time: timestamp(fill.time),
            side: match fill.side {
                bulkhead_core::order::Side::Buy => sdk::Side::Buy,
                bulkhead_core::order::Side::Sell => sdk::Side::Sell,
            },
            price: fill.price,
            quantity: fill.quantity,
            fee: fill.fee,
            cause: match fill.cause {
                FillCause::Order => sdk::FillCause::Order,
                FillCause::StopLoss => sdk::FillCause::StopLoss,
                FillCause::Breakeven => sdk::FillCause::Breakeven,
                FillCause::TrailingStop => sdk::FillCause::TrailingStop,
                FillCause::TakeProfit => sdk::FillCause::TakeProfit,
                FillCause::TimeStop => sdk::FillCause::TimeStop,
                FillCause::Operator => sdk::FillCause::Operator,
            },
        }),
        Event::Order(update) => sdk::Event::OrderUpdate(sdk::OrderUpdate {
            tag: update.tag.0,
            instrument: update.instrument.0,
            time: timestamp(update.time),
            status: match update.status {
                OrderStatus::Accepted => sdk::OrderStatus::Accepted,
                OrderStatus::PartiallyFilled => sdk::OrderStatus::PartiallyFilled,
                OrderStatus::Filled => sdk::OrderStatus::Filled,
                OrderStatus::Denied => sdk::OrderStatus::Denied,
                OrderStatus::Rejected => sdk::OrderStatus::Rejected,
                OrderStatus::Cancelled => sdk::OrderStatus::Cancelled,
                OrderStatus::Expired => sdk::OrderStatus::Expired,
            },
            filled: update.filled,
            reason: update.reason.clone(),
        }),
        Event::Position(update) => sdk::Event::Position(sdk::Position {
            instrument: update.instrument.0,
            time: timestamp(update.time),
            quantity: update.quantity,
            average_price: update.average_price,
            realised: update.realised,
        }),
        Event::Capital(update) => sdk::Event::Capital(sdk::Capital {
            time: timestamp(update.time),
            equity: update.equity,
            free_cash: update.free_cash,
        }),
        Event::Quote(_) | Event::Trade(_) | Event::Signal(_) | Event::Timer(_) => {
            return Err(FaultKind::Contract(format!("it did not ask for {event:?}")).into());
        }
    })
}

fn timestamp(time: Timestamp) -> sdk::Timestamp {
    let nanos = time.nanos();
    sdk::Timestamp {
        seconds: u32::try_from(nanos.div_euclid(1_000_000_000)).unwrap_or_default(),
        nanos: u32::try_from(nanos.rem_euclid(1_000_000_000)).unwrap_or_default(),
    }
}

/// The rule proposes nothing else.
fn proposed(action: sdk::Action) -> Result<Action, Fault> {
    let sdk::Proposal::Submit(submit) = action.proposal else {
        return Err(FaultKind::Contract("it proposed what the rule does not know".to_owned()).into());
    };
    let intent = match submit.intent {
        sdk::Intent::Buy(sdk::Amount::Standard) => Intent::Buy(Amount::Standard),
        sdk::Intent::Close => Intent::Close,
        other => return Err(FaultKind::Contract(format!("the rule does not know {other:?}")).into()),
    };
    let submit = Submit {
        tag: OrderTag(submit.tag),
        instrument: InstrumentId(submit.instrument),
        intent,
        kind: OrderKind::Market,
        exits: None,
    };
    Ok(Action { proposal: Proposal::Submit(submit), confidence: action.confidence, reason: action.reason })
}
