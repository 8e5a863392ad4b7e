//! Models that strategies are granted: how a grant is part of a version, and what an instance may call.
//!
//! What runs is the code and the models that it may see, so both are what a version is: the models' names and hashes are
//! written into a section of the strategy's file, and the hash of that file names the version. A replay, a rollback and a
//! replacement then need to know nothing of models. The section is the host's: whatever a file from outside says in it is
//! taken out.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use bulkhead_core::identifier::ContentHash;
use bulkhead_inference::{Limits, Model, RunFailure, Session};
use wasm_encoder::{CustomSection, Encode as _};
use wasmparser::{Parser, Payload};
use wasmtime::{AsContextMut, Error, StoreContextMut, Trap};

use crate::bindings::bulkhead::strategy::inference as wit;
use crate::compiler::Compiler;
use crate::guest::State;
use crate::limits::count;
use crate::refused::Refused;
use crate::text::clean;
use crate::versions::Versions;

/// The section that holds a version's grants.
const SECTION: &str = "bulkhead-models";

/// What the name of a section begins with that holds a model itself; its hash follows.
const CONTENT: &str = "bulkhead-model:";

/// The longest list of grants, with the section around it.
pub(crate) const MOST_GRANT_BYTES: u64 = 64 * 1024;

/// Fuel of one call beside the model's work: about what the host's is worth.
const CALL_FUEL: u64 = 1_000;

/// Fuel for each output and each note that is told of.
const ENTRY_FUEL: u64 = 100;

/// The most numbers of an answer. A wide model could otherwise have the host hold far more than the strategy may.
const MOST_ANSWERED: usize = 1 << 20;

/// The models that a strategy may see, by the names that it knows them by.
pub type Grants = BTreeMap<String, ContentHash>;

/// A strategy's file with these grants and no others.
///
/// # Errors
///
/// [`Refused::Malformed`] when the file's sections can't be told apart.
pub(crate) fn grant(file: &[u8], grants: &Grants) -> Result<Vec<u8>, Refused> {
    let mut granted = without(file, |_| true)?;
    if !grants.is_empty() {
        let lines: String = grants.iter().map(|(name, hash)| format!("{name} {hash}\n")).collect();
        append(&mut granted, SECTION, lines.as_bytes());
    }
    Ok(granted)
}

/// A version with its models inside, to be kept where the models are not.
pub(crate) fn pack(version: &[u8], models: &BTreeMap<ContentHash, Vec<u8>>) -> Vec<u8> {
    let mut packed = version.to_vec();
    for (hash, model) in models {
        append(&mut packed, &format!("{CONTENT}{hash}"), model);
    }
    packed
}

/// A version without its models, and those.
///
/// # Errors
///
/// [`Refused::Malformed`] when the file's sections can't be told apart.
pub(crate) fn unpack(packed: &[u8]) -> Result<(Vec<u8>, Vec<&[u8]>), Refused> {
    let is_content = |section: &Section<'_>| section.name != SECTION;
    let models = sections(packed)?.into_iter().filter(is_content).map(|section| section.data).collect();
    Ok((without(packed, is_content)?, models))
}

