//! Fuzzes the loading of models; see `bulkhead_fuzz::model`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes| bulkhead_fuzz::model::check(bytes));
