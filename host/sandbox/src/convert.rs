//! Between the core's types and the contract's. Nothing here judges a value: whatever number a strategy
//! returns arrives in the core, whose `Action::validate` decides.

use bulkhead_core::identifier::{InstrumentId, OrderTag};
use bulkhead_core::instrument::Instrument;
use bulkhead_core::order::Side;
use bulkhead_core::strategy::{
    Action, Amount, Description, Event, ExitPlan, FillCause, History, InstanceConfig, Intent, LogLevel,
    Needs, OrderKind, OrderStatus, Parameter, ParameterValue, Proposal, Submit, TakeProfit,
};
use bulkhead_core::time::{Span, Timestamp};

use crate::bindings::bulkhead::strategy::types as wit;

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// Moments before 1970 and after 2106, which the contract has no numbers for, become its first and last.
pub(crate) fn timestamp(time: Timestamp) -> wit::Timestamp {
    let (seconds, nanos) =
        (time.nanos().div_euclid(NANOS_PER_SECOND), time.nanos().rem_euclid(NANOS_PER_SECOND));
    match (u32::try_from(seconds), u32::try_from(nanos)) {
        (Ok(seconds), Ok(nanos)) => wit::Timestamp { seconds, nanos },
        _ if seconds < 0 => wit::Timestamp { seconds: 0, nanos: 0 },
        _ => wit::Timestamp { seconds: u32::MAX, nanos: 999_999_999 },
    }
}

fn whole_seconds(span: Span) -> u32 {
    u32::try_from(span.seconds().max(0)).unwrap_or(u32::MAX)
}

const fn side(side: Side) -> wit::Side {
    match side {
        Side::Buy => wit::Side::Buy,
        Side::Sell => wit::Side::Sell,
    }
}

const fn fill_cause(cause: FillCause) -> wit::FillCause {
    match cause {
        FillCause::Order => wit::FillCause::Order,
        FillCause::StopLoss => wit::FillCause::StopLoss,
        FillCause::Breakeven => wit::FillCause::Breakeven,
        FillCause::TrailingStop => wit::FillCause::TrailingStop,
        FillCause::TakeProfit => wit::FillCause::TakeProfit,
        FillCause::TimeStop => wit::FillCause::TimeStop,
        FillCause::Operator => wit::FillCause::Operator,
    }
}

const fn order_status(status: OrderStatus) -> wit::OrderStatus {
    match status {
        OrderStatus::Accepted => wit::OrderStatus::Accepted,
        OrderStatus::PartiallyFilled => wit::OrderStatus::PartiallyFilled,
        OrderStatus::Filled => wit::OrderStatus::Filled,
        OrderStatus::Denied => wit::OrderStatus::Denied,
        OrderStatus::Rejected => wit::OrderStatus::Rejected,
        OrderStatus::Cancelled => wit::OrderStatus::Cancelled,
        OrderStatus::Expired => wit::OrderStatus::Expired,
    }
}

/// When an event happened.
pub(crate) fn event_time(event: &Event) -> Timestamp {
    match event {
        Event::Bar(bar) => bar.close_time(),
        Event::Quote(quote) => quote.time,
        Event::Trade(trade) => trade.time,
        Event::Signal(signal) => signal.time,
        Event::Timer(time) => *time,
        Event::Fill(fill) => fill.time,
        Event::Order(update) => update.time,
        Event::Position(update) => update.time,
        Event::Capital(update) => update.time,
    }
}

