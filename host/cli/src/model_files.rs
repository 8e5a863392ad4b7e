//! The models that lie beside the strategies, and who may see them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use bulkhead_configuration::{Configuration, Models};
use bulkhead_core::identifier::ContentHash;
use bulkhead_core::strategy::Description;
use bulkhead_sandbox::check::GrantedFiles;
use bulkhead_sandbox::{Grants, Sandbox};

use crate::market_data::read;
use crate::strategy_files::BUILT_PLUGINS;

/// Prepares strategies with the models that the configuration grants them.
#[derive(Debug, Clone)]
pub(crate) struct GrantingSandbox {
    sandbox: Sandbox,
    directory: PathBuf,
    configured: Models,
}

impl GrantingSandbox {
    pub(crate) fn new(sandbox: Sandbox, configuration: &Configuration) -> Self {
        let directory = configuration.strategies.directory.clone();
        Self { sandbox, directory, configured: configuration.models.clone() }
    }

    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// The largest model that is read.
    pub(crate) fn largest_model_bytes(&self) -> u64 {
        self.configured.limits.file_bytes
    }

    /// Prepares a file for a slot, with the models as they are now.
    pub(crate) fn prepare(&self, slot: &str, file: &[u8]) -> Result<(ContentHash, Description)> {
        let mut grants = Grants::new();
        for name in names(&self.configured, slot) {
            grants.insert(name.clone(), self.load(name)?);
        }
        Ok(self.sandbox.prepare_granted(file, &grants)?)
    }

    /// The slots whose strategies may see a model.
    pub(crate) fn grantees<'s>(&'s self, model: &'s str) -> impl Iterator<Item = &'s str> {
        let grants = self.configured.grants.iter();
        grants.filter(move |(_, names)| names.iter().any(|name| name == model)).map(|(slot, _)| slot.as_str())
    }

    /// The file of a slot's strategy.
    pub(crate) fn strategy_file(&self, slot: &str) -> PathBuf {
        self.directory.join(format!("{slot}.wasm"))
    }

    /// Looks into a model and makes it known to the sandbox.
    pub(crate) fn load(&self, name: &str) -> Result<ContentHash> {
        let path = find(&self.directory, name)?;
        let loaded = self.sandbox.load_model(&read(&path)?);
        loaded.map_err(|refused| anyhow!("the model {} is refused: {refused}", path.display()))
    }
}

/// The files of the models that a slot's strategy may see.
pub(crate) fn granted(configuration: &Configuration, slot: &str) -> Result<GrantedFiles> {
    let mut files = BTreeMap::new();
    for name in names(&configuration.models, slot) {
        files.insert(name.clone(), read(&find(&configuration.strategies.directory, name)?)?);
    }
    Ok((configuration.models.limits.clone(), files))
}

fn names<'c>(configured: &'c Models, slot: &str) -> &'c [String] {
    configured.grants.get(slot).map(Vec::as_slice).unwrap_or_default()
}

fn find(directory: &Path, name: &str) -> Result<PathBuf> {
    let file = format!("{name}.onnx");
    let candidates = [directory.join(&file), Path::new(BUILT_PLUGINS).join(&file)];
    candidates.iter().find(|candidate| candidate.is_file()).cloned().with_context(|| {
        format!(
            "it is granted the model \"{name}\", and there is no {}; put the model there, or take it out of \
             models.grants",
            candidates[0].display()
        )
    })
}
