//! All system calls that neither the standard library nor a well-maintained crate offers, and the
//! only `unsafe` code besides `main.rs`.

pub mod cgroups;
pub mod clock;
pub mod computing;
pub mod cpu_time;
pub mod errno;
pub mod files;
pub mod listen_socket;
pub mod names;
pub mod neighbour;
pub mod proc_net;
pub mod processes;
pub mod random;
pub mod route;
pub mod rt;
pub mod sibling;
pub mod sock_diag;
pub mod socket;
pub mod standard_streams;
pub mod stop;
pub mod terminal;
pub mod wake;
