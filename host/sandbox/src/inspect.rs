//! Looks at a file before the compiler does. Time and stack that the compiler needs grow with the sizes that
//! are limited here, some of them faster than linearly; and what the file imports and exports is held against
//! the contract, so that the reason for a refusal names things as their author knows them.

use serde::{Deserialize, Serialize};
use wasmparser::types::Types;
use wasmparser::{
    FuncToValidate, FuncValidatorAllocations, FunctionBody, Operator, Parser, Payload, ValidPayload,
    Validator, ValidatorResources, WasmFeatures,
};

use crate::contract::Contract;
use crate::limits::Limits;
use crate::refused::Refused;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A module. It is checked as the component that can be made of it, and called as a module where it can be.
    CoreModule,
    /// A component as it is.
    Component,
}

/// What was seen in a file that may be compiled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    /// What the file is.
    pub kind: Kind,
    /// Its size.
    pub bytes: u64,
    /// Functions defined in it.
    pub functions: u64,
    /// Size of the largest function's body.
    pub largest_function_bytes: u64,
    /// What it imports.
    pub imports: Vec<String>,
}

/// The proposals that are switched on; `engine` tells wasmtime the same.
pub(crate) fn features() -> WasmFeatures {
    WasmFeatures::MVP
        | WasmFeatures::MUTABLE_GLOBAL
        | WasmFeatures::SATURATING_FLOAT_TO_INT
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::REFERENCE_TYPES
        | WasmFeatures::MULTI_VALUE
        | WasmFeatures::BULK_MEMORY
        | WasmFeatures::SIMD
        | WasmFeatures::EXTENDED_CONST
        | WasmFeatures::COMPONENT_MODEL
}

/// Results of a function or block; compiling a branch takes time for each.
const MAX_RESULTS: usize = 16;
const MAX_PARAMETERS: usize = 256;

/// Checks size, structure, imports and exports.
///
/// # Errors
///
/// [`Refused`] with the first thing that is not allowed.
pub(crate) fn inspect(bytes: &[u8], contract: &Contract, limits: &Limits) -> Result<Inspection, Refused> {
    let size = bytes.len() as u64;
    if size > limits.wasm_bytes {
        return Err(Refused::TooLarge { found: size, limit: limits.wasm_bytes });
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(Refused::NotWasm);
    }
    let mut walk = Walk::new(limits);
    for payload in Parser::new(0).parse_all(bytes) {
        walk.payload(&payload.map_err(malformed)?)?;
    }
    let Some(types) = walk.types.take() else {
        return Err(Refused::Malformed { offset: size, why: "the file ends too early".to_owned() });
    };
    let types = types.as_ref();
    let kind = if Parser::is_component(bytes) { Kind::Component } else { Kind::CoreModule };
    let mut imports = Vec::new();
    match kind {
        Kind::CoreModule => {
            for (module, name, _) in types.core_imports().into_iter().flatten() {
                contract.check_module_import(module, name)?;
                imports.push(format!("{module}#{name}"));
            }
            contract.check_module_exports(types)?;
            let mut described = false;
            for section in &walk.type_sections {
                described |= contract.check_type_section(section)?;
            }
            if !described {
                return Err(Refused::NoTypeSection);
            }
        }
        Kind::Component => {
            // WASI first: its remedy is another than that of the rest.
            walk.imports.sort_by_key(|name| !name.starts_with("wasi:"));
            if !walk.imports.first().is_some_and(|name| name.starts_with("wasi:")) {
                contract.check_export_version(walk.exports.iter().map(String::as_str))?;
            }
            for name in &walk.imports {
                contract.check_component_import(types, name)?;
            }
            walk.imports.sort();
            imports.append(&mut walk.imports);
            contract.check_component_exports(types, &walk.exports)?;
        }
    }
    Ok(Inspection {
        kind,
        bytes: size,
        functions: walk.functions,
        largest_function_bytes: walk.largest_function,
        imports,
    })
}

#[expect(clippy::needless_pass_by_value, reason = "made to be handed to `map_err`")]
fn malformed(error: wasmparser::BinaryReaderError) -> Refused {
    Refused::Malformed { offset: error.offset(), why: error.message().to_owned() }
}

struct Walk<'l, 'b> {
    limits: &'l Limits,
    validator: Validator,
    allocations: FuncValidatorAllocations,
    /// How many modules and components the parser is inside of.
    depth: u32,
    parts: u64,
    functions: u64,
    largest_function: u64,
    /// Of the outermost module.
    type_sections: Vec<&'b [u8]>,
    imports: Vec<String>,
    exports: Vec<String>,
    /// Those of the outermost module or component.
    types: Option<Types>,
}

