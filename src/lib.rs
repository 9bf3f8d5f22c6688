//! zbx-tcp: does this TCP service answer, how fast, and if not, why?
pub mod cli;
pub mod commands;
pub mod engine;
pub mod failure;
mod nearest;
pub mod output;
pub mod plan;
pub mod report;
pub mod responder;
pub mod settings;
pub mod source;
pub mod stats;
pub mod target;
