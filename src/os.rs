//! Questions to the operating system, and the only `unsafe` code.

pub mod errno;
pub mod files;
pub mod rt;
pub mod socket;
