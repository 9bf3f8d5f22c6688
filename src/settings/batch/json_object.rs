//! Parses a JSON object in which a key may occur only once, at any depth. With a duplicate key, one
//! of the two values would be ignored, and parsers differ in which one.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::{Map, Number, Value};

use crate::escape::escaped_prefix;

/// Parses a line.
///
/// # Errors
/// What is wrong with it, in one sentence.
pub fn parse(line: &str) -> Result<Value, String> {
    let parsed = serde_json::from_str::<UniqueKeys>(line);
    parsed.map(|parsed| parsed.0).map_err(|error| {
        let why = match error.classify() {
            Category::Eof => "incomplete",
            // This message; the library adds the position.
            Category::Data => {
                let text = error.to_string();
                let place = text.rsplit_once(" at line ");
                let sentence = place.map_or(text.as_str(), |(sentence, _)| sentence);
                return format!("{sentence} (column {})", error.column());
            }
            Category::Io | Category::Syntax => "syntax error",
        };
        format!("not a JSON object: {why} at column {}", error.column())
    })
}

/// A value in which every key is unique.
struct UniqueKeys(Value);

impl<'de> Deserialize<'de> for UniqueKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor).map(Self)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(UniqueKeys(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(key) = object.next_key::<String>()? {
            if members.contains_key(&key) {
                let key = escaped_prefix(&key, 60);
                return Err(A::Error::custom(format!(
                    "the key `{key}` is given twice: remove one of them"
                )));
            }
            let UniqueKeys(value) = object.next_value()?;
            members.insert(key, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_the_library() {
        for text in [
            r#"{"a":[1,-2,2.5,1e3,true,null,"x\u00e9",{"b":{}}],"c":18446744073709551615}"#,
            r#"{"a":1,"b":{"a":1}}"#,
            "{}",
        ] {
            let expected: Value = serde_json::from_str(text).unwrap();
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_key_that_is_given_twice_is_an_error() {
        for (text, expected) in [
            (
                r#"{"host":"a","port":1,"port":2}"#,
                "the key `port` is given twice: remove one of them (column 27)",
            ),
            (
                r#"{"steps":[{"send":"a","send":"b"}]}"#,
                "the key `send` is given twice: remove one of them (column 28)",
            ),
            (
                r#"{"a\n at line 1":1,"a\n at line 1":2}"#,
                "the key `a\\n at line 1` is given twice: remove one of them (column 34)",
            ),
            (r#"{"a":1"#, "not a JSON object: incomplete at column 6"),
            (r#"{"a" 1}"#, "not a JSON object: syntax error at column 6"),
        ] {
            assert_eq!(parse(text).unwrap_err(), expected, "{text}");
        }
        let deep = "[".repeat(200);
        assert!(parse(&format!("{{\"a\":{deep}")).is_err());
    }
}
