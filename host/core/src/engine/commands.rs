//! What operators and the plugin directory change.

use std::collections::{BTreeMap, VecDeque};

use rust_decimal::Decimal;

use super::foresight::Foresight;
use super::{Engine, Slot, SlotStatus, StepError};
use crate::identifier::{InstrumentId, SignalId, StrategyId};
use crate::input::{AttributedCommand, Command, Deployment, StrategyMode};
use crate::output::{MachineFault, Output, SlotChange, SlotEvent};
use crate::reconciliation::AdjustmentKind;
use crate::sizing::TradeRecord;
use crate::strategy::{
    Description, Fault, FaultKind, InstanceConfig, InvalidParameter, ParameterValue, SavedState, Strategy,
};
use crate::time::Span;

impl Engine {
    pub(super) fn on_command(
        &mut self,
        asked: &AttributedCommand,
        outputs: &mut Vec<Output>,
    ) -> Result<(), StepError> {
        let AttributedCommand { actor, command } = asked;
        match command {
            Command::Deploy(deployment) => {
                if self.deploy(deployment, outputs)? {
                    let index = self.slot_index(&deployment.slot)?;
                    self.slots[index].configured = Some(deployment.clone());
                }
                Ok(())
            }
            Command::Remove { slot } => {
                let index = self.slot_index(slot)?;
                self.remove(index, outputs);
                if actor.is_host() {
                    self.slots[index].configured = None;
                }
                Ok(())
            }
            Command::SetWeights(weights) => self.set_weights(weights, outputs),
            Command::SetMode { slot, mode } => {
                let index = self.slot_index(slot)?;
                self.set_mode(index, *mode, outputs)
            }
            Command::Release { slot } => {
                let index = self.slot_index(slot)?;
                if self.slots[index].status != SlotStatus::Quarantined {
                    let status = self.slots[index].status.name();
                    return Err(StepError::Input(format!("\"{slot}\" is {status}, not quarantined")));
                }
                self.slots[index].recent_faults.clear();
                self.restart(index, outputs);
                Ok(())
            }
            Command::Halt { reason, action } => {
                self.stop_trading(reason, actor, *action, outputs);
                Ok(())
            }
            Command::Resume {} => self.resume_trading(actor, outputs),
            Command::ChangeSettings(change) => self.change_settings(change, actor, outputs),
            Command::Close { slot, instrument } => {
                let index = self.slot_index(slot)?;
                self.close_position(index, *instrument, outputs)
            }
            Command::PlaceOrder(order) => self.place_order(order, actor, outputs),
            Command::CancelOrder { order } => self.cancel_order(*order, actor, outputs),
            Command::ChangeExits { slot, instrument, plan } => {
                let index = self.slot_index(slot)?;
                self.change_exits(index, *instrument, plan)
            }
            Command::SetParameters { slot, parameters } => {
                let index = self.slot_index(slot)?;
                self.set_parameters(index, parameters, outputs)
            }
            Command::Replace { slot, version } => {
                let index = self.slot_index(slot)?;
                let deployment = Deployment { version: *version, ..self.slots[index].deployment.clone() };
                self.deploy(&deployment, outputs)?;
                Ok(())
            }
            Command::Adopt(adjustment) => self.adjust(adjustment, AdjustmentKind::Adopted, actor, outputs),
            Command::WriteOff(adjustment) => {
                self.adjust(adjustment, AdjustmentKind::WrittenOff, actor, outputs)
            }
            Command::Ignore { subject, difference, reason } => {
                self.ignore(subject, Some(*difference), reason, actor, outputs)
            }
            Command::StopIgnoring { subject, reason } => self.ignore(subject, None, reason, actor, outputs),
        }
    }

    fn changed(&self, index: usize, event: SlotEvent, outputs: &mut Vec<Output>) {
        let slot = &self.slots[index];
        outputs.push(Output::SlotChanged(SlotChange {
            strategy: slot.id,
            slot: slot.name().to_owned(),
            time: self.now,
            event,
        }));
    }

