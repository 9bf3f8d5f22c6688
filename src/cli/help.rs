//! The parts of the help texts and man pages that are not options: exit statuses, examples and
//! tables. They are built only if help is requested.

use std::fmt::Write;

use clap::{Command, CommandFactory};

use crate::cli::Cli;
use crate::failure::STATUSES;
use crate::output::metrics::{METRICS, Metric};

/// The help of a command besides its options.
#[derive(Debug, Clone, Copy)]
pub struct HelpPage {
    /// The command, such as `check` or `discover ports`; empty for the program.
    pub command: &'static str,
    /// Exit statuses and their meanings.
    pub exit: &'static [(u8, &'static str)],
    /// Examples: a purpose, and the arguments after `zbx-tcp` as typed in a shell.
    pub examples: &'static [(&'static str, &'static str)],
}

/// The pages of all commands.
pub const PAGES: [HelpPage; 14] = [
    HelpPage {
        command: "",
        exit: &[
            (0, "success; for a probe: the target is up"),
            (1, "the target is down or unknown"),
            (2, "usage or configuration error; nothing was sent"),
        ],
        examples: &[
            (
                "Show each kind of result with test servers on loopback",
                "demo",
            ),
            (
                "Print 1 if the service is up, otherwise 0",
                "check mail.example.com 25",
            ),
            ("Validate the configuration", "services --check"),
            (
                "Print whether the policy allows a target, and why",
                "services --policy 192.0.2.7 22",
            ),
        ],
    },
    HelpPage {
        command: "check",
        exit: &[
            (0, "the target is up"),
            (1, "the target is down or unknown"),
            (2, "usage or configuration error; nothing was sent"),
        ],
        examples: &[
            (
                "Print 1 if the port is up, otherwise 0",
                "check 192.0.2.7 22",
            ),
            (
                "Print the reason for a failure",
                "check 192.0.2.7 22 -o error",
            ),
            (
                "Print all metrics as one line of JSON",
                "check 192.0.2.7 22 -o json",
            ),
            (
                "Print the host name in the greeting of a mail server",
                "check mail.example.com --service smtp -o captures.host",
            ),
            (
                "Send a command and expect a reply",
                r"check 192.0.2.7 6379 --send 'PING\r\n' --expect '+PONG'",
            ),
            (
                "Measure loss and connect times of ten attempts",
                "check 192.0.2.7 443 --count 10 --interval 0.1 -o json",
            ),
            (
                "Report up if the port is closed",
                "check 192.0.2.7 23 --expect-closed",
            ),
        ],
    },
    HelpPage {
        command: "batch",
        exit: &[
            (0, "all targets are up"),
            (
                1,
                "a target is down or unknown, or was skipped because of --keep-going",
            ),
            (2, "usage or configuration error; nothing was sent"),
        ],
        examples: &[
            (
                "Probe all targets of the configuration, and print one document for a master item",
                "batch",
            ),
            ("Probe one group of targets", "batch --group shops"),
            (
                "Probe the ports 22 and 443 of a network, and print a table",
                "batch 192.0.2.0/28:22/ssh,443 -o text",
            ),
            (
                "Read targets from standard input, and print lines for zabbix_sender -T -N -i -",
                "batch - -o sender --zabbix-host web1",
            ),
            (
                "Limit the load to 50 connects per second and 2 simultaneous probes per address",
                "batch --rate 50 --per-host 2 --deadline 60",
            ),
        ],
    },
    HelpPage {
        command: "discover",
        exit: &DISCOVER_EXIT,
        examples: &[(
            "Print a row for each port",
            "discover ports 192.0.2.7 22/ssh,25/smtp,8000-8010",
        )],
    },
    HelpPage {
        command: "discover ports",
        exit: &DISCOVER_EXIT,
        examples: &[
            (
                "Print a row for each port, with its service",
                "discover ports 192.0.2.7 22/ssh,25/smtp,443",
            ),
            (
                "Print a row for each port of a range",
                "discover ports db.example.com 8000-8010",
            ),
        ],
    },
    HelpPage {
        command: "discover open",
        exit: &DISCOVER_EXIT,
        examples: &[(
            "Print a row for each port that accepts connections now",
            "discover open 192.0.2.7 1-1024 --deadline 5",
        )],
    },
    HelpPage {
        command: "discover targets",
        exit: &DISCOVER_EXIT,
        examples: &[(
            "Print a row for each target of a group",
            "discover targets --group shops",
        )],
    },
    HelpPage {
        command: "discover listeners",
        exit: &DISCOVER_EXIT,
        examples: &[
            (
                "Print a row for each listener of this machine",
                "discover listeners",
            ),
            (
                "Print the rows with accept queues and dropped connections",
                "discover listeners --output json",
            ),
        ],
    },
    HelpPage {
        command: "watch",
        exit: &[
            (
                0,
                "every probe was up; with --idle: the connection was alive after the whole time",
            ),
            (
                1,
                "a probe was down or unknown, or there was none; with --idle: the connection was lost or closed, or nothing was measured",
            ),
            (2, "usage or configuration error; nothing was sent"),
        ],
        examples: &[
            (
                "Show a live view of a service until Ctrl-C",
                "watch mx1.example.org 25 --service smtp",
            ),
            (
                "See which of three targets fails first",
                "watch db1:5432 app1:443 gw:22 --interval 0.5",
            ),
            (
                "Write a line of JSON for each probe and each outage, for 8 hours",
                "watch 192.0.2.7 443 --tls -w 8h -o ndjson",
            ),
            (
                "Find out after how long a firewall drops an idle connection",
                "watch 192.0.2.7 22 --idle 1h",
            ),
        ],
    },
    HelpPage {
        command: "path",
        exit: &[
            (0, "the port accepts connections"),
            (
                1,
                "the port does not accept connections, or its state is unknown",
            ),
            (2, "usage or configuration error; nothing was sent"),
        ],
        examples: &[
            (
                "Show the hops to a port, and where the packets end",
                "path mail.example.com 25",
            ),
            (
                "Compare two ports of a host, to detect a firewall rule",
                "path mail.example.com 25 --against 443",
            ),
            (
                "Send ten SYNs to every hop, and look up the names of the routers",
                "path 192.0.2.7 25 --rounds 10 --names",
            ),
        ],
    },
    HelpPage {
        command: "serve",
        exit: &[
            (
                0,
                "ended by SIGINT, SIGTERM or --once, or because standard output was closed",
            ),
            (2, "usage error, or the address cannot be bound"),
        ],
        examples: &[
            (
                "Send a greeting like a mail server",
                r"serve 127.0.0.1:2525 --greeting '220 mail ready\r\n'",
            ),
            (
                "Reply in GBK to one client, then exit",
                "serve 8989 --encoding gbk --reply 'ok, 问题正在处理中…' --once",
            ),
            (
                "Accept connections, but send nothing until the client closes them",
                "serve 8989 --close hold",
            ),
        ],
    },
    HelpPage {
        command: "services",
        exit: &[
            (0, "success; with --check: valid; with --policy: allowed"),
            (1, "with --policy: denied"),
            (2, "usage or configuration error"),
        ],
        examples: &[
            ("List all services", "services"),
            ("Show the steps of a service", "services smtp"),
            ("Validate the configuration", "services --check"),
            (
                "Print whether the policy allows a target, and why",
                "services --policy 10.0.66.9 22",
            ),
        ],
    },
    HelpPage {
        command: "doctor",
        exit: &[
            (0, "nothing is to do"),
            (1, "something is to do"),
            (2, "usage error"),
        ],
        examples: &[
            ("Show what works on this machine, and what to do", "doctor"),
            ("Print the same as JSON", "doctor -o json"),
        ],
    },
    HelpPage {
        command: "demo",
        exit: &[
            (0, "every result was as expected"),
            (1, "a result was not as expected"),
            (2, "the demo servers could not be started"),
        ],
        examples: &[(
            "Show each kind of result, without root and without a network",
            "demo",
        )],
    },
];