impl<'l, 'b> Walk<'l, 'b> {
    fn new(limits: &'l Limits) -> Self {
        Self {
            limits,
            validator: Validator::new_with_features(features()),
            allocations: FuncValidatorAllocations::default(),
            depth: 0,
            parts: 0,
            functions: 0,
            largest_function: 0,
            type_sections: Vec::new(),
            imports: Vec::new(),
            exports: Vec::new(),
            types: None,
        }
    }

    fn payload(&mut self, payload: &Payload<'b>) -> Result<(), Refused> {
        match payload {
            Payload::FunctionSection(section) => {
                self.functions += u64::from(section.count());
                at_most("functions", self.functions, self.limits.functions, "functions")?;
            }
            Payload::TypeSection(section) => {
                for ty in section.clone().into_iter_err_on_gc_types() {
                    let ty = ty.map_err(malformed)?;
                    let (parameters, results) = (ty.params().len(), ty.results().len());
                    if parameters > MAX_PARAMETERS || results > MAX_RESULTS {
                        return Err(Refused::TooComplex {
                            what: "parameters and results of a function type".to_owned(),
                            found: (parameters + results) as u64,
                            limit: (MAX_PARAMETERS + MAX_RESULTS) as u64,
                            key: "which is fixed: 256 parameters, 16 results",
                        });
                    }
                }
            }
            // Between components the compiler writes code of its own, so they count like modules.
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                self.parts += 1;
                at_most("modules and components inside it", self.parts, self.limits.parts, "parts")?;
                self.depth += 1;
            }
            Payload::End(_) if self.depth > 0 => self.depth -= 1,
            Payload::CustomSection(section) if self.depth == 0 && is_type_section(section.name()) => {
                self.type_sections.push(section.data());
            }
            Payload::ComponentImportSection(section) if self.depth == 0 => {
                for import in section.clone() {
                    self.imports.push(import.map_err(malformed)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if self.depth == 0 => {
                for export in section.clone() {
                    self.exports.push(export.map_err(malformed)?.name.name.to_owned());
                }
            }
            _ => {}
        }
        match self.validator.payload(payload).map_err(malformed)? {
            ValidPayload::Func(function, body) => self.function(function, &body),
            // The last of them is the outermost's.
            ValidPayload::End(types) => {
                self.types = Some(types);
                Ok(())
            }
            ValidPayload::Ok | ValidPayload::Parser(_) => Ok(()),
        }
    }

    fn function(
        &mut self,
        function: FuncToValidate<ValidatorResources>,
        body: &FunctionBody<'_>,
    ) -> Result<(), Refused> {
        let index = function.index;
        let size = body.range().end - body.range().start;
        self.largest_function = self.largest_function.max(size);
        at_most(&format!("bytes of function {index}"), size, self.limits.function_bytes, "function_bytes")?;
        let mut locals = 0_u64;
        for group in body.get_locals_reader().map_err(malformed)? {
            locals += u64::from(group.map_err(malformed)?.0);
            let what = || format!("local variables of function {index}");
            at_most(&what(), locals, self.limits.function_locals, "function_locals")?;
        }
        let (mut depth, mut targets) = (0_u64, 0_u64);
        for operator in body.get_operators_reader().map_err(malformed)? {
            match operator.map_err(malformed)? {
                Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                    depth += 1;
                    if depth > self.limits.nesting {
                        let what = format!("nested blocks in function {index}");
                        return at_most(&what, depth, self.limits.nesting, "nesting");
                    }
                }
                Operator::End => depth = depth.saturating_sub(1),
                Operator::BrTable { targets: table } => {
                    targets += u64::from(table.len()) + 1;
                    if targets > self.limits.branch_targets {
                        let what = format!("branch table targets in function {index}");
                        return at_most(&what, targets, self.limits.branch_targets, "branch_targets");
                    }
                }
                _ => {}
            }
        }
        let mut validator = function.into_validator(std::mem::take(&mut self.allocations));
        validator.validate(body).map_err(malformed)?;
        self.allocations = validator.into_allocations();
        Ok(())
    }
}

/// Whether a custom section tells wit-component of a module's component types.
pub(crate) fn is_type_section(name: &str) -> bool {
    name.starts_with("component-type")
}

fn at_most(what: &str, found: u64, limit: u64, key: &'static str) -> Result<(), Refused> {
    if found <= limit {
        return Ok(());
    }
    Err(Refused::TooComplex { what: what.to_owned(), found, limit, key })
}
