//! The older form's plan: which pools are passed, one step each.

use super::router::{Reader, RouteError};

/// The bytes behind a step's pool: its part, where it takes from, where it gives to.
const STEP: usize = 3;

/// The bytes of arguments that each kind of pool has in the program's interface, by the number of the kind.
#[rustfmt::skip]
const ARGUMENTS: &[Arguments] = {
    use Arguments::{Bytes as B, Unknown as U};
    &[
        B(0), B(0), B(0), B(0), B(0), B(0), B(0), B(0), B(1), B(0), // 0
        B(0), B(0), B(1), B(0), B(0), B(1), B(1), B(1), B(1), B(0), // 10
        B(0), B(1), B(0), B(1), B(1), B(0), B(0), B(1), B(1), B(16), // 20
        B(0), B(0), B(0), B(4), B(0), B(0), B(0), B(0), B(0), B(1), // 30
        B(0), B(4), B(3), B(10), B(5), B(5), B(0), U, B(0), B(0), // 40
        B(0), B(0), B(0), B(0), B(0), B(0), B(0), B(0), B(1), B(0), // 50
        B(1), B(1), B(0), B(0), B(1), B(0), B(0), B(0), B(0), B(0), // 60
        B(0), B(2), B(0), B(0), B(0), U, B(0), B(0), B(0), B(0), // 70
        B(0), B(8), B(8), B(0), B(0), B(1), B(2), B(9), B(0), B(1), // 80
        B(0), B(0), B(0), B(0), B(1), B(1), B(0), B(0), B(0), B(0), // 90
        B(0), B(0), B(0), U, B(1), B(0), B(1), B(1), B(0), B(0), // 100
    ]
};

/// What a kind of pool is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arguments {
    /// Always so many bytes.
    Bytes(usize),
    /// Something that has no fixed length.
    Unknown,
}

/// What comes after the plan.
pub(super) fn after(data: &[u8]) -> Result<&[u8], RouteError> {
    let mut reader = Reader(data);
    let steps = u32::from_le_bytes(reader.next()?);
    for _ in 0..steps {
        let [kind] = reader.next()?;
        match ARGUMENTS.get(usize::from(kind)) {
            Some(Arguments::Bytes(bytes)) => reader.skip(bytes + STEP)?,
            Some(Arguments::Unknown) | None => return Err(RouteError::Kind(kind)),
        }
    }
    Ok(reader.0)
}
