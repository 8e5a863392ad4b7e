//! The strategy versions that this process has verified and compiled, ready to be instantiated.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use bulkhead_core::identifier::ContentHash;
use bulkhead_core::strategy::{
    Description, Fault, FaultKind, InstanceConfig, Needs, Strategy, StrategySource,
};
use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::artefact::{ArtefactCache, Code};
use crate::compile::Toolchain;
use crate::compiler::{Compiler, CompilerProgram};
use crate::guest::{Ready, State, linker};
use crate::inspect::Inspection;
use crate::instance::WasmStrategy;
use crate::limits::{InvalidLimits, Limits};
use crate::models::{self, GrantedModels, Grants, Models};
use crate::refused::Refused;
use crate::versions::{self, Versions};
use crate::{convert, description, engine};

/// What a sandbox is made with.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// What each strategy may use.
    pub limits: Limits,
    /// Where compiled code is kept, outside the directory that is watched for strategies; without it every
    /// start compiles anew. Nobody but this process's user may be able to write there.
    pub artefacts: Option<PathBuf>,
    /// What each model may be and cost.
    pub models: bulkhead_inference::Limits,
    /// Where every version that was prepared is kept by its hash, so that it can be gone back to, and every model.
    pub versions: Option<PathBuf>,
    /// What compiles in a process of its own; without it files are compiled on a thread of this process, where the
    /// operating system limits nothing.
    pub compiler: Option<CompilerProgram>,
}

/// Why a sandbox could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// Limits that make no sense.
    #[error("sandbox limits: {0}")]
    Limits(#[from] InvalidLimits),
    /// Limits of models that make no sense.
    #[error("limits of models: {0}")]
    Models(InvalidLimits),
    /// wasmtime does not run here.
    #[error("the WebAssembly engine can't be started: {0}")]
    Engine(String),
    /// A directory can't be used.
    #[error("the directory {} can't be used: {source}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// A file's code, verified and compiled.
struct Compiled {
    code: Code,
    inspection: Inspection,
    /// Whether it came from the cache.
    cached: bool,
}

/// A version that was verified and compiled.
struct Prepared {
    ready: Ready,
    models: GrantedModels,
    description: Description,
    inspection: Inspection,
    cached: bool,
}

struct Shared {
    engine: Engine,
    linker: Linker<State>,
    limits: Arc<Limits>,
    compiler: Compiler,
    artefacts: Option<ArtefactCache>,
    versions: Option<Versions>,
    models: Models,
    prepared: RwLock<BTreeMap<ContentHash, Arc<Prepared>>>,
}

/// Verifies, compiles and instantiates strategies. Clones share everything.
#[derive(Clone)]
pub struct Sandbox {
    shared: Arc<Shared>,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sandbox").field("limits", &self.shared.limits).finish_non_exhaustive()
    }
}