    /// Whether the version was started.
    fn deploy(&mut self, deployment: &Deployment, outputs: &mut Vec<Output>) -> Result<bool, StepError> {
        let existing = self.slots.iter().position(|slot| slot.name() == deployment.slot);
        check_weight(deployment.weight)?;
        let others = (0..self.slots.len()).filter(|index| Some(*index) != existing);
        let weights =
            others.filter(|index| self.claims_capital(*index)).map(|index| self.slots[index].share());
        let claims = match (deployment.mode, existing) {
            (StrategyMode::Live, _) | (StrategyMode::Off, None) => true,
            (StrategyMode::Shadow, _) => false,
            (StrategyMode::Off, Some(index)) => self.claims_capital(index),
        };
        check_weights(weights.chain(claims.then_some(deployment.weight)))?;
        for id in &deployment.instruments {
            self.instrument(*id)?;
        }
        self.start_or_report(deployment, existing, outputs)
    }

    /// Runs a version in a slot that there is or in a new one, or makes known why it can't. Whether it runs.
    fn start_or_report(
        &mut self,
        deployment: &Deployment,
        existing: Option<usize>,
        outputs: &mut Vec<Output>,
    ) -> Result<bool, StepError> {
        match self.start(deployment, existing, outputs) {
            Ok((description, instance)) => {
                match existing {
                    Some(index) => self.take_over(index, deployment, description, instance, outputs)?,
                    None => self.open_slot(deployment, description, instance, outputs)?,
                }
                Ok(true)
            }
            Err(NotStarted { reason, fault }) => {
                let fault = fault.and_then(|fault| {
                    let call = self.calls.to_record(&fault)?;
                    Some(MachineFault { call, fault })
                });
                let strategy = existing.map_or_else(|| self.next_strategy(), |index| self.slots[index].id);
                outputs.push(Output::SlotChanged(SlotChange {
                    strategy,
                    slot: deployment.slot.clone(),
                    time: self.now,
                    event: SlotEvent::DeploymentFailed { version: deployment.version, reason, fault },
                }));
                Ok(false)
            }
        }
    }

    /// The slot's version again, with other parameters and the state that it has.
    fn set_parameters(
        &mut self,
        index: usize,
        parameters: &BTreeMap<String, ParameterValue>,
        outputs: &mut Vec<Output>,
    ) -> Result<(), StepError> {
        let slot = &self.slots[index];
        if slot.status == SlotStatus::Removed {
            let name = slot.name();
            return Err(StepError::Input(format!(
                "\"{name}\" was removed; nothing runs with parameters there"
            )));
        }
        slot.description.settings(parameters).map_err(|errors| invalid_parameters(&errors))?;
        let deployment = Deployment { parameters: parameters.clone(), ..slot.deployment.clone() };
        self.start_or_report(&deployment, Some(index), outputs)?;
        Ok(())
    }

    fn next_strategy(&self) -> StrategyId {
        StrategyId(u32::try_from(self.slots.len()).unwrap_or(u32::MAX))
    }

    /// Starts an instance of the version, with the state of the one that runs, if one does.
    fn start(
        &mut self,
        deployment: &Deployment,
        existing: Option<usize>,
        outputs: &mut Vec<Output>,
    ) -> Result<(Description, Box<dyn Strategy>), NotStarted> {
        self.calls.begin()?;
        let mut description = self.source.describe(&deployment.version)?;
        if !deployment.parameters.is_empty() {
            let config = self.config_for(deployment, &description)?;
            let config = InstanceConfig { history: Vec::new(), ..config };
            self.calls.begin()?;
            (description.needs, description.warm_up_bars) =
                self.source.needs(&deployment.version, &config)?;
        }
        let state: Option<SavedState> = match existing {
            Some(index) => {
                self.save(index, outputs);
                self.slots[index].saved.clone()
            }
            None => None,
        };
        for interval in &description.needs.bar_intervals {
            self.history.want(*interval);
        }
        let config = self.config_for(deployment, &description)?;
        self.calls.begin()?;
        let mut instance = self.source.instantiate_in(&deployment.slot, &deployment.version, &config)?;
        if let Some(state) = state {
            self.calls.begin().and_then(|()| instance.restore(&state)).map_err(|fault| NotStarted {
                reason: format!("it can't take over the state: {fault}"),
                fault: Some(fault.kind),
            })?;
        }
        Ok((description, instance))
    }

