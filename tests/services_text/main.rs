//! The built-in text services against real servers from Debian's packages, and against replies to the byte.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod chat;
mod files;
mod inetd;
mod mail;
mod phone;
#[path = "../suite/program.rs"]
#[allow(dead_code)]
mod program;
mod replies;
mod script;
mod server;
mod shell;
#[path = "../suite/support.rs"]
mod support;
mod trial;
mod web;