/// A file without some of the host's sections.
fn without(file: &[u8], is_out: impl Fn(&Section<'_>) -> bool) -> Result<Vec<u8>, Refused> {
    let mut rest = Vec::with_capacity(file.len());
    let mut copied = 0;
    for section in sections(file)?.into_iter().filter(is_out) {
        rest.extend_from_slice(file.get(copied..section.start).unwrap_or_default());
        copied = section.end;
    }
    rest.extend_from_slice(file.get(copied..).unwrap_or_default());
    Ok(rest)
}

fn append(file: &mut Vec<u8>, name: &str, data: &[u8]) {
    file.push(0);
    CustomSection { name: name.into(), data: data.into() }.encode(file);
}

/// What a version that this host made was granted.
///
/// # Errors
///
/// [`Refused::Malformed`] when a section was changed since.
pub(crate) fn grants_of(version: &[u8]) -> Result<Grants, Refused> {
    let mut grants = Grants::new();
    for section in sections(version)?.into_iter().filter(|section| section.name == SECTION) {
        let damaged = || Refused::Malformed {
            offset: section.start as u64,
            why: "its list of models is damaged".to_owned(),
        };
        let lines = std::str::from_utf8(section.data).map_err(|_| damaged())?;
        for line in lines.lines() {
            let (name, hash) = line.split_once(' ').ok_or_else(damaged)?;
            let hash = ContentHash::try_from(hash.to_owned()).map_err(|_| damaged())?;
            grants.insert(name.to_owned(), hash);
        }
    }
    Ok(grants)
}

/// A section of the host's in a file.
struct Section<'f> {
    /// With its number and length.
    start: usize,
    end: usize,
    name: &'f str,
    data: &'f [u8],
}

/// The sections of the outermost module or component that are the host's.
fn sections(file: &[u8]) -> Result<Vec<Section<'_>>, Refused> {
    const HEADER_BYTES: usize = 8;
    let mut found = Vec::new();
    let mut depth = 0_u32;
    // Sections follow one another without a gap.
    let mut start = HEADER_BYTES;
    for payload in Parser::new(0).parse_all(file) {
        let payload = payload.map_err(|error| Refused::Malformed {
            offset: error.offset(),
            why: error.message().to_owned(),
        })?;
        let outermost = depth == 0;
        match &payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
        let Some((_, range)) = payload.as_section() else { continue };
        if !outermost {
            continue;
        }
        let end = count(range.end);
        if let Payload::CustomSection(section) = &payload
            && (section.name() == SECTION || section.name().starts_with(CONTENT))
        {
            found.push(Section { start, end, name: section.name(), data: section.data() });
        }
        start = end;
    }
    Ok(found)
}

/// The models of this process, loaded once for all who may see them.
pub(crate) struct Models {
    limits: Limits,
    /// Where every model that was loaded is kept by its hash.
    kept: Option<Versions>,
    loaded: RwLock<BTreeMap<ContentHash, Arc<Model>>>,
}

impl Models {
    pub(crate) fn new(limits: Limits, kept: Option<Versions>) -> Self {
        Self { limits, kept, loaded: RwLock::new(BTreeMap::new()) }
    }

    /// Loads a model from outside, after it was tried where it can do no harm.
    ///
    /// # Errors
    ///
    /// [`Refused`] with what is wrong with the file.
    pub(crate) fn load(&self, file: &[u8], compiler: &Compiler) -> Result<Arc<Model>, Refused> {
        let hash = ContentHash::of(file);
        if let Some(model) = self.get(&hash) {
            return Ok(model);
        }
        if file.len() as u64 <= self.limits.file_bytes {
            compiler.try_model(file, &self.limits)?;
        }
        let model = Model::load(file, &self.limits)?;
        if let Some(kept) = &self.kept {
            kept.keep(&hash, file)?;
        }
        self.loaded.write().unwrap_or_else(PoisonError::into_inner).insert(hash, Arc::clone(&model));
        Ok(model)
    }

    /// The models of a version.
    ///
    /// # Errors
    ///
    /// [`Refused::UnknownModel`] for one that is not kept, and what is wrong with one that is.
    pub(crate) fn granted(&self, grants: Grants, compiler: &Compiler) -> Result<GrantedModels, Refused> {
        let model = |(name, hash): (String, ContentHash)| {
            let model = match (self.get(&hash), &self.kept) {
                (Some(model), _) => model,
                (None, None) => return Err(Refused::UnknownModel { name, hash }),
                (None, Some(kept)) => match kept.read(&hash, self.limits.file_bytes) {
                    Ok(file) => self.load(&file, compiler)?,
                    Err(Refused::UnknownVersion(_)) => return Err(Refused::UnknownModel { name, hash }),
                    Err(other) => return Err(other),
                },
            };
            Ok((name, model))
        };
        Ok(GrantedModels(grants.into_iter().map(model).collect::<Result<_, _>>()?))
    }

