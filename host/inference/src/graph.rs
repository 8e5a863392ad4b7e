//! What a file may hold. All that is written here is looked at before the runtime sees the file: it follows what it
//! reads, and trusts some of it.

use std::collections::{BTreeMap, BTreeSet};

use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, attribute_proto,
    tensor_proto::{self, DataType},
    tensor_shape_proto, type_proto,
};

use crate::limits::Limits;
use crate::refused::{Refused, shown};
use crate::trees;

/// Operators of ONNX itself that are computed: bounded by the sizes of their inputs, without a state, without choices of the
/// machine's. No loop, no branch, no random number; nothing that makes large tensors of small ones; and nothing that
/// the runtime computes with functions of the operating system's, which differ in the last digit.
const OPERATORS: [&str; 17] = [
    "Add",
    "Concat",
    "Div",
    "Equal",
    "Gather",
    "Gemm",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "MatMul",
    "Max",
    "Min",
    "Mul",
    "Sub",
    "Sum",
    "Where",
];

/// More of them, which may also compute with weights alone, as the runtime does while it loads: what they give is no
/// larger than their first input.
const FOLDED: [&str; 21] = [
    "Abs",
    "Cast",
    "Clip",
    "Constant",
    "Exp",
    "Flatten",
    "HardSigmoid",
    "Identity",
    "LeakyRelu",
    "Log",
    "Neg",
    "Reciprocal",
    "Relu",
    "Reshape",
    "Sigmoid",
    "Slice",
    "Sqrt",
    "Squeeze",
    "Tanh",
    "Transpose",
    "Unsqueeze",
];

/// Kinds of numbers that are computed with. Of 64-bit and 16-bit floating-point numbers the runtime takes `exp`, `ln` and
/// `tanh` from the operating system, and texts cost far more than numbers.
const KINDS: [DataType; 4] = [DataType::Float, DataType::Int32, DataType::Int64, DataType::Bool];

/// Each is a thing of its own in memory, however short.
const MOST_NOTES: usize = 1_000;

/// Operators of ONNX for machine learning.
const TREES: &str = "TreeEnsembleClassifier";
const LEARNING: &str = "ai.onnx.ml";

/// What a graph takes and gives, as the file says it.
pub(crate) struct Interface {
    /// Numbers in a row of the input.
    pub(crate) row: usize,
    /// The names of the outputs.
    pub(crate) outputs: Vec<String>,
    /// Work of the tree ensembles for a row, which the runtime does not know.
    pub(crate) tree_work: u64,
}

/// Checks all of a file that can be checked without computing.
///
/// # Errors
///
/// [`Refused`] with the first thing that is not allowed.
pub(crate) fn check(model: &ModelProto, limits: &Limits) -> Result<Interface, Refused> {
    let Some(graph) = &model.graph else {
        return Err(Refused::NotOnnx("it holds no graph".to_owned()));
    };
    if !model.functions.is_empty() || !model.training_info.is_empty() {
        return Err(Refused::Forbidden(
            "it defines functions or training steps of its own; export it for inference".to_owned(),
        ));
    }
    if !graph.sparse_initializer.is_empty() {
        return Err(Refused::Forbidden("it has sparse weights; export it with dense ones".to_owned()));
    }
    if model.metadata_props.len() > MOST_NOTES {
        return Err(Refused::Forbidden(format!(
            "it has {} notes in its metadata; at most {MOST_NOTES} are taken",
            model.metadata_props.len()
        )));
    }
    at_most("operators", graph.node.len() as u64, limits.nodes, "nodes")?;
    check_operators(graph)?;
    let sizes = check_weights(graph)?;
    check_order(graph, sizes, limits)?;
    let input = only_input(graph)?;
    let row = row_of(input)?;
    let numbers = u64::try_from(row).unwrap_or(u64::MAX);
    at_most("numbers in a row of its input", numbers, limits.row_numbers, "row_numbers")?;
    let ensembles = graph.node.iter().filter(|node| node.op_type == TREES);
    let mut tree_work = 0_u64;
    for node in ensembles {
        tree_work = tree_work.saturating_add(trees::check(node)?);
    }
    let outputs: Vec<String> = graph.output.iter().map(|output| output.name.clone()).collect();
    if outputs.is_empty() {
        return Err(Refused::Shape("it has no output".to_owned()));
    }
    Ok(Interface { row, outputs, tree_work })
}

pub(crate) fn at_most(what: &str, found: u64, limit: u64, key: &'static str) -> Result<(), Refused> {
    if found <= limit { Ok(()) } else { Err(Refused::TooLarge { what: what.to_owned(), found, limit, key }) }
}

