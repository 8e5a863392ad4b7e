//! What a strategy must export and may import, read from the WIT file, and how a file's types are held
//! against it.

use std::fmt;

use wasmparser::component_types::{ComponentAnyTypeId, ComponentEntityType, ComponentTypeId};
use wasmparser::types::TypesRef;
use wasmparser::{Parser, Payload, ValType, Validator};
use wit_component::StringEncoding;
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{Function, InterfaceId, Resolve};

use crate::refused::Refused;

mod compare;

/// The contract's text.
pub(crate) const WIT: &str = include_str!("../../../wit/strategy.wit");

/// The interface that a strategy exports, without its version.
pub(crate) const STRATEGY: &str = "bulkhead:strategy/strategy";
const LOGGING: &str = "bulkhead:strategy/logging";
const INFERENCE: &str = "bulkhead:strategy/inference";
const TYPES: &str = "bulkhead:strategy/types";

/// What a type section holds when texts are in UTF-8: the section's format, and the encoding's number.
const UTF8_ENCODING: &[u8] = &[4, 0];

/// The contract of this host.
#[derive(Debug)]
pub(crate) struct Contract {
    resolve: Resolve,
    strategy: InterfaceId,
    /// Of the newest contract that this host speaks.
    version: semantic::Version,
}

/// The little of semantic versioning that telling contracts apart needs.
mod semantic {
    use std::fmt;

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) struct Version {
        major: u32,
        minor: u32,
        patch: u32,
    }

    impl Version {
        pub(crate) fn parse(text: &str) -> Option<Self> {
            let mut parts = text.split('.').map(|part| part.parse().ok());
            let version = Self { major: parts.next()??, minor: parts.next()??, patch: parts.next()?? };
            parts.next().is_none().then_some(version)
        }

        /// Whether the two differ only in additions.
        pub(crate) const fn is_compatible(self, other: Self) -> bool {
            self.major == other.major && (self.major > 0 || self.minor == other.minor)
        }
    }

    impl fmt::Display for Version {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(formatter, "{}.{}.{}", self.major, self.minor, self.patch)
        }
    }
}

/// `name@1.2.3` in its parts.
fn split_version(name: &str) -> (&str, Option<semantic::Version>) {
    match name.split_once('@') {
        Some((name, version)) => (name, semantic::Version::parse(version)),
        None => (name, None),
    }
}

impl Contract {
    /// Reads the contract that is built into the host.
    ///
    /// # Errors
    ///
    /// When the WIT file is not what this code was written for.
    pub(crate) fn load() -> Result<Self, String> {
        let mut resolve = Resolve::default();
        let package = resolve.push_source("strategy.wit", WIT).map_err(|error| format!("{error:#}"))?;
        let package = resolve.packages.get(package).ok_or("the contract has no package")?;
        let strategy = package
            .interfaces
            .get("strategy")
            .copied()
            .ok_or("the contract has no interface \"strategy\"")?;
        let version = package.name.version.as_ref().map(ToString::to_string).unwrap_or_default();
        let version = semantic::Version::parse(&version).ok_or("the contract has no version")?;
        Ok(Self { resolve, strategy, version })
    }

    /// What a strategy may import, for those who are told that it may not import something else.
    fn imports(&self) -> String {
        let version = self.version;
        format!("{LOGGING}@{version} (function log) and {INFERENCE}@{version} (functions describe, run)")
    }

    /// Whether an imported function is one that the host offers.
    fn is_offered(&self, interface: &str, function: &str) -> bool {
        (self.is_ours(interface, LOGGING) && function == "log")
            || (self.is_ours(interface, INFERENCE) && ["describe", "run"].contains(&function))
    }

    fn functions(&self) -> impl Iterator<Item = &Function> {
        self.resolve
            .interfaces
            .get(self.strategy)
            .into_iter()
            .flat_map(|interface| interface.functions.values())
    }

    fn refuse_import(&self, import: String) -> Refused {
        // Before component model, WASI's module had a name of this kind.
        if import.starts_with("wasi:") || import.starts_with("wasi_") {
            Refused::WasiImport { import }
        } else {
            Refused::ForbiddenImport { import, allowed: self.imports() }
        }
    }

