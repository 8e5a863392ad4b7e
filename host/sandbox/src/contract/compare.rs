//! Holds a component's types against the contract's, member by member, so that a difference can be told by the
//! path to it.

use wasmparser::PrimitiveValType;
use wasmparser::component_types::{ComponentDefinedType, ComponentFuncType, ComponentValType};
use wasmparser::types::TypesRef;
use wit_parser::{Function, Type, TypeDefKind};

use super::Contract;

impl Contract {
    pub(super) fn same_function(
        &self,
        types: TypesRef<'_>,
        found: &ComponentFuncType,
        wanted: &Function,
    ) -> Result<(), String> {
        if found.async_ {
            return Err("it is asynchronous".to_owned());
        }
        if found.params.len() != wanted.params.len() {
            return Err(format!("it takes {} parameters, not {}", found.params.len(), wanted.params.len()));
        }
        for ((name, found), wanted) in found.params.iter().zip(&wanted.params) {
            self.same_type(types, *found, &wanted.ty)
                .map_err(|difference| format!("parameter {name}{difference}"))?;
        }
        self.same_optional(types, found.result, wanted.result.as_ref())
            .map_err(|difference| format!("its result{difference}"))
    }

    fn same_optional(
        &self,
        types: TypesRef<'_>,
        found: Option<ComponentValType>,
        wanted: Option<&Type>,
    ) -> Result<(), String> {
        match (found, wanted) {
            (None, None) => Ok(()),
            (Some(found), Some(wanted)) => self.same_type(types, found, wanted),
            (Some(_), None) => Err(" has a value, but none is expected".to_owned()),
            (None, Some(_)) => Err(" has no value, but one is expected".to_owned()),
        }
    }

    /// Compares two types; a difference is told with the path to it.
    fn same_type(&self, types: TypesRef<'_>, found: ComponentValType, wanted: &Type) -> Result<(), String> {
        let Some(wanted) = self.definition(wanted) else {
            return Err(" has a type that the contract does not know".to_owned());
        };
        let found = match found {
            ComponentValType::Primitive(found) => return same_primitive(found, wanted),
            ComponentValType::Type(id) => &types[id],
        };
        if let ComponentDefinedType::Primitive(found) = found {
            return same_primitive(*found, wanted);
        }
        let Wanted::Defined(wanted) = wanted else {
            return Err(format!(" is not a {}", wanted.name()));
        };
        match (found, wanted) {
            (ComponentDefinedType::Record(found), TypeDefKind::Record(wanted)) => {
                same_names(found.fields.keys(), wanted.fields.iter().map(|field| field.name.as_str()))?;
                found.fields.iter().zip(&wanted.fields).try_for_each(|((name, found), wanted)| {
                    self.same_type(types, *found, &wanted.ty)
                        .map_err(|difference| format!(".{name}{difference}"))
                })
            }
            (ComponentDefinedType::Variant(found), TypeDefKind::Variant(wanted)) => {
                same_names(found.cases.keys(), wanted.cases.iter().map(|case| case.name.as_str()))?;
                found.cases.iter().zip(&wanted.cases).try_for_each(|((name, found), wanted)| {
                    self.same_optional(types, found.ty, wanted.ty.as_ref())
                        .map_err(|difference| format!(".{name}{difference}"))
                })
            }
            (ComponentDefinedType::Enum(found), TypeDefKind::Enum(wanted)) => {
                same_names(found.iter(), wanted.cases.iter().map(|case| case.name.as_str()))
            }
            (ComponentDefinedType::List { element, .. }, TypeDefKind::List(wanted)) => self
                .same_type(types, *element, wanted)
                .map_err(|difference| format!(" (element){difference}")),
            (ComponentDefinedType::Option { ty, .. }, TypeDefKind::Option(wanted)) => self
                .same_type(types, *ty, wanted)
                .map_err(|difference| format!(" (when present){difference}")),
            (ComponentDefinedType::Result { ok, err, .. }, TypeDefKind::Result(wanted)) => {
                self.same_optional(types, *ok, wanted.ok.as_ref())
                    .map_err(|difference| format!(" (when ok){difference}"))?;
                self.same_optional(types, *err, wanted.err.as_ref())
                    .map_err(|difference| format!(" (when an error){difference}"))
            }
            (_, wanted) => Err(format!(" is not a {}", wanted.as_str())),
        }
    }

    /// What a type is once its aliases are followed.
    fn definition(&self, ty: &Type) -> Option<Wanted<'_>> {
        let mut ty = *ty;
        loop {
            let Type::Id(id) = ty else { return Some(Wanted::Primitive(primitive(ty)?)) };
            match &self.resolve.types.get(id)?.kind {
                TypeDefKind::Type(alias) => ty = *alias,
                kind => return Some(Wanted::Defined(kind)),
            }
        }
    }
}

/// A type that the contract asks for.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    Primitive(PrimitiveValType),
    Defined(&'a TypeDefKind),
}

impl Wanted<'_> {
    fn name(self) -> String {
        match self {
            Self::Primitive(primitive) => primitive.to_string(),
            Self::Defined(kind) => kind.as_str().to_owned(),
        }
    }
}

const fn primitive(ty: Type) -> Option<PrimitiveValType> {
    Some(match ty {
        Type::Bool => PrimitiveValType::Bool,
        Type::U8 => PrimitiveValType::U8,
        Type::U16 => PrimitiveValType::U16,
        Type::U32 => PrimitiveValType::U32,
        Type::U64 => PrimitiveValType::U64,
        Type::S8 => PrimitiveValType::S8,
        Type::S16 => PrimitiveValType::S16,
        Type::S32 => PrimitiveValType::S32,
        Type::S64 => PrimitiveValType::S64,
        Type::F32 => PrimitiveValType::F32,
        Type::F64 => PrimitiveValType::F64,
        Type::Char => PrimitiveValType::Char,
        Type::String => PrimitiveValType::String,
        Type::ErrorContext | Type::Id(_) => return None,
    })
}

fn same_primitive(found: PrimitiveValType, wanted: Wanted<'_>) -> Result<(), String> {
    match wanted {
        Wanted::Primitive(wanted) if wanted == found => Ok(()),
        wanted => Err(format!(" is {found}, not {}", wanted.name())),
    }
}

fn same_names<'a, N: ToString + 'a>(
    found: impl Iterator<Item = N>,
    wanted: impl Iterator<Item = &'a str>,
) -> Result<(), String> {
    let found: Vec<String> = found.map(|name| name.to_string()).collect();
    let wanted: Vec<&str> = wanted.collect();
    if found == wanted {
        return Ok(());
    }
    Err(format!(" has the members [{}], not [{}]", found.join(", "), wanted.join(", ")))
}
