//! Tests of the program and the library through their public interface, one module per subject.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]
// Tables of cases are long, a helper may be next to its only use, and test data is small.
#![allow(
    clippy::too_many_lines,
    clippy::items_after_statements,
    clippy::cast_possible_truncation,
    clippy::format_collect,
    clippy::naive_bytecount,
    clippy::format_push_string
)]

mod addresses;
mod agent;
mod agentd;
mod architecture;
mod bad_config;
mod bad_input;
mod bad_input_dialogue;
mod batch;
mod batch_targets;
mod certificates;
mod check;
mod check_tcp;
mod config;
mod dialogue_options;
mod discover;
mod dns;
mod doctor;
mod engine;
mod freezer;
mod generated;
mod hostile;
mod late;
mod layer;
mod limits;
mod links;
mod plugin;
mod policy;
mod readme;
mod secrets;
mod sender;
mod sentences;
mod serve;
mod session;
mod start;
mod templates;
mod tls;
mod trapper;
mod trusted_files;
mod tutorial;
mod unread_output;
mod user_parameters;
mod watch;

#[path = "../support/mod.rs"]
mod support;
use support::{fixed_ports, private_etc, program, rerun, scripted_peer, skip};
