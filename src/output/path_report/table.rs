//! The traces of one host as a table for people.

use std::fmt::Write;
use std::time::Duration;

use crate::escape::escaped_prefix;
use crate::output::path_report::conclusion;
use crate::output::path_report::rows::{HopRow, PathReport, path, rows};
use crate::output::text::{BAD, ColorMode, GOOD, UNSURE, colored};
use crate::path_facts::HopAnswer;
use crate::report::Report;

/// The longest name of a router that is shown.
const MAX_NAME: usize = 60;

/// The traces, several lines. With two ports, the hops are in two columns.
pub fn text(report: &PathReport<'_>, colors: ColorMode) -> String {
    let mut out = String::new();
    headline(&mut out, report);
    let columns: Vec<Vec<HopRow>> = report
        .reports()
        .map(|one| path(one).map_or_else(Vec::new, |facts| rows(facts).0))
        .collect();
    let last = columns.iter().map(Vec::len).max().unwrap_or(0);
    let places: Vec<TableLine> = (0..last)
        .flat_map(|index| places(&columns, index, report))
        .collect();
    if !places.is_empty() {
        write_places(&mut out, &places, report);
    }
    for one in report.reports() {
        verdict(&mut out, one, colors);
    }
    if let Some(conclusion) = conclusion::of(report) {
        let _ = writeln!(out, "  {conclusion}");
    }
    out
}

/// One line of the table: the sender of the answers at a hop, and the answers to the SYNs of each
/// port.
struct TableLine {
    hop: u8,
    who: String,
    cells: Vec<String>,
}

/// Writing to a String cannot fail, here and below.
fn headline(out: &mut String, report: &PathReport<'_>) {
    let target = &report.first.plan.target;
    let ports: Vec<_> = report
        .reports()
        .map(|one| one.plan.target.port.to_string())
        .collect();
    let address = report
        .first
        .connection
        .as_ref()
        .map(|connection| connection.address.ip());
    let host = target.host.to_string();
    let address = address
        .map(|address| address.to_string())
        .filter(|address| *address != host);
    let address = address.map_or_else(String::new, |address| format!(" ({address})"));
    let noun = if ports.len() > 1 { "ports" } else { "port" };
    let _ = writeln!(
        out,
        "path to {host}{address}, {noun} {}",
        ports.join(" and ")
    );
}

fn write_places(out: &mut String, places: &[TableLine], report: &PathReport<'_>) {
    let width = |text: &str| text.chars().count();
    let who = places
        .iter()
        .map(|place| width(&place.who))
        .max()
        .unwrap_or(0)
        .max(7);
    let ports = report.reports().count();
    let widths: Vec<usize> = (0..ports)
        .map(|port| {
            let cells = places.iter().filter_map(|place| place.cells.get(port));
            cells.map(|cell| width(cell)).max().unwrap_or(0).max(9)
        })
        .collect();
    let mut heading = format!("  hop  {:<who$}", "address");
    if ports > 1 {
        for (one, width) in report.reports().zip(&widths) {
            let port = format!("port {}", one.plan.target.port);
            let _ = write!(heading, "  {port:<width$}");
        }
    } else {
        heading.push_str("  lost     min/avg/max");
    }
    let _ = writeln!(out, "{}", heading.trim_end());
    let mut before = 0;
    for place in places {
        let hop = if place.hop == before {
            String::new()
        } else {
            place.hop.to_string()
        };
        before = place.hop;
        let mut line = format!("  {hop:>3}  {:<who$}", place.who);
        for (cell, width) in place.cells.iter().zip(&widths) {
            let _ = write!(line, "  {cell:<width$}");
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

/// The lines of one hop: one for each address that answered there.
fn places(columns: &[Vec<HopRow>], index: usize, report: &PathReport<'_>) -> Vec<TableLine> {
    let rows: Vec<Option<&HopRow>> = columns.iter().map(|column| column.get(index)).collect();
    let hop = u8::try_from(index + 1).unwrap_or(u8::MAX);
    let mut addresses = Vec::new();
    for (address, _) in rows.iter().flatten().flat_map(|row| &row.from) {
        if !addresses.contains(address) {
            addresses.push(*address);
        }
    }
    if addresses.is_empty() {
        let cells = rows
            .iter()
            .map(|row| row.map_or_else(String::new, silent))
            .collect();
        let who = "no answer".to_owned();
        return vec![TableLine { hop, who, cells }];
    }
    let place = |address| {
        let cells = rows.iter().map(|row| cell(*row, address)).collect();
        let name = report.names.get(&address);
        let name = name.map(|name| format!(" ({})", escaped_prefix(name, MAX_NAME)));
        let who = format!("{address}{}", name.unwrap_or_default());
        TableLine { hop, who, cells }
    };
    addresses.into_iter().map(place).collect()
}

fn silent(row: &HopRow) -> String {
    percent(row)
}

/// The answers of this address at a hop to the SYNs of one port.
fn cell(row: Option<&HopRow>, address: std::net::IpAddr) -> String {
    let Some(row) = row else {
        return String::new();
    };
    let mut own = row.from.iter().filter(|(from, _)| *from == address);
    let Some((_, answer)) = own.next() else {
        return if row.from.is_empty() {
            percent(row)
        } else {
            String::new()
        };
    };
    let mut text = percent(row);
    if let Some(times) = row.times {
        let [min, avg, max] = times.map(milliseconds);
        let _ = write!(text, "  {min}/{avg}/{max} ms");
    }
    match answer {
        HopAnswer::TimeExceeded => {}
        HopAnswer::Error(icmp) => {
            let _ = write!(text, "  {}", icmp.meaning());
        }
        HopAnswer::Refused => text.push_str("  refused"),
        HopAnswer::Accepted => text.push_str("  accepted"),
    }
    text
}

fn percent(row: &HopRow) -> String {
    format!("{:>4} %", format!("{:.0}", row.loss() * 100.0))
}

fn milliseconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64() * 1000.0)
}

/// Where the SYNs to a port end.
fn verdict(out: &mut String, report: &Report, colors: ColorMode) {
    let port = report.plan.target.port;
    let (style, text) = match &report.failure {
        None => (GOOD, "accepts connections".to_owned()),
        Some(failure) if failure.status.is_unknown() => (UNSURE, failure.text.clone()),
        Some(failure) => (BAD, failure.text.clone()),
    };
    let silent = path(report).map_or(0, |facts| rows(facts).1);
    let more = match silent {
        0 => String::new(),
        1 => "; 1 more hop did not answer".to_owned(),
        more => format!("; {more} more hops did not answer"),
    };
    let _ = writeln!(
        out,
        "  port {port}: {}{more}",
        colored(colors, style, &text)
    );
}
