//! What an instance's store holds beside the guest, what the guest may call, and the two ways to call it: as a
//! component, by wasmtime's component layer, or as a core module, by [`crate::direct`].

use wasmtime::component::{self, WasmStr};
use wasmtime::{AsContextMut, Engine, Error, Memory, Store, StoreContextMut};

use crate::artefact::Code;
use crate::bindings::bulkhead::strategy::inference::Model;
use crate::bindings::bulkhead::strategy::types as wit;
use crate::bindings::{Plugin, PluginPre};
use crate::direct::Allocator;
use crate::limits::Limits;
use crate::log::GuestLog;
use crate::memory::MemoryLimiter;
use crate::models::{self, InstanceModels};
use crate::{convert, direct};

/// Fuel of one call of the log, and for each of its bytes: about what the host's work is worth.
const LOG_FUEL: u64 = 500;

/// More than the host copies for a guest in one call.
#[derive(Debug, thiserror::Error)]
#[error("an answer or log line of more than the host copies")]
pub(crate) struct OverBudget;

/// What an instance's store holds beside the guest.
pub(crate) struct State {
    pub(crate) limiter: MemoryLimiter,
    pub(crate) log: GuestLog,
    /// Bytes that the guest may make the host copy in this call.
    pub(crate) answer_bytes: usize,
    /// A core module's memory, and what allocates in it; a component's are known to wasmtime.
    pub(crate) module: Option<(Memory, Allocator)>,
    /// Whether a core module may call out now; wasmtime knows it of a component.
    pub(crate) may_leave: bool,
    /// The models that it was granted.
    pub(crate) models: InstanceModels,
}

impl State {
    pub(crate) fn new(limits: &Limits, models: InstanceModels) -> Self {
        Self {
            limiter: MemoryLimiter::new(limits),
            log: GuestLog::new(limits),
            answer_bytes: 0,
            module: None,
            may_leave: true,
            models,
        }
    }
}

/// What a component may call.
pub(crate) fn linker(engine: &Engine) -> Result<component::Linker<State>, Error> {
    let mut linker = component::Linker::new(engine);
    linker.instance("bulkhead:strategy/logging@0.1.0")?.func_wrap("log", log)?;
    let mut inference = linker.instance("bulkhead:strategy/inference@0.1.0")?;
    inference.func_wrap("describe", describe_model)?;
    inference.func_wrap("run", run_model)?;
    Ok(linker)
}

fn log(store: StoreContextMut<'_, State>, (level, message): (wit::LogLevel, WasmStr)) -> Result<(), Error> {
    let message = message.to_str(&store)?.into_owned();
    write_log(store, level, &message)
}

fn describe_model(
    mut store: StoreContextMut<'_, State>,
    (name,): (WasmStr,),
) -> Result<(Option<Model>,), Error> {
    let name = name.to_str(&store)?.into_owned();
    models::describe(&mut store, &name).map(|model| (model,))
}

fn run_model(
    mut store: StoreContextMut<'_, State>,
    (name, rows): (WasmStr, Vec<f32>),
) -> Result<(Vec<f32>,), Error> {
    let name = name.to_str(&store)?.into_owned();
    models::run(&mut store, &name, &rows).map(|answer| (answer,))
}

/// Charges the guest for a line and writes it down.
pub(crate) fn write_log(
    mut store: impl AsContextMut<Data = State>,
    level: wit::LogLevel,
    message: &str,
) -> Result<(), Error> {
    let mut store = store.as_context_mut();
    let cost = LOG_FUEL.saturating_add(message.len() as u64);
    let fuel = store.get_fuel()?;
    store.set_fuel(fuel.saturating_sub(cost))?;
    store.data_mut().log.push(convert::log_level(level), message);
    Ok(())
}

/// Compiled code that is ready to be instantiated.
pub(crate) enum Ready {
    Component(PluginPre<State>),
    Module(direct::Ready),
}

impl Ready {
    /// # Errors
    ///
    /// When the code is not what its check found.
    pub(crate) fn new(linker: &component::Linker<State>, code: &Code) -> Result<Self, Error> {
        match code {
            Code::Component(component) => {
                Ok(Self::Component(PluginPre::new(linker.instantiate_pre(component)?)?))
            }
            Code::Module(module) => Ok(Self::Module(direct::Ready::new(module)?)),
        }
    }

    pub(crate) fn instantiate(&self, store: &mut Store<State>) -> Result<Guest, Error> {
        match self {
            Self::Component(plugin) => Ok(Guest::Component(plugin.instantiate(store)?)),
            Self::Module(module) => Ok(Guest::Module(Box::new(module.instantiate(store)?))),
        }
    }
}

/// An instance, and how to call it.
pub(crate) enum Guest {
    Component(Plugin),
    /// With the types of its functions it is large.
    Module(Box<direct::Guest>),
}

impl Guest {
    pub(crate) fn describe(&self, store: &mut Store<State>) -> Result<wit::Description, Error> {
        match self {
            Self::Component(plugin) => plugin.bulkhead_strategy_strategy().call_describe(store),
            Self::Module(module) => module.describe(store),
        }
    }

    pub(crate) fn init(
        &self,
        store: &mut Store<State>,
        config: &wit::Config,
    ) -> Result<Result<(), String>, Error> {
        match self {
            Self::Component(plugin) => plugin.bulkhead_strategy_strategy().call_init(store, config),
            Self::Module(module) => module.init(store, config),
        }
    }

    pub(crate) fn on_events(
        &self,
        store: &mut Store<State>,
        events: &[wit::Event],
    ) -> Result<Result<wit::Reaction, String>, Error> {
        match self {
            Self::Component(plugin) => plugin.bulkhead_strategy_strategy().call_on_events(store, events),
            Self::Module(module) => module.on_events(store, events),
        }
    }

    pub(crate) fn save(&self, store: &mut Store<State>) -> Result<Result<wit::SavedState, String>, Error> {
        match self {
            Self::Component(plugin) => plugin.bulkhead_strategy_strategy().call_save(store),
            Self::Module(module) => module.save(store),
        }
    }

    pub(crate) fn restore(
        &self,
        store: &mut Store<State>,
        state: &wit::SavedState,
    ) -> Result<Result<(), String>, Error> {
        match self {
            Self::Component(plugin) => plugin.bulkhead_strategy_strategy().call_restore(store, state),
            Self::Module(module) => module.restore(store, state),
        }
    }
}
