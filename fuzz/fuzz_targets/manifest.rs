//! libFuzzer's program for `banger_fuzz::manifest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| banger_fuzz::manifest::check(bytes));
