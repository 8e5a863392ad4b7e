use bulkhead_core::identifier::{ContentHash, InstrumentId, OrderTag};
use bulkhead_core::strategy::{
    Action, Amount, Description, Event, ExitPlan, Fault, FaultKind, InstanceConfig, Intent, Needs, OrderKind,
    Parameter, ParameterValue, Proposal, SavedState, Strategy, StrategySource, Submit, TakeProfit,
};
use bulkhead_core::time::Span;

/// A version; any other is taken as well.
pub const VERSION: ContentHash = ContentHash::new([7; 32]);

/// Has every version that a payload can name.
#[derive(Clone, Copy)]
pub struct Source;

impl StrategySource for Source {
    fn describe(&self, _: &ContentHash) -> Result<Description, Fault> {
        Ok(Description {
            name: "busy".to_owned(),
            version: "1.0.0".to_owned(),
            state_schema: 1,
            parameters: vec![Parameter {
                name: "size".to_owned(),
                meaning: "part of the capital in an order".to_owned(),
                default: ParameterValue::Number(0.1),
                minimum: Some(0.0),
                maximum: Some(1.0),
            }],
            needs: Needs {
                bar_intervals: vec![Span::ZERO, Span::from_seconds(180)],
                quotes: true,
                trades: true,
                signals: vec!["mood".to_owned()],
                timer: Some(Span::MINUTE),
            },
            warm_up_bars: 8,
        })
    }

    fn instantiate(&self, _: &ContentHash, config: &InstanceConfig) -> Result<Box<dyn Strategy>, Fault> {
        let size = match config.settings.as_slice() {
            [(_, ParameterValue::Number(size)), ..] => *size,
            _ => 0.1,
        };
        Ok(Box::new(Busy { size, turn: 0 }))
    }
}

/// Proposes another thing at each price: sizes of all kinds, limits, exits, cancellations and nonsense.
struct Busy {
    size: f64,
    turn: u32,
}

impl Busy {
    fn act(&mut self, instrument: InstrumentId, price: f64) -> Action {
        self.turn = self.turn.wrapping_add(1);
        let tag = OrderTag(self.turn);
        let limit = |factor: f64| OrderKind::Limit(price * factor);
        let buy = |amount| Intent::Buy(amount);
        let (intent, kind) = match self.turn % 11 {
            0 => (buy(Amount::Standard), OrderKind::Market),
            1 => (buy(Amount::CapitalShare(self.size)), OrderKind::Market),
            2 => (buy(Amount::Notional(500.0)), limit(0.98)),
            3 => (buy(Amount::Quantity(1.0)), limit(1.02)),
            4 => (Intent::Sell(Amount::Quantity(0.5)), OrderKind::Market),
            5 => (Intent::Target(2.0), OrderKind::Market),
            6 => (Intent::Close, limit(1.02)),
            7 => return action(Proposal::Cancel(OrderTag(self.turn.saturating_sub(1)))),
            8 => {
                let plan = ExitPlan { trailing: Some(0.05), ..ExitPlan::default() };
                return action(Proposal::ChangeExits { instrument, plan });
            }
            9 => (Intent::Close, OrderKind::Market),
            _ => (buy(Amount::Quantity(1e30)), OrderKind::Market),
        };
        let exits = self.turn.is_multiple_of(2).then(|| ExitPlan {
            stop_loss: Some(0.1),
            take_profits: vec![TakeProfit { gain: 0.2, share: 0.5 }, TakeProfit { gain: 0.4, share: 0.5 }],
            max_holding: Some(Span::from_seconds(240)),
            ..ExitPlan::default()
        });
        action(Proposal::Submit(Submit { tag, instrument, intent, kind, exits }))
    }
}

fn action(proposal: Proposal) -> Action {
    Action { proposal, confidence: 0.7, reason: String::new() }
}

impl Strategy for Busy {
    fn on_events(&mut self, events: &[Event], actions: &mut Vec<Action>) -> Result<usize, Fault> {
        for event in events {
            match event {
                Event::Bar(bar) => actions.push(self.act(bar.instrument, bar.close)),
                Event::Quote(quote) => actions.push(self.act(quote.instrument, quote.bid)),
                Event::Trade(_) if self.turn.is_multiple_of(5) => {
                    return Err(FaultKind::Trap("now and then it fails".to_owned()).into());
                }
                _ => {}
            }
        }
        Ok(events.len())
    }

    fn save(&mut self) -> Result<SavedState, Fault> {
        Ok(SavedState { schema: 1, bytes: self.turn.to_le_bytes().to_vec() })
    }

    fn restore(&mut self, state: &SavedState) -> Result<(), Fault> {
        // Not every saved state is its own.
        self.turn = state.bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        Ok(())
    }
}
