//! What help and the man pages say beyond the options. Only a call for help pays for it.

use clap::{Command, CommandFactory};

use crate::cli::Cli;
use crate::output::metrics::METRICS;

/// What a person is told of a command beside its options.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// The command, such as `check` or `discover ports`; empty for the program itself.
    pub command: &'static str,
    /// Exit statuses and what they mean.
    pub exit: &'static [(u8, &'static str)],
    /// What it is for, and the words after `zbx-tcp`, as typed in a shell.
    pub examples: &'static [(&'static str, &'static str)],
}

/// A page for each command.
pub const PAGES: [Page; 10] = [
    Page {
        command: "",
        exit: &[
            (0, "up, or done"),
            (1, "down"),
            (2, "a mistake of the caller; nothing was sent"),
        ],
        examples: &[
            ("See every kind of result on loopback", "demo"),
            ("Is the service up? 1 or 0", "check mail.example.com 25"),
        ],
    },
    Page {
        command: "check",
        exit: &[
            (0, "up"),
            (1, "down, or it could not be told"),
            (2, "a mistake of the caller; nothing was sent"),
        ],
        examples: &[
            ("Is it up? 1 or 0", "check 192.0.2.7 22"),
            ("Why not?", "check 192.0.2.7 22 -o error"),
            (
                "Everything that was measured, as one line of JSON",
                "check 192.0.2.7 22 -o json",
            ),
            (
                "Does the mail server greet, and who is it?",
                "check mail.example.com --service smtp -o captures.host",
            ),
            (
                "Say something and expect an answer",
                r"check 192.0.2.7 6379 --send 'PING\r\n' --expect '+PONG'",
            ),
            (
                "Loss and spread of ten connects",
                "check 192.0.2.7 443 --count 10 --interval 0.1 -o json",
            ),
            (
                "Nothing may listen here",
                "check 192.0.2.7 23 --expect-closed",
            ),
        ],
    },
    Page {
        command: "batch",
        exit: &[
            (0, "all are up"),
            (1, "not all are up"),
            (2, "a mistake of the caller; nothing was sent"),
        ],
        examples: &[
            (
                "All targets of the configuration, as one document for a master item",
                "batch",
            ),
            ("One group of them", "batch --group shops"),
            (
                "Networks and lists of ports, as a table",
                "batch 192.0.2.0/28:22/ssh,443 -o text",
            ),
            (
                "What standard input names, in lines for zabbix_sender -T -N -i -",
                "batch - -o sender --zabbix-host web1",
            ),
            (
                "Gently: 50 connects in a second, 2 at once to one address",
                "batch --rate 50 --per-host 2 --deadline 60",
            ),
        ],
    },
    Page {
        command: "discover",
        exit: &DISCOVERED,
        examples: &[(
            "A row for each port",
            "discover ports 192.0.2.7 22/ssh,25/smtp,8000-8010",
        )],
    },
    Page {
        command: "discover ports",
        exit: &DISCOVERED,
        examples: &[
            (
                "A row for each port, with the service that is checked there",
                "discover ports 192.0.2.7 22/ssh,25/smtp,443",
            ),
            ("A range", "discover ports db.example.com 8000-8010"),
        ],
    },
    Page {
        command: "discover open",
        exit: &DISCOVERED,
        examples: &[(
            "A row for each port that accepts now",
            "discover open 192.0.2.7 1-1024 --deadline 5",
        )],
    },
    Page {
        command: "discover targets",
        exit: &DISCOVERED,
        examples: &[(
            "A row for each target of a group",
            "discover targets --group shops",
        )],
    },
    Page {
        command: "serve",
        exit: &[
            (0, "ended by SIGINT, SIGTERM, a reader that left, or --once"),
            (
                2,
                "a mistake of the caller, or the address cannot be listened on",
            ),
        ],
        examples: &[
            (
                "A mail server's greeting",
                r"serve 127.0.0.1:2525 --greeting '220 mail ready\r\n'",
            ),
            (
                "Answer in GBK, to one client",
                "serve 8989 --encoding gbk --reply 'ok, 问题正在处理中…' --once",
            ),
            (
                "Accept and say nothing for as long as the client waits",
                "serve 8989 --close hold",
            ),
        ],
    },
    Page {
        command: "services",
        exit: &[
            (0, "done, sound, or allowed"),
            (1, "denied, with --policy"),
            (2, "a mistake of the caller or of a file"),
        ],
        examples: &[
            ("What names can be given to --service", "services"),
            ("What one of them says and expects", "services smtp"),
            ("Is the configuration sound?", "services --check"),
            (
                "May this be probed, and by which rule?",
                "services --policy 10.0.66.9 22",
            ),
        ],
    },
    Page {
        command: "demo",
        exit: &[
            (0, "every result was the expected one"),
            (1, "one was not"),
            (2, "this machine could not set the stage"),
        ],
        examples: &[(
            "See every kind of result, without root and without a network",
            "demo",
        )],
    },
];

/// How discovery ends: an empty list would make Zabbix delete what it found before.
const DISCOVERED: [(u8, &str); 2] = [
    (0, "the rows were printed"),
    (2, "a mistake of the caller; no row was printed"),
];

impl Page {
    /// The page of a command, by its name.
    pub fn of(command: &str) -> Option<&'static Self> {
        PAGES.iter().find(|page| page.command == command)
    }

    /// `Exit status: 0 up, 1 down`
    fn short(&self) -> String {
        let statuses: Vec<_> = self
            .exit
            .iter()
            .map(|(code, meaning)| format!("{code} {meaning}"))
            .collect();
        format!("Exit status: {}.", statuses.join("; "))
    }

    fn long(&self) -> String {
        let mut text = "Exit status:\n".to_owned();
        for (code, meaning) in self.exit {
            text.push_str(&format!("  {code}  {meaning}\n"));
        }
        text.push_str("\nExamples:\n");
        for (what, words) in self.examples {
            text.push_str(&format!("  {what}:\n    zbx-tcp {words}\n"));
        }
        if self.command == "check" {
            text.push_str("\nMetrics for --output:\n");
            for metric in &METRICS {
                text.push_str(&format!(
                    "  {:<20} {} ({})\n",
                    metric.path, metric.help, metric.unit
                ));
            }
        }
        text
    }
}

/// The whole command line, built, with everything that help says.
pub fn command() -> Command {
    let mut whole = Cli::command();
    whole.build();
    described(whole, "")
}

/// A command and those below it, with what their pages say.
fn described(command: Command, path: &str) -> Command {
    let names: Vec<String> = command
        .get_subcommands()
        .map(|below| below.get_name().to_owned())
        .collect();
    let command = names.iter().fold(command, |command, name| {
        let path = format!("{path} {name}");
        command.mut_subcommand(name, |below| described(below, path.trim_start()))
    });
    match Page::of(path) {
        Some(page) => command
            .after_help(page.short())
            .after_long_help(page.long()),
        None => command,
    }
}