    /// The files of models, where they are kept.
    pub(crate) fn files(&self, grants: &Grants) -> Result<BTreeMap<ContentHash, Vec<u8>>, Refused> {
        let file = |(name, hash): (&String, &ContentHash)| {
            let unknown = || Refused::UnknownModel { name: name.clone(), hash: *hash };
            let kept = self.kept.as_ref().ok_or_else(unknown)?;
            Ok((*hash, kept.read(hash, self.limits.file_bytes)?))
        };
        grants.iter().map(file).collect()
    }

    fn get(&self, hash: &ContentHash) -> Option<Arc<Model>> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).get(hash).cloned()
    }
}

/// The models of a version, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct GrantedModels(Vec<(String, Arc<Model>)>);

impl GrantedModels {
    pub(crate) fn grants(&self) -> Grants {
        self.0.iter().map(|(name, model)| (name.clone(), *model.hash())).collect()
    }

    /// What an instance of the version may call.
    pub(crate) fn for_instance(&self) -> InstanceModels {
        let models = self.0.iter().map(|(name, model)| (name.clone(), Arc::clone(model), None)).collect();
        InstanceModels(models)
    }
}

/// The models of an instance; each starts when it is run first.
pub(crate) struct InstanceModels(Vec<(String, Arc<Model>, Option<Session>)>);

/// Why a strategy got no answer from a model.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ModelFailure {
    #[error("no model \"{name}\" was granted to it; grant it in `models` of its slot")]
    NotGranted { name: String },
    #[error("\"{name}\": {rows} rows at once are more than {MOST_ANSWERED} numbers of answer; ask in parts")]
    Answer { name: String, rows: usize },
    #[error("\"{name}\": {failure}")]
    Run { name: String, failure: RunFailure },
}

/// What a model is that an instance was granted.
pub(crate) fn describe(
    mut store: impl AsContextMut<Data = State>,
    name: &str,
) -> Result<Option<wit::Model>, Error> {
    let mut store = store.as_context_mut();
    let models = &store.data().models.0;
    let model = models.iter().find(|(granted, ..)| granted == name).map(|(_, model, _)| Arc::clone(model));
    let texts: usize =
        model.iter().flat_map(|model| model.metadata()).map(|(key, text)| key.len() + text.len()).sum();
    let entries =
        model.iter().map(|model| model.outputs().len() + model.metadata().len()).sum::<usize>() as u64;
    pay(&mut store, CALL_FUEL.saturating_add(texts as u64).saturating_add(ENTRY_FUEL * entries))?;
    Ok(model.map(|model| wit::Model {
        hash: model.hash().to_string(),
        row: number(model.row()),
        outputs: model
            .outputs()
            .iter()
            .map(|output| wit::ModelOutput { name: output.name.clone(), width: number(output.width) })
            .collect(),
        notes: model
            .metadata()
            .iter()
            .map(|(key, text)| wit::ModelNote { key: key.clone(), text: text.clone() })
            .collect(),
        #[expect(clippy::cast_precision_loss, reason = "a budget is far below what a double counts exactly")]
        work: model.work_per_row() as f64,
    }))
}

/// Has an instance's model run on rows, for the instance's fuel.
pub(crate) fn run(
    mut store: impl AsContextMut<Data = State>,
    name: &str,
    rows: &[f32],
) -> Result<Vec<f32>, Error> {
    let mut store = store.as_context_mut();
    let shown = || clean(name, 64);
    let models = &store.data().models.0;
    let Some(place) = models.iter().position(|(granted, ..)| granted == name) else {
        return Err(ModelFailure::NotGranted { name: shown() }.into());
    };
    let model = Arc::clone(&models[place].1);
    let rows_asked = rows.len() / model.row();
    if rows_asked.saturating_mul(model.width()) > MOST_ANSWERED {
        return Err(ModelFailure::Answer { name: shown(), rows: rows_asked }.into());
    }
    let count = rows_asked as u64;
    pay(&mut store, model.work_per_row().saturating_mul(count).saturating_add(CALL_FUEL))?;
    let failed = |failure| Error::from(ModelFailure::Run { name: shown(), failure });
    let session = &mut store.data_mut().models.0[place].2;
    let session = match session {
        Some(session) => session,
        None => session.insert(Session::start(&model).map_err(failed)?),
    };
    session.run(rows).map_err(failed)
}

