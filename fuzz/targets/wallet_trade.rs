//! Fuzzes the recognition of what transactions were for wallets; see `bulkhead_fuzz::wallet_trade`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes| bulkhead_fuzz::wallet_trade::check(bytes));
