//! Anthropic's messages, as Anthropic and the endpoints that copy it (`DeepSeek`, llama.cpp, gateways) speak them.
//!
//! [`body`] writes requests, [`assembly`] puts answers together. Thinking comes with a signature over it and must go back unchanged and in
//! its place among the other blocks, so the blocks of such an answer are kept as [`Opaque`](super::Opaque).

mod assembly;
mod body;
#[cfg(test)]
mod tests;

use super::{
    AuthHeader, ModelSettings, Request,
    wire::{Assembly, Wire},
};

/// The dialect.
pub struct Anthropic;

impl Wire for Anthropic {
    fn path(&self) -> &'static str {
        "messages"
    }

    fn auth(&self) -> AuthHeader {
        AuthHeader::XApiKey
    }

    fn headers(&self) -> &'static [(&'static str, &'static str)] {
        &[("anthropic-version", "2023-06-01")]
    }

    fn body(&self, settings: &ModelSettings, request: &Request<'_>) -> Vec<u8> {
        body::body(settings, request)
    }

    fn assembly(&self) -> Box<dyn Assembly> {
        Box::<assembly::Content>::default()
    }
}
