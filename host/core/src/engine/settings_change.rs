//! Changing settings while the engine runs. What a change does to working orders and guarded positions is
//! said at [`Command::ChangeSettings`](crate::input::Command::ChangeSettings).

use super::{ChangeableSettings, Engine, StepError};
use crate::identifier::{InstrumentId, StrategyId};
use crate::input::{Actor, SettingsChange};
use crate::output::Output;
use crate::strategy::ExitPlan;

impl Engine {
    /// The number of the settings in force: 1 for those that the engine was set up with, and one more with
    /// each change.
    #[must_use]
    pub const fn settings_version(&self) -> u64 {
        self.settings_version
    }

    /// The settings that the configuration asked for last, whatever people changed since.
    #[must_use]
    pub const fn configured_settings(&self) -> &ChangeableSettings {
        &self.configured
    }

    /// Checks everything first; from then on nothing can fail, so that no half of a change remains.
    pub(super) fn change_settings(
        &mut self,
        change: &SettingsChange,
        actor: &Actor,
        outputs: &mut Vec<Output>,
    ) -> Result<(), StepError> {
        change.settings.check(&self.settings)?;
        if let Some(of) = change.of
            && of != self.settings_version
        {
            return Err(StepError::Input(format!(
                "version {} of the settings holds by now, and not {of}: look at what changed and try again",
                self.settings_version
            )));
        }
        if actor.is_host() {
            self.configured.clone_from(&change.settings);
        } else if change.settings.instruments.len() != self.settings.instruments.len() {
            return Err(StepError::Input(
                "the settings were not changed: instruments come with the market's data, from the configuration"
                    .to_owned(),
            ));
        }
        let looked_at_equity = self.settings.risk.look_at_equity();
        let same_rhythm = self.settings.rebalance_every == change.settings.rebalance_every;
        self.settings.change(change.settings.clone());
        self.settings_version += 1;
        outputs.push(Output::SettingsChanged {
            version: self.settings_version,
            actor: actor.clone(),
            time: self.now,
        });

        let instruments = self.settings.instruments.len();
        self.prices.extend(instruments);
        self.history.extend(instruments);
        self.keeper.extend(instruments);
        self.venue.change(self.settings.venue.clone(), instruments);
        self.bar_routes.resize_with(instruments, Vec::new);
        for slot in &mut self.slots {
            for interval in &slot.description.needs.bar_intervals {
                self.history.want(*interval);
            }
            let soonest = slot.events_seen.saturating_add(self.settings.save_every_events.max(1));
            slot.next_save = slot.next_save.min(soonest);
        }
        if !same_rhythm {
            let every = self.settings.rebalance_every;
            self.next_rebalance = self.now.floor(every).plus(every);
        }
        if !looked_at_equity && let Ok(equity) = self.equity() {
            // The highest was not kept until now.
            self.peak_equity = equity;
        }
        self.tighten_exits(outputs);
        self.breakers.settings_changed(self.now, &self.settings.risk);
        self.report_breakers(outputs);
        Ok(())
    }

    fn tighten_exits(&mut self, outputs: &mut Vec<Output>) {
        self.keeper.tighten(&self.settings.risk.exits, &self.settings.instruments);
        let demanded = self.settings.risk.exits.bounded(Some(&ExitPlan::default()));
        if demanded.is_empty() {
            return;
        }
        let books = (0..).map(StrategyId).zip(self.ledger.sub_ledgers());
        let unguarded: Vec<(StrategyId, InstrumentId)> = books
            .flat_map(|(id, books)| books.positions().iter().map(move |position| (id, position.instrument)))
            .filter(|(strategy, instrument)| self.keeper.guard(*strategy, *instrument).is_none())
            .collect();
        for (strategy, instrument) in unguarded {
            if let Err(error) = self.guard(strategy, instrument, Some(demanded.clone())) {
                outputs.push(Output::InputRefused { time: self.now, reason: error.to_string() });
            }
        }
    }
}
