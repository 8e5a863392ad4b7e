//! The contract's types and calls, made from the WIT file.

#![expect(clippy::all, reason = "generated; the WIT file documents it")]

wasmtime::component::bindgen!({ path: "../../wit", world: "plugin" });
