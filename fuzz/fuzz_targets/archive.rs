//! libFuzzer's program for `banger_fuzz::archive`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| banger_fuzz::archive::check(bytes));
