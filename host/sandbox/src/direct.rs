//! The second way into a guest. A plugin that the SDK builds is a core module; wasmtime's component layer takes
//! longer to store one event in its memory than the guest takes to handle it. So such a module is checked as a
//! component, but called as the module that it is, with the canonical ABI written out here.
//!
//! What goes this way is said by the file alone ([`is_plain`]). What the guest may do, what it may use and what
//! its mistakes are called is the same on both ways; `tests/ways.rs` compares them.

use wasmparser::{ExternalKind, Parser, Payload};
use wasmtime::{
    AsContextMut as _, Caller, Error, InstancePre, Linker, Memory, Module, ModuleExport, Store, Trap,
    TypedFunc,
};
use wasmtime::{WasmParams, bail, format_err};

pub(crate) use self::abi::Allocator;
use self::abi::{Layout, Lift, Lifting, Lower, Lowering};
use crate::bindings::bulkhead::strategy::types as wit;
use crate::contract::STRATEGY;
use crate::guest::{State, write_log};
use crate::models;

mod abi;
mod types;

const MEMORY: &str = "memory";
const ALLOCATOR: &str = "cabi_realloc";
/// Before a function's name: frees what its answer points to.
const POST_RETURN: &str = "cabi_post_";
/// What the library behind the SDK exports under its version, beside its allocator.
const BINDINGS: &str = "cabi_realloc_wit_bindgen_";
const FUNCTIONS: [&str; 5] = ["describe", "init", "on-events", "save", "restore"];

/// Whether a module that was found to be a strategy can be called as it is: nothing runs when it is instantiated,
/// and no export means anything to a component but those that are called here. The others go by way of a
/// component.
pub(crate) fn is_plain(module: &[u8]) -> bool {
    let mut interface = None;
    for payload in Parser::new(0).parse_all(module) {
        match payload {
            Ok(Payload::StartSection { .. }) | Err(_) => return false,
            Ok(Payload::ExportSection(exports)) => {
                for export in exports {
                    let Ok(export) = export else { return false };
                    let plain = match export.kind {
                        ExternalKind::Func => is_plain_function(export.name, &mut interface),
                        ExternalKind::Memory => export.name == MEMORY,
                        _ => true,
                    };
                    if !plain {
                        return false;
                    }
                }
            }
            Ok(_) => {}
        }
    }
    interface.is_some()
}

/// Whether an exported function is one of the contract's, all of one version of it, or of the ABI's.
fn is_plain_function<'m>(name: &'m str, version: &mut Option<&'m str>) -> bool {
    if name == ALLOCATOR || name.starts_with(BINDINGS) {
        return true;
    }
    let name = name.strip_prefix(POST_RETURN).unwrap_or(name);
    match name.split_once('#') {
        Some((interface, function)) => {
            interface.starts_with(STRATEGY)
                && *version.get_or_insert(interface) == interface
                && FUNCTIONS.contains(&function)
        }
        None => false,
    }
}

/// Where a module has a function of the contract, and what frees its answer.
struct Export {
    function: ModuleExport,
    post_return: Option<ModuleExport>,
}

impl Export {
    fn of(module: &Module, name: &str) -> Result<Self, Error> {
        let ends = format!("#{name}");
        let export = module
            .exports()
            .map(|export| export.name())
            .find(|name| name.starts_with(STRATEGY) && name.ends_with(&ends));
        let export = export.ok_or_else(|| missing(name))?;
        Ok(Self {
            function: module.get_export_index(export).ok_or_else(|| missing(name))?,
            post_return: module.get_export_index(&format!("{POST_RETURN}{export}")),
        })
    }
}

fn missing(name: &str) -> Error {
    format_err!("the module has no export \"{name}\"")
}

/// A module that is ready to be instantiated.
pub(crate) struct Ready {
    module: InstancePre<State>,
    memory: ModuleExport,
    allocator: ModuleExport,
    describe: Export,
    init: Export,
    on_events: Export,
    save: Export,
    restore: Export,
}

impl Ready {
    /// # Errors
    ///
    /// When the module is not what its check found.
    pub(crate) fn new(module: &Module) -> Result<Self, Error> {
        let mut linker = Linker::new(module.engine());
        linker.allow_shadowing(true);
        // The check let nothing else pass, in whichever compatible version.
        for import in module.imports() {
            let (interface, name) = (import.module(), import.name());
            match name {
                "describe" => linker.func_wrap(interface, name, describe_model)?,
                "run" => linker.func_wrap(interface, name, run_model)?,
                _ => linker.func_wrap(interface, name, log)?,
            };
        }
        let export = |name| module.get_export_index(name).ok_or_else(|| missing(name));
        Ok(Self {
            module: linker.instantiate_pre(module)?,
            memory: export(MEMORY)?,
            allocator: export(ALLOCATOR)?,
            describe: Export::of(module, "describe")?,
            init: Export::of(module, "init")?,
            on_events: Export::of(module, "on-events")?,
            save: Export::of(module, "save")?,
            restore: Export::of(module, "restore")?,
        })
    }

