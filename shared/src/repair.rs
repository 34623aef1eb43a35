//! What had to be done to tool calls so that they could be read: words that the wire, the journal and the report have in common.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// What was done to one tool call so that it could be read. The conversation keeps the mended call: that is what is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repair {
    /// Raw control characters within texts were escaped.
    ControlCharacters,
    /// Commas before closing brackets were taken out.
    TrailingCommas,
    /// Brackets that were open at the very end were closed, or a bracket too many was taken out.
    Brackets,
    /// The arguments came as an object, or as a text that holds one.
    ArgumentsAsObject,
    /// The call stood in the text, in the model's own markup.
    LeakedCall,
    /// It could not be mended: the model was told what is wrong.
    AskedAgain,
}

/// How often each was done.
pub type Repairs = BTreeMap<Repair, u32>;

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Repair::ControlCharacters => "control characters",
            Repair::TrailingCommas => "trailing commas",
            Repair::Brackets => "brackets",
            Repair::ArgumentsAsObject => "arguments as object",
            Repair::LeakedCall => "leaked call",
            Repair::AskedAgain => "asked again",
        })
    }
}
