//! Fuzzes the reading of snapshots of a shard; see `bulkhead_fuzz::snapshot`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes| bulkhead_fuzz::snapshot::check(bytes));
