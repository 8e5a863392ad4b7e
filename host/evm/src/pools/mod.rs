//! What happens in pools: those that are new, what they hold, what is swapped in them; and whether a token that can be
//! bought there can be sold again.
//!
//! Blocks can be taken back. [`watcher`] follows them by their hashes and takes back what was in those that are gone;
//! [`market`] makes of it what strategies see, and [`feed`] hands that on as it happens, with bars and the passing of time.
//! [`round_trip`] tries a purchase and a sale without sending anything.

mod decode;
pub mod feed;
pub mod market;
pub mod round_trip;
mod token_balance;
mod trial;
pub mod watcher;

pub use decode::{PoolEvent, Version};
