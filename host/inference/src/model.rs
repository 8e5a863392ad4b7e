//! A model: from a file to what can be run.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bulkhead_core::identifier::ContentHash;
use tract_onnx::prelude::{
    DatumType, Framework as _, InferenceFact, InferenceModelExt as _, TypedModel, TypedRunnableModel,
    TypedSimplePlan, onnx, tvec,
};

use crate::graph::{self, Interface, at_most};
use crate::limits::Limits;
use crate::refused::{Refused, shown};
use crate::session::run_row;
use crate::{arithmetic, forest};

/// What running one operator costs however little it computes, in units of work.
const OPERATOR: u64 = 300;

/// What handing over an output costs beside its numbers, in units of work.
const OUTPUT: u64 = 50;

/// The longest name of a model.
const NAME_BYTES: usize = 64;

/// Whether a model can be called so: lower case letters, digits, "-" and "_", at most 64, a letter first.
#[must_use]
pub fn is_model_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.len() <= NAME_BYTES
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'))
}

/// An output of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Its name in the file.
    pub name: String,
    /// Numbers in a row of it.
    pub width: usize,
}

/// A model that can be run. Made once, run by as many sessions as are wanted.
pub struct Model {
    hash: ContentHash,
    row: usize,
    outputs: Vec<Output>,
    metadata: Vec<(String, String)>,
    work_per_row: u64,
    plan: Arc<TypedRunnableModel>,
}

impl fmt::Debug for Model {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Model")
            .field("hash", &self.hash)
            .field("row", &self.row)
            .field("outputs", &self.outputs)
            .field("work_per_row", &self.work_per_row)
            .finish_non_exhaustive()
    }
}

impl Model {
    /// Checks a file, prepares it, and runs it once.
    ///
    /// It takes as much time and memory as the file has it take: what comes from outside is loaded in a process of its own
    /// first, which has limits.
    ///
    /// # Errors
    ///
    /// [`Refused`] with what is wrong and what to do about it.
    pub fn load(file: &[u8], limits: &Limits) -> Result<Arc<Self>, Refused> {
        arithmetic::make_portable()?;
        at_most("bytes of the file", file.len() as u64, limits.file_bytes, "file_bytes")?;
        // The runtime checks much, but not all, before it computes.
        let loaded = catch_unwind(AssertUnwindSafe(|| Self::load_checked(file, limits)));
        loaded.unwrap_or_else(|_| Err(Refused::Runtime("it made the runtime panic".to_owned()))).map(Arc::new)
    }

    fn load_checked(file: &[u8], limits: &Limits) -> Result<Self, Refused> {
        let damaged = |error: &dyn fmt::Display| Refused::NotOnnx(shown(&format!("{error:#}")));
        let runtime = |error: &dyn fmt::Display| Refused::Runtime(shown(&format!("{error:#}")));
        let framework = onnx();
        let mut bytes = file;
        let proto = framework.proto_model_for_read(&mut bytes).map_err(|error| damaged(&error))?;
        let Interface { row, outputs, tree_work } = graph::check(&proto, limits)?;
        let metadata =
            proto.metadata_props.iter().map(|entry| (entry.key.clone(), entry.value.clone())).collect();
        let fact = InferenceFact::dt_shape(DatumType::F32, tvec![1, row]);
        let mut model = framework
            .model_for_proto_model(&proto)
            .and_then(|model| model.with_input_fact(0, fact))
            .map_err(|error| runtime(&error))?;
        model.analyse(false).map_err(|error| runtime(&error))?;
        let sizes = model.nodes().iter().flat_map(|node| &node.outputs).map(|outlet| {
            let shape = outlet.fact.shape.as_concrete_finite().ok().flatten();
            shape.map_or(0, |shape| shape.iter().fold(1_u64, |size, dim| size.saturating_mul(*dim as u64)))
        });
        let numbers = sizes.fold(0_u64, u64::saturating_add);
        let most = limits.numbers.saturating_mul(2);
        at_most("numbers in its tensors", numbers, most, "numbers")?;
        let model = model.into_typed().map_err(|error| runtime(&error))?;
        check_kinds(&model)?;
        let mut model = model.into_decluttered().map_err(|error| runtime(&error))?;
        forest::plant(&mut model).map_err(|error| runtime(&error))?;
        let outputs = widths(&model, outputs)?;
        let width = outputs.iter().map(|output| output.width as u64).sum();
        at_most("numbers in a row of its outputs", width, limits.row_numbers, "row_numbers")?;
        let handed_over = OUTPUT.saturating_mul(outputs.len() as u64).saturating_add(width);
        let work_per_row = [tree_work, work(&model)?, handed_over].into_iter().fold(0, u64::saturating_add);
        at_most("work for a row", work_per_row, limits.work_per_row, "work_per_row")?;
        let plan = model.into_optimized().and_then(TypedSimplePlan::new).map_err(|error| runtime(&error))?;
        let hash = ContentHash::of(file);
        let loaded = Self { hash, row, outputs, metadata, work_per_row, plan };
        // Whatever the runtime finds out only while it computes, it finds out now.
        let mut state = loaded.plan.spawn().map_err(|error| runtime(&error))?;
        run_row(&mut state, &vec![0.0; row], &mut Vec::new()).map_err(|error| runtime(&error))?;
        Ok(loaded)
    }

