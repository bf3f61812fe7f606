#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pip_aide_gateway_fuzz::token(data));