    fn is_ours(&self, name: &str, interface: &str) -> bool {
        let (name, version) = split_version(name);
        name == interface && version.is_some_and(|version| version.is_compatible(self.version))
    }

    /// Checks a core module's import.
    pub(crate) fn check_module_import(&self, module: &str, name: &str) -> Result<(), Refused> {
        if self.is_offered(module, name) {
            return Ok(());
        }
        Err(self.refuse_import(format!("{module}#{name}")))
    }

    /// Checks a component's import: types of the contract, the log, and the models.
    pub(crate) fn check_component_import(&self, types: TypesRef<'_>, name: &str) -> Result<(), Refused> {
        let refuse = |function: &str| {
            let separator = if function.is_empty() { "" } else { "#" };
            Err(self.refuse_import(format!("{name}{separator}{function}")))
        };
        if ![LOGGING, INFERENCE, TYPES].iter().any(|interface| self.is_ours(name, interface)) {
            return refuse("");
        }
        let Some(ComponentEntityType::Instance(instance)) =
            types.component_item_for_import(name).map(|item| item.ty)
        else {
            return refuse("");
        };
        for (function, item) in &types[instance].exports {
            match item.ty {
                ComponentEntityType::Type { .. } => {}
                ComponentEntityType::Func(_) if self.is_offered(name, function) => {}
                _ => return refuse(function),
            }
        }
        Ok(())
    }

    /// Checks that a core module exports every function of the contract, by the names and with the types
    /// that its canonical ABI gives them.
    pub(crate) fn check_module_exports(&self, types: TypesRef<'_>) -> Result<(), Refused> {
        let exports: Vec<_> = types.core_exports().into_iter().flatten().collect();
        let prefix = exports.iter().find_map(|(name, _)| {
            let (interface, function) = name.split_once('#')?;
            let (interface, _) = interface.split_once('@').unwrap_or((interface, ""));
            (interface == STRATEGY && !function.is_empty()).then(|| name.split_once('#')).flatten()
        });
        let Some((interface, _)) = prefix else {
            return Err(self.missing_interface(exports.iter().map(|(name, _)| *name)));
        };
        self.check_version(interface)?;
        for function in self.functions() {
            let export = format!("{interface}#{}", function.name);
            let Some((_, ty)) = exports.iter().find(|(name, _)| *name == export) else {
                return Err(Refused::MissingExport { export, looks_like: looks_like(interface) });
            };
            let signature = self.resolve.wasm_signature(AbiVariant::GuestExport, function);
            let wanted = (signature.params.as_slice(), signature.results.as_slice());
            let difference = match ty {
                wasmparser::types::EntityType::Func(id) => {
                    match types.get(*id).map(|ty| &ty.composite_type.inner) {
                        Some(wasmparser::CompositeInnerType::Func(found))
                            if same_core(found.params(), wanted.0)
                                && same_core(found.results(), wanted.1) =>
                        {
                            continue;
                        }
                        Some(wasmparser::CompositeInnerType::Func(found)) => format!(
                            "the core function takes ({}) and gives ({}), but ({}) and ({}) are expected",
                            list(found.params()),
                            list(found.results()),
                            list(&wanted.0.iter().map(core_type).collect::<Vec<_>>()),
                            list(&wanted.1.iter().map(core_type).collect::<Vec<_>>()),
                        ),
                        _ => "it is not a function".to_owned(),
                    }
                }
                _ => "it is not a function".to_owned(),
            };
            return Err(Refused::WrongExport { export, difference, looks_like: looks_like(interface) });
        }
        Ok(())
    }