    /// The hash of its file.
    #[must_use]
    pub const fn hash(&self) -> &ContentHash {
        &self.hash
    }

    /// Numbers in a row of its input.
    #[must_use]
    pub const fn row(&self) -> usize {
        self.row
    }

    /// Its outputs, in the file's order.
    #[must_use]
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// Numbers in a row of all outputs together.
    #[must_use]
    pub fn width(&self) -> usize {
        self.outputs.iter().map(|output| output.width).sum()
    }

    /// What its author wrote of it: keys and values.
    #[must_use]
    pub fn metadata(&self) -> &[(String, String)] {
        &self.metadata
    }

    /// What a row costs, in units of work: about nanoseconds. Known from the file alone, the same on every machine.
    #[must_use]
    pub const fn work_per_row(&self) -> u64 {
        self.work_per_row
    }

    pub(crate) const fn plan(&self) -> &Arc<TypedRunnableModel> {
        &self.plan
    }
}

/// Mixed kinds of numbers may have the runtime choose one by itself that the file does not name.
fn check_kinds(model: &TypedModel) -> Result<(), Refused> {
    let outlets = model.nodes().iter().flat_map(|node| node.outputs.iter().map(move |outlet| (node, outlet)));
    for (node, outlet) in outlets {
        let kind = outlet.fact.datum_type;
        if kind.is_quantized() || (kind.is_float() && kind != DatumType::F32) {
            return Err(Refused::Runtime(format!(
                "{:?} would be computed in {kind:?}; export it in 32-bit numbers",
                shown(&node.name)
            )));
        }
    }
    Ok(())
}

/// What the operators cost for a row, from their sizes alone.
fn work(model: &TypedModel) -> Result<u64, Refused> {
    let unknown = |node: &str| Refused::Runtime(format!("the size of {:?} is not known", shown(node)));
    let mut work = 0_u64;
    // Weights are there already.
    for node in model.nodes().iter().filter(|node| !node.inputs.is_empty()) {
        let outputs = node.outputs.iter().map(|outlet| {
            let shape = outlet.fact.shape.as_concrete()?;
            Some(shape.iter().fold(1_u64, |size, dim| size.saturating_mul(*dim as u64)))
        });
        let written = outputs.sum::<Option<u64>>().ok_or_else(|| unknown(&node.name))?;
        let inputs = model.node_input_facts(node.id).map_err(|_| unknown(&node.name))?;
        let costs = node.op.cost(&inputs).map_err(|_| unknown(&node.name))?;
        let computed = costs
            .iter()
            .filter(|(kind, _)| kind.is_compute())
            .map(|(_, times)| times.to_i64().ok().and_then(|times| u64::try_from(times).ok()));
        let computed = computed.sum::<Option<u64>>().ok_or_else(|| unknown(&node.name))?;
        work = [OPERATOR, written, computed].into_iter().fold(work, u64::saturating_add);
    }
    Ok(work)
}

fn widths(model: &TypedModel, names: Vec<String>) -> Result<Vec<Output>, Refused> {
    let outlets = model.output_outlets().map_err(|error| Refused::Runtime(shown(&error.to_string())))?;
    let facts = outlets.iter().map(|outlet| model.outlet_fact(*outlet));
    let mut outputs = Vec::with_capacity(names.len());
    for (name, fact) in names.into_iter().zip(facts) {
        let fact = fact.map_err(|error| Refused::Runtime(shown(&error.to_string())))?;
        let shape = fact.shape.as_concrete();
        match shape {
            Some([1, width]) if fact.datum_type == DatumType::F32 && *width > 0 => {
                outputs.push(Output { name, width: *width });
            }
            _ => {
                let name = shown(&name);
                return Err(Refused::Shape(format!(
                    "its output {name:?} has the shape {:?} of {:?} for one row",
                    fact.shape, fact.datum_type
                )));
            }
        }
    }
    Ok(outputs)
}
