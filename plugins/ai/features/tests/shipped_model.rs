//! The model in the repository has learnt from the rows that this crate makes.

use bulkhead_ai_features::{FEATURES, schema};

/// The values are looked for as the file holds them: that it can be run is tested where models are run.
#[test]
fn the_shipped_model_names_these_features() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/ai-ensemble.onnx");
    let model = std::fs::read(path).expect("the shipped model");
    let holds = |text: &str| model.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    let what_to_do = "train it anew: cargo xtask train";
    assert!(holds(&schema()), "the shipped model is of another schema than {}; {what_to_do}", schema());
    let names: Vec<&str> = FEATURES.iter().map(|feature| feature.name).collect();
    assert!(holds(&names.join(",")), "the shipped model names other features; {what_to_do}");
}
