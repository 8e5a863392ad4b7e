//! Turns a file into compiled code: looks at it, makes a component of a module, compiles what will be called. Where
//! that happens, in this process or in one of its own, is `compiler`'s affair.

use std::sync::Arc;

use bulkhead_core::identifier::ContentHash;
use wasmparser::{Parser, Payload};
use wasmtime::Engine;
use wit_component::ComponentEncoder;

use crate::artefact::{Form, Recipe};
use crate::contract::{Contract, STRATEGY};
use crate::direct::is_plain;
use crate::inspect::{Inspection, Kind, inspect, is_type_section};
use crate::limits::{Limits, count};
use crate::refused::Refused;

/// All that a compilation needs beside the file.
pub(crate) struct Toolchain {
    engine: Engine,
    contract: Contract,
    limits: Arc<Limits>,
    recipe: Recipe,
}

/// What is to be compiled.
struct Binary {
    form: Form,
    bytes: Vec<u8>,
}

impl Toolchain {
    /// # Errors
    ///
    /// When the contract that is built in can't be read.
    pub(crate) fn new(engine: Engine, limits: Arc<Limits>) -> Result<Self, String> {
        let contract = Contract::load()?;
        let recipe = Recipe::new(&engine, &limits);
        Ok(Self { engine, contract, limits, recipe })
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// A file's way to sealed code.
    ///
    /// # Errors
    ///
    /// [`Refused`] with what is wrong with the file.
    pub(crate) fn compile(&self, file: Vec<u8>) -> Result<Vec<u8>, Refused> {
        let version = ContentHash::of(&file);
        let (Binary { form, bytes }, inspection) = encode(file, &self.contract, &self.limits)?;
        let code = match form {
            Form::Component => self.engine.precompile_component(&bytes),
            Form::Module => self.engine.precompile_module(&bytes),
        };
        let code = code.map_err(|error| match error.downcast_ref::<wasmtime::OutOfMemory>() {
            Some(_) => Refused::CompileMemory { limit_bytes: self.limits.compile_memory_bytes },
            None => Refused::from_compiler(&error),
        })?;
        self.recipe
            .seal(&version, form, inspection, &code)
            .map_err(|error| Refused::Compile(error.to_string()))
    }
}

/// Checks a file and gives what is to be compiled of it.
fn encode(bytes: Vec<u8>, contract: &Contract, limits: &Limits) -> Result<(Binary, Inspection), Refused> {
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
