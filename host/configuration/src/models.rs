//! The section about models.

use std::collections::BTreeMap;

use bulkhead_inference::{Limits, is_model_name};
use serde::{Deserialize, Serialize};

/// Which strategies may see which models, and what a model may be.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Models {
    /// The models that a slot's strategy may see, by the slot; each is the file of that name in the strategies directory,
    /// without its `.onnx`.
    pub grants: BTreeMap<String, Vec<String>>,
    /// What each model may be and cost.
    pub limits: Limits,
}

impl Models {
    /// Every grant of something that can't be a model's name: the key, and the name.
    pub(crate) fn odd_names(&self) -> impl Iterator<Item = (String, &str)> {
        let names = self.grants.iter().flat_map(|(slot, names)| names.iter().map(move |name| (slot, name)));
        names
            .filter(|(_, name)| !is_model_name(name))
            .map(|(slot, name)| (format!("models.grants.{slot}"), name.as_str()))
    }
}