fn check_operators(graph: &GraphProto) -> Result<(), Refused> {
    let mut unknown = BTreeSet::new();
    for node in &graph.node {
        let known = match node.domain.as_str() {
            "" | "ai.onnx" => {
                [&OPERATORS[..], &FOLDED].iter().any(|known| known.contains(&node.op_type.as_str()))
            }
            LEARNING => node.op_type == TREES,
            _ => false,
        };
        if !known {
            let domain = if node.domain.is_empty() { String::new() } else { format!("{}.", node.domain) };
            unknown.insert(shown(&format!("{domain}{}", node.op_type)));
        }
        let mut kinds = node.attribute.iter().filter(|attribute| attribute.name == "to");
        if node.op_type == "Cast" && !kinds.all(|to| is_computed(to.i)) {
            return Err(Refused::Forbidden(format!(
                "its operator {:?} makes numbers of another kind than {KINDS_SHOWN}",
                shown(named(node))
            )));
        }
        if let Some(attribute) = node.attribute.iter().find(|attribute| holds_a_graph(attribute)) {
            let (node, attribute) = (shown(&node.name), shown(&attribute.name));
            return Err(Refused::Forbidden(format!(
                "its operator {node:?} has a graph of its own in {attribute:?}"
            )));
        }
    }
    if unknown.is_empty() { Ok(()) } else { Err(Refused::Operators(unknown.into_iter().take(20).collect())) }
}

/// What may be computed with, for people.
const KINDS_SHOWN: &str =
    "32-bit floating-point numbers, whole numbers and truth values; export it in 32-bit numbers";

fn is_computed(kind: i64) -> bool {
    KINDS.iter().any(|known| i64::from(*known as i32) == kind)
}

fn holds_a_graph(attribute: &AttributeProto) -> bool {
    use attribute_proto::AttributeType;
    let graph = [AttributeType::Graph as i32, AttributeType::Graphs as i32].contains(&attribute.r#type);
    graph || attribute.g.is_some() || !attribute.graphs.is_empty() || attribute.sparse_tensor.is_some()
}

/// Each name is given one value, before it is used; so there is no cycle. And what can be computed from weights alone
/// stays small.
fn check_order<'g>(
    graph: &'g GraphProto,
    mut weights: BTreeMap<&'g str, u64>,
    limits: &Limits,
) -> Result<(), Refused> {
    let given = |name: &str| Refused::Forbidden(format!("two parts of it give the value {:?}", shown(name)));
    let mut known: BTreeSet<&str> = BTreeSet::new();
    for input in &graph.input {
        if !known.insert(&input.name) {
            return Err(given(&input.name));
        }
    }
    known.extend(weights.keys());
    let mut numbers = weights.values().copied().fold(0_u64, u64::saturating_add);
    for node in &graph.node {
        let inputs = || node.input.iter().map(String::as_str).filter(|name| !name.is_empty());
        if let Some(name) = inputs().find(|name| !known.contains(name)) {
            return Err(Refused::Forbidden(format!(
                "its operator {:?} uses the value {:?} before anything gave it: there is a cycle, or a part is missing",
                shown(named(node)),
                shown(name)
            )));
        }
        let listed: u64 = node.attribute.iter().map(written).fold(0, u64::saturating_add);
        numbers = numbers.saturating_add(listed);
        let folded = inputs().all(|name| weights.contains_key(name));
        if folded && !FOLDED.contains(&node.op_type.as_str()) {
            return Err(Refused::Forbidden(format!(
                "its operator {:?} ({}) computes with weights alone; export it with constants folded",
                shown(named(node)),
                shown(&node.op_type)
            )));
        }
        let size = inputs().next().and_then(|name| weights.get(name)).copied().unwrap_or(listed);
        for output in node.output.iter().filter(|name| !name.is_empty()) {
            if !known.insert(output) {
                return Err(given(output));
            }
            if folded {
                numbers = numbers.saturating_add(size);
                weights.insert(output, size);
            }
        }
    }
    at_most("numbers that it is made of", numbers, limits.numbers, "numbers")?;
    match graph.output.iter().find(|output| !known.contains(output.name.as_str())) {
        None => Ok(()),
        Some(output) => {
            Err(Refused::Forbidden(format!("nothing gives its output {:?}", shown(&output.name))))
        }
    }
}

/// Numbers that are written out in an attribute.
fn written(attribute: &AttributeProto) -> u64 {
    let tensors = attribute.t.iter().chain(&attribute.tensors).map(held).fold(0, u64::saturating_add);
    let listed = attribute.floats.len() + attribute.ints.len() + attribute.strings.len();
    tensors.saturating_add(listed as u64)
}

