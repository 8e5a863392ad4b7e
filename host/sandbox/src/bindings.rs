//! The contract's types and calls, made from the WIT file.

wasmtime::component::bindgen!({ path: "../../wit", world: "plugin" });
