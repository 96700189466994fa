//! libFuzzer's program for `banger_fuzz::api`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| banger_fuzz::api::check(bytes));
