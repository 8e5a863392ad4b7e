//! Runs models in ONNX for strategies.
//!
//! A model is a file of somebody's, as a strategy is. It is held against what this host computes before anything of it is
//! computed ([`Refused`] names what it may not have), and what is run of it is bounded: rows of numbers in, rows of
//! numbers out, with an amount of work for a row that is known before the first ([`Model::work_per_row`]). The runtime
//! is `tract`, which compiles to nothing but Rust.
//!
//! What this crate must never do: give other numbers on another machine of the same architecture or for another number of
//! threads; read a file that a model names; answer with a number that is not finite; hand the runtime a tree whose
//! indices it did not check, as the runtime follows them without looking.
//!
//! Where to start reading: [`Model::load`], then `graph` for what is refused, and `arithmetic` for why all machines agree.

mod arithmetic;
mod forest;
mod graph;
mod limits;
mod model;
mod refused;
mod session;
mod trees;

#[cfg(test)]
mod onnx_files;
#[cfg(test)]
mod tests;

pub use limits::Limits;
pub use model::{Model, Output, is_model_name};
pub use refused::Refused;
pub use session::{RunFailure, Session};

/// The runtime and its version. Other versions may round otherwise, so a run's record names it.
pub const RUNTIME_VERSION: &str = "tract 0.23";
