//! The few shapes that arguments of tools have, written as strict JSON schemas.
//!
//! **Invariant:** every object names all of its properties as required and allows no others, as strict endpoints demand. What may be
//! left out is nullable instead.

use serde_json::{Map, Value, json};

/// The shape of one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A text.
    Text,
    /// A text or null.
    MaybeText,
    /// A whole number or null.
    MaybeNumber,
    /// True, false or null.
    MaybeFlag,
    /// A list of texts.
    Texts,
    /// One of these texts.
    OneOf(&'static [&'static str]),
}

impl Shape {
    fn schema(self) -> Value {
        match self {
            Self::Text => json!({ "type": "string" }),
            Self::MaybeText => json!({ "type": ["string", "null"] }),
            Self::MaybeNumber => json!({ "type": ["integer", "null"] }),
            Self::MaybeFlag => json!({ "type": ["boolean", "null"] }),
            Self::Texts => json!({ "type": "array", "items": { "type": "string" } }),
            Self::OneOf(words) => json!({ "type": "string", "enum": words }),
        }
    }
}

/// The schema of an object with exactly these properties.
pub fn object(properties: &[(&str, Shape)]) -> Value {
    let names: Vec<&str> = properties.iter().map(|(name, _)| *name).collect();
    let shapes: Map<String, Value> = properties.iter().map(|(name, shape)| ((*name).to_owned(), shape.schema())).collect();
    json!({ "type": "object", "properties": shapes, "required": names, "additionalProperties": false })
}
