//! `zbx-tcp services`: what this machine's configuration says.

pub mod policy;
