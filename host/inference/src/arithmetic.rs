//! The same numbers on every machine.
//!
//! The runtime has routines for each generation of processors, and they round differently: fused multiplications, other
//! orders of addition. A replay on another machine, or a second host, must not decide otherwise because its processor is
//! newer. So the routines that need more than the architecture's least are switched off, for the whole process, before the first model
//! is looked at. What is left is plain Rust on IEEE arithmetic. What that costs is in `docs/performance.md`.

use std::sync::OnceLock;

use tract_linalg::isa::{Arch, Isa, native};
use tract_linalg::knobs::TRACT_CPU_ISA;

use crate::refused::Refused;

/// Switches off what differs between machines, once.
///
/// # Errors
///
/// [`Refused::Machine`] when the runtime was used before, so that it is too late.
pub(crate) fn make_portable() -> Result<(), Refused> {
    static LEFT: OnceLock<Vec<&'static str>> = OnceLock::new();
    let left = LEFT.get_or_init(|| {
        let here = Arch::ALL.into_iter().find(Arch::is_native);
        let extensions: Vec<String> = Isa::ALL
            .into_iter()
            .filter(|isa| !isa.is_arch() && Some(isa.arch()) == here)
            .map(|isa| format!("-{}", isa.name()))
            .collect();
        TRACT_CPU_ISA.set(Some(extensions.join(",")));
        native().iter().filter(|isa| !isa.is_arch()).map(|isa| isa.name()).collect()
    });
    if left.is_empty() { Ok(()) } else { Err(Refused::Machine(left.join(", "))) }
}
