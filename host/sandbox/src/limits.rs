//! What a strategy may use, as it is counted here.

pub use bulkhead_core::strategy::{InvalidLimits, Limits};

/// A limit as a count in memory; saturates where the machine's words are shorter.
pub(crate) fn count(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// The limits that a file is held to before it is compiled.
pub(crate) const fn of_files(limits: &Limits) -> [u64; 7] {
    [
        limits.wasm_bytes,
        limits.functions,
        limits.function_bytes,
        limits.function_locals,
        limits.nesting,
        limits.branch_targets,
        limits.parts,
    ]
}
