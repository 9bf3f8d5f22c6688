//! Network faults, simulated in network namespaces, and what `check` reports.
//!
//! Needs root, `ip`, `nft` and `python3`; elsewhere the tests are skipped.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

mod absent_host;
mod addresses;
mod background;
mod causes;
mod delay;
mod dns;
mod filter;
mod hung;
mod icmp;
mod listeners;
mod local_ports;
mod namespaces;
mod origin;
mod path;
mod routes;
mod service;
mod verdict;

#[path = "../support/mod.rs"]
mod support;
use support::program;