/// Takes fuel for work that the host does.
fn pay(store: &mut StoreContextMut<'_, State>, cost: u64) -> Result<(), Error> {
    match store.get_fuel()?.checked_sub(cost) {
        Some(left) => store.set_fuel(left),
        None => {
            store.set_fuel(0)?;
            Err(Trap::OutOfFuel.into())
        }
    }
}

fn number(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(of: &[u8]) -> ContentHash {
        ContentHash::of(of)
    }

    fn module() -> Vec<u8> {
        wat::parse_str(r#"(module (func (export "f")) (@custom "other" "kept"))"#).unwrap()
    }

    fn component() -> Vec<u8> {
        wat::parse_str(r#"(component (core module (func) (@custom "bulkhead-models" "a b")) (core module))"#)
            .unwrap()
    }

    #[test]
    fn a_grant_is_written_read_and_taken_back() {
        let grants = Grants::from([("one".to_owned(), hash(b"1")), ("two".to_owned(), hash(b"2"))]);
        for file in [module(), component()] {
            let granted = grant(&file, &grants).unwrap();
            wasmparser::Validator::new().validate_all(&granted).unwrap();
            assert_eq!(grants_of(&granted).unwrap(), grants);
            assert_eq!(grant(&granted, &Grants::new()).unwrap(), file);
            let other = Grants::from([("one".to_owned(), hash(b"3"))]);
            let changed = grant(&granted, &other).unwrap();
            assert_eq!(grants_of(&changed).unwrap(), other);
            assert_ne!(hash(&changed), hash(&granted));
        }
    }

    #[test]
    fn without_grants_a_file_stays_as_it_is() {
        for file in [module(), component()] {
            assert_eq!(grant(&file, &Grants::new()).unwrap(), file);
            assert_eq!(grants_of(&file).unwrap(), Grants::new());
        }
    }

    #[test]
    fn what_a_file_says_of_itself_is_taken_out() {
        let hash = hash(b"secret");
        let text = format!(
            r#"(module (@custom "bulkhead-models" "x {hash}\0a") (func) (@custom "bulkhead-models" "y"))"#
        );
        let file = wat::parse_str(text).unwrap();
        let clean = grant(&file, &Grants::new()).unwrap();
        assert!(grants_of(&clean).unwrap().is_empty());
        wasmparser::Validator::new().validate_all(&clean).unwrap();
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        let (one, two) = (b"one model".to_vec(), vec![0xa5; 100_000]);
        let grants = Grants::from([("a".to_owned(), hash(&one)), ("b".to_owned(), hash(&two))]);
        for file in [module(), component()] {
            let version = grant(&file, &grants).unwrap();
            let models = BTreeMap::from([(hash(&one), one.clone()), (hash(&two), two.clone())]);
            let packed = pack(&version, &models);
            let (unpacked, found) = unpack(&packed).unwrap();
            assert_eq!(unpacked, version);
            assert_eq!(found, models.values().map(Vec::as_slice).collect::<Vec<_>>());
            assert_eq!(
                grant(&packed, &Grants::new()).unwrap(),
                file,
                "nothing of it stays in a file from outside"
            );
        }
    }

    #[test]
    fn a_damaged_list_is_no_grant() {
        let file = wat::parse_str(r#"(module (@custom "bulkhead-models" "x 12"))"#).unwrap();
        assert!(matches!(grants_of(&file), Err(Refused::Malformed { .. })));
        assert!(grant(b"no wasm", &Grants::new()).is_err());
    }
}