/// The exit statuses of the discovery commands.
const DISCOVER_EXIT: [(u8, &str); 2] = [
    (0, "the rows were printed"),
    (2, "an error; no rows were printed"),
];

impl HelpPage {
    /// The page of a command, by the subcommands after `zbx-tcp`.
    pub fn of(command: &str) -> Option<&'static Self> {
        PAGES.iter().find(|page| page.command == command)
    }

    /// The text at the end of `-h`: `Exit status: 0 up; 1 down.`
    fn short(&self) -> String {
        let statuses: Vec<_> = self
            .exit
            .iter()
            .map(|(code, meaning)| format!("{code} {meaning}"))
            .collect();
        format!("Exit status: {}.", statuses.join("; "))
    }

    /// The text at the end of `--help`: exit statuses, examples and tables.
    fn long(&self) -> String {
        let mut text = "Exit status:\n".to_owned();
        // Writing to a String cannot fail.
        for (code, meaning) in self.exit {
            let _ = writeln!(text, "  {code}  {meaning}");
        }
        text.push_str("\nExamples:\n");
        for (purpose, arguments) in self.examples {
            let _ = writeln!(text, "  {purpose}:\n    zbx-tcp {arguments}");
        }
        match self.command {
            "" => text.push_str(
                "\nFor the help of a command, see `zbx-tcp help COMMAND` or the manual page zbx-tcp-COMMAND(1).\n",
            ),
            "check" => {
                text.push_str("\nMetrics for --output:\n");
                for metric in &METRICS {
                    let Metric { path, help, unit, .. } = metric;
                    let _ = writeln!(text, "  {path:<20} {help} ({unit})");
                }
                let capture = "text matched by the group NAME of --expect-regex (text)";
                let _ = writeln!(text, "  {:<20} {capture}", "captures.NAME");
                text.push_str("\nStatuses:\n");
                for row in &STATUSES {
                    let code = row.status.code();
                    let _ = writeln!(text, "  {code:>2} {:<17} {}", row.name, row.meaning);
                }
            }
            _ => {}
        }
        text
    }
}

/// The complete command line, with all help texts.
pub fn command() -> Command {
    let mut program = Cli::command();
    program.build();
    with_pages(program, "")
}

/// A command and its subcommands, with the texts of their pages.
fn with_pages(command: Command, path: &str) -> Command {
    let names: Vec<String> = command
        .get_subcommands()
        .map(|subcommand| subcommand.get_name().to_owned())
        .collect();
    let command = names.iter().fold(command, |command, name| {
        let path = format!("{path} {name}");
        command.mut_subcommand(name, |subcommand| with_pages(subcommand, path.trim_start()))
    });
    match HelpPage::of(path) {
        // Without a long description clap prints the same help for `-h` and `--help`.
        Some(page) if command.get_long_about().is_some() => command
            .after_help(page.short())
            .after_long_help(page.long()),
        Some(page) => command.after_help(page.long()),
        None => command,
    }
}
