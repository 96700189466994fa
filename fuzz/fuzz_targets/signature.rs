//! libFuzzer's program for `banger_fuzz::signature`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| banger_fuzz::signature::check(bytes));
