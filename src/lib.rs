//! zbx-tcp: reports whether a TCP service is up, how fast it answers, or why it is down.
//!
//! The program is `main.rs`, a few lines, and [`os::rt`], which prepares the process. The library
//! is the product.
//!
//! # How a probe runs
//!
//! ```text
//! argv               cli        what was typed
//!   |                settings   what it means: one merge; every usage error is reported here
//!   v
//! Plan               plan       what one probe does; a plan that exists can be run
//!   |                source     where plans come from
//!   v
//! engine::run        engine     the only code that probes, the same for 1 and for 10 000 targets
//!   |                           a sink receives one report for each plan
//!   v
//! Report             report     what was measured, with the failure if there was one
//!   |                output     pure functions from a report to bytes
//!   v
//! value | JSON | text           commands print it and choose the exit status
//! ```
//!
//! # Modules
//!
//! * [`address`]: hosts, ports, networks and port lists, and how they are written.
//! * [`plan`]: what one probe does; [`plan::bytes`] escapes and encodings, [`plan::pattern`] what
//!   an answer must match.
//! * [`failure`]: the table of statuses, and failures as data. [`report`]: what was measured;
//!   [`path_facts`], how far the SYNs to a silent target got.
//!   [`stats`]: statistics over several attempts. [`escape`]: text that is safe to print on one
//!   line.
//! * [`fast_fmt`]: numbers, addresses and ports appended to byte buffers.
//! * [`policy`]: which addresses may be probed, from a file at a fixed path, and which addresses a
//!   service's secrets may be sent to. It is checked for each resolved address, just before the
//!   connect.
//! * [`os`]: the system calls that the standard library does not offer, and the only `unsafe` code.
//! * [`listeners`]: what listens on this machine, from the sockets and processes that [`os`] reads.
//! * [`engine`]: the event loop, on one thread or several, and its [`engine::Limits`];
//!   `docs/architecture.md` explains it. [`engine::session`] is one probe as a state machine
//!   without I/O, [`engine::dialogue`] runs its steps, [`engine::stream`] is a connection,
//!   [`engine::dns`] resolves names.
//! * [`tls`]: certificates, their verification, and the layer that speaks TLS on a connection.
//!   [`tls_facts`] is what is reported of it, as data.
//! * [`source`]: where the engine gets its plans: one, a list, an interval, a queue that other
//!   threads fill.
//! * [`watch`]: the model of a long series of probes: outages, loss, percentiles.
//! * [`output`]: [`output::metrics`] is the table of everything published. One target:
//!   [`output::value`], [`output::document`], [`output::text`]. Many targets: [`output::results`]
//!   keeps results in input order for [`output::batch_document`], [`output::sender`] and
//!   [`output::table`]; [`output::lld`] writes discovery rows. [`output::watch`] renders the model of
//!   [`watch`] as a screen, lines or a summary.
//! * [`plugin`]: the protocol of a loadable plugin of Zabbix agent 2; [`commands`] answers it.
//! * [`responder`]: the server side of `serve` and `demo`.
//! * [`cli`], [`settings`], [`commands`]: the front ends. [`settings::overrides`] holds the options
//!   that were given, wherever they were written; [`settings::config`] reads the files,
//!   [`settings::services`] finds the named services, [`settings::batch`] builds the target list.
//!
//! # Dependencies
//!
//! `tests/suite/architecture.rs` lists which module may use which, and fails on a circle. `engine`
//! and `output` do not use each other. I/O is done in `os`, `engine::{event_loop, stream, dns}`,
//! `source::queue`, `responder` and `commands`; everything else is pure and takes the time as an
//! argument.
//!
//! A failed probe is data ([`failure::Failure`] in a [`report::Report`]), never `Err`. `Err` is for
//! usage and configuration errors ([`settings::SettingsError`]) and for failures of this machine.

pub mod address;
pub mod cli;
pub mod commands;
pub mod engine;
pub mod escape;
pub mod failure;
pub mod fast_fmt;
pub mod listeners;
pub mod os;
pub mod output;
pub mod path_facts;
pub mod plan;
pub mod plugin;
pub mod policy;
pub mod report;
pub mod responder;
pub mod settings;
pub mod source;
pub mod stats;
mod suggest;
pub mod tls;
pub mod tls_facts;
pub mod watch;
