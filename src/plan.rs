//! What a probe is to do.
pub mod bytes;
