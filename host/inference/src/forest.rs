//! Tree ensembles, evaluated.
//!
//! The runtime's own operator knows a leaf by a conversion that fails, so that each costs it an error (with a backtrace,
//! where the environment asks for those), and counts a leaf's votes from the operator's first. This one adds the same
//! numbers in the same order, so it gives the same bits, and costs no more than the way down.

use std::sync::Arc;

use tract_onnx::prelude::DatumExt as _;
use tract_onnx::tract_core::internal::{
    EvalContext, EvalOp, IntoTValue as _, Op, StaticName, TValue, TVec, Tensor, TractResult, TypedFact,
    TypedModel, TypedOp, as_op, bail, format_err, op_as_typed_op, op_out_of_plan, tvec,
};
use tract_onnx_opl::ml::tree_ensemble_classifier::{Aggregate, TreeEnsembleClassifier};

/// Puts a [`Forest`] wherever the runtime would use its own operator.
pub(crate) fn plant(model: &mut TypedModel) -> TractResult<()> {
    for node in model.nodes_mut() {
        if let Some(ensemble) = node.op_as::<TreeEnsembleClassifier>() {
            node.op = Box::new(Forest::new(ensemble)?);
        }
    }
    Ok(())
}

/// Trees whose votes are added up.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Forest {
    /// Where each tree begins in `nodes`.
    roots: Arc<[u32]>,
    /// Of all trees; children by their places here.
    nodes: Arc<[Node]>,
    votes: Arc<[Vote]>,
    classes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    Branch {
        feature: u32,
        comparison: Comparison,
        /// The bits of the number that the feature is compared with.
        threshold: u32,
        /// Whether what is not a number goes the way of a comparison that holds.
        missing_holds: bool,
        holds: u32,
        fails: u32,
    },
    /// The first of its votes, and the one after its last.
    Leaf { start: u32, end: u32 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    LessOrEqual,
    Greater,
}

/// The bits of what is added to a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Vote {
    class: u32,
    weight: u32,
}

/// Bit of a node's last number that says where a missing feature leads.
const MISSING_HOLDS: u32 = 0x100;

impl Forest {
    fn new(ensemble: &TreeEnsembleClassifier) -> TractResult<Self> {
        let ensemble = &ensemble.ensemble;
        if ensemble.aggregate_fn != Aggregate::Sum {
            bail!("votes of trees are added up, nothing else");
        }
        let (nodes, votes) = (numbers(&ensemble.data.nodes)?, numbers(&ensemble.data.leaves)?);
        Ok(Self {
            roots: numbers(&ensemble.data.trees)?.into(),
            nodes: nodes.as_chunks().0.iter().map(node).collect::<TractResult<_>>()?,
            votes: votes.as_chunks().0.iter().map(|&[class, weight]| Vote { class, weight }).collect(),
            classes: ensemble.n_classes,
        })
    }

    /// Adds what a row gets to its `sums`, one for each class. `None` when a tree leads to what there is not.
    fn add(&self, row: &[f32], sums: &mut [f32]) -> Option<()> {
        for root in &*self.roots {
            let mut place = *root;
            let (start, end) = loop {
                match *self.nodes.get(place as usize)? {
                    Node::Leaf { start, end } => break (start, end),
                    Node::Branch { feature, comparison, threshold, missing_holds, holds, fails } => {
                        let (feature, threshold) = (*row.get(feature as usize)?, f32::from_bits(threshold));
                        let way = match comparison {
                            _ if feature.is_nan() => missing_holds,
                            Comparison::Less => feature < threshold,
                            Comparison::LessOrEqual => feature <= threshold,
                            Comparison::Greater => feature > threshold,
                        };
                        place = if way { holds } else { fails };
                    }
                }
            };
            for vote in self.votes.get(start as usize..end as usize)? {
                *sums.get_mut(vote.class as usize)? += f32::from_bits(vote.weight);
            }
        }
        Some(())
    }
}

fn numbers(tensor: &Tensor) -> TractResult<&[u32]> {
    tensor.try_as_plain_ram()?.as_slice::<u32>()
}

/// From the runtime's form: feature, two children, threshold, and which comparison it is; or a leaf's votes and zeros.
fn node(&[first, second, third, fourth, fifth]: &[u32; 5]) -> TractResult<Node> {
    let comparison = match fifth & 0xff {
        0 => return Ok(Node::Leaf { start: first, end: second }),
        3 => Comparison::Less,
        4 => Comparison::Greater,
        5 => Comparison::LessOrEqual,
        other => bail!("a tree compares in a way that is not known: {other}"),
    };
    let missing_holds = fifth & MISSING_HOLDS != 0;
    Ok(Node::Branch {
        feature: first,
        comparison,
        threshold: fourth,
        missing_holds,
        holds: second,
        fails: third,
    })
}

