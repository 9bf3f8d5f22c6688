//! `zbx-tcp discover`: prints rows for low-level discovery.

mod open;

use std::time::Instant;

use crate::cli::discover::{DiscoverArgs, DiscoverCommand};
use crate::cli::values::non_empty;
use crate::commands::{CommandResult, Exit, print};
use crate::output::lld;
use crate::settings::config::{ConfigParts, Configuration};
use crate::settings::{batch, discover};

/// Prints the requested rows.
///
/// # Errors
/// A usage or configuration error. Nothing is printed then: Zabbix would delete what it discovered
/// before if it got an empty list.
#[allow(clippy::disallowed_methods)]
pub fn run(args: &DiscoverArgs) -> CommandResult {
    let start = Instant::now();
    let rows = match &args.command {
        DiscoverCommand::Ports(args) => lld::line(&discover::ports(
            &args.host,
            &args.spec,
            &Configuration::load(non_empty(&args.config), ConfigParts::Services)?,
        )?),
        DiscoverCommand::Targets(args) => lld::line(&batch::configured(
            &Configuration::load(non_empty(&args.config), ConfigParts::Targets)?,
            &args.group,
            |time| start.elapsed() >= time,
        )?),
        DiscoverCommand::Open(args) => open::rows(args)?,
    };
    Ok(print(rows.as_bytes(), Exit::Up))
}
