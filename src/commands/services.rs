//! `zbx-tcp services`: what named services exist, what each says, and whether the configuration is sound.

mod page;
mod policy;

use crate::cli::services::ServicesArgs;
use crate::cli::values::given;
use crate::commands::{CommandResult, Exit, print, usage_error};
use crate::settings::config::Configuration;
use crate::settings::{SettingsError, services, validate};

/// Lists, shows, validates, or explains the policy.
pub fn run(args: &ServicesArgs) -> CommandResult {
    if let Some([host, port]) = args.policy.as_deref() {
        return policy::run(host, port);
    }
    if args.check {
        return Ok(validate(given(&args.config)));
    }
    let config = Configuration::load(given(&args.config))?;
    let json = match given(&args.output) {
        None | Some("text") => page::Form::Text,
        Some("json") => page::Form::Json,
        Some(_) => return Err(SettingsError::in_option("--output", "use `text` or `json`")),
    };
    let text = match given(&args.name) {
        Some(name) => page::one(&services::find(&config, name)?, json),
        None => page::all(&services::all(&config), json),
    };
    Ok(print(text.as_bytes(), Exit::Up))
}

/// Prints every error of the configuration on a line of its own, or `ok`.
fn validate(file: Option<&str>) -> Exit {
    let config = Configuration::read(file);
    let errors = validate::errors(&config);
    if errors.is_empty() {
        let text = format!(
            "ok: {} services, {} target entries\n",
            config.services.len(),
            config.targets.len()
        );
        return print(text.as_bytes(), Exit::Up);
    }
    for error in &errors {
        usage_error(&error.to_string());
    }
    Exit::Usage
}
