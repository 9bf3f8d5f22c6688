//! Listeners as rows for low-level discovery, and as a document with their values.

use crate::fast_fmt;
use crate::listeners::counters::ListenCounters;
use crate::listeners::{Listener, Load, Totals};
use crate::output::json::{self, JsonWriter};

/// Where the sockets were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketSource {
    /// From `sock_diag`.
    SockDiag,
    /// From /proc/net/tcp and tcp6: there is no backlog and there are no drops.
    Proc,
}

/// What is printed of this machine.
#[derive(Debug)]
pub struct ListenerReport {
    /// The listeners that are printed, ordered by port.
    pub listeners: Vec<Listener>,
    /// How many there are.
    pub totals: Totals,
    /// Where they were read.
    pub source: SocketSource,
    /// Of the network namespace.
    pub counters: ListenCounters,
}

/// The rows on one line; `[]` if nothing listens.
pub fn rows_line(report: &ListenerReport) -> String {
    let mut buffer = Vec::new();
    write_rows(report, &mut JsonWriter::new(&mut buffer));
    buffer.push(b'\n');
    json::into_string(buffer)
}

/// The document on one line.
pub fn document_line(report: &ListenerReport) -> String {
    let mut buffer = Vec::new();
    let mut json = JsonWriter::new(&mut buffer);
    json.open_object();
    number(&mut json, "schema", 1);
    json.key("source");
    json.text(match report.source {
        SocketSource::SockDiag => "sock_diag",
        SocketSource::Proc => "proc",
    });
    json.key("summary");
    write_summary(report, &mut json);
    json.key("discovery");
    write_rows(report, &mut json);
    json.key("listeners");
    json.open_object();
    for listener in &report.listeners {
        json.any_key(&listener.id);
        write_values(listener, &mut json);
    }
    json.close_object();
    json.close_object();
    buffer.push(b'\n');
    json::into_string(buffer)
}

fn write_summary(report: &ListenerReport, json: &mut JsonWriter) {
    let Totals { listeners, sockets } = report.totals;
    let omitted = listeners.saturating_sub(report.listeners.len());
    json.open_object();
    number(json, "listeners", listeners as u64);
    number(json, "sockets", sockets as u64);
    number(json, "omitted", omitted as u64);
    optional(json, "listen_overflows", report.counters.overflows);
    optional(json, "listen_drops", report.counters.drops);
    json.close_object();
}

fn write_rows(report: &ListenerReport, json: &mut JsonWriter) {
    json.open_array();
    for listener in &report.listeners {
        write_row(listener, json);
    }
    json.close_array();
}

/// Every row has every macro, `""` without a value.
fn write_row(listener: &Listener, row: &mut JsonWriter) {
    let yes_or_no = |is: Option<bool>| match is {
        Some(true) => "yes",
        Some(false) => "no",
        None => "",
    };
    let or_empty = |text: &Option<String>| text.clone().unwrap_or_default();
    row.open_object();
    text(row, "{#TCP.ID}", &listener.id);
    text(row, "{#TCP.NAME}", &listener.name());
    text(row, "{#TCP.HOST}", &listener.host());
    number(row, "{#TCP.PORT}", listener.port.into());
    text(row, "{#TCP.SERVICE}", "");
    text(row, "{#TCP.GROUP}", "");
    text(row, "{#TCP.LISTENER.ADDRESS}", &listener.address_text());
    text(row, "{#TCP.LISTENER.FAMILY}", listener.families.text());
    text(row, "{#TCP.LISTENER.SCOPE}", listener.scope().text());
    let interface = or_empty(&listener.interface);
    text(row, "{#TCP.LISTENER.INTERFACE}", &interface);
    text(row, "{#TCP.LISTENER.UID}", &listener.uid.to_string());
    text(row, "{#TCP.LISTENER.USER}", &or_empty(&listener.user));
    text(row, "{#TCP.LISTENER.PROCESS}", &or_empty(&listener.process));
    let placement = &listener.placement;
    text(row, "{#TCP.LISTENER.UNIT}", &or_empty(&placement.unit));
    let container = or_empty(&placement.container);
    text(row, "{#TCP.LISTENER.CONTAINER}", &container);
    let is_ephemeral = yes_or_no(listener.is_ephemeral);
    text(row, "{#TCP.LISTENER.EPHEMERAL}", is_ephemeral);
    let is_reachable = yes_or_no(Some(listener.is_reachable_from_inside()));
    text(row, "{#TCP.LISTENER.PROBE}", is_reachable);
    row.close_object();
}

