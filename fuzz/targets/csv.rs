//! Fuzzes the reading of files of bars; see `bulkhead_fuzz::csv`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes| bulkhead_fuzz::csv::check(bytes));
