//! libFuzzer's program for `banger_fuzz::unit`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| banger_fuzz::unit::check(bytes));
