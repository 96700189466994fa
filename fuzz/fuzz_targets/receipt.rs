//! libFuzzer's program for `banger_fuzz::receipt`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| banger_fuzz::receipt::check(bytes));