    /// Makes an instance.
    pub(crate) fn instantiate(&self, store: &mut Store<State>) -> Result<Guest, Error> {
        let instance = self.module.instantiate(&mut *store)?;
        let memory = instance
            .get_module_export(&mut *store, &self.memory)
            .and_then(wasmtime::Extern::into_memory)
            .ok_or_else(|| missing(MEMORY))?;
        let mut exports = Exports { store, instance };
        let allocator: Allocator = exports.function(&self.allocator)?;
        exports.store.data_mut().module = Some((memory, allocator.clone()));
        Ok(Guest {
            allocator,
            describe: exports.pair(&self.describe)?,
            init: exports.pair(&self.init)?,
            on_events: exports.pair(&self.on_events)?,
            save: exports.pair(&self.save)?,
            restore: exports.pair(&self.restore)?,
            memory,
        })
    }
}

/// Finds an instance's functions.
struct Exports<'s> {
    store: &'s mut Store<State>,
    instance: wasmtime::Instance,
}

impl Exports<'_> {
    fn function<P: WasmParams, R: wasmtime::WasmResults>(
        &mut self,
        export: &ModuleExport,
    ) -> Result<TypedFunc<P, R>, Error> {
        self.instance
            .get_module_export(&mut *self.store, export)
            .and_then(wasmtime::Extern::into_func)
            .ok_or_else(|| format_err!("an export is not a function"))?
            .typed(&*self.store)
    }

    fn pair<P: WasmParams>(&mut self, export: &Export) -> Result<Function<P>, Error> {
        let post_return = export.post_return.as_ref().map(|post_return| self.function(post_return));
        Ok(Function { call: self.function(&export.function)?, post_return: post_return.transpose()? })
    }
}

/// A function of the contract: all give a pointer to their answer.
struct Function<P> {
    call: TypedFunc<P, u32>,
    post_return: Option<TypedFunc<u32, ()>>,
}

/// A list as parameters: where it lies and how long it is.
type List = (u32, u32);
/// The four lists of `init`.
type Lists = (u32, u32, u32, u32, u32, u32, u32, u32);

/// An instance of a module.
pub(crate) struct Guest {
    memory: Memory,
    allocator: Allocator,
    describe: Function<()>,
    init: Function<Lists>,
    on_events: Function<List>,
    save: Function<()>,
    restore: Function<(u32, u32, u32)>,
}

impl Guest {
    pub(crate) fn describe(&self, store: &mut Store<State>) -> Result<wit::Description, Error> {
        self.call(store, &self.describe, ())
    }

    pub(crate) fn init(
        &self,
        store: &mut Store<State>,
        config: &wit::Config,
    ) -> Result<Result<(), String>, Error> {
        let wit::Config { instruments, settings, signals, history } = config;
        let mut lowering = self.lowering(store);
        let instruments = lowering.list(instruments)?;
        let settings = lowering.list(settings)?;
        let signals = lowering.list(signals)?;
        let history = lowering.list(history)?;
        let parameters = (
            instruments.0,
            instruments.1,
            settings.0,
            settings.1,
            signals.0,
            signals.1,
            history.0,
            history.1,
        );
        self.call(store, &self.init, parameters)
    }

    pub(crate) fn on_events(
        &self,
        store: &mut Store<State>,
        events: &[wit::Event],
    ) -> Result<Result<wit::Reaction, String>, Error> {
        let mut lowering = self.lowering(store);
        let list = match events {
            // By far the most frequent call: its bytes need no memory of the host's.
            [event] => {
                let mut bytes = [0; <wit::Event as Layout>::SIZE];
                let (pointer, place) = lowering.allocate(<wit::Event as Layout>::ALIGN, bytes.len())?;
                bytes.copy_from_slice(place);
                event.lower(&mut lowering, &mut bytes)?;
                lowering.write(pointer, &bytes)?;
                (pointer, 1)
            }
            events => lowering.list(events)?,
        };
        self.call(store, &self.on_events, list)
    }

    pub(crate) fn save(&self, store: &mut Store<State>) -> Result<Result<wit::SavedState, String>, Error> {
        self.call(store, &self.save, ())
    }

    pub(crate) fn restore(
        &self,
        store: &mut Store<State>,
        state: &wit::SavedState,
    ) -> Result<Result<(), String>, Error> {
        let (pointer, length) = self.lowering(store).list(&state.bytes)?;
        self.call(store, &self.restore, (state.schema, pointer, length))
    }

    fn lowering<'s>(&'s self, store: &'s mut Store<State>) -> Lowering<'s> {
        Lowering { store: store.as_context_mut(), memory: self.memory, allocator: &self.allocator }
    }

