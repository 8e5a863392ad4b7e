//! A call of a strategy may end as the machine's load or stack has it. When the step is taken again from its
//! record, on a machine where all is well, the same follows.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bulkhead_core::engine::{Engine, EngineSettings};
use bulkhead_core::identifier::{ContentHash, InstrumentId};
use bulkhead_core::input::{Command, Deployment, Input, InputKind, StrategyMode};
use bulkhead_core::instrument::Instrument;
use bulkhead_core::money::Money;
use bulkhead_core::output::{Output, SlotEvent};
use bulkhead_core::strategy::{
    Action, Amount, Description, Event, Fault, FaultKind, InstanceConfig, Intent, LogLevel, LogLine, Needs,
    Parameter, ParameterValue, SavedState, Strategy, StrategySource,
};
use bulkhead_core::time::{Span, Timestamp};
use rust_decimal::Decimal;
use support::{bar, command, market, version};

/// A machine on which one call, counted over everything that is called, takes too long.
#[derive(Clone, Default)]
struct Machine {
    slow_call: u32,
    calls: Arc<AtomicU32>,
    saves: Arc<AtomicU32>,
}

impl Machine {
    fn call(&self) -> Result<(), Fault> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        if call == self.slow_call { Err(FaultKind::Deadline(100).into()) } else { Ok(()) }
    }
}

impl StrategySource for Machine {
    fn describe(&self, _: &ContentHash) -> Result<Description, Fault> {
        Ok(Description {
            name: "talkative".to_owned(),
            version: "1.0.0".to_owned(),
            state_schema: 1,
            parameters: vec![Parameter {
                name: "every".to_owned(),
                meaning: "bars between two orders".to_owned(),
                default: ParameterValue::Number(1.0),
                minimum: Some(1.0),
                maximum: Some(9.0),
            }],
            needs: Needs { bar_intervals: vec![Span::ZERO], ..Needs::default() },
            warm_up_bars: 0,
        })
    }

    fn needs(&self, version: &ContentHash, _: &InstanceConfig) -> Result<(Needs, u32), Fault> {
        self.call()?;
        Ok((self.describe(version)?.needs, 0))
    }

    fn instantiate(&self, _: &ContentHash, _: &InstanceConfig) -> Result<Box<dyn Strategy>, Fault> {
        self.call()?;
        let mut made = Talkative { machine: self.clone(), bars: 0, log: Vec::new() };
        made.say("started");
        Ok(Box::new(made))
    }
}

/// Says what it does, buys and sells in turn.
struct Talkative {
    machine: Machine,
    bars: u32,
    log: Vec<LogLine>,
}

impl Talkative {
    fn say(&mut self, what: &str) {
        self.log.push(LogLine { level: LogLevel::Info, message: format!("{what} after {} bars", self.bars) });
    }

    /// As in a sandbox, the guest's words go with it.
    fn call(&mut self, what: &str) -> Result<(), Fault> {
        self.say(what);
        self.machine.call().inspect_err(|_| self.log.clear())
    }
}

impl Strategy for Talkative {
    fn on_events(&mut self, events: &[Event], actions: &mut Vec<Action>) -> Result<usize, Fault> {
        self.call("told")?;
        for (place, event) in events.iter().enumerate() {
            if matches!(event, Event::Bar(_)) {
                self.bars += 1;
                let intent =
                    if self.bars % 2 == 1 { Intent::Buy(Amount::Quantity(1.0)) } else { Intent::Close };
                actions.push(market(self.bars, InstrumentId(0), intent));
                return Ok(place + 1);
            }
        }
        Ok(events.len())
    }

    fn save(&mut self) -> Result<SavedState, Fault> {
        self.call("saved")?;
        self.machine.saves.fetch_add(1, Ordering::Relaxed);
        Ok(SavedState { schema: 1, bytes: self.bars.to_le_bytes().to_vec() })
    }

    fn restore(&mut self, state: &SavedState) -> Result<(), Fault> {
        self.bars = u32::from_le_bytes(state.bytes.as_slice().try_into().unwrap());
        self.call("restored")
    }

    fn drain_log(&mut self, lines: &mut Vec<LogLine>) {
        lines.append(&mut self.log);
    }
}

fn deploy(time: Timestamp) -> Input {
    let deployment = Deployment {
        slot: "a".to_owned(),
        version: version("talkative"),
        mode: StrategyMode::Live,
        weight: Decimal::ONE,
        instruments: Vec::new(),
        parameters: [("every".to_owned(), ParameterValue::Number(2.0))].into(),
    };
    Input { time, ..command(Command::Deploy(deployment)) }
}

fn inputs() -> Vec<Input> {
    let mut inputs = vec![deploy(Timestamp::EPOCH)];
    for minute in 0..14 {
        inputs.push(bar(0, minute, 100.0, 101.0, 99.0, 100.0));
        let time = inputs.last().unwrap().time;
        match minute {
            4 | 9 => inputs.push(Input { time, kind: InputKind::Checkpoint }),
            6 => inputs.push(deploy(time)),
            12 => {
                inputs.push(Input { time, ..command(Command::Remove { slot: "a".to_owned() }) });
            }
            _ => {}
        }
    }
    inputs
}

fn engine(machine: Machine) -> Engine {
    let mut settings =
        EngineSettings::new(vec![Instrument::new("X-USD", 2, 4)], Money(Decimal::from(10_000)));
    settings.save_every_events = 3;
    settings.risk.cooldown = None;
    Engine::new(settings, Box::new(machine)).unwrap()
}

fn has_machine_fault(output: &Output) -> bool {
    match output {
        Output::StrategyFault(report) => report.fault.depends_on_the_machine(),
        Output::SlotChanged(change) => {
            matches!(&change.event, SlotEvent::DeploymentFailed { fault: Some(_), .. })
        }
        _ => false,
    }
}

#[test]
fn whichever_call_the_machine_ended_a_replay_comes_out_as_recorded() {
    let mut faults = 0;
    for slow_call in 1.. {
        let machine = Machine { slow_call, ..Machine::default() };
        let (mut live, mut again) = (engine(machine.clone()), engine(Machine::default()));
        for input in inputs() {
            let (mut recorded, mut repeated) = (Vec::new(), Vec::new());
            live.step(&input, &mut recorded);
            again.step_again(&input, &recorded, &mut repeated);
            assert_eq!(repeated, recorded, "call {slow_call}, {input:?}");
            faults += recorded.iter().filter(|output| has_machine_fault(output)).count();
        }
        assert_eq!(again.snapshot(), live.snapshot(), "call {slow_call}");
        if machine.calls.load(Ordering::Relaxed) < slow_call {
            assert_eq!(faults, usize::try_from(slow_call).unwrap() - 1, "each call fails once");
            break;
        }
    }
    assert!(faults > 40);
}

#[test]
fn nothing_that_a_strategy_says_is_lost_at_a_checkpoint() {
    let machine = Machine::default();
    let mut engine = engine(machine.clone());
    let mut outputs = Vec::new();
    for input in inputs() {
        engine.step(&input, &mut outputs);
    }
    let said = |what: &str| {
        let lines = outputs.iter().filter_map(|output| match output {
            Output::StrategyLog { line, .. } => Some(line.message.as_str()),
            _ => None,
        });
        lines.filter(|line| line.starts_with(what)).count()
    };
    assert_eq!(said("saved"), usize::try_from(machine.saves.load(Ordering::Relaxed)).unwrap());
    assert_eq!((said("started"), said("restored")), (2, 1), "at a checkpoint it is not started for people");
}
