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
        DiscoverCommand::Ports(args) => port_rows(&args.host, &args.spec, non_empty(&args.config))?,
        DiscoverCommand::Targets(args) => target_rows(&args.group, non_empty(&args.config), start)?,
        DiscoverCommand::Listeners(args) => match non_empty(&args.output) {
            None | Some("rows") => listener_rows()?,
            Some("json") => listener_document()?,
            Some(other) => return Err(unknown_listeners_output(other)),
        },
        DiscoverCommand::Open(args) => open::rows(
            &OpenRequest::from_args(args)?,
            non_empty(&args.network.config),
            &Policy::system(),
        )?,
    };
    Ok(print(rows.as_bytes(), Exit::Up))
}

/// The rows of a port list.
///
/// # Errors
/// A usage or configuration error.
pub fn port_rows(host: &str, list: &str, config: Option<&str>) -> Result<String, SettingsError> {
    let config = Configuration::load(config, ConfigParts::Services)?;
    Ok(lld::line(&discover::ports(host, list, &config)?))
}

/// The rows of the targets in these groups of the configuration, for a request that arrived at
/// `start`.
///
/// # Errors
/// A usage or configuration error.
pub fn target_rows(
    groups: &[String],
    config: Option<&str>,
    start: Instant,
) -> Result<String, SettingsError> {
    let config = Configuration::load(config, ConfigParts::Targets)?;
    let is_late = |time| start.elapsed() >= time;
    Ok(lld::line(&batch::configured(&config, groups, is_late)?))
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
    config: Option<&str>,
    policy: &Policy,
) -> Result<String, SettingsError> {
    open::rows(&OpenRequest::new(host, list, deadline), config, policy)
}
