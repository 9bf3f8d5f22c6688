//! The settings of `check`: defaults, then options.

use std::sync::Arc;

use crate::address::Target;
use crate::cli::check::CheckArgs;
use crate::cli::values::non_empty;
use crate::escape::escaped_prefix;
use crate::output::Format;
use crate::plan::Plan;
use crate::settings::build::{of_service, spec};
use crate::settings::options::overrides;
use crate::settings::overrides::Overrides;
use crate::settings::plan::plan;
use crate::settings::probe::{ResolverChoice, configuration, family, first, resolver};
use crate::settings::{SettingsError, services};

/// Everything a `check` needs.
#[derive(Debug)]
pub struct Check {
    /// The probe.
    pub plan: Plan,
    /// What is printed.
    pub format: Format,
    /// How names are resolved.
    pub resolver: ResolverChoice,
    /// Whether each step is explained.
    pub transcript: Transcript,
}

/// Whether each step is explained on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transcript {
    /// `-v`
    Shown,
    /// Standard error stays empty.
    Silent,
}

/// What the options of `check` mean.
///
/// # Errors
/// The first mistake found; nothing was sent.
pub fn check(args: &CheckArgs, default_format: Format) -> Result<Check, SettingsError> {
    let config = configuration(&args.probe.network.config)?;
    let service = non_empty(&args.probe.service)
        .map(|name| services::find(&config, name))
        .transpose();
    let service = service.map_err(|why| SettingsError::in_option("--service", why))?;
    let own = service
        .as_ref()
        .map_or_else(Overrides::default, |service| service.overrides.clone());
    let overrides = overrides(&args.probe)?
        .over(own)
        .over_defaults(config.defaults);
    let target = Target::from_words(&args.host, args.port.as_deref(), overrides.port)
        .map_err(SettingsError::new)?;
    let format = match non_empty(&args.output) {
        Some(word) => {
            Format::parse(word).map_err(|why| SettingsError::in_option("--output", why))?
        }
        None => default_format,
    };
    let spec = spec(&overrides, family(&args.probe.network)).map_err(first)?;
    let spec = of_service(spec, service.as_ref());
    let plan = plan(&Arc::new(spec), target, family(&args.probe.network))?;
    refuse_impossible(&format, &plan)?;
    let transcript = if args.verbose {
        Transcript::Shown
    } else {
        Transcript::Silent
    };
    if transcript == Transcript::Shown && !matches!(format, Format::Text) {
        return Err(SettingsError::in_option(
            "--verbose",
            "explains a text report: add `-o text`",
        ));
    }
    Ok(Check {
        plan,
        format,
        resolver: resolver(&args.probe.network)?,
        transcript,
    })
}

/// A value that this plan can never measure.
fn refuse_impossible(format: &Format, plan: &Plan) -> Result<(), SettingsError> {
    match format {
        Format::Metric(metric)
            if metric.path.starts_with("attempts.") && plan.spec.attempts.is_none() =>
        {
            Err(SettingsError::in_option(
                "--output",
                format!("`{}` needs --count", metric.path),
            ))
        }
        Format::Capture(name) if !plan.spec.captures().any(|known| known == &**name) => {
            let known: Vec<_> = plan.spec.captures().collect();
            let known = if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            };
            let text = format!(
                "no step captures `{}`; captured are: {known}",
                escaped_prefix(name, 40)
            );
            Err(SettingsError::in_option("--output", text))
        }
        _ => Ok(()),
    }
}
