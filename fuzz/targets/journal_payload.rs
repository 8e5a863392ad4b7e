//! Fuzzes the reading of payloads of the journal; see `bulkhead_fuzz::journal_payload`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes| bulkhead_fuzz::journal_payload::check(bytes));
