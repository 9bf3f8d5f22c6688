//! A value of a configuration file (TOML) or of a JSON line: one reader handles both.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::DeValue;

/// A parsed value.
#[derive(Debug, Clone, Copy)]
pub enum ConfigValue<'t> {
    /// Of a TOML document.
    Toml(&'t Spanned<DeValue<'t>>),
    /// Of a JSON document.
    Json(&'t serde_json::Value),
}

/// A member of a table.
#[derive(Debug, Clone, Copy)]
pub struct TableMember<'t> {
    /// Its name.
    pub name: &'t str,
    /// The byte offset of the name in a TOML document; 0 in JSON.
    pub offset: usize,
    /// Its value.
    pub value: ConfigValue<'t>,
}

impl<'t> ConfigValue<'t> {
    /// The byte offset in a TOML document; 0 in JSON.
    pub fn offset(self) -> usize {
        match self {
            Self::Toml(value) => value.span().start,
            Self::Json(_) => 0,
        }
    }

    /// The name of the type, for errors.
    pub fn type_name(self) -> &'static str {
        use serde_json::Value as Json;
        match self {
            Self::Toml(value) => value.get_ref().type_str(),
            Self::Json(Json::Null) => "null",
            Self::Json(Json::Bool(_)) => "boolean",
            Self::Json(Json::Number(number)) if number.is_f64() => "float",
            Self::Json(Json::Number(_)) => "integer",
            Self::Json(Json::String(_)) => "string",
            Self::Json(Json::Array(_)) => "array",
            Self::Json(Json::Object(_)) => "table",
        }
    }

    /// The text of a string.
    pub fn text(self) -> Option<&'t str> {
        match self {
            Self::Toml(value) => value.get_ref().as_str(),
            Self::Json(value) => value.as_str(),
        }
    }

    /// The text of a string, or a number as it is written.
    pub fn scalar(self) -> Option<Cow<'t, str>> {
        match self {
            Self::Toml(value) => match value.get_ref() {
                DeValue::Integer(number) => Some(number.to_string().into()),
                DeValue::Float(number) => Some(number.as_str().into()),
                other => other.as_str().map(Cow::Borrowed),
            },
            Self::Json(serde_json::Value::Number(number)) => Some(number.to_string().into()),
            Self::Json(value) => value.as_str().map(Cow::Borrowed),
        }
    }

    /// A boolean.
    pub fn flag(self) -> Option<bool> {
        match self {
            Self::Toml(value) => value.get_ref().as_bool(),
            Self::Json(value) => value.as_bool(),
        }
    }

    /// The elements of a list.
    pub fn list(self) -> Option<Vec<Self>> {
        match self {
            Self::Toml(value) => {
                let list = value.get_ref().as_array()?;
                Some(list.iter().map(Self::Toml).collect())
            }
            Self::Json(value) => Some(value.as_array()?.iter().map(Self::Json).collect()),
        }
    }

    /// The members of a table. A JSON member that is `null` counts as not given.
    pub fn members(self) -> Option<Vec<TableMember<'t>>> {
        match self {
            Self::Toml(value) => {
                let table = value.get_ref().as_table()?;
                Some(table.iter().map(toml_member).collect())
            }
            Self::Json(value) => {
                let members = value.as_object()?.iter();
                let given = members.filter(|(_, value)| !value.is_null());
                let member = |(name, value): (&'t String, &'t serde_json::Value)| TableMember {
                    name,
                    offset: 0,
                    value: Self::Json(value),
                };
                Some(given.map(member).collect())
            }
        }
    }
}

/// A member of a TOML table.
pub fn toml_member<'t>(
    (name, value): (&'t Spanned<Cow<'t, str>>, &'t Spanned<DeValue<'t>>),
) -> TableMember<'t> {
    TableMember {
        name: name.get_ref(),
        offset: name.span().start,
        value: ConfigValue::Toml(value),
    }
}
