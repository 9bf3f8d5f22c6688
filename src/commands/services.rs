//! `zbx-tcp services`: what named services exist, what each says, and whether the configuration is sound.

mod page;
mod policy;

use crate::cli::services::ServicesArgs;
use crate::cli::values::given;
use crate::commands::{CommandResult, Exit, print, usage_error};
use crate::settings::config::Config;
use crate::settings::{SettingsError, configuration, named, services, validate};

/// Lists, shows, validates, or explains the policy.
pub fn run(args: &ServicesArgs) -> CommandResult {
    if let Some([host, port]) = args.policy.as_deref() {
        return policy::run(host, port);
    }
    if args.check {
        return Ok(validate(named(&args.config).as_deref()));
    }
    let config = configuration(&args.config)?;
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

/// Every mistake of the configuration on a line of its own; nothing but `ok` where there is none.
fn validate(file: Option<&str>) -> Exit {
    let config = Config::read(file);
    let mistakes = validate::mistakes(&config);
    if mistakes.is_empty() {
        let text = format!(
            "ok: {} services, {} target entries\n",
            config.services.len(),
            config.targets.len()
        );
        return print(text.as_bytes(), Exit::Up);
    }
    for mistake in &mistakes {
        usage_error(&mistake.to_string());
    }
    Exit::Usage
}
