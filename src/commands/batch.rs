//! `zbx-tcp batch`: a whole fleet in one process.

mod input;

use super::{Done, Exit};
use crate::cli::batch::BatchArgs;
use crate::policy::Policy;
use crate::settings::batch;

/// Probes every target and prints what was asked for.
pub fn run(args: &BatchArgs) -> Done {
    let fleet = batch::batch(args, Policy::system(), input::read)?;
    Ok(Exit::Good)
}
