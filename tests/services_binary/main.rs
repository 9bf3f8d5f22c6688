//! The built-in services of databases and binary protocols: real servers from Debian's packages, which say themselves
//! what they think of us, and replies byte for byte.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod brokers;
mod databases;
mod directories;
mod mariadb;
mod probes;
mod replies;
mod screens;
mod server;

#[path = "../suite/program.rs"]
#[allow(dead_code, reason = "the suite uses the rest")]
mod program;
#[path = "../suite/support.rs"]
mod support;