/// What is unknown is absent.
fn write_values(listener: &Listener, json: &mut JsonWriter) {
    json.open_object();
    text(json, "name", &listener.name());
    text(json, "address", &listener.address_text());
    number(json, "port", listener.port.into());
    text(json, "family", listener.families.text());
    text(json, "scope", listener.scope().text());
    optional_text(json, "interface", listener.interface.as_ref());
    number(json, "uid", listener.uid.into());
    optional_text(json, "user", listener.user.as_ref());
    optional(json, "pid", listener.pid.map(u64::from));
    optional_text(json, "process", listener.process.as_ref());
    optional_text(json, "unit", listener.placement.unit.as_ref());
    optional_text(json, "container", listener.placement.container.as_ref());
    write_load(&listener.load, json);
    json.close_object();
}

fn write_load(load: &Load, json: &mut JsonWriter) {
    number(json, "sockets", load.sockets);
    number(json, "queue", load.queue);
    optional(json, "backlog", load.backlog);
    if let Some(used) = load.used {
        json.key("used");
        json.value(|buffer| fast_fmt::decimal(buffer, used));
    }
    optional(json, "drops", load.drops);
}

fn text(json: &mut JsonWriter, key: &'static str, text: &str) {
    json.key(key);
    json.text(text);
}

fn number(json: &mut JsonWriter, key: &'static str, number: u64) {
    json.key(key);
    json.value(|buffer| fast_fmt::integer(buffer, number));
}

fn optional(json: &mut JsonWriter, key: &'static str, value: Option<u64>) {
    if let Some(value) = value {
        number(json, key, value);
    }
}

fn optional_text(json: &mut JsonWriter, key: &'static str, value: Option<&String>) {
    if let Some(value) = value {
        text(json, key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listeners::ListenerFamilies;
    use crate::listeners::placement::Placement;

    fn listener(port: u16) -> Listener {
        Listener {
            id: format!("any:{port}"),
            address: None,
            port,
            families: ListenerFamilies { v4: true, v6: true },
            interface: None,
            uid: 33,
            user: None,
            pid: None,
            process: None,
            placement: Placement::default(),
            is_ephemeral: None,
            load: Load {
                sockets: 1,
                queue: 2,
                ..Load::default()
            },
        }
    }

    fn report(listeners: Vec<Listener>) -> ListenerReport {
        let totals = Totals {
            listeners: listeners.len(),
            sockets: listeners.len(),
        };
        ListenerReport {
            listeners,
            totals,
            source: SocketSource::Proc,
            counters: ListenCounters::default(),
        }
    }

    #[test]
    fn what_is_unknown_is_absent_in_the_document_and_empty_in_rows() {
        let line = document_line(&report(vec![listener(22)]));
        let expected = concat!(
            r#"{"schema":1,"source":"proc","summary":{"listeners":1,"sockets":1,"omitted":0},"#,
            r##""discovery":[{"{#TCP.ID}":"any:22","{#TCP.NAME}":"*:22","{#TCP.HOST}":"127.0.0.1","{#TCP.PORT}":22,"##,
            r##""{#TCP.SERVICE}":"","{#TCP.GROUP}":"","{#TCP.LISTENER.ADDRESS}":"*","{#TCP.LISTENER.FAMILY}":"4,6","##,
            r##""{#TCP.LISTENER.SCOPE}":"any","{#TCP.LISTENER.INTERFACE}":"","{#TCP.LISTENER.UID}":"33","##,
            r##""{#TCP.LISTENER.USER}":"","{#TCP.LISTENER.PROCESS}":"","{#TCP.LISTENER.UNIT}":"","##,
            r##""{#TCP.LISTENER.CONTAINER}":"","{#TCP.LISTENER.EPHEMERAL}":"","{#TCP.LISTENER.PROBE}":"yes"}],"##,
            r#""listeners":{"any:22":{"name":"*:22","address":"*","port":22,"family":"4,6","scope":"any","uid":33,"#,
            r#""sockets":1,"queue":2}}}"#,
            "\n"
        );
        assert_eq!(line, expected);
    }

    #[test]
    fn known_values_are_printed() {
        let mut known = listener(80);
        known.process = Some("a\"b".into());
        known.load.backlog = Some(128);
        known.load.used = Some(12.5);
        known.load.drops = Some(3);
        let line = document_line(&report(vec![known]));
        assert!(line.contains(r#""process":"a\"b""#), "{line}");
        let load = r#""sockets":1,"queue":2,"backlog":128,"used":12.500000,"drops":3}"#;
        assert!(line.contains(load), "{line}");
    }

    #[test]
    fn listeners_that_are_not_printed_are_counted() {
        let mut report = report(vec![listener(22)]);
        report.totals.listeners = 3;
        let line = document_line(&report);
        assert!(
            line.contains(r#""listeners":3,"sockets":1,"omitted":2}"#),
            "{line}"
        );
    }

    #[test]
    fn without_listeners_there_are_no_rows() {
        assert_eq!(rows_line(&report(Vec::new())), "[]\n");
    }
}
