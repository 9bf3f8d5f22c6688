//! One man page for each command, and one for the program.

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use zbx_tcp::cli::help::HelpPage;
use zbx_tcp::failure::STATUSES;
use zbx_tcp::output::metrics::METRICS;

use super::{Files, below, directory_is, published};

#[test]
fn man_pages() {
    let whole = published();
    let mut pages = Files::new();
    pages.insert("zbx-tcp.1".to_owned(), page(&whole, ""));
    for (path, command) in below(&whole, "") {
        pages.insert(
            format!("zbx-tcp-{}.1", path.replace(' ', "-")),
            page(&command, &path),
        );
    }
    let listed: Vec<_> = pages.keys().cloned().collect();
    for (name, text) in &mut pages {
        see_also(text, listed.iter().filter(|other| *other != name));
    }
    directory_is("packaging/man", &pages);
}

fn page(command: &Command, name: &str) -> String {
    let man = Man::new(command.clone());
    // No date, so that a page changes only with its command.
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
    let mut rest = Roff::default();
    if name == "check" {
        metrics(&mut rest);
        statuses(&mut rest);
    }
    let page = HelpPage::of(name).unwrap();
    exit_status(&mut rest, page);
    surroundings(&mut rest, command);
    examples(&mut rest, page);
    rest.to_writer(&mut bytes).unwrap();
    // An option without a long name has a blank too many in the synopsis.
    let text = String::from_utf8(bytes).unwrap().replace(" \\fR]", "\\fR]");
    text.lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}

fn row(roff: &mut Roff, head: &str, text: &str) {
    roff.control("TP", [])
        .text([bold(head)])
        .text([roman(text)]);
}

fn metrics(roff: &mut Roff) {
    roff.control("SH", ["METRICS"]);
    roff.text([roman(
        "What --output prints by its path, and where it stands in the document of --output json:",
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
        "what the group NAME of an --expect-regex captured (text)",
    );
}

fn statuses(roff: &mut Roff) {
    roff.control("SH", ["STATUSES"]);
    roff.text([roman(
        "The numbers of the metric status; they never change:",
    )]);
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

/// Files and environment, for a command that reads them.
fn surroundings(roff: &mut Roff, command: &Command) {
    if !command.get_arguments().any(|arg| arg.get_id() == "config") {
        return;
    }
    roff.control("SH", ["FILES"]);
    row(
        roff,
        "/etc/zbx-tcp/config.toml, /etc/zbx-tcp/conf.d/*.toml",
        "defaults, services and targets; none is needed",
    );
    row(
        roff,
        "/etc/zbx-tcp/policy.toml",
        "who may be probed; no option moves it. Without the file everything is allowed, with one that cannot be read or \
         understood nothing is",
    );
    roff.control("SH", ["ENVIRONMENT"]);
    row(
        roff,
        "ZBX_TCP_CONFIG",
        "the configuration file, where --config names none",
    );
    row(
        roff,
        "NO_COLOR",
        "if it is not empty, no colours on a terminal",
    );
}

fn examples(roff: &mut Roff, page: &HelpPage) {
    roff.control("SH", ["EXAMPLES"]);
    for (place, (what, words)) in page.examples.iter().enumerate() {
        if place > 0 {
            roff.control("PP", []);
        }
        roff.text([roman(format!("{what}:"))]);
        roff.control("RS", ["4"])
            .control("nf", [])
            .text([roman(format!("zbx-tcp {words}"))]);
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
    text.push_str(&format!(".SH \"SEE ALSO\"\n{}\n", others.join(", ")));
}