    /// Calls a function, reads its answer, and has the guest free it.
    #[inline]
    fn call<P: WasmParams, T: Lift>(
        &self,
        store: &mut Store<State>,
        function: &Function<P>,
        parameters: P,
    ) -> Result<T, Error> {
        let pointer = function.call.call(&mut *store, parameters)?;
        let budget = store.data().answer_bytes;
        let answer = Lifting::new(self.memory.data(&*store), budget).answer(pointer)?;
        if let Some(post_return) = &function.post_return {
            store.data_mut().may_leave = false;
            post_return.call(&mut *store, pointer)?;
            store.data_mut().may_leave = true;
        }
        Ok(answer)
    }
}

/// The log, as a module imports it: the level, and where the message lies.
fn log(mut caller: Caller<'_, State>, level: u32, pointer: u32, length: u32) -> Result<(), Error> {
    let (memory, _) = leave(&caller)?;
    let level = types::log_level(level)?;
    let mut lifting = Lifting::new(memory.data(&caller), caller.data().answer_bytes);
    let message = lifting.text(pointer, length)?.to_owned();
    write_log(&mut caller, level, &message)
}

/// What a module's import needs of the module. As in a component, neither the allocator nor the freeing of an answer may
/// call out.
fn leave(caller: &Caller<'_, State>) -> Result<(Memory, Allocator), Error> {
    let state = caller.data();
    match (state.may_leave, &state.module) {
        (true, Some((memory, allocator))) => Ok((*memory, allocator.clone())),
        _ => Err(Trap::CannotLeaveComponent.into()),
    }
}

/// Asks what a model is, as a module imports it: where the name lies, and where the answer is to lie.
fn describe_model(
    mut caller: Caller<'_, State>,
    name: u32,
    name_length: u32,
    answer: u32,
) -> Result<(), Error> {
    let (memory, allocator) = leave(&caller)?;
    let mut lifting = Lifting::new(memory.data(&caller), caller.data().answer_bytes);
    let name = lifting.text(name, name_length)?.to_owned();
    let model = models::describe(&mut caller, &name)?;
    give(caller, memory, &allocator, &model, answer)
}

/// Runs a model, as a module imports it: where its name and the rows lie, and where the answer is to lie.
fn run_model(
    mut caller: Caller<'_, State>,
    name: u32,
    name_length: u32,
    rows: u32,
    rows_length: u32,
    answer: u32,
) -> Result<(), Error> {
    let (memory, allocator) = leave(&caller)?;
    let mut lifting = Lifting::new(memory.data(&caller), caller.data().answer_bytes);
    let name = lifting.text(name, name_length)?.to_owned();
    let rows: Vec<f32> = lifting.list(rows, rows_length)?;
    let given = models::run(&mut caller, &name, &rows)?;
    give(caller, memory, &allocator, &given, answer)
}

/// Writes the answer to a guest's call where it wants it.
fn give<T: Lower>(
    mut caller: Caller<'_, State>,
    memory: Memory,
    allocator: &Allocator,
    value: &T,
    place: u32,
) -> Result<(), Error> {
    if !usize::try_from(place)?.is_multiple_of(T::ALIGN) {
        bail!("return pointer not aligned");
    }
    let mut lowering = Lowering { store: caller.as_context_mut(), memory, allocator };
    let mut bytes = vec![0; T::SIZE];
    value.lower(&mut lowering, &mut bytes)?;
    lowering.write(place, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(more: &str) -> bool {
        let text = format!(
            r#"(module
              (memory (export "memory") 1)
              (func (export "cabi_realloc"))
              (func (export "cabi_realloc_wit_bindgen_0_61_1"))
              (func $f (export "bulkhead:strategy/strategy@0.1.0#save"))
              (func (export "cabi_post_bulkhead:strategy/strategy@0.1.0#save"))
              (global (export "__heap_base") i32 (i32.const 0))
              {more})"#
        );
        is_plain(&wat::parse_str(text).unwrap())
    }

    #[test]
    fn only_a_module_without_surprises_is_called_as_it_is() {
        assert!(plain(""));
        for more in [
            "(start $f)",
            "(func (export \"_initialize\"))",
            "(func (export \"cabi_export_realloc\"))",
            "(func (export \"canonical_abi_realloc\"))",
            "(func (export \"cm32p2_realloc\"))",
            "(memory (export \"cm32p2_memory\") 1)",
            "(func (export \"bulkhead:strategy/strategy@0.1.1#save\"))",
            "(func (export \"bulkhead:strategy/strategy@0.1.0#other\"))",
            "(func (export \"[async-lift]bulkhead:strategy/strategy@0.1.0#save\"))",
            "(func (export \"anything\"))",
        ] {
            assert!(!plain(more), "{more}");
        }
    }
}
