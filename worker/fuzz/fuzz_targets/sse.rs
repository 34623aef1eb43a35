//! Any bytes through the decoder of server-sent events.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| pieces::decodes_alike(input));