pub(crate) fn event(event: &Event) -> wit::Event {
    match event {
        Event::Bar(bar) => wit::Event::Bar(wit::Bar {
            instrument: bar.instrument.0,
            interval: whole_seconds(bar.interval),
            open_time: timestamp(bar.open_time),
            open: bar.open,
            high: bar.high,
            low: bar.low,
            close: bar.close,
            volume: bar.volume,
        }),
        Event::Quote(quote) => wit::Event::Quote(wit::Quote {
            instrument: quote.instrument.0,
            time: timestamp(quote.time),
            bid: quote.bid,
            ask: quote.ask,
            bid_size: quote.bid_size,
            ask_size: quote.ask_size,
            liquidity: quote.liquidity,
        }),
        Event::Trade(trade) => wit::Event::Trade(wit::Trade {
            instrument: trade.instrument.0,
            time: timestamp(trade.time),
            price: trade.price,
            quantity: trade.quantity,
            taker: side(trade.taker),
        }),
        Event::Signal(signal) => wit::Event::Signal(wit::Signal {
            instrument: signal.instrument.0,
            id: signal.id.0,
            time: timestamp(signal.time),
            value: signal.value,
        }),
        Event::Timer(time) => wit::Event::Timer(timestamp(*time)),
        Event::Fill(fill) => wit::Event::Fill(wit::Fill {
            tag: fill.tag.0,
            instrument: fill.instrument.0,
            time: timestamp(fill.time),
            side: side(fill.side),
            price: fill.price,
            quantity: fill.quantity,
            fee: fill.fee,
            cause: fill_cause(fill.cause),
        }),
        Event::Order(update) => wit::Event::OrderUpdate(wit::OrderUpdate {
            tag: update.tag.0,
            instrument: update.instrument.0,
            time: timestamp(update.time),
            status: order_status(update.status),
            filled: update.filled,
            reason: update.reason.clone(),
        }),
        Event::Position(update) => wit::Event::Position(wit::Position {
            instrument: update.instrument.0,
            time: timestamp(update.time),
            quantity: update.quantity,
            average_price: update.average_price,
            realised: update.realised,
        }),
        Event::Capital(update) => wit::Event::Capital(wit::Capital {
            time: timestamp(update.time),
            equity: update.equity,
            free_cash: update.free_cash,
        }),
    }
}

pub(crate) fn action(action: wit::Action) -> Action {
    let proposal = match action.proposal {
        wit::Proposal::Submit(submit) => Proposal::Submit(Submit {
            tag: OrderTag(submit.tag),
            instrument: InstrumentId(submit.instrument),
            intent: match submit.intent {
                wit::Intent::Buy(value) => Intent::Buy(amount(value)),
                wit::Intent::Sell(value) => Intent::Sell(amount(value)),
                wit::Intent::Target(quantity) => Intent::Target(quantity),
                wit::Intent::Close => Intent::Close,
            },
            kind: match submit.kind {
                wit::OrderKind::Market => OrderKind::Market,
                wit::OrderKind::Limit(price) => OrderKind::Limit(price),
            },
            exits: submit.exits.map(exit_plan),
        }),
        wit::Proposal::Cancel(tag) => Proposal::Cancel(OrderTag(tag)),
        wit::Proposal::ChangeExits(change) => Proposal::ChangeExits {
            instrument: InstrumentId(change.instrument),
            plan: exit_plan(change.plan),
        },
    };
    Action { proposal, confidence: action.confidence, reason: action.reason }
}

const fn amount(amount: wit::Amount) -> Amount {
    match amount {
        wit::Amount::Standard => Amount::Standard,
        wit::Amount::Quantity(value) => Amount::Quantity(value),
        wit::Amount::Notional(value) => Amount::Notional(value),
        wit::Amount::CapitalShare(value) => Amount::CapitalShare(value),
    }
}

fn exit_plan(plan: wit::ExitPlan) -> ExitPlan {
    ExitPlan {
        stop_loss: plan.stop_loss,
        breakeven: plan.breakeven,
        trailing: plan.trailing,
        take_profits: plan
            .take_profits
            .into_iter()
            .map(|tier| TakeProfit { gain: tier.gain, share: tier.share })
            .collect(),
        max_holding: plan.max_holding_seconds.map(|seconds| Span::from_seconds(i64::from(seconds))),
    }
}

fn parameter_value(value: wit::ParameterValue) -> ParameterValue {
    match value {
        wit::ParameterValue::Number(value) => ParameterValue::Number(value),
        wit::ParameterValue::Integer(value) => ParameterValue::Integer(value),
        wit::ParameterValue::Flag(value) => ParameterValue::Flag(value),
        wit::ParameterValue::Text(value) => ParameterValue::Text(value),
    }
}