impl Sandbox {
    /// Starts an engine.
    ///
    /// # Errors
    ///
    /// [`SetUpError`] for invalid limits, or directories that can't be used.
    pub fn new(settings: Settings) -> Result<Self, SetUpError> {
        settings.limits.validate()?;
        settings.models.validate().map_err(SetUpError::Models)?;
        let failed = |error: &dyn fmt::Display| SetUpError::Engine(error.to_string());
        let engine = engine::engine().map_err(|error| failed(&format!("{error:#}")))?;
        let linker = linker(&engine).map_err(|error| failed(&format!("{error:#}")))?;
        let limits = Arc::new(settings.limits);
        let toolchain =
            Toolchain::new(engine.clone(), Arc::clone(&limits)).map_err(|error| failed(&error))?;
        let artefacts = match settings.artefacts {
            None => None,
            Some(path) => match ArtefactCache::open(&path) {
                Ok(cache) => Some(cache),
                Err(source) => return Err(SetUpError::Directory { path, source }),
            },
        };
        let kept = |ending| match &settings.versions {
            None => Ok(None),
            Some(path) => Versions::open(path, ending)
                .map(Some)
                .map_err(|source| SetUpError::Directory { path: path.clone(), source }),
        };
        let (versions, models) = (kept(versions::STRATEGY)?, kept(versions::MODEL)?);
        let shared = Shared {
            engine,
            linker,
            compiler: Compiler::new(toolchain, settings.compiler),
            limits,
            artefacts,
            versions,
            models: Models::new(settings.models, models),
            prepared: RwLock::new(BTreeMap::new()),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The limits that every instance is held to.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// Verifies a file, compiles it and asks it what it is; afterwards the version can be instantiated. It sees no
    /// models. Doing so again is quick. May take seconds for large files: not for the thread that trades.
    ///
    /// # Errors
    ///
    /// [`Refused`] with what is wrong and what to do about it. What was prepared before stays.
    pub fn prepare(&self, bytes: &[u8]) -> Result<(ContentHash, Description), Refused> {
        self.prepare_granted(bytes, &Grants::new())
    }

    /// As [`Self::prepare`], for a strategy that may see these models. Code and models are one version: the same file with
    /// another model is another one.
    ///
    /// # Errors
    ///
    /// As [`Self::prepare`]; [`Refused::UnknownModel`] for a model that was never loaded here.
    pub fn prepare_granted(
        &self,
        bytes: &[u8],
        grants: &Grants,
    ) -> Result<(ContentHash, Description), Refused> {
        // Hashing is cheap, but not for any size.
        if bytes.len() as u64 > self.shared.limits.wasm_bytes {
            let limit = self.shared.limits.wasm_bytes;
            return Err(Refused::TooLarge { found: bytes.len() as u64, limit });
        }
        let granted = if bytes.starts_with(b"\0asm") {
            models::grant(bytes, grants)?
        } else {
            // Something else says better what it is not.
            bytes.to_vec()
        };
        self.prepare_version(&granted)
    }

    /// Loads a model, so that strategies can be granted it. May take a second, as it is tried in a process of its own first.
    ///
    /// # Errors
    ///
    /// [`Refused`] with what is wrong and what to do about it.
    pub fn load_model(&self, bytes: &[u8]) -> Result<ContentHash, Refused> {
        self.shared.models.load(bytes, &self.shared.compiler).map(|model| *model.hash())
    }

    /// The file of a version, grants included.
    fn prepare_version(&self, bytes: &[u8]) -> Result<(ContentHash, Description), Refused> {
        let version = ContentHash::of(bytes);
        if let Some(prepared) = self.prepared(&version) {
            return Ok((version, prepared.description.clone()));
        }
        let compiled = self.compile(version, bytes)?;
        let models = self.shared.models.granted(models::grants_of(bytes)?, &self.shared.compiler)?;
        let prepared = self.introduce(compiled, models)?;
        if let Some(versions) = &self.shared.versions {
            versions.keep(&version, bytes)?;
        }
        let description = prepared.description.clone();
        let mut all = self.shared.prepared.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(version, Arc::new(prepared));
        Ok((version, description))
    }

    /// Prepares a version that was prepared before, perhaps by an earlier process, from the kept file.
    ///
    /// # Errors
    ///
    /// As [`Self::prepare`]; [`Refused::UnknownVersion`] when it is not kept.
    pub fn prepare_kept(&self, version: &ContentHash) -> Result<Description, Refused> {
        if let Some(prepared) = self.prepared(version) {
            return Ok(prepared.description.clone());
        }
        let (_, description) = self.prepare_version(&self.kept_version(version)?)?;
        Ok(description)
    }

    /// The file of a version that was prepared before, as its author made it.
    ///
    /// # Errors
    ///
    /// [`Refused::UnknownVersion`] when it is not kept, [`Refused::Storage`] when it can't be read.
    pub fn kept_file(&self, version: &ContentHash) -> Result<Vec<u8>, Refused> {
        models::grant(&self.kept_version(version)?, &Grants::new())
    }

    /// A version that was prepared before with everything that it needs, for [`Self::prepare_packed`] elsewhere.
    ///
    /// # Errors
    ///
    /// As [`Self::kept_file`]; [`Refused::UnknownModel`] for a model that is not kept.
    pub fn packed(&self, version: &ContentHash) -> Result<Vec<u8>, Refused> {
        let bytes = self.kept_version(version)?;
        let models = self.shared.models.files(&models::grants_of(&bytes)?)?;
        Ok(models::pack(&bytes, &models))
    }

    /// Prepares what [`Self::packed`] gave, with the grants that it had there.
    ///
    /// # Errors
    ///
    /// As [`Self::prepare`]; what is wrong with a model.
    pub fn prepare_packed(&self, packed: &[u8]) -> Result<(ContentHash, Description), Refused> {
        let (version, models) = models::unpack(packed)?;
        for model in models {
            self.load_model(model)?;
        }
        self.prepare_version(&version)
    }

    fn kept_version(&self, version: &ContentHash) -> Result<Vec<u8>, Refused> {
        let versions = self.shared.versions.as_ref().ok_or(Refused::UnknownVersion(*version))?;
        versions.read(version, self.largest_version())
    }

    /// A file may be as large as its limit, and its grants come on top.
    fn largest_version(&self) -> u64 {
        self.shared.limits.wasm_bytes.saturating_add(models::MOST_GRANT_BYTES)
    }

    /// The models that a prepared version may see; `None` for a version that is not prepared.
    #[must_use]
    pub fn grants(&self, version: &ContentHash) -> Option<Grants> {
        self.prepared(version).map(|prepared| prepared.models.grants())
    }

    /// The versions that are kept on disk, in the order of their hashes.
    ///
    /// # Errors
    ///
    /// [`Refused::Storage`] when the directory can't be read.
    pub fn kept_versions(&self) -> Result<Vec<ContentHash>, Refused> {
        self.shared.versions.as_ref().map_or_else(|| Ok(Vec::new()), Versions::list)
    }

    /// Whether a prepared version's code was found compiled; `None` for a version that is not prepared.
    #[must_use]
    pub fn is_from_cache(&self, version: &ContentHash) -> Option<bool> {
        self.prepared(version).map(|prepared| prepared.cached)
    }

    /// What a prepared version's file is made of; `None` for a version that is not prepared.
    #[must_use]
    pub fn inspection(&self, version: &ContentHash) -> Option<Inspection> {
        self.prepared(version).map(|prepared| prepared.inspection.clone())
    }

    /// Ends what is being compiled and compiles nothing more, for a host that is to end soon; what is prepared goes on.
    pub fn stop_compiling(&self) {
        self.shared.compiler.stop();
    }

    /// Forgets a compiled version; running instances go on, and the kept file stays.
    pub fn forget(&self, version: &ContentHash) {
        self.shared.prepared.write().unwrap_or_else(PoisonError::into_inner).remove(version);
    }

    /// Starts an instance that can be asked for what the core's trait does not speak of.
    ///
    /// # Errors
    ///
    /// A [`Fault`] of kind [`FaultKind::Start`] when no such version was prepared, or its start failed.
    pub fn start(&self, version: &ContentHash, config: &InstanceConfig) -> Result<WasmStrategy, Fault> {
        let failed = |fault: Fault| Fault { kind: FaultKind::Start(fault.to_string()) };
        let prepared = self.prepared(version).ok_or_else(|| not_prepared(version))?;
        let mut instance = self.fresh(&prepared.ready, &prepared.models).map_err(failed)?;
        instance.init(config).map_err(failed)?;
        Ok(instance)
    }

    fn prepared(&self, version: &ContentHash) -> Option<Arc<Prepared>> {
        self.shared.prepared.read().unwrap_or_else(PoisonError::into_inner).get(version).cloned()
    }

    fn fresh(&self, ready: &Ready, models: &GrantedModels) -> Result<WasmStrategy, Fault> {
        WasmStrategy::new(&self.shared.engine, ready, &self.shared.limits, models.for_instance())
    }

    /// A file's way to compiled code.
    fn compile(&self, version: ContentHash, file: &[u8]) -> Result<Compiled, Refused> {
        let Shared { engine, compiler, artefacts, .. } = &*self.shared;
        let recipe = compiler.toolchain().recipe();
        let kept = artefacts.as_ref().and_then(|cache| cache.load(engine, recipe, &version));
        if let Some((code, inspection)) = kept {
            return Ok(Compiled { code, inspection, cached: true });
        }
        let sealed = compiler.compile(file)?;
        let opened = recipe.open(engine, &version, &sealed);
        let (code, inspection) = opened.map_err(|error| Refused::CompiledCode(error.to_string()))?;
        if let Some(cache) = artefacts
            && let Err(error) = cache.store(recipe, &version, &sealed)
        {
            // The version runs all the same; only the next start is slower.
            tracing::warn!(%version, %error, "compiled code could not be kept");
        }
        Ok(Compiled { code, inspection, cached: false })
    }

    /// Asks a version what it is: twice one instance, and once another.
    fn introduce(&self, compiled: Compiled, models: GrantedModels) -> Result<Prepared, Refused> {
        let ready = Ready::new(&self.shared.linker, &compiled.code)
            .map_err(|error| Refused::from_compiler(&error))?;
        let mut first = self.fresh(&ready, &models).map_err(Refused::DescribeFailed)?;
        let said = convert::description(first.describe().map_err(Refused::DescribeFailed)?);
        description::validate(&said, &self.shared.limits).map_err(Refused::Description)?;
        let mut second = self.fresh(&ready, &models).map_err(Refused::DescribeFailed)?;
        for (instance, when) in [(&mut first, "asked again"), (&mut second, "in another instance")] {
            let again = convert::description(instance.describe().map_err(Refused::DescribeFailed)?);
            if again != said {
                return Err(Refused::DescribeDiffers(when.to_owned()));
            }
        }
        let Compiled { inspection, cached, .. } = compiled;
        Ok(Prepared { ready, models, description: said, inspection, cached })
    }
}

fn not_prepared(version: &ContentHash) -> Fault {
    Fault { kind: FaultKind::Start(format!("no version {} was prepared", version.short())) }
}

impl StrategySource for Sandbox {
    fn describe(&self, version: &ContentHash) -> Result<Description, Fault> {
        let prepared = self.prepared(version).ok_or_else(|| not_prepared(version))?;
        Ok(prepared.description.clone())
    }

    fn needs(&self, version: &ContentHash, config: &InstanceConfig) -> Result<(Needs, u32), Fault> {
        let mut probe = self.start(version, config)?;
        let description = convert::description(probe.describe()?);
        // What it asks for under these settings is held to the same bounds as what it asks for by default.
        description::validate(&description, self.limits()).map_err(|problems| {
            let problems = problems.join("; ");
            Fault::from(FaultKind::Start(format!(
                "with these parameters its description is refused: {problems}"
            )))
        })?;
        Ok((description.needs, description.warm_up_bars))
    }

    fn instantiate(
        &self,
        version: &ContentHash,
        config: &InstanceConfig,
    ) -> Result<Box<dyn Strategy>, Fault> {
        Ok(Box::new(self.start(version, config)?))
    }
}
