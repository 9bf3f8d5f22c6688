//! What is typed.
pub mod serve;
pub mod values;
