//! Rows of Zabbix's low-level discovery (Zabbix manual, "Custom LLD rules"): an array of objects with macros.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::plan::Plan;

/// The row of a target: every macro is in every row, `""` where there is nothing to say.
#[derive(Debug, Clone, Copy)]
pub struct Row<'p>(pub &'p Plan);

impl Row<'_> {
    /// The name for people: the list's own, else the id.
    fn name(&self) -> Cow<'_, str> {
        let name = self.0.label.as_ref().and_then(|label| label.name.as_deref());
        name.map_or_else(|| self.0.id(), Cow::Borrowed)
    }

    /// Its groups, separated by commas.
    fn groups(&self) -> String {
        self.0.label.as_ref().map_or_else(String::new, |label| label.groups.join(","))
    }
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_map(Some(6))?;
        row.serialize_entry("{#TCP.ID}", &self.0.id())?;
        row.serialize_entry("{#TCP.NAME}", &self.name())?;
        row.serialize_entry("{#TCP.HOST}", &self.0.target.host.to_string())?;
        row.serialize_entry("{#TCP.PORT}", &self.0.target.port.get())?;
        row.serialize_entry("{#TCP.SERVICE}", self.0.method.service.as_deref().unwrap_or_default())?;
        row.serialize_entry("{#TCP.GROUP}", &self.groups())?;
        row.end()
    }
}

/// The rows of these targets on one line; `[]` where there are none.
pub fn line<'p>(plans: impl IntoIterator<Item = &'p Plan>) -> String {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::new(&mut bytes);
    // Neither writing to memory nor these types can fail.
    let _ = serializer.collect_seq(plans.into_iter().map(Row));
    bytes.push(b'\n');
    String::from_utf8(bytes).unwrap_or_default()
}