    /// Checks the version of the contract that a file's exports name, if they name one.
    pub(crate) fn check_export_version<'n>(
        &self,
        mut exports: impl Iterator<Item = &'n str>,
    ) -> Result<(), Refused> {
        let interface = exports.find(|name| split_version(name).0 == STRATEGY);
        interface.map_or(Ok(()), |interface| self.check_version(interface))
    }

    /// Checks that a component exports the contract's interface with exactly its types.
    pub(crate) fn check_component_exports(
        &self,
        types: TypesRef<'_>,
        exports: &[String],
    ) -> Result<(), Refused> {
        let Some(interface) = exports.iter().find(|name| split_version(name).0 == STRATEGY) else {
            return Err(self.missing_interface(exports.iter().map(String::as_str)));
        };
        let found = types.component_item_for_export(interface).map(|item| item.ty);
        self.check_interface(types, interface, found)
    }

    /// Checks a core module's type section: the same contract, described as a component's type.
    ///
    /// A module's own signatures say only what is passed in registers. What lies in memory is what the section
    /// says, so a section of another contract would have the host read other fields than the guest wrote.
    ///
    /// Gives whether the section is about a strategy at all; generators add some that hold only imports.
    pub(crate) fn check_type_section(&self, section: &[u8]) -> Result<bool, Refused> {
        let damaged = |error: wasmparser::BinaryReaderError| {
            Refused::NotEncodable(format!("its type section is damaged: {}", error.message()))
        };
        let types = Validator::new_with_features(crate::inspect::features())
            .validate_all(section)
            .map_err(damaged)?;
        let types = types.as_ref();
        for payload in Parser::new(0).parse_all(section) {
            match payload.map_err(damaged)? {
                Payload::CustomSection(custom)
                    if custom.name() == "wit-component-encoding" && custom.data() != UTF8_ENCODING =>
                {
                    return Err(Refused::NotEncodable("its texts are not in UTF-8".to_owned()));
                }
                Payload::ComponentExportSection(exports) => {
                    for export in exports {
                        let export = export.map_err(damaged)?;
                        let item = types.component_item_for_export(export.name.name).map(|item| item.ty);
                        if let Some(ComponentEntityType::Type {
                            referenced: ComponentAnyTypeId::Component(id),
                            ..
                        }) = item
                        {
                            return self.check_world(types, id);
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(false)
    }

    /// Checks what the worlds in a type section export.
    fn check_world(&self, types: TypesRef<'_>, package: ComponentTypeId) -> Result<bool, Refused> {
        for item in types[package].exports.values() {
            let ComponentEntityType::Component(world) = item.ty else { continue };
            let exports = &types[world].exports;
            if let Some((interface, item)) =
                exports.iter().find(|(name, _)| split_version(name).0 == STRATEGY)
            {
                return self.check_interface(types, interface, Some(item.ty)).map(|()| true);
            }
        }
        Ok(false)
    }

    fn check_interface(
        &self,
        types: TypesRef<'_>,
        interface: &str,
        found: Option<ComponentEntityType>,
    ) -> Result<(), Refused> {
        self.check_version(interface)?;
        let wrong = |export: String, difference: String| {
            Err(Refused::WrongExport { export, difference, looks_like: looks_like(interface) })
        };
        let Some(ComponentEntityType::Instance(instance)) = found else {
            return wrong(interface.to_owned(), "it is not an interface".to_owned());
        };
        for function in self.functions() {
            let export = format!("{interface}#{}", function.name);
            match types[instance].exports.get(&function.name).map(|item| item.ty) {
                None => return Err(Refused::MissingExport { export, looks_like: looks_like(interface) }),
                Some(ComponentEntityType::Func(id)) => {
                    if let Err(difference) = self.same_function(types, &types[id], function) {
                        return wrong(export, difference);
                    }
                }
                Some(_) => return wrong(export, "it is not a function".to_owned()),
            }
        }
        Ok(())
    }

    /// The type section of the contract as this host has it, in the version that a module's exports name.
    ///
    /// Making a component of a module, wit-component trusts the section: one that refers to itself sends it
    /// into endless recursion. So it never sees the guest's, which was checked against this one, but this.
    pub(crate) fn type_section(&self, export: &str) -> Result<Vec<u8>, Refused> {
        let not_encodable = |error: &dyn fmt::Display| Refused::NotEncodable(format!("{error:#}"));
        let version = export.split_once('#').and_then(|(interface, _)| split_version(interface).1);
        let version = version.ok_or_else(|| not_encodable(&"its exports name no version"))?;
        let wit = WIT.replace(&format!("@{}", self.version), &format!("@{version}"));
        let mut resolve = Resolve::default();
        let package = resolve.push_source("strategy.wit", &wit).map_err(|error| not_encodable(&error))?;
        let world =
            resolve.select_world(&[package], Some("plugin")).map_err(|error| not_encodable(&error))?;
        wit_component::metadata::encode(&resolve, world, StringEncoding::UTF8, None, false)
            .map_err(|error| not_encodable(&error))
    }

    fn check_version(&self, interface: &str) -> Result<(), Refused> {
        let (_, version) = split_version(interface);
        if version.is_some_and(|version| version.is_compatible(self.version)) {
            return Ok(());
        }
        let found = interface.split_once('@').map_or("none", |(_, version)| version).to_owned();
        Err(Refused::ContractVersion { found, supported: self.version.to_string() })
    }

    fn missing_interface<'a>(&self, exports: impl Iterator<Item = &'a str>) -> Refused {
        let mut names: Vec<&str> = exports.filter(|name| *name != "memory").take(6).collect();
        names.sort_unstable();
        let looks_like = if names.is_empty() {
            "it exports nothing".to_owned()
        } else {
            format!("it looks like no Bulkhead strategy of any version: it exports {}", names.join(", "))
        };
        let looks_like = crate::text::clean(&looks_like, 400);
        Refused::MissingExport { export: format!("{STRATEGY}@{}", self.version), looks_like }
    }
}

fn looks_like(interface: &str) -> String {
    let version = interface.split_once('@').map_or("without a version", |(_, version)| version);
    format!("the file looks like one for contract {version}")
}

const fn core_type(ty: &WasmType) -> ValType {
    match ty {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => ValType::I32,
        WasmType::I64 | WasmType::PointerOrI64 => ValType::I64,
        WasmType::F32 => ValType::F32,
        WasmType::F64 => ValType::F64,
    }
}

fn same_core(found: &[ValType], wanted: &[WasmType]) -> bool {
    found.len() == wanted.len() && found.iter().zip(wanted).all(|(found, wanted)| *found == core_type(wanted))
}

fn list(types: &[ValType]) -> String {
    types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_track_is_compatible() {
        let version = |text| semantic::Version::parse(text).unwrap();
        assert!(version("0.1.7").is_compatible(version("0.1.0")));
        assert!(!version("0.2.0").is_compatible(version("0.1.0")));
        assert!(!version("1.1.0").is_compatible(version("0.1.0")));
        assert!(version("1.4.0").is_compatible(version("1.1.0")));
        assert_eq!(semantic::Version::parse("0.1"), None);
        assert_eq!(semantic::Version::parse("0.1.0.0"), None);
    }

    #[test]
    fn the_contract_has_the_functions_that_the_host_calls() {
        let contract = Contract::load().unwrap();
        let names: Vec<&str> = contract.functions().map(|function| function.name.as_str()).collect();
        assert_eq!(names, ["describe", "init", "on-events", "save", "restore"]);
    }

    #[test]
    fn imports_are_told_apart() {
        let contract = Contract::load().unwrap();
        contract.check_module_import("bulkhead:strategy/logging@0.1.0", "log").unwrap();
        contract.check_module_import("bulkhead:strategy/logging@0.1.9", "log").unwrap();
        for (module, name) in [
            ("bulkhead:strategy/logging@0.2.0", "log"),
            ("bulkhead:strategy/logging@0.1.0", "shout"),
            ("env", "log"),
            ("bulkhead:strategy/logging", "log"),
        ] {
            let refused = contract.check_module_import(module, name).unwrap_err();
            assert!(matches!(refused, Refused::ForbiddenImport { .. }), "{module} {name}: {refused}");
        }
        let refused = contract.check_module_import("wasi_snapshot_preview1", "fd_write").unwrap_err();
        assert!(matches!(refused, Refused::WasiImport { .. }), "{refused}");
    }
}
