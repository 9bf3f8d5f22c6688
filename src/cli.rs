//! What is typed.
pub mod values;
