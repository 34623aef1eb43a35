//! Any bytes as an answer in the dialect of Anthropic's messages.

#![no_main]

use worker::model::Dialect;

libfuzzer_sys::fuzz_target!(|input: &[u8]| pieces::reads_alike(&Dialect::AnthropicMessages, input));
