//! The calls of strategies in a step, and how the record says that some of them ended.

use crate::output::{MachineFault, Output, SlotEvent};
use crate::strategy::{Fault, FaultKind};

/// Counts the calls of strategies in a step: starting one, restoring it, handing it events, having it saved.
///
/// How a call ends may depend on the machine. Such a fault is recorded with the number of the call; when the
/// step is taken again, that call is not made and ends in the same way.
#[derive(Debug, Default)]
pub(super) struct Calls {
    begun: u32,
    recorded: Vec<MachineFault>,
}

impl Calls {
    /// A step begins.
    pub(super) const fn begin_step(&mut self) {
        self.begun = 0;
    }

    /// The next step is one that was recorded with these outputs.
    pub(super) fn expect(&mut self, recorded: &[Output]) {
        self.recorded.extend(recorded.iter().filter_map(by_the_machine));
    }

    /// What was recorded is over.
    pub(super) fn expect_nothing(&mut self) {
        self.recorded.clear();
    }

    /// Comes before each call of a strategy.
    ///
    /// # Errors
    ///
    /// The fault that the record says the call ended with: it must not be made.
    pub(super) fn begin(&mut self) -> Result<(), Fault> {
        self.begun = self.begun.saturating_add(1);
        match self.recorded.iter().find(|recorded| recorded.call == self.begun) {
            Some(recorded) => Err(recorded.fault.clone().into()),
            None => Ok(()),
        }
    }

    /// The number of the last call, if what it ended with must be taken from the record.
    pub(super) fn to_record(&self, fault: &FaultKind) -> Option<u32> {
        fault.depends_on_the_machine().then_some(self.begun)
    }
}

fn by_the_machine(output: &Output) -> Option<MachineFault> {
    match output {
        Output::StrategyFault(report) => {
            Some(MachineFault { call: report.call?, fault: report.fault.clone() })
        }
        Output::SlotChanged(change) => match &change.event {
            SlotEvent::DeploymentFailed { fault, .. } => fault.clone(),
            _ => None,
        },
        _ => None,
    }
}