/// A node's name, or what stands for one.
fn named(node: &NodeProto) -> &str {
    if node.name.is_empty() { &node.op_type } else { &node.name }
}

/// Weights say how large they are twice, in their shape and by their bytes; the runtime allocates by the former. Gives
/// the sizes of those that have names.
fn check_weights(graph: &GraphProto) -> Result<BTreeMap<&str, u64>, Refused> {
    let mut sizes = BTreeMap::new();
    for tensor in &graph.initializer {
        let size = size_of(tensor)?;
        if sizes.insert(tensor.name.as_str(), size).is_some() {
            return Err(Refused::Forbidden(format!(
                "two of its weights have the name {:?}",
                shown(&tensor.name)
            )));
        }
    }
    let attributes = graph.node.iter().flat_map(|node| &node.attribute);
    for tensor in attributes.flat_map(|attribute| attribute.t.iter().chain(&attribute.tensors)) {
        size_of(tensor)?;
    }
    Ok(sizes)
}

fn size_of(tensor: &TensorProto) -> Result<u64, Refused> {
    let forbidden = |why: &str| Refused::Forbidden(format!("its weights {:?} {why}", shown(&tensor.name)));
    if tensor.data_location == Some(tensor_proto::DataLocation::External as i32)
        || !tensor.external_data.is_empty()
    {
        return Err(forbidden("lie in another file; export it with all weights inside"));
    }
    if !is_computed(tensor.data_type.into()) {
        return Err(forbidden(&format!("are numbers of another kind than {KINDS_SHOWN}")));
    }
    let size = tensor.dims.iter().try_fold(1_u64, |size, dim| size.checked_mul(u64::try_from(*dim).ok()?));
    let size = size.ok_or_else(|| forbidden("have an impossible shape"))?;
    if size > held(tensor) {
        return Err(forbidden("are larger than what the file holds of them"));
    }
    Ok(size)
}

/// How many numbers a file may at most hold of a tensor: one a byte where they are packed.
fn held(tensor: &TensorProto) -> u64 {
    let listed = [
        tensor.raw_data.len(),
        tensor.float_data.len(),
        tensor.int32_data.len(),
        tensor.int64_data.len(),
        tensor.double_data.len(),
        tensor.uint64_data.len(),
        tensor.string_data.len(),
    ];
    listed.into_iter().max().unwrap_or(0) as u64
}

fn only_input(graph: &GraphProto) -> Result<&ValueInfoProto, Refused> {
    let weights: BTreeSet<&str> = graph.initializer.iter().map(|weights| weights.name.as_str()).collect();
    let mut inputs = graph.input.iter().filter(|input| !weights.contains(input.name.as_str()));
    match (inputs.next(), inputs.next()) {
        (Some(input), None) => Ok(input),
        (None, _) => Err(Refused::Shape("it has no input".to_owned())),
        (Some(one), Some(other)) => {
            let (one, other) = (shown(&one.name), shown(&other.name));
            Err(Refused::Shape(format!("it has several inputs, {one:?} and {other:?} among them")))
        }
    }
}

/// Numbers in a row of the input.
fn row_of(input: &ValueInfoProto) -> Result<usize, Refused> {
    use tensor_shape_proto::dimension::Value;
    let name = shown(&input.name);
    let Some(type_proto::Value::TensorType(tensor)) = input.r#type.as_ref().and_then(|ty| ty.value.as_ref())
    else {
        return Err(Refused::Shape(format!("its input {name:?} is no tensor")));
    };
    if tensor.elem_type != DataType::Float as i32 {
        return Err(Refused::Shape(format!("its input {name:?} is not of 32-bit floating-point numbers")));
    }
    let sizes: Vec<Option<i64>> = tensor
        .shape
        .iter()
        .flat_map(|shape| &shape.dim)
        .map(|dimension| match dimension.value {
            Some(Value::DimValue(size)) => Some(size),
            _ => None,
        })
        .collect();
    match sizes.as_slice() {
        // How many rows there are is left open, or one.
        [None | Some(1), Some(row)] if *row > 0 => usize::try_from(*row)
            .map_err(|_| Refused::Shape(format!("its input {name:?} is {row} numbers long"))),
        _ => {
            let sizes: Vec<String> = sizes
                .iter()
                .map(|size| size.map_or_else(|| "?".to_owned(), |size| size.to_string()))
                .collect();
            Err(Refused::Shape(format!("its input {name:?} has the shape [{}]", sizes.join(", "))))
        }
    }
}
