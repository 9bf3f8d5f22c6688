//! zbx-tcp: does this TCP service answer, how fast, and if not, why?
pub mod engine;
pub mod failure;
pub mod plan;
pub mod report;
pub mod target;
