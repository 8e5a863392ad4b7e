//! Why a file is not run as a model.

/// What is wrong with a file, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// More than a limit allows.
    #[error(
        "{what}: {found}; at most {limit} (limit {key}). Make the model smaller, or raise the limit if you trust its author"
    )]
    TooLarge {
        /// Of what.
        what: String,
        /// How much there is.
        found: u64,
        /// How much is allowed.
        limit: u64,
        /// The limit's name in the configuration.
        key: &'static str,
    },
    /// The bytes are no ONNX file.
    #[error("it is not an ONNX file, or it is damaged: {0}")]
    NotOnnx(String),
    /// Operators that this host does not compute.
    #[error(
        "it uses {}, which this host does not compute: only operators that give the same numbers on every machine, in \
         bounded time, are. Export it without", listed(.0)
    )]
    Operators(Vec<String>),
    /// Something that a file may not have, whatever its operators.
    #[error("{0}")]
    Forbidden(String),
    /// Inputs or outputs of other kinds than rows of 32-bit floating-point numbers.
    #[error(
        "{0}. A model takes one tensor of 32-bit floating-point numbers, [rows, numbers in a row], and gives such tensors"
    )]
    Shape(String),
    /// A tree ensemble that does not hold together.
    #[error("its tree ensemble {node:?} is broken: {why}")]
    Tree {
        /// The operator.
        node: String,
        /// What is wrong.
        why: String,
    },
    /// The runtime can't make sense of it.
    #[error("the runtime can't run it: {0}")]
    Runtime(String),
    /// The runtime was set up by something else before.
    #[error(
        "this process computes with instructions that differ from machine to machine ({0}); start the host again"
    )]
    Machine(String),
}

fn listed(names: &[String]) -> String {
    names.join(", ")
}

/// A text of somebody else's, fit to be shown.
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 300;
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST).collect();
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}
