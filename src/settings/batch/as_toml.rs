//! JSON values written as TOML, in which options are read: one reader knows what they mean, and what is wrong with them.

use std::fmt::Write;

use serde_json::{Map, Value};

/// The members of an object as a document; what is null was not given.
pub fn document(members: &Map<String, Value>) -> String {
    let mut out = String::new();
    for (name, value) in members.iter().filter(|(_, value)| !value.is_null()) {
        write_text(&mut out, name);
        out.push_str(" = ");
        write_value(&mut out, value);
        out.push('\n');
    }
    out
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => write_text(out, ""),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        // Writing to a String cannot fail.
        Value::Number(number) => drop(write!(out, "{number}")),
        Value::String(text) => write_text(out, text),
        Value::Array(entries) => {
            out.push('[');
            for entry in entries {
                write_value(out, entry);
                out.push(',');
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (at, (name, value)) in members.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                write_text(out, name);
                out.push('=');
                write_value(out, value);
            }
            out.push('}');
        }
    }
}

/// Writes a basic string (TOML 1.0, "String").
fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\0'..='\x1f' | '\x7f' => drop(write!(out, "\\u{:04x}", u32::from(character))),
            _ => out.push(character),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::*;

    #[test]
    fn every_value_means_the_same_in_toml() {
        let json = r#"{"a":"\u0000\u001b\u007f\"\\\n é \ud83d\ude00","b":[1,-2.5,true,"x",[],{}],"c d":{"e":{"f":"g","h":2}},"n":null}"#;
        let written = document(&serde_json::from_str(json).unwrap());
        let parsed = DeTable::parse(&written).unwrap();
        let read = parsed.get_ref();
        assert_eq!(
            read["a"].get_ref().as_str(),
            Some("\0\u{1b}\u{7f}\"\\\n é \u{1f600}")
        );
        let list = read["b"].get_ref();
        assert_eq!(list.as_array().unwrap().len(), 6);
        assert_eq!(
            list[1].get_ref().as_float().map(toml::de::DeFloat::as_str),
            Some("-2.5")
        );
        let inner = read["c d"].get_ref()["e"].get_ref();
        assert_eq!(
            inner["h"]
                .get_ref()
                .as_integer()
                .map(toml::de::DeInteger::as_str),
            Some("2")
        );
        assert!(!read.contains_key("n"));
    }
}
