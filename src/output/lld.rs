//! Rows for Zabbix low-level discovery (Zabbix manual, "Custom LLD rules"): an array of objects
//! with LLD macros.

use crate::fast_fmt;
use crate::output::json::JsonWriter;
use crate::output::{document, json, metrics};
use crate::plan::{Plan, TargetMeta};

/// Appends the row of a target. Every row has every macro, `""` without a value, except
/// `{#TCP.ERROR}`, which only a target has that cannot be probed.
pub fn write(plan: &Plan, buffer: &mut Vec<u8>) {
    let mut row = JsonWriter::new(buffer);
    let id = plan.id();
    let label = plan.meta.as_deref();
    row.open_object();
    row.key("{#TCP.ID}");
    row.text(&id);
    row.key("{#TCP.NAME}");
    row.text(label.and_then(|label| label.name.as_deref()).unwrap_or(&id));
    let target = plan.known_target();
    row.key("{#TCP.HOST}");
    match target {
        Some(target) => document::write_value(&mut row, &metrics::host(&target.host)),
        None => row.text(""),
    }
    row.key("{#TCP.PORT}");
    match target {
        Some(target) => row.value(|buffer| fast_fmt::integer(buffer, target.port.get().into())),
        None => row.text(""),
    }
    row.key("{#TCP.SERVICE}");
    row.text(plan.spec.service.as_deref().unwrap_or_default());
    row.key("{#TCP.GROUP}");
    row.text(&groups(label));
    if let Some(error) = plan.error() {
        row.key("{#TCP.ERROR}");
        row.text(error);
    }
    row.close_object();
}

/// The groups, separated by commas.
fn groups(label: Option<&TargetMeta>) -> String {
    label.map_or_else(String::new, |label| label.groups.join(","))
}

/// The rows of these targets on one line; `[]` if there are none.
pub fn line<'p>(plans: impl IntoIterator<Item = &'p Plan>) -> String {
    let mut bytes = vec![b'['];
    for (index, plan) in plans.into_iter().enumerate() {
        if index > 0 {
            bytes.push(b',');
        }
        write(plan, &mut bytes);
    }
    bytes.extend_from_slice(b"]\n");
    json::into_string(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::{Host, Port, Target};

    #[test]
    fn names_and_groups_are_escaped() {
        let target = Target {
            host: Host::Address([192, 0, 2, 7].into()),
            port: Port::new(80).unwrap(),
        };
        let label = TargetMeta {
            name: Some("a \"b\" \\ 东".into()),
            groups: ["x".into(), "y".into()].into(),
            ..TargetMeta::default()
        };
        let plan = Plan {
            meta: Some(Box::new(label)),
            ..Plan::connect(target)
        };
        assert_eq!(
            line([&plan]),
            "[{\"{#TCP.ID}\":\"192.0.2.7:80\",\"{#TCP.NAME}\":\"a \\\"b\\\" \\\\ 东\",\"{#TCP.HOST}\":\"192.0.2.7\",\
             \"{#TCP.PORT}\":80,\"{#TCP.SERVICE}\":\"\",\"{#TCP.GROUP}\":\"x,y\"}]\n"
        );
        assert_eq!(line([]), "[]\n");
    }
}
