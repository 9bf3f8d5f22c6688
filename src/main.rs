//! The program: parse, run, exit status; everything else is the library.
fn main() {}