    fn take_over(
        &mut self,
        index: usize,
        deployment: &Deployment,
        description: Description,
        instance: Box<dyn Strategy>,
        outputs: &mut Vec<Output>,
    ) -> Result<(), StepError> {
        let from = self.slots[index].deployment.version;
        self.change_money(index, deployment.mode)?;
        if deployment.mode == StrategyMode::Off {
            self.cancel_all(index, "its strategy was switched off", outputs);
        }
        let slot = &mut self.slots[index];
        let first = slot.status == SlotStatus::Removed;
        slot.deployment = deployment.clone();
        slot.description = description;
        slot.recent_faults.clear();
        self.run(index, instance, outputs);
        self.route_bars();
        self.rebalance_or_report(outputs);
        let event = if first {
            SlotEvent::Started(deployment.version)
        } else {
            SlotEvent::Replaced { from, to: deployment.version }
        };
        self.changed(index, event, outputs);
        Ok(())
    }

    fn open_slot(
        &mut self,
        deployment: &Deployment,
        description: Description,
        instance: Box<dyn Strategy>,
        outputs: &mut Vec<Output>,
    ) -> Result<(), StepError> {
        let make_believe = (!Self::is_live(deployment.mode)).then_some(self.settings.cash);
        let id = self.ledger.open(make_believe)?;
        let index = self.slots.len();
        self.slots.push(Slot {
            id,
            deployment: deployment.clone(),
            configured: None,
            description,
            status: SlotStatus::Running,
            instance: None,
            inbox: Vec::new(),
            spare_inbox: Vec::new(),
            working: Vec::new(),
            saved: None,
            ended: Vec::new(),
            foresight: Foresight::default(),
            events_seen: 0,
            next_save: 0,
            next_timer: None,
            recent_faults: VecDeque::new(),
            faults: 0,
            record: TradeRecord::default(),
            last_closed: Vec::new(),
            known_instruments: 0,
        });
        self.rebalance_or_report(outputs);
        self.run(index, instance, outputs);
        self.route_bars();
        self.changed(index, SlotEvent::Started(deployment.version), outputs);
        Ok(())
    }

    /// What an instance of the version is told at its start.
    pub(super) fn config_for(
        &self,
        deployment: &Deployment,
        description: &Description,
    ) -> Result<InstanceConfig, StepError> {
        let settings =
            description.settings(&deployment.parameters).map_err(|errors| invalid_parameters(&errors))?;
        let traded =
            |id: &InstrumentId| deployment.instruments.is_empty() || deployment.instruments.contains(id);
        let instruments: Vec<_> = (0..)
            .map(InstrumentId)
            .zip(self.settings.instruments.iter().cloned())
            .filter(|(id, _)| traded(id))
            .collect();
        let signals = (0..)
            .map(SignalId)
            .zip(self.settings.signals.iter().cloned())
            .filter(|(_, name)| description.needs.signals.contains(name))
            .collect();
        let bars = usize::try_from(description.warm_up_bars).unwrap_or(usize::MAX);
        let history = instruments
            .iter()
            .flat_map(|(id, _)| description.needs.bar_intervals.iter().map(|interval| (*id, *interval)))
            .filter_map(|(id, interval)| self.history.recent(id, interval, bars))
            .collect();
        Ok(InstanceConfig { instruments, settings, signals, history })
    }

    /// Works out which slots want which bars.
    pub(super) fn route_bars(&mut self) {
        for (place, routes) in self.bar_routes.iter_mut().enumerate() {
            routes.clear();
            let Ok(id) = u32::try_from(place).map(InstrumentId) else { continue };
            for (index, slot) in self.slots.iter().enumerate().filter(|(_, slot)| slot.trades(id)) {
                let mut intervals: Vec<Span> = slot.description.needs.bar_intervals.clone();
                intervals.sort_unstable();
                intervals.dedup();
                routes.extend(intervals.into_iter().map(|interval| (interval, index)));
            }
        }
    }

