//! Fuzzes the reading of transactions that others made; see `bulkhead_fuzz::solana_transaction`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes| bulkhead_fuzz::solana_transaction::check(bytes));
