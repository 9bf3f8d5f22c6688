//! All questions to the operating system that the standard library and well-kept crates do not ask,
//! and the only `unsafe` code besides `main.rs`.

pub mod errno;
pub mod files;
pub mod neighbour;
pub mod random;
pub mod route;
pub mod rt;
pub mod socket;
pub mod stdout;
pub mod stop;
