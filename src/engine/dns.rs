//! dns
#![allow(missing_docs)]
pub mod config;
pub mod hosts;
pub mod message;
pub mod server;
