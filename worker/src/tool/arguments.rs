//! What a model sent, checked against the schema it was given.
//!
//! Not every endpoint holds models to a schema. So small slips without ambiguity are mended here (a number as text, a missing
//! optional argument, one text where a list of texts is wanted), and the others are named, all at once.
//!
//! **Invariant:** what is mended has exactly one meaning. A wrong guess would cost more than a refused call.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::ToolSpec;

/// Reads arguments as `T`, whose fields are the properties of the tool's schema.
///
/// # Errors
/// An instruction that names every argument that is unknown, missing or of a wrong kind.
pub fn check<T: DeserializeOwned>(spec: &ToolSpec, arguments: &Value) -> Result<T, String> {
    let mended = mend(spec, arguments)?;
    serde_json::from_value(Value::Object(mended)).map_err(|error| format!("{}: {error}", spec.name))
}

fn mend(spec: &ToolSpec, arguments: &Value) -> Result<Map<String, Value>, String> {
    let given = as_object(arguments).ok_or_else(|| format!("{}: the arguments must be a JSON object", spec.name))?;
    let empty = Map::new();
    let properties = spec.parameters["properties"].as_object().unwrap_or(&empty);
    let mut problems: Vec<String> =
        given.keys().filter(|name| !properties.contains_key(*name)).map(|name| format!("`{name}` is unknown")).collect();
    let mut mended = Map::new();
    for (name, schema) in properties {
        match mend_one(schema, given.get(name)) {
            Ok(value) => {
                mended.insert(name.clone(), value);
            }
            Err(problem) => problems.push(format!("`{name}` {problem}")),
        }
    }
    if problems.is_empty() {
        return Ok(mended);
    }
    let names: Vec<&str> = properties.keys().map(String::as_str).collect();
    Err(format!("{}: {}; its arguments are: {}", spec.name, problems.join("; "), names.join(", ")))
}

/// The object, also where it came as a text that contains one.
fn as_object(arguments: &Value) -> Option<Map<String, Value>> {
    match arguments {
        Value::Object(map) => Some(map.clone()),
        Value::Null => Some(Map::new()),
        Value::String(text) => serde_json::from_str(text).ok(),
        _ => None,
    }
}

fn mend_one(schema: &Value, given: Option<&Value>) -> Result<Value, String> {
    let kinds: Vec<&str> = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        kind => kind.as_str().into_iter().collect(),
    };
    let is_optional = kinds.contains(&"null");
    match given {
        None | Some(Value::Null) if is_optional => Ok(Value::Null),
        Some(Value::String(text)) if is_optional && (text.is_empty() || (text == "null" && kinds[0] != "string")) => {
            Ok(Value::Null)
        }
        None | Some(Value::Null) => Err("is missing".to_owned()),
        Some(value) => {
            let mended = mend_kind(kinds.first().copied().unwrap_or_default(), value)?;
            one_of(&schema["enum"], &mended).map(|()| mended)
        }
    }
}

fn mend_kind(kind: &str, value: &Value) -> Result<Value, String> {
    match (kind, value) {
        ("string", Value::String(_)) | ("boolean", Value::Bool(_)) => Ok(value.clone()),
        ("string", Value::Number(number)) => Ok(Value::String(number.to_string())),
        ("string", _) => Err("must be a text".to_owned()),
        ("integer", _) => whole(value).map(Value::from).ok_or_else(|| format!("must be a whole number from 0 on, not {value}")),
        ("boolean", Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Value::Bool(true)),
        ("boolean", Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Value::Bool(false)),
        ("boolean", _) => Err("must be true or false".to_owned()),
        ("array", Value::Array(items)) if items.iter().all(Value::is_string) => Ok(value.clone()),
        ("array", Value::String(text)) => {
            let texts = serde_json::from_str::<Vec<String>>(text).unwrap_or_else(|_| vec![text.clone()]);
            Ok(Value::from(texts))
        }
        ("array", _) => Err("must be a list of texts".to_owned()),
        _ => Ok(value.clone()),
    }
}

