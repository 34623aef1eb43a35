//! OpenAI-compatible chat completions: `DeepSeek`, `OpenRouter`, Ollama, llama.cpp, vLLM and many more.
//!
//! [`body`] writes requests, [`assembly`] puts answers together. Servers of this dialect differ more than any other's; what they differ
//! in by intent is a capability of the provider's entry, what they differ in by accident is borne in [`assembly`].

mod assembly;
mod body;
mod calls;
mod members;
#[cfg(test)]
mod tests;

use super::{
    ModelSettings, Request,
    wire::{Assembly, Wire},
};

/// The dialect.
pub struct Chat;

impl Wire for Chat {
    fn path(&self) -> &'static str {
        "chat/completions"
    }

    fn body(&self, settings: &ModelSettings, request: &Request<'_>) -> Vec<u8> {
        body::body(settings, request)
    }

    fn assembly(&self) -> Box<dyn Assembly> {
        Box::<assembly::Completion>::default()
    }
}
