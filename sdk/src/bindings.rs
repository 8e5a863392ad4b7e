//! The contract in `wit/`, as Rust types. Everything in here is generated; authors meet its types through the
//! crate's root and never need to name this module.

#![allow(missing_docs, reason = "items are documented in the contract where their names do not say it all")]

wit_bindgen::generate!({
    world: "plugin",
    path: "../wit",
    pub_export_macro: true,
    export_macro_name: "export_plugin",
    default_bindings_module: "bulkhead_sdk::bindings",
    additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
    additional_type_attributes: {
        "bulkhead:strategy/types@0.1.0/timestamp": [#[derive(Eq, PartialOrd, Ord, Hash, Default)]],
        "bulkhead:strategy/types@0.1.0/position": [#[derive(Default)]],
        "bulkhead:strategy/types@0.1.0/capital": [#[derive(Default)]],
        "bulkhead:strategy/types@0.1.0/exit-plan": [#[derive(Default)]],
    },
    generate_unused_types: true,
});
