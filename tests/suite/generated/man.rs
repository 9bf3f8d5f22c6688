//! One man page for each command, and one for the program.

use std::fmt::Write;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use zbx_tcp::cli::help::HelpPage;
use zbx_tcp::failure::STATUSES;
use zbx_tcp::output::metrics::METRICS;

use super::{Files, assert_directory, published, subcommands};

#[test]
fn man_pages_are_up_to_date() {
    let program = published();
    let mut pages = Files::new();
    pages.insert("zbx-tcp.1".to_owned(), page(&program, ""));
    for (path, command) in subcommands(&program, "") {
        pages.insert(
            format!("zbx-tcp-{}.1", path.replace(' ', "-")),
            page(&command, &path),
        );
    }
    let listed: Vec<_> = pages.keys().cloned().collect();
    for (name, text) in &mut pages {
        see_also(text, listed.iter().filter(|other| *other != name));
    }
    assert_directory("packaging/man", &pages);
}

fn page(command: &Command, name: &str) -> String {
    let man = Man::new(command.clone());
    // Without a date, a page changes only with its command.
    let title = command.get_display_name().unwrap_or("zbx-tcp");
    let title = format!(
        ".TH {title} 1 \"\" \"zbx-tcp {}\" \"zbx-tcp manual\"\n",
        env!("CARGO_PKG_VERSION")
    );
    let mut bytes = title.into_bytes();
    man.render_name_section(&mut bytes).unwrap();
    man.render_synopsis_section(&mut bytes).unwrap();
    man.render_description_section(&mut bytes).unwrap();
    man.render_options_section(&mut bytes).unwrap();
    if command.has_subcommands() {
        man.render_subcommands_section(&mut bytes).unwrap();
    }
    let mut sections = Roff::default();
    if name == "check" {
        metrics(&mut sections);
        statuses(&mut sections);
    }
    let page = HelpPage::of(name).unwrap();
    exit_status(&mut sections, page);
    files_and_environment(&mut sections, command);
    examples(&mut sections, page);
    sections.to_writer(&mut bytes).unwrap();
    // clap_mangen writes a superfluous space after an option without a long name.
    let text = String::from_utf8(bytes).unwrap().replace(" \\fR]", "\\fR]");
    text.lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
        + "\n"
}

fn row(roff: &mut Roff, head: &str, text: &str) {
    roff.control("TP", [])
        .text([bold(head)])
        .text([roman(text)]);
}

fn metrics(roff: &mut Roff) {
    roff.control("SH", ["METRICS"]);
    roff.text([roman(
        "Each metric is printed by --output METRIC, and is a field of the document of --output json:",
    )]);
    for metric in &METRICS {
        row(
            roff,
            metric.path,
            &format!("{} ({})", metric.help, metric.unit),
        );
    }
    row(
        roff,
        "captures.NAME",
        "text matched by the group NAME of --expect-regex (text)",
    );
}

fn statuses(roff: &mut Roff) {
    roff.control("SH", ["STATUSES"]);
    roff.text([roman("The values of the metric status. They never change:")]);
    for status in &STATUSES {
        let advice = if status.advice.is_empty() {
            String::new()
        } else {
            format!("; {}", status.advice)
        };
        row(
            roff,
            &format!("{} {}", status.status.code(), status.name),
            &format!("{}{advice}", status.meaning),
        );
    }
}

fn exit_status(roff: &mut Roff, page: &HelpPage) {
    roff.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in page.exit {
        row(roff, &code.to_string(), meaning);
    }
}

/// The sections FILES and ENVIRONMENT of a command that reads the configuration.
fn files_and_environment(roff: &mut Roff, command: &Command) {
    if !command.get_arguments().any(|arg| arg.get_id() == "config") {
        return;
    }
    roff.control("SH", ["FILES"]);
    row(
        roff,
        "/etc/zbx-tcp/config.toml, /etc/zbx-tcp/conf.d/*.toml",
        "defaults, services and targets (optional)",
    );
    row(
        roff,
        "/etc/zbx-tcp/policy.toml",
        "policy: the addresses that may be probed. No option changes the path. If the file does not exist, all targets are allowed; if it \
         cannot be read or is invalid, all targets are denied",
    );
    roff.control("SH", ["ENVIRONMENT"]);
    row(
        roff,
        "ZBX_TCP_CONFIG",
        "configuration file, unless --config is given",
    );
    row(roff, "NO_COLOR", "if not empty, disables colors");
}

fn examples(roff: &mut Roff, page: &HelpPage) {
    roff.control("SH", ["EXAMPLES"]);
    for (index, (purpose, arguments)) in page.examples.iter().enumerate() {
        if index > 0 {
            roff.control("PP", []);
        }
        roff.text([roman(format!("{purpose}:"))]);
        roff.control("RS", ["4"])
            .control("nf", [])
            .text([roman(format!("zbx-tcp {arguments}"))]);
        roff.control("fi", []).control("RE", []);
    }
}

fn see_also<'n>(text: &mut String, others: impl Iterator<Item = &'n String>) {
    let others: Vec<_> = others
        .map(|name| {
            format!(
                "\\fB{}\\fR(1)",
                name.trim_end_matches(".1").replace('-', "\\-")
            )
        })
        .collect();
    writeln!(text, ".SH \"SEE ALSO\"\n{}", others.join(", ")).unwrap();
}
