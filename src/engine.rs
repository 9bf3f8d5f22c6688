//! The engine: the only part that probes.
pub mod dns;
