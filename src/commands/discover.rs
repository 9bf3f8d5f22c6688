//! `zbx-tcp discover`: rows for low-level discovery.

use super::{Done, Exit, print};
use crate::cli::discover::{DiscoverArgs, What};
use crate::output::lld;
use crate::settings::discover;

/// Prints the rows that were asked for; a mistake prints none, since an empty list would delete what was discovered.
pub fn run(args: &DiscoverArgs) -> Done {
    let plans = match &args.what {
        What::Ports(args) => discover::ports(args)?,
    };
    Ok(print(lld::line(&plans).as_bytes(), Exit::Good))
}
