//! How far the SYNs to a target got, as published.

use crate::fast_fmt;
use crate::output::json::{self, JsonWriter};
use crate::output::metric_value::Value;
use crate::path_facts::{Hop, HopAnswer, PathFacts};

/// The hops that answered, in their order; each router once per hop.
pub(super) fn hops(path: &PathFacts) -> Value<'static> {
    let mut buffer = Vec::new();
    let mut json = JsonWriter::new(&mut buffer);
    json.open_array();
    for (index, hop) in path.hops.iter().enumerate() {
        let before = path.hops.iter().take(index);
        let is_known = before
            .into_iter()
            .any(|other| (other.hop, other.from, other.answer) == (hop.hop, hop.from, hop.answer));
        if !is_known {
            write_hop(hop, &mut json);
        }
    }
    json.close_array();
    Value::Json(json::into_string(buffer))
}

fn write_hop(hop: &Hop, json: &mut JsonWriter<'_>) {
    json.open_object();
    json.key("hop");
    json.value(|buffer| fast_fmt::integer(buffer, hop.hop.into()));
    json.key("from");
    json.value(|buffer| {
        buffer.push(b'"');
        fast_fmt::address(buffer, hop.from);
        buffer.push(b'"');
    });
    json.key("time");
    json.value(|buffer| fast_fmt::seconds(buffer, hop.time));
    if let HopAnswer::Error(icmp) = hop.answer {
        json.key("type");
        json.value(|buffer| fast_fmt::integer(buffer, icmp.kind.into()));
        json.key("code");
        json.value(|buffer| fast_fmt::integer(buffer, icmp.code.into()));
    }
    json.close_object();
}
