//! `zbx-tcp discover`: prints rows for low-level discovery.

mod listeners;
mod open;

use std::time::{Duration, Instant};

use crate::cli::discover::{DiscoverArgs, DiscoverCommand};
use crate::cli::values::non_empty;
use crate::commands::{CommandResult, Exit, print};
use crate::escape::escaped_prefix;
use crate::output::{self, lld};
use crate::policy::Policy;
use crate::settings::config::{ConfigParts, Configuration};
use crate::settings::discover::OpenRequest;
use crate::settings::{SettingsError, batch, discover};

/// Prints the requested rows.
///
/// # Errors
/// A usage or configuration error. Nothing is printed then: Zabbix would delete what it discovered
/// before if it got an empty list.
#[allow(clippy::disallowed_methods)]
pub fn run(args: &DiscoverArgs) -> CommandResult {
    let start = Instant::now();
    let rows = match &args.command {
        DiscoverCommand::Ports(args) => {
            let config = Configuration::load(non_empty(&args.config), ConfigParts::Services)?;
            port_rows(&args.host, &args.spec, &config)?
        }
        DiscoverCommand::Targets(args) => {
            let config = Configuration::load(non_empty(&args.config), ConfigParts::Targets)?;
            target_rows(&args.group, &config, start)?
        }
        DiscoverCommand::Open(args) => {
            let config =
                Configuration::load(non_empty(&args.network.config), ConfigParts::Services)?;
            open::rows(&OpenRequest::from_args(args)?, &config, &Policy::system())?
        }
        DiscoverCommand::Listeners(args) => match non_empty(&args.output) {
            None | Some("rows") => listener_rows()?,
            Some("json") => listener_document()?,
            Some(other) => return Err(unknown_listeners_output(other)),
        },
    };
    Ok(print(rows.as_bytes(), Exit::Up))
}

/// The rows of a port list.
///
/// # Errors
/// A usage or configuration error.
pub fn port_rows(host: &str, list: &str, config: &Configuration) -> Result<String, SettingsError> {
    Ok(lld::line(&discover::ports(host, list, config)?))
}

/// The rows of the targets in these groups of the configuration, for a request that arrived at
/// `start`.
///
/// # Errors
/// A usage or configuration error.
pub fn target_rows(
    groups: &[String],
    config: &Configuration,
    start: Instant,
) -> Result<String, SettingsError> {
    let is_late = |time| start.elapsed() >= time;
    Ok(lld::line(&batch::configured(config, groups, is_late)?))
}

/// The rows of what listens on this machine.
///
/// # Errors
/// The sockets cannot be read.
pub fn listener_rows() -> Result<String, SettingsError> {
    Ok(output::listeners::rows_line(&listeners::report()?))
}

/// The rows with the values of what listens on this machine.
///
/// # Errors
/// The sockets cannot be read.
pub fn listener_document() -> Result<String, SettingsError> {
    Ok(output::listeners::document_line(&listeners::report()?))
}

fn unknown_listeners_output(value: &str) -> SettingsError {
    let value = escaped_prefix(value, 40);
    SettingsError::in_option(
        "--output",
        format!("unknown value `{value}`: use `rows` or `json`"),
    )
}

/// The rows of the ports of a list that accept, within this time.
///
/// # Errors
/// A usage or configuration error, or a port whose state could not be determined.
pub fn open_rows(
    host: &str,
    list: &str,
    deadline: Duration,
    config: &Configuration,
    policy: &Policy,
) -> Result<String, SettingsError> {
    open::rows(&OpenRequest::new(host, list, deadline), config, policy)
}