impl Op for Forest {
    fn name(&self) -> StaticName {
        "Forest".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Forest {
    op_out_of_plan!();

    fn eval(&self, _context: &EvalContext<'_>, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = inputs.first().ok_or_else(|| format_err!("trees without an input"))?.cast_to::<f32>()?;
        let &[rows, width] = input.shape() else {
            bail!("trees take rows of numbers, not the shape {:?}", input.shape());
        };
        let mut sums = vec![0.0_f32; rows * self.classes];
        if width > 0 && self.classes > 0 {
            let numbers = input.try_as_plain_ram()?.as_slice::<f32>()?;
            for (row, sums) in numbers.chunks_exact(width).zip(sums.chunks_exact_mut(self.classes)) {
                self.add(row, sums).ok_or_else(|| {
                    format_err!("a tree leads out of itself, or uses a number after the {width} of a row")
                })?;
            }
        }
        Ok(tvec!(Tensor::from_shape(&[rows, self.classes], &sums)?.into_tvalue()))
    }
}

impl TypedOp for Forest {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let input = inputs.first().ok_or_else(|| format_err!("trees without an input"))?;
        Ok(tvec!(f32::fact([input.shape[0].clone(), self.classes.into()])))
    }

    as_op!();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tract_onnx::prelude::{
        Datum as _, Framework as _, InferenceFact, InferenceModelExt as _, IntoRunnable as _, onnx,
    };

    use super::*;
    use crate::onnx_files::{bytes, trees};
    use crate::{Limits, Model, Session};

    /// What the runtime gives with its own operator, the same routines switched off.
    fn by_the_runtime(file: &[u8], rows: &[f32], width: usize) -> Vec<u32> {
        let fact = InferenceFact::dt_shape(f32::datum_type(), tvec![1, width]);
        let model = onnx().model_for_read(&mut &*file).unwrap().with_input_fact(0, fact).unwrap();
        let plan = model.into_optimized().unwrap().into_runnable().unwrap();
        let run = |row| plan.run(tvec!(Tensor::from_shape(&[1, width], row).unwrap().into_tvalue())).unwrap();
        let outputs = rows.chunks_exact(width).flat_map(run);
        outputs.flat_map(|output| bits(output.try_as_plain_ram().unwrap().as_slice().unwrap())).collect()
    }

    fn bits(numbers: &[f32]) -> Vec<u32> {
        numbers.iter().map(|number| number.to_bits()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        #[test]
        fn the_bits_are_those_of_the_runtime(rows in prop::collection::vec(-3.0_f32..3.0, 2_000)) {
            let shipped = include_bytes!("../../../plugins/ai/models/ai-ensemble.onnx").to_vec();
            for file in [shipped, bytes(trees())] {
                let model = Model::load(&file, &Limits::default()).unwrap();
                let rows = &rows[..rows.len() / model.row() * model.row()];
                let found = Session::start(&model).unwrap().run(rows).unwrap();
                prop_assert_eq!(bits(&found), by_the_runtime(&file, rows, model.row()));
            }
        }
    }

    #[test]
    fn a_number_that_is_missing_goes_where_the_tree_says() {
        let forest = |missing_holds| Forest {
            roots: [0].into(),
            nodes: [
                Node::Branch {
                    feature: 0,
                    comparison: Comparison::Less,
                    threshold: 1.0_f32.to_bits(),
                    missing_holds,
                    holds: 1,
                    fails: 2,
                },
                Node::Leaf { start: 0, end: 1 },
                Node::Leaf { start: 1, end: 2 },
            ]
            .into(),
            votes: [1.0_f32, 2.0].map(|weight| Vote { class: 0, weight: weight.to_bits() }).into(),
            classes: 1,
        };
        for (missing_holds, row, wanted) in
            [(true, f32::NAN, 1.0), (false, f32::NAN, 2.0), (false, 0.5, 1.0), (true, 1.0, 2.0)]
        {
            let mut sums = [0.0];
            assert_eq!(forest(missing_holds).add(&[row], &mut sums), Some(()));
            assert_eq!(bits(&sums), bits(&[wanted]));
        }
        assert_eq!(forest(true).add(&[], &mut [0.0]), None);
        assert_eq!(forest(true).add(&[0.5], &mut []), None);
    }
}