fn whole(value: &Value) -> Option<u64> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    text.strip_suffix(".0").unwrap_or(&text).parse().ok()
}

fn one_of(words: &Value, value: &Value) -> Result<(), String> {
    match words.as_array() {
        Some(words) if !words.contains(value) => {
            let words: Vec<String> = words.iter().map(Value::to_string).collect();
            Err(format!("must be one of {}", words.join(", ")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::{
        super::schema::{Shape, object},
        *,
    };

    fn read(arguments: &str, expected: &Expect) {
        let shapes = [
            ("path", Shape::Text),
            ("glob", Shape::MaybeText),
            ("depth", Shape::MaybeNumber),
            ("all", Shape::MaybeFlag),
            ("paths", Shape::Texts),
            ("status", Shape::OneOf(&["done", "blocked"])),
        ];
        let spec = ToolSpec { name: "tool", description: "", parameters: object(&shapes) };
        let given = serde_json::from_str(arguments).unwrap();
        expected.assert_eq(&check::<Value>(&spec, &given).map_or_else(|why| why, |value| value.to_string()));
    }

    #[test]
    fn slips_with_one_meaning_are_mended() {
        let expected = expect![[r#"{"all":true,"depth":3,"glob":null,"path":"7","paths":["a"],"status":"done"}"#]];
        for arguments in [
            r#"{"path": "7", "glob": null, "depth": 3, "all": true, "paths": ["a"], "status": "done"}"#,
            r#"{"path": 7, "depth": "3", "all": "True", "paths": "a", "status": "done"}"#,
            r#"{"path": "7", "glob": "", "depth": 3.0, "all": "true", "paths": "[\"a\"]", "status": "done"}"#,
            r#""{\"path\": \"7\", \"depth\": 3, \"all\": true, \"paths\": [\"a\"], \"status\": \"done\"}""#,
        ] {
            read(arguments, &expected);
        }
        read(
            r#"{"path": "", "depth": "null", "paths": [], "status": "blocked"}"#,
            &expect![[r#"{"all":null,"depth":null,"glob":null,"path":"","paths":[],"status":"blocked"}"#]],
        );
    }

    #[test]
    fn everything_that_is_wrong_is_named_at_once() {
        read(
            "{}",
            &expect![
                "tool: `path` is missing; `paths` is missing; `status` is missing; its arguments are: all, depth, glob, path, paths, status"
            ],
        );
        read(
            "null",
            &expect![
                "tool: `path` is missing; `paths` is missing; `status` is missing; its arguments are: all, depth, glob, path, paths, status"
            ],
        );
        read("[1]", &expect!["tool: the arguments must be a JSON object"]);
        read(r#""not json""#, &expect!["tool: the arguments must be a JSON object"]);
        read(
            r#"{"path": [], "glob": {}, "depth": -1, "all": "maybe", "paths": [1], "status": "won", "file": "x"}"#,
            &expect![[
                r#"tool: `file` is unknown; `all` must be true or false; `depth` must be a whole number from 0 on, not -1; `glob` must be a text; `path` must be a text; `paths` must be a list of texts; `status` must be one of "done", "blocked"; its arguments are: all, depth, glob, path, paths, status"#
            ]],
        );
        read(
            r#"{"path": "a", "depth": 1.5, "paths": ["a"], "status": "done"}"#,
            &expect![
                "tool: `depth` must be a whole number from 0 on, not 1.5; its arguments are: all, depth, glob, path, paths, status"
            ],
        );
    }

    #[test]
    fn a_type_that_lacks_a_property_is_no_panic() {
        #[derive(Debug, serde::Deserialize)]
        struct Other {
            #[expect(dead_code, reason = "only its absence matters")]
            other: String,
        }
        let spec = ToolSpec { name: "tool", description: "", parameters: object(&[("path", Shape::Text)]) };
        assert!(check::<Other>(&spec, &json!({ "path": "a" })).unwrap_err().contains("other"));
    }
}
