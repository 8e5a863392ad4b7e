//! The risk gate.

mod refusal;

pub use refusal::{Refusal, RefusalCode};
