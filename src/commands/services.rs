//! `zbx-tcp services`: lists the named services, validates the configuration, explains the policy.

mod listing;
mod policy;

use std::time::{Duration, Instant};

use crate::cli::services::ServicesArgs;
use crate::cli::values::non_empty;
use crate::commands::services::listing::ServicesFormat;
use crate::commands::{CommandResult, Exit, log_line, print, usage_error};
use crate::escape::escaped_prefix;
use crate::settings::config::{ConfigParts, Configuration};
use crate::settings::{SettingsError, services, validate};

/// Lists the services, shows one, validates the configuration, or explains the policy.
///
/// # Errors
/// A usage or configuration error.
pub fn run(args: &ServicesArgs) -> CommandResult {
    if let Some([host, port]) = args.policy.as_deref() {
        return policy::run(host, port);
    }
    if args.check {
        return Ok(validate(non_empty(&args.config)));
    }
    let config = Configuration::load(non_empty(&args.config), ConfigParts::Services)?;
    let format = match non_empty(&args.output) {
        None | Some("text") => ServicesFormat::Text,
        Some("json") => ServicesFormat::Json,
        Some(other) => {
            let message = format!(
                "unknown value `{}`: use `text` or `json`",
                escaped_prefix(other, 40)
            );
            return Err(SettingsError::in_option("--output", message));
        }
    };
    let text = match non_empty(&args.name) {
        Some(name) => listing::one(&services::find(&config, name)?, format),
        None => listing::all(&services::all(&config)?, format),
    };
    Ok(print(text.as_bytes(), Exit::Up))
}

/// Prints every error of the configuration on a line of its own, or one line with the number of
/// entries, and warnings on standard error.
#[allow(clippy::disallowed_methods)]
fn validate(file: Option<&str>) -> Exit {
    /// Longer than the timeout of Zabbix, because a person waits. A list that takes longer is an
    /// error, because no batch could use it.
    const PATIENCE: Duration = Duration::from_secs(30);
    let start = Instant::now();
    let config = Configuration::validated(file);
    let errors = validate::errors(&config, |_| start.elapsed() > PATIENCE);
    if errors.is_empty() {
        for warning in validate::warnings(&config) {
            log_line(&warning);
        }
        let counted = |count, one, many| format!("{count} {}", if count == 1 { one } else { many });
        let services = counted(config.services.len(), "service", "services");
        let targets = counted(config.targets.len(), "target entry", "target entries");
        let text = format!("ok: {services}, {targets}\n");
        return print(text.as_bytes(), Exit::Up);
    }
    for error in &errors {
        usage_error(&error.to_string());
    }
    Exit::Usage
}
