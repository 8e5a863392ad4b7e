//! Fuzzes the reading of configurations; see `bulkhead_fuzz::configuration`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes| bulkhead_fuzz::configuration::check(bytes));
