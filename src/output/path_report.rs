//! What `path` prints: the hops of one port or of two, with loss and times, and what follows from
//! them.

mod conclusion;
mod json;
mod rows;
mod table;

pub use crate::output::path_report::json::json;
pub use crate::output::path_report::rows::{NamesOfRouters, PathReport};
pub use crate::output::path_report::table::text;