    fn remove(&mut self, index: usize, outputs: &mut Vec<Output>) {
        self.save(index, outputs);
        self.cancel_all(index, "its strategy was removed", outputs);
        let slot = &mut self.slots[index];
        slot.status = SlotStatus::Removed;
        slot.instance = None;
        slot.inbox.clear();
        self.plan_wake();
        self.rebalance_or_report(outputs);
        self.changed(index, SlotEvent::Removed, outputs);
    }

    fn set_weights(
        &mut self,
        weights: &BTreeMap<String, Decimal>,
        outputs: &mut Vec<Output>,
    ) -> Result<(), StepError> {
        for (name, weight) in weights {
            self.slot_index(name)?;
            check_weight(*weight)?;
        }
        let live = (0..self.slots.len()).filter(|index| self.claims_capital(*index));
        check_weights(live.map(|index| {
            let slot = &self.slots[index];
            weights.get(slot.name()).copied().unwrap_or_else(|| slot.share())
        }))?;
        for (name, weight) in weights {
            let index = self.slot_index(name)?;
            self.slots[index].deployment.weight = *weight;
        }
        self.rebalance_or_report(outputs);
        for name in weights.keys() {
            let index = self.slot_index(name)?;
            self.tell_capital(index);
            self.changed(index, SlotEvent::Adjusted, outputs);
        }
        Ok(())
    }

    fn set_mode(
        &mut self,
        index: usize,
        mode: StrategyMode,
        outputs: &mut Vec<Output>,
    ) -> Result<(), StepError> {
        if mode == StrategyMode::Live {
            let live = (0..self.slots.len()).filter(|other| *other == index || self.claims_capital(*other));
            check_weights(live.map(|other| self.slots[other].share()))?;
        }
        self.change_money(index, mode)?;
        self.slots[index].deployment.mode = mode;
        if mode == StrategyMode::Off {
            self.cancel_all(index, "its strategy was switched off", outputs);
        }
        self.rebalance_or_report(outputs);
        self.tell_holdings(index);
        self.changed(index, SlotEvent::Adjusted, outputs);
        Ok(())
    }

    /// Whether a slot's weight is a claim on the account's capital: not if its money is make-believe.
    fn claims_capital(&self, index: usize) -> bool {
        self.ledger.sub_ledger(self.slots[index].id).is_some_and(|books| !books.is_make_believe())
    }

    /// Between real and make-believe money a slot must be flat. Off keeps the money that it has.
    fn change_money(&mut self, index: usize, mode: StrategyMode) -> Result<(), StepError> {
        let id = self.slots[index].id;
        let make_believe = self.books(id)?.is_make_believe();
        match mode {
            StrategyMode::Live if make_believe => self.ledger.refit(id, None)?,
            StrategyMode::Shadow if !make_believe => self.ledger.refit(id, Some(self.settings.cash))?,
            _ => {}
        }
        Ok(())
    }
}

/// Each that can't be.
fn invalid_parameters(errors: &[InvalidParameter]) -> StepError {
    StepError::Input(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

/// Why a version was not started.
struct NotStarted {
    reason: String,
    /// What the version did, if it was that.
    fault: Option<FaultKind>,
}

impl From<Fault> for NotStarted {
    fn from(fault: Fault) -> Self {
        Self { reason: fault.to_string(), fault: Some(fault.kind) }
    }
}

impl From<StepError> for NotStarted {
    fn from(error: StepError) -> Self {
        Self { reason: error.to_string(), fault: None }
    }
}

fn check_weight(weight: Decimal) -> Result<(), StepError> {
    if (Decimal::ZERO..=Decimal::ONE).contains(&weight) {
        Ok(())
    } else {
        Err(StepError::Input(format!("weight {weight} is not from 0 to 1")))
    }
}

fn check_weights(weights: impl Iterator<Item = Decimal>) -> Result<(), StepError> {
    let mut sum = Decimal::ZERO;
    for weight in weights {
        check_weight(weight)?;
        sum += weight;
    }
    if sum > Decimal::ONE {
        return Err(StepError::Input(format!("the weights sum to {sum}; at most 1 is allowed")));
    }
    Ok(())
}
