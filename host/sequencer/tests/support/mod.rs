//! A small shard to break: a deterministic market, a strategy that keeps all it knows in its saved state, and
//! a simulated database.

#![allow(dead_code, reason = "each test file uses a part")]

pub(crate) mod database;
pub(crate) mod market;
pub(crate) mod strategy;
