//! What is run.
pub mod serve;
