//! Wallets are watched: each trade is told once, whatever servers do and whenever the process ends.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

mod bed;
mod faults;
mod hints;
mod restarts;
mod store;
mod telling;
