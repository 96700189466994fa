//! libFuzzer's program for `banger_fuzz::config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| banger_fuzz::config::check(bytes));
