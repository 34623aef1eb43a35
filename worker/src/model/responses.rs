//! `OpenAI`'s responses, without a state at the server: the conversation goes out as a whole with every request (`store: false`), and
//! reasoning comes encrypted, to go back as it came.
//!
//! [`body`] writes requests, [`assembly`] puts answers together. Items of an answer are kept whole as [`Opaque`](super::Opaque) blocks.

mod assembly;
mod body;
#[cfg(test)]
mod tests;

use super::{
    ModelSettings, Request,
    wire::{Assembly, Wire},
};

/// The dialect.
pub struct Responses;

impl Wire for Responses {
    fn path(&self) -> &'static str {
        "responses"
    }

    fn body(&self, settings: &ModelSettings, request: &Request<'_>) -> Vec<u8> {
        body::body(settings, request)
    }

    fn assembly(&self) -> Box<dyn Assembly> {
        Box::<assembly::Response>::default()
    }
}

/// Whether an item is a call of a tool, however the server names it.
fn is_call(item: &serde_json::Value) -> bool {
    item.get("type").is_some_and(|kind| kind == "function_call" || kind == "custom_tool_call")
}
