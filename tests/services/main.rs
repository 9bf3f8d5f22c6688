//! The built-in services against real servers from Debian's packages, and against scripted replies.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod brokers;
mod certificates;
mod chat;
mod databases;
mod directories;
mod exim;
mod files;
mod inetd;
mod mail;
mod mariadb;
mod news;
mod phone;
mod remote_desktop;
mod replies;
mod server;
mod shell;
mod starttls;
mod tls_peer;
mod trial;
mod unpacked;
mod web;
mod zabbix_names;

#[path = "../support/mod.rs"]
mod support;
use support::{program, scripted_peer};
