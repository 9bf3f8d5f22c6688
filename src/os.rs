//! Questions to the operating system, and the only `unsafe` code.

pub mod files;
pub mod route;
pub mod rt;
pub mod socket;
