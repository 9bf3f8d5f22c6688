//! zbx-tcp: does this TCP service answer, how fast, and if not, why?
pub mod cli;
pub mod commands;
pub mod failure;
pub mod plan;
pub mod report;
pub mod responder;
pub mod target;
