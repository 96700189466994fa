//! libFuzzer's program for `banger_fuzz::frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| banger_fuzz::frames::check(bytes));
