//! `zbx-tcp discover`: rows for low-level discovery.

mod open;

use crate::cli::discover::{DiscoverArgs, What};
use crate::cli::values::given;
use crate::commands::{CommandResult, Exit, print};
use crate::output::lld;
use crate::settings::config::Configuration;
use crate::settings::{batch, discover};

/// Prints the rows that were asked for; a mistake prints none, since an empty list would delete what was discovered.
pub fn run(args: &DiscoverArgs) -> CommandResult {
    let rows = match &args.what {
        What::Ports(args) => lld::line(&discover::ports(
            &args.host,
            &args.spec,
            &Configuration::load(given(&args.config))?,
        )?),
        What::Targets(args) => lld::line(&batch::configured(
            &Configuration::load(given(&args.config))?,
            &args.group,
        )?),
        What::Open(args) => open::rows(args)?,
    };
    Ok(print(rows.as_bytes(), Exit::Up))
}