pub(crate) fn description(description: wit::Description) -> Description {
    let seconds = |seconds: u32| Span::from_seconds(i64::from(seconds));
    Description {
        name: description.name,
        version: description.version,
        state_schema: description.state_schema,
        parameters: description
            .parameters
            .into_iter()
            .map(|parameter| Parameter {
                name: parameter.name,
                meaning: parameter.meaning,
                default: parameter_value(parameter.default),
                minimum: parameter.minimum,
                maximum: parameter.maximum,
            })
            .collect(),
        needs: Needs {
            bar_intervals: description.inputs.bar_intervals.into_iter().map(seconds).collect(),
            quotes: description.inputs.quotes,
            trades: description.inputs.trades,
            signals: description.inputs.signals,
            timer: Some(description.inputs.timer_seconds).filter(|timer| *timer > 0).map(seconds),
        },
        warm_up_bars: description.warm_up_bars,
    }
}

pub(crate) fn config(config: &InstanceConfig) -> wit::Config {
    let setting = |(name, value): &(String, ParameterValue)| wit::Setting {
        name: name.clone(),
        value: match value {
            ParameterValue::Flag(value) => wit::ParameterValue::Flag(*value),
            ParameterValue::Integer(value) => wit::ParameterValue::Integer(*value),
            ParameterValue::Number(value) => wit::ParameterValue::Number(*value),
            ParameterValue::Text(value) => wit::ParameterValue::Text(value.clone()),
        },
    };
    wit::Config {
        instruments: config.instruments.iter().map(|(id, instrument)| describe(*id, instrument)).collect(),
        settings: config.settings.iter().map(setting).collect(),
        signals: config
            .signals
            .iter()
            .map(|(id, name)| wit::SignalName { id: id.0, name: name.clone() })
            .collect(),
        history: config.history.iter().map(history).collect(),
    }
}

fn describe(id: InstrumentId, instrument: &Instrument) -> wit::Instrument {
    wit::Instrument {
        id: id.0,
        symbol: instrument.symbol.clone(),
        tick: instrument.tick.approximate(),
        lot: instrument.lot.approximate(),
        min_notional: instrument.min_notional.approximate(),
    }
}

fn history(history: &History) -> wit::History {
    wit::History {
        instrument: history.instrument.0,
        interval: whole_seconds(history.interval),
        open_time: history.open_time.iter().map(|time| timestamp(*time).seconds).collect(),
        open: history.open.clone(),
        high: history.high.clone(),
        low: history.low.clone(),
        close: history.close.clone(),
        volume: history.volume.clone(),
    }
}

pub(crate) const fn log_level(level: wit::LogLevel) -> LogLevel {
    match level {
        wit::LogLevel::Debug => LogLevel::Debug,
        wit::LogLevel::Info => LogLevel::Info,
        wit::LogLevel::Warn => LogLevel::Warn,
        wit::LogLevel::Error => LogLevel::Error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_outside_the_contracts_range_are_held_at_its_ends() {
        let at = |nanos: i64| {
            let time = timestamp(Timestamp::from_nanos(nanos));
            (time.seconds, time.nanos)
        };
        assert_eq!(at(1_500_000_000_123_456_789), (1_500_000_000, 123_456_789));
        assert_eq!(at(-1), (0, 0));
        assert_eq!(at(i64::MAX), (u32::MAX, 999_999_999));
    }

    #[test]
    fn a_numbers_bits_arrive_whatever_they_are() {
        for value in [f64::NAN, f64::INFINITY, -0.0, f64::MIN_POSITIVE] {
            let proposed = action(wit::Action {
                proposal: wit::Proposal::Submit(wit::Submit {
                    tag: 1,
                    instrument: 2,
                    intent: wit::Intent::Target(value),
                    kind: wit::OrderKind::Limit(value),
                    exits: None,
                }),
                confidence: value,
                reason: String::new(),
            });
            assert_eq!(proposed.confidence.to_bits(), value.to_bits());
            let Proposal::Submit(Submit { intent: Intent::Target(target), .. }) = proposed.proposal else {
                panic!("{proposed:?}");
            };
            assert_eq!(target.to_bits(), value.to_bits());
        }
    }
}
