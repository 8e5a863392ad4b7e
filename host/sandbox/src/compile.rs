//! Turns a file into compiled code, on a thread of its own. The compiler is the one part of the sandbox that an
//! attacker's bytes reach before any fuel is counted: it gets a large stack, a time limit, and no more than a
//! few of its kind at once. A compilation that runs over its time is left behind and keeps its place until it
//! ends, so that no number of bombs takes more than those few cores.

use std::any::Any;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use wasmparser::{Parser, Payload};
use wasmtime::component::Component;
use wasmtime::{Engine, Module};
use wit_component::ComponentEncoder;

use crate::artefact::{Code, Form};
use crate::contract::{Contract, STRATEGY};
use crate::direct::is_plain;
use crate::inspect::{Inspection, Kind, inspect, is_type_section};
use crate::limits::{Limits, count};
use crate::refused::Refused;

/// The deepest recursions of the compiler stay far below this.
const STACK_BYTES: usize = 256 * 1024 * 1024;

/// A file's way to compiled code.
pub(crate) struct Compiled {
    pub(crate) code: Code,
    pub(crate) inspection: Inspection,
    /// Whether the code came from the cache.
    pub(crate) cached: bool,
}

/// What is to be compiled.
pub(crate) struct Binary {
    pub(crate) form: Form,
    bytes: Vec<u8>,
}

/// Places for compilations.
#[derive(Debug)]
pub(crate) struct Compiler {
    free: Mutex<usize>,
    freed: Condvar,
}

struct Place(Arc<Compiler>);

impl Drop for Place {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}

impl Compiler {
    pub(crate) fn new(places: u64) -> Arc<Self> {
        Arc::new(Self { free: Mutex::new(count(places)), freed: Condvar::new() })
    }

    fn place(self: &Arc<Self>, until: Instant) -> Option<Place> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = until.saturating_duration_since(Instant::now());
        let (mut free, _) = self
            .freed
            .wait_timeout_while(free, wait, |free| *free == 0)
            .unwrap_or_else(PoisonError::into_inner);
        if *free == 0 {
            return None;
        }
        *free -= 1;
        Some(Place(Arc::clone(self)))
    }

    /// Runs some work on a thread with a large stack, for at most the time limit.
    pub(crate) fn run<T: Send + 'static>(
        self: &Arc<Self>,
        limit_ms: u64,
        work: impl FnOnce() -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let timeout = || Refused::CompileTime { limit_ms };
        let until = Instant::now() + Duration::from_millis(limit_ms);
        let place = self.place(until).ok_or_else(timeout)?;
        let (sender, receiver) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("sandbox-compile".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                let _place = place;
                // The other end may have given up waiting.
                let _ = sender.send(work());
            })
            .map_err(|source| Refused::Storage {
                what: "starting a thread to compile on".to_owned(),
                source,
            })?;
        match receiver.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(result) => result,
            Err(RecvTimeoutError::Timeout) => Err(timeout()),
            // The work ended without an answer: it panicked.
            Err(RecvTimeoutError::Disconnected) => {
                let why = thread.join().err().map_or_else(String::new, |panic| message(panic.as_ref()));
                Err(Refused::Compile(format!("the compiler failed on it: {why}")))
            }
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no reason given");
    crate::text::clean(text, 400)
}

/// Checks a file and gives what is to be compiled of it.
pub(crate) fn encode(
    bytes: Vec<u8>,
    contract: &Contract,
    limits: &Limits,
) -> Result<(Binary, Inspection), Refused> {
    let inspection = inspect(&bytes, contract, limits)?;
    match inspection.kind {
        Kind::Component => Ok((Binary { form: Form::Component, bytes }, inspection)),
        Kind::CoreModule => {
            let not_encodable = |error: &dyn ToString| {
                Refused::NotEncodable(crate::text::clean(&error.to_string().replace('\n', " "), 600))
            };
            let component = ComponentEncoder::default()
                .validate(false)
                .module(&with_own_types(&bytes, contract)?)
                .and_then(ComponentEncoder::encode)
                .map_err(|error| not_encodable(&format!("{error:#}")))?;
            // What wit-component made of it is checked as if it had come from outside.
            let roomy = Limits { wasm_bytes: u64::MAX, functions: u64::MAX, ..limits.clone() };
            inspect(&component, contract, &roomy)?;
            // Only now is it known that the module keeps to the canonical ABI.
            let binary = if is_plain(&bytes) {
                Binary { form: Form::Module, bytes }
            } else {
                Binary { form: Form::Component, bytes: component }
            };
            Ok((binary, inspection))
        }
    }
}

/// The module with the host's own type section in place of its own.
fn with_own_types(bytes: &[u8], contract: &Contract) -> Result<Vec<u8>, Refused> {
    let damaged = |_| Refused::NotEncodable("it is damaged".to_owned());
    let mut module = wasm_encoder::Module::new();
    let mut types = None;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(damaged)?;
        match &payload {
            Payload::CustomSection(section) if is_type_section(section.name()) => continue,
            Payload::ExportSection(exports) => {
                for export in exports.clone() {
                    let name = export.map_err(damaged)?.name;
                    if types.is_none() && name.starts_with(STRATEGY) {
                        types = Some(contract.type_section(name)?);
                    }
                }
            }
            _ => {}
        }
        if let Some((id, range)) = payload.as_section() {
            let data = bytes.get(count(range.start)..count(range.end)).unwrap_or_default();
            module.section(&wasm_encoder::RawSection { id, data });
        }
    }
    let data = types.ok_or(Refused::NoTypeSection)?;
    module.section(&wasm_encoder::CustomSection { name: "component-type".into(), data: data.into() });
    Ok(module.finish())
}

/// Compiles a component or module.
pub(crate) fn compile(engine: &Engine, binary: &Binary) -> Result<Code, Refused> {
    match binary.form {
        Form::Component => Component::from_binary(engine, &binary.bytes).map(Code::Component),
        Form::Module => Module::from_binary(engine, &binary.bytes).map(Code::Module),
    }
    .map_err(|error| Refused::Compile(crate::text::clean(&format!("{error:#}").replace('\n', " "), 600)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_takes_too_long_is_left_behind_and_keeps_its_place() {
        let compiler = Compiler::new(1);
        let (release, wait) = mpsc::channel::<()>();
        let refused = compiler.run(20, move || {
            let _ = wait.recv();
            Ok(())
        });
        assert!(matches!(refused, Err(Refused::CompileTime { limit_ms: 20 })), "{refused:?}");
        // The place is still taken...
        assert!(matches!(compiler.run(20, || Ok(())), Err(Refused::CompileTime { .. })));
        // ...until the work ends.
        drop(release);
        compiler.run(10_000, || Ok(())).unwrap();
    }

    #[test]
    fn a_compiler_that_panics_refuses_the_file() {
        let refused = Compiler::new(1).run(10_000, || -> Result<(), Refused> { panic!("cranelift says no") });
        let text = refused.unwrap_err().to_string();
        assert!(text.contains("cranelift says no"), "{text}");
    }
}
