//! zbx-tcp: does this TCP service answer, how fast, and if not, why?
//!
//! This page is the map of the house. The program is `main.rs`, a few lines, and [`start`], what a process needs first; the
//! library is the product.
//!
//! # The way a probe takes
//!
//! ```text
//! argv               cli        what is typed
//!   |                settings   what it means: one merge, every mistake of the caller is said here
//!   v
//! Plan               plan       what one probe is to do; a plan that exists can be run
//!   |                source     where plans come from
//!   v
//! engine::run        engine     the only code that probes, one path for 1 and for 10 000 targets
//!   |                           a sink gets a report for each plan
//!   v
//! Report             report     what was measured, with its failure if there is one
//!   |                output     pure functions from a report to bytes
//!   v
//! value | JSON | text           commands print it and pick the exit status
//! ```
//!
//! # The rooms
//!
//! * [`target`]: hosts, ports, and how they may be written; [`target::writing`] writes them. [`plan`]: what to do, [`plan::bytes`] how bytes are
//!   written, [`plan::pattern`] what an answer is recognised by. [`failure`]: the table of statuses, and failures as data. [`report`]: what was found; [`stats`]:
//!   statistics over several attempts; [`printable`]: texts that are safe on one line; [`files`]: reading files that may be anything.
//! * [`policy`]: who may be probed, by a file at a fixed path, and where a service may be spoken, by the configuration; asked
//!   for each resolved address just before the connect.
//! * [`engine`]: the loop, on one thread or several, and its [`engine::Limits`]. [`engine::session`] is one probe as a state machine without I/O, [`engine::dialogue`] its
//!   step interpreter and [`engine::matching`] its patterns at work, [`engine::wire`] the sockets, [`engine::dns`] names, [`engine::timers`] deadlines, and
//!   [`engine::sys`] the only `unsafe` code besides the [`start`].
//! * [`output`]: [`output::metrics`] is the table of everything published; [`output::value`], [`output::document`] and
//!   [`output::text`] are the formats of one target made from it. Of many, [`output::found`] keeps what is printed in
//!   input order by [`output::fleet`], [`output::sender`] and [`output::table`]; [`output::lld`] writes discovery rows.
//! * [`responder`]: the other side of a connection, for `serve` and `demo`.
//! * [`cli`], [`settings`], [`commands`]: the front ends; [`settings::wishes`] is what somebody asked for, wherever they
//!   asked, [`settings::config`] the files, [`settings::services`] the named services, [`settings::batch`] the list of a
//!   fleet; [`source`]: where the engine gets its plans.
//!
//! Rooms that later work will add: `agent2` (the plugin protocol), `listeners` (this machine's sockets), `engine::tls`
//! and `x509`.
//!
//! # Which way arrows point
//!
//! `commands` use everything; `settings` use `cli`, `plan`, `policy`, `output` (the names of formats) and ask `engine` what
//! this machine has (interfaces, addresses); `engine` uses `source`, `plan`, `report`, `failure`, `stats`, `target`;
//! `output` uses `plan`, `report`, `failure`, `stats`, `target`. `engine` and `output` do not know each other. Input and output
//! live in `engine::{wire, dns, sys}`, `responder`, `policy` and `commands`; the rest is pure and takes the time as an
//! argument. `plan` carries the `policy`, which uses `target`. A test holds these rules.
//!
//! Failures of a probe are data ([`failure::Failure`] in a [`report::Report`]), never `Err`; `Err` is for a caller's
//! mistake ([`settings::Mistake`]) and for this machine.

pub mod cli;
pub mod commands;
pub mod engine;
pub mod failure;
pub mod files;
mod nearest;
pub mod output;
pub mod plan;
pub mod policy;
pub mod printable;
pub mod report;
pub mod responder;
pub mod settings;
pub mod source;
pub mod start;
pub mod stats;
pub mod target;
