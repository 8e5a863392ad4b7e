//! ONNX files for tests, written part by part.

use prost::Message as _;
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto,
    TensorProto, TensorShapeProto, TypeProto, ValueInfoProto,
    attribute_proto::AttributeType,
    tensor_proto::DataType,
    tensor_shape_proto::{Dimension, dimension},
    type_proto,
};

/// The bytes of a file.
pub(crate) fn bytes(graph: GraphProto) -> Vec<u8> {
    model(graph).encode_to_vec()
}

pub(crate) fn model(graph: GraphProto) -> ModelProto {
    let set = |domain: &str, version| OperatorSetIdProto { domain: domain.to_owned(), version };
    ModelProto {
        ir_version: 8,
        opset_import: vec![set("", 17), set("ai.onnx.ml", 3)],
        metadata_props: vec![StringStringEntryProto { key: "author".to_owned(), value: "a test".to_owned() }],
        graph: Some(graph),
        ..ModelProto::default()
    }
}

/// A value of 32-bit floats; `None` is a size that is left open.
pub(crate) fn value(name: &str, shape: &[Option<i64>]) -> ValueInfoProto {
    let dim = shape
        .iter()
        .map(|size| Dimension {
            value: Some(match size {
                Some(size) => dimension::Value::DimValue(*size),
                None => dimension::Value::DimParam("batch".to_owned()),
            }),
            ..Dimension::default()
        })
        .collect();
    let tensor =
        type_proto::Tensor { elem_type: DataType::Float as i32, shape: Some(TensorShapeProto { dim }) };
    let ty = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() };
    ValueInfoProto { name: name.to_owned(), r#type: Some(ty), ..ValueInfoProto::default() }
}

pub(crate) fn weights(name: &str, dims: &[i64], numbers: &[f32]) -> TensorProto {
    TensorProto {
        name: name.to_owned(),
        dims: dims.to_vec(),
        data_type: DataType::Float as i32,
        float_data: numbers.to_vec(),
        ..TensorProto::default()
    }
}

pub(crate) fn shape(name: &str, numbers: &[i64]) -> TensorProto {
    TensorProto {
        name: name.to_owned(),
        dims: vec![i64::try_from(numbers.len()).unwrap()],
        data_type: DataType::Int64 as i32,
        int64_data: numbers.to_vec(),
        ..TensorProto::default()
    }
}

pub(crate) fn node(operator: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
    NodeProto {
        op_type: operator.to_owned(),
        name: format!("the {operator}"),
        input: inputs.iter().map(|name| (*name).to_owned()).collect(),
        output: outputs.iter().map(|name| (*name).to_owned()).collect(),
        ..NodeProto::default()
    }
}

pub(crate) fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    let r#type = AttributeType::Ints as i32;
    AttributeProto { name: name.to_owned(), r#type, ints: ints.to_vec(), ..AttributeProto::default() }
}

pub(crate) fn floats(name: &str, floats: &[f32]) -> AttributeProto {
    let r#type = AttributeType::Floats as i32;
    AttributeProto { name: name.to_owned(), r#type, floats: floats.to_vec(), ..AttributeProto::default() }
}

pub(crate) fn texts(name: &str, texts: &[&str]) -> AttributeProto {
    let r#type = AttributeType::Strings as i32;
    let strings = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    AttributeProto { name: name.to_owned(), r#type, strings, ..AttributeProto::default() }
}

pub(crate) fn text(name: &str, text: &str) -> AttributeProto {
    let r#type = AttributeType::String as i32;
    AttributeProto { name: name.to_owned(), r#type, s: text.as_bytes().to_vec(), ..AttributeProto::default() }
}

/// sigmoid(2·x₀ − x₁ + 0.5).
pub(crate) fn linear() -> GraphProto {
    GraphProto {
        name: "linear".to_owned(),
        input: vec![value("x", &[None, Some(2)])],
        output: vec![value("p", &[None, Some(1)])],
        initializer: vec![weights("w", &[2, 1], &[2.0, -1.0]), weights("b", &[1], &[0.5])],
        node: vec![
            node("MatMul", &["x", "w"], &["xw"]),
            node("Add", &["xw", "b"], &["z"]),
            node("Sigmoid", &["z"], &["p"]),
        ],
        ..GraphProto::default()
    }
}

/// One tree on two numbers: x₀ ≤ 0.5 gives −1; else x₁ ≤ 0 gives 2, and 3 if not.
pub(crate) fn trees() -> GraphProto {
    let mut ensemble = node("TreeEnsembleClassifier", &["x"], &["label", "votes"]);
    ensemble.domain = "ai.onnx.ml".to_owned();
    ensemble.attribute = vec![
        ints("nodes_treeids", &[0, 0, 0, 0, 0]),
        ints("nodes_nodeids", &[0, 1, 2, 3, 4]),
        ints("nodes_featureids", &[0, 0, 1, 0, 0]),
        texts("nodes_modes", &["BRANCH_LEQ", "LEAF", "BRANCH_LEQ", "LEAF", "LEAF"]),
        floats("nodes_values", &[0.5, 0.0, 0.0, 0.0, 0.0]),
        ints("nodes_truenodeids", &[1, 0, 3, 0, 0]),
        ints("nodes_falsenodeids", &[2, 0, 4, 0, 0]),
        ints("class_treeids", &[0, 0, 0, 0, 0, 0]),
        ints("class_nodeids", &[1, 1, 3, 3, 4, 4]),
        ints("class_ids", &[0, 1, 0, 1, 0, 1]),
        floats("class_weights", &[0.0, -1.0, 0.0, 2.0, 0.0, 3.0]),
        ints("classlabels_int64s", &[0, 1]),
        text("post_transform", "NONE"),
    ];
    GraphProto {
        name: "trees".to_owned(),
        input: vec![value("x", &[None, Some(2)])],
        output: vec![value("votes", &[None, Some(2)])],
        node: vec![ensemble],
        ..GraphProto::default()
    }
}

/// Replaces an attribute of the only operator.
pub(crate) fn with(mut graph: GraphProto, attribute: AttributeProto) -> GraphProto {
    let attributes = &mut graph.node[0].attribute;
    attributes.retain(|other| other.name != attribute.name);
    attributes.push(attribute);
    graph
}
