//! What is run, and what is refused.

use proptest::prelude::*;
use prost::Message as _;
use tract_onnx::pb::{AttributeProto, GraphProto, StringStringEntryProto, tensor_proto};

use crate::onnx_files::{
    bytes, floats, ints, linear, model, node, shape, text, texts, trees, value, weights, with,
};
use crate::{Limits, Model, Refused, RunFailure, Session, is_model_name};

/// Makes a graph another one.
type Change = fn(&mut GraphProto);

fn load(graph: GraphProto) -> Result<std::sync::Arc<Model>, Refused> {
    Model::load(&bytes(graph), &Limits::default())
}

fn run(graph: GraphProto, rows: &[f32]) -> Vec<f32> {
    Session::start(&load(graph).unwrap()).unwrap().run(rows).unwrap()
}

fn why(graph: GraphProto) -> String {
    load(graph).expect_err("it was taken").to_string()
}

fn near(found: f32, wanted: f64) {
    assert!((f64::from(found) - wanted).abs() < 1e-6, "{found} is not {wanted}");
}

/// The files that other crates test with are those of this one. `BULKHEAD_WRITE_MODELS=1` writes them.
#[test]
fn the_files_for_others_are_as_written_here() {
    let mut logarithm = linear();
    logarithm.node[2] = node("Log", &["z"], &["p"]);
    let wide = GraphProto {
        input: vec![value("x", &[None, Some(1)])],
        output: vec![value("y", &[None, Some(4_096)])],
        initializer: vec![weights("w", &[1, 4_096], &[0.5; 4_096])],
        node: vec![node("MatMul", &["x", "w"], &["y"])],
        ..GraphProto::default()
    };
    let files = [
        ("linear.onnx", linear()),
        ("logarithm.onnx", logarithm),
        ("trees.onnx", trees()),
        ("wide.onnx", wide),
    ];
    for (name, graph) in files {
        let path = format!("{}/testdata/{name}", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("BULKHEAD_WRITE_MODELS").is_some() {
            std::fs::write(&path, bytes(graph)).unwrap();
        } else {
            assert_eq!(std::fs::read(&path).unwrap(), bytes(graph), "{name}");
        }
    }
}

#[test]
fn names_are_those_of_files() {
    assert!(is_model_name("ai-ensemble_2"));
    for name in ["", "Upper", "1st", "../up", "a b", "a.b", &"x".repeat(65)] {
        assert!(!is_model_name(name), "{name}");
    }
}

#[test]
fn a_linear_model_gives_what_it_says() {
    let answer = run(linear(), &[1.0, 2.0, -3.0, 0.25]);
    assert_eq!(answer.len(), 2);
    near(answer[0], 1.0 / (1.0 + (-0.5_f64).exp()));
    near(answer[1], 1.0 / (1.0 + 5.75_f64.exp()));
    let model = load(linear()).unwrap();
    assert_eq!((model.row(), model.width()), (2, 1));
    assert_eq!(model.outputs()[0].name, "p");
    assert_eq!(model.metadata(), [("author".to_owned(), "a test".to_owned())]);
}

#[test]
fn trees_are_walked_as_they_say() {
    let votes = run(trees(), &[0.5, 9.0, 0.6, 0.0, 0.6, 0.1]);
    assert_eq!(votes, [0.0, -1.0, 0.0, 2.0, 0.0, 3.0]);
}

/// The very bits, so that a machine, a compiler or a version of the runtime that rounds otherwise is found out.
#[test]
fn the_bits_are_those_of_every_machine() {
    let numbers: Vec<f32> = (0..8 * 5).map(|n| ((n * 7_919 % 101) as f32 - 50.0) / 37.0).collect();
    let graph = GraphProto {
        name: "network".to_owned(),
        input: vec![value("x", &[None, Some(8)])],
        output: vec![value("y", &[None, Some(5)])],
        initializer: vec![weights("w", &[8, 5], &numbers)],
        node: vec![
            node("MatMul", &["x", "w"], &["a"]),
            node("Tanh", &["a"], &["b"]),
            node("Exp", &["b"], &["c"]),
            node("Sigmoid", &["c"], &["y"]),
        ],
        ..GraphProto::default()
    };
    let answer = run(graph, &[0.1, -0.7, 1.3, 0.0, 2.5, -1.9, 0.33, 0.9]);
    let bits: Vec<u32> = answer.iter().map(|number| number.to_bits()).collect();
    assert_eq!(bits, BITS, "{answer:?}");
}

const BITS: [u32; 5] = [1_058_508_513, 1_061_698_091, 1_062_778_458, 1_058_851_990, 1_064_154_810];

#[test]
fn a_row_does_not_depend_on_those_beside_it() {
    let model = load(linear()).unwrap();
    let rows = [0.3, 0.7, -1.0, 4.0, 12.5, 0.0];
    let together = Session::start(&model).unwrap().run(&rows).unwrap();
    let alone: Vec<f32> =
        rows.chunks(2).flat_map(|row| Session::start(&model).unwrap().run(row).unwrap()).collect();
    assert_eq!(together, alone);
}

#[test]
fn more_work_is_found_for_larger_models() {
    let of = |width: i64| {
        let numbers = vec![0.5; usize::try_from(64 * width).unwrap()];
        let graph = GraphProto {
            input: vec![value("x", &[None, Some(64)])],
            output: vec![value("y", &[None, Some(width)])],
            initializer: vec![weights("w", &[64, width], &numbers)],
            node: vec![node("MatMul", &["x", "w"], &["y"])],
            ..GraphProto::default()
        };
        load(graph).unwrap().work_per_row()
    };
    let difference = of(200) - of(100);
    assert!((6_400..7_000).contains(&difference), "{difference}");
    let few = Limits { work_per_row: 1_000, ..Limits::default() };
    let numbers = vec![0.5; 6_400];
    let graph = GraphProto { initializer: vec![weights("w", &[64, 100], &numbers)], ..GraphProto::default() };
    let graph = GraphProto {
        input: vec![value("x", &[None, Some(64)])],
        output: vec![value("y", &[None, Some(100)])],
        node: vec![node("MatMul", &["x", "w"], &["y"])],
        ..graph
    };
    let refused = Model::load(&bytes(graph), &few).unwrap_err().to_string();
    assert!(
        refused.contains("work for a row: ") && refused.contains("at most 1000 (limit work_per_row)"),
        "{refused}"
    );
}

#[test]
fn wrong_numbers_are_told_apart() {
    let mut session = Session::start(&load(linear()).unwrap()).unwrap();
    assert_eq!(session.run(&[1.0; 3]), Err(RunFailure::Rows { found: 3, row: 2 }));
    assert_eq!(session.run(&[]), Err(RunFailure::Rows { found: 0, row: 2 }));
    assert_eq!(session.run(&[1.0, 1.0, 1.0, f32::NAN]), Err(RunFailure::Input { row: 1, place: 1 }));
    assert_eq!(session.run(&[f32::INFINITY, 1.0]), Err(RunFailure::Input { row: 0, place: 0 }));
    session.run(&[1.0, 1.0]).unwrap();
}

#[test]
fn an_answer_that_is_not_finite_is_a_failure() {
    let mut graph = linear();
    graph.node[2] = node("Log", &["z"], &["p"]);
    let mut session = Session::start(&load(graph).unwrap()).unwrap();
    let failure = session.run(&[1.0, 0.0, -1.0, 0.0]);
    assert_eq!(failure, Err(RunFailure::Output { output: "p".to_owned(), row: 1 }));
    session.run(&[1.0, 0.0]).unwrap();
}

#[test]
fn files_that_are_none_are_refused() {
    let whole = bytes(linear());
    for file in
        [&b""[..], b"\0asm\x01\0\0\0", b"not a model at all", &whole[..whole.len() / 2], &[0xff; 1_000]]
    {
        let refused = Model::load(file, &Limits::default()).unwrap_err();
        assert!(matches!(refused, Refused::NotOnnx(_) | Refused::Forbidden(_)), "{refused}");
    }
    let small = Limits { file_bytes: 1_024, ..Limits::default() };
    let refused = Model::load(&vec![0; 2_000], &small).unwrap_err().to_string();
    assert!(refused.starts_with("bytes of the file: 2000; at most 1024 (limit file_bytes)"), "{refused}");
}

#[test]
fn operators_that_are_not_computed_are_named_all_at_once() {
    let mut graph = linear();
    graph.node.push(node("RandomNormal", &[], &["noise"]));
    graph.node.push(node("Loop", &["p"], &["q"]));
    graph.node.push(node("Pow", &["p", "b"], &["r"]));
    let mut foreign = node("Attention", &["p"], &["s"]);
    foreign.domain = "com.microsoft".to_owned();
    graph.node.push(foreign);
    let why = why(graph);
    assert!(why.starts_with("it uses Loop, Pow, RandomNormal, com.microsoft.Attention, which"), "{why}");
}

#[test]
fn cycles_and_missing_parts_are_refused() {
    let mut cycle = linear();
    cycle.node[0].input[0] = "p".to_owned();
    assert!(why(cycle).contains("uses the value \"p\" before anything gave it"));
    let mut twice = linear();
    twice.node[1].output[0] = "xw".to_owned();
    assert!(why(twice).contains("two parts of it give the value \"xw\""));
    let mut nothing = linear();
    nothing.output[0].name = "y".to_owned();
    assert!(why(nothing).contains("nothing gives its output \"y\""));
}

#[test]
fn graphs_inside_of_operators_are_refused() {
    let mut graph = linear();
    graph.node[2].attribute.push(AttributeProto {
        name: "body".to_owned(),
        g: Some(linear()),
        ..AttributeProto::default()
    });
    assert!(why(graph).contains("has a graph of its own in \"body\""));
}

#[test]
fn weights_in_other_files_are_refused() {
    let mut graph = linear();
    let secret = StringStringEntryProto { key: "location".to_owned(), value: "/etc/hostname".to_owned() };
    graph.initializer[1].external_data = vec![secret];
    graph.initializer[1].data_location = Some(tensor_proto::DataLocation::External as i32);
    let why = why(graph);
    assert!(why.contains("lie in another file"), "{why}");
}

#[test]
fn shapes_that_are_a_lie_are_refused() {
    for dims in [&[1 << 40, 1 << 40][..], &[-1, 2], &[1_000_000, 4_000], &[3, 1]] {
        let mut graph = linear();
        graph.initializer[0].dims = dims.to_vec();
        let why = why(graph);
        assert!(why.contains("its weights \"w\""), "{why}");
    }
}

/// Small files from which the runtime would make a tensor of 10¹² numbers, while it loads or when it runs.
#[test]
fn a_product_that_explodes_is_refused_before_it_is_computed() {
    let explodes = |first: &str| {
        let graph = GraphProto {
            input: vec![value("x", &[None, Some(1)])],
            output: vec![value("y", &[None, Some(1)])],
            initializer: vec![
                weights("a", &[1_000_000, 1], &vec![1.0; 1_000_000]),
                weights("b", &[1, 1_000_000], &vec![1.0; 1_000_000]),
                shape("start", &[0]),
                shape("end", &[1]),
                shape("axis", &[1]),
            ],
            node: vec![
                node("Mul", &[first, "a"], &["xa"]),
                node("MatMul", &["xa", "b"], &["c"]),
                node("Slice", &["c", "start", "end", "axis"], &["d"]),
                node("Add", &["x", "d"], &["y"]),
            ],
            ..GraphProto::default()
        };
        why(graph)
    };
    let loading = explodes("a");
    assert!(loading.contains("\"the Mul\" (Mul) computes with weights alone"), "{loading}");
    let running = explodes("x");
    assert!(
        running.starts_with("numbers in its tensors: ") && running.contains("(limit numbers)"),
        "{running}"
    );
}

/// As many copies of its weights as it has operators.
#[test]
fn weights_that_are_copied_over_and_over_are_counted() {
    let mut graph = linear();
    graph.initializer.push(weights("many", &[1_000_000], &vec![0.0; 1_000_000]));
    let mut last = "many".to_owned();
    for copy in 0..5 {
        let next = format!("copy {copy}");
        graph.node.push(node("Neg", &[&last], &[&next]));
        last = next;
    }
    let why = why(graph);
    assert!(why.starts_with("numbers that it is made of: 6000003; at most 4000000"), "{why}");
}

#[test]
fn inputs_and_outputs_are_rows_of_floats() {
    let cases: [(Change, &str); 5] = [
        (|graph| graph.input[0] = value("x", &[Some(1), Some(2), Some(3)]), "has the shape [1, 2, 3]"),
        (|graph| graph.input[0] = value("x", &[None, None]), "has the shape [?, ?]"),
        (|graph| graph.input[0] = value("x", &[Some(7), Some(2)]), "has the shape [7, 2]"),
        (|graph| graph.input.push(value("y", &[None, Some(2)])), "several inputs"),
        (|graph| graph.output.clear(), "it has no output"),
    ];
    for (change, wanted) in cases {
        let mut graph = linear();
        change(&mut graph);
        let why = why(graph);
        assert!(why.contains(wanted), "{why}");
    }
    let mut wide = linear();
    wide.input[0] = value("x", &[None, Some(1_000_000)]);
    assert!(why(wide).starts_with("numbers in a row of its input: 1000000; at most 4096"));
    let mut whole = linear();
    whole.node.push(node("Greater", &["p", "b"], &["q"]));
    whole.output[0].name = "q".to_owned();
    assert!(why(whole).contains("its output \"q\" has the shape"));
}

/// The runtime would follow each of these out of its own memory, or for ever.
#[test]
fn broken_trees_are_refused() {
    let cases = [
        (ints("nodes_truenodeids", &[0, 0, 3, 0, 0]), "leads to one that is not below it"),
        (ints("nodes_falsenodeids", &[2, 0, 1, 0, 0]), "leads to one that is not below it"),
        (
            ints("nodes_truenodeids", &[99, 0, 3, 0, 0]),
            "leads to one that is not below it, or that there is not",
        ),
        (ints("nodes_nodeids", &[0, 1, 2, 3, 9]), "are not numbered"),
        (ints("nodes_treeids", &[0, 0, 0, 0]), "of different lengths"),
        (ints("nodes_featureids", &[-1, 0, 1, 0, 0]), "\"nodes_featureids\" holds -1"),
        (ints("nodes_featureids", &[1 << 40, 0, 1, 0, 0]), "\"nodes_featureids\" holds 1099511627776"),
        (ints("class_ids", &[0, 1, 0, 1, 0, 7]), "a leaf votes for class 7 of 2"),
        (
            texts("nodes_modes", &["BRANCH_GTE", "LEAF", "BRANCH_LEQ", "LEAF", "LEAF"]),
            "mode is \"BRANCH_GTE\"",
        ),
        (text("post_transform", "SOFTMAX"), "\"post_transform\" is \"SOFTMAX\""),
    ];
    for (attribute, wanted) in cases {
        let why = why(with(trees(), attribute));
        assert!(why.starts_with("its tree ensemble") && why.contains(wanted), "{why}");
    }
    // What the runtime checks itself.
    let refused = load(with(trees(), ints("nodes_featureids", &[2, 0, 1, 0, 0]))).unwrap_err();
    assert!(matches!(refused, Refused::Runtime(_)), "{refused}");
    let refused = load(with(trees(), floats("nodes_values", &[0.5]))).unwrap_err();
    assert!(matches!(refused, Refused::Runtime(_)), "{refused}");
}

/// The runtime computes those with functions of the operating system's, which differ in the last digit.
#[test]
fn numbers_of_other_kinds_than_are_the_same_everywhere_are_refused() {
    use tensor_proto::DataType;
    let cast = |input: &str, output: &str, to: DataType| {
        let mut cast = node("Cast", &[input], &[output]);
        cast.name = format!("cast to {output}");
        let r#type = tract_onnx::pb::attribute_proto::AttributeType::Int as i32;
        let to = i64::from(to as i32);
        cast.attribute =
            vec![AttributeProto { name: "to".to_owned(), r#type, i: to, ..AttributeProto::default() }];
        cast
    };
    for kind in [DataType::Double, DataType::Float16, DataType::Bfloat16, DataType::String] {
        let mut graph = linear();
        graph.node[2] = cast("z", "wide", kind);
        graph.node.push(node("Exp", &["wide"], &["exponent"]));
        graph.node.push(cast("exponent", "p", DataType::Float));
        let why = why(graph);
        assert!(why.starts_with("its operator \"cast to wide\" makes numbers of another kind"), "{why}");
    }
    let mut graph = linear();
    graph.initializer[1] = tract_onnx::pb::TensorProto {
        name: "b".to_owned(),
        dims: vec![1],
        data_type: DataType::Double as i32,
        double_data: vec![0.1],
        ..tract_onnx::pb::TensorProto::default()
    };
    graph.node.insert(0, cast("b32", "b_", DataType::Float));
    graph.node.insert(0, node("Exp", &["b"], &["b32"]));
    graph.node[3].input[1] = "b_".to_owned();
    let why = why(graph);
    assert!(why.starts_with("its weights \"b\" are numbers of another kind"), "{why}");
    let mut graph = linear();
    graph.node[2] = cast("z", "p", DataType::Float);
    near(run(graph, &[1.0, 0.0])[0], 2.5);
}

/// Each output is copied for each row, also one that is listed a thousand times.
#[test]
fn outputs_are_paid_for() {
    let mut graph = linear();
    let alone = load(graph.clone()).unwrap().work_per_row();
    graph.output = vec![graph.output[0].clone(); 1_001];
    let many = load(graph).unwrap();
    assert_eq!(many.width(), 1_001);
    assert!(many.work_per_row() - alone >= 1_000 * 50, "{} after {alone}", many.work_per_row());
}

/// Each is a thing of its own in memory, in the host and in the strategy that asks for them, however short.
#[test]
fn a_flood_of_notes_is_refused() {
    let mut file = model(linear());
    file.metadata_props = vec![StringStringEntryProto::default(); 100_000];
    let why = Model::load(&file.encode_to_vec(), &Limits::default()).unwrap_err().to_string();
    assert!(why.starts_with("it has 100000 notes in its metadata; at most 1000 are taken"), "{why}");
}

/// The same tree, so many times in one operator.
fn forest(count: i64) -> GraphProto {
    let mut graph = trees();
    let attributes = &mut graph.node[0].attribute;
    for attribute in attributes.iter_mut() {
        let name = attribute.name.clone();
        let (ints, floats, strings) =
            (attribute.ints.clone(), attribute.floats.clone(), attribute.strings.clone());
        if name.starts_with("nodes_") || name.starts_with("class_") {
            for copy in 1..count {
                let shift = if name.ends_with("treeids") { copy } else { 0 };
                attribute.ints.extend(ints.iter().map(|int| int + shift));
                attribute.floats.extend(&floats);
                attribute.strings.extend(strings.iter().cloned());
            }
        }
    }
    graph
}

#[test]
fn trees_in_one_operator_cost_as_much_as_apart() {
    let work = |count| load(forest(count)).unwrap().work_per_row();
    let (ten, twenty, hundred) = (work(10), work(20), work(100));
    assert_eq!(hundred - ten, 9 * (twenty - ten), "{ten}, {twenty} and {hundred}");
    assert_eq!(run(forest(3), &[0.6, 0.1]), [0.0, 9.0]);
}

#[test]
fn a_model_is_shared_between_threads() {
    fn sent<T: Send>() {}
    fn shared<T: Send + Sync>() {}
    sent::<Session>();
    shared::<Model>();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// Whatever is wrong with a file, it is refused or runs; nothing panics that is not caught, nothing hangs.
    #[test]
    fn a_damaged_file_does_no_harm(
        of_trees: bool,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut file = model(if of_trees { trees() } else { linear() }).encode_to_vec();
        for (place, value) in flips {
            let place = place.index(file.len());
            file[place] = value;
        }
        if let Ok(model) = Model::load(&file, &Limits::default()) {
            let row = vec![0.5; model.row()];
            let _ = Session::start(&model).unwrap().run(&row);
        }
    }
}
