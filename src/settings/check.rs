//! The settings of `check`: a request and the configuration become one plan.

use std::sync::Arc;

use crate::address::host_list::one_target;
use crate::escape::escaped_prefix;
use crate::output::Format;
use crate::plan::steps::Step;
use crate::plan::{Plan, ProbeSpec};
use crate::settings::build::{FamilyOrigin, plan, spec, with_service};
use crate::settings::config::Configuration;
use crate::settings::error::SettingsError;
use crate::settings::request::{CheckRequest, ResolverChoice, Transcript};
use crate::settings::services;
use crate::settings::starttls;
use crate::settings::tls_build::TlsLayers;

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

/// Merges a request with its service and the configuration.
///
/// # Errors
/// The first error found; nothing was sent.
pub fn check(request: CheckRequest, config: &Configuration) -> Result<Check, SettingsError> {
    let CheckRequest {
        host,
        port,
        probe,
        format,
        transcript,
        default_tracing,
    } = request;
    let service = probe
        .service
        .map(|name| services::find(config, &name))
        .transpose()
        .map_err(|why| why.or_in_option("--service"))?;
    let mut overrides =
        starttls::merged(probe.overrides, service.as_ref(), config.defaults.clone())?;
    overrides.tracing = overrides.tracing.or(default_tracing);
    let target = one_target(&host, port.as_deref(), overrides.port).map_err(SettingsError::new)?;
    let spec = spec(&overrides, &mut TlsLayers::default()).map_err(SettingsError::first)?;
    let spec = with_service(spec, service.as_ref());
    let plan = plan(&Arc::new(spec), target, &FamilyOrigin::of(&overrides))?;
    reject_unmeasured(&format, &plan)?;
    if transcript == Transcript::Shown && !matches!(format, Format::Text) {
        return Err(SettingsError::in_option("--verbose", "requires `-o text`"));
    }
    Ok(Check {
        plan,
        format,
        resolver: probe.resolver,
        transcript,
    })
}

/// The target of a request that an error in the configuration prevents: only to be reported. `None`
/// if the port is not known without the configuration.
pub fn unprobed(request: &CheckRequest) -> Option<Plan> {
    let name = request.probe.service.as_deref();
    let built_in = name.and_then(|name| services::find(&Configuration::default(), name).ok());
    let port = built_in.and_then(|service| service.overrides.port);
    let target = one_target(&request.host, request.port.as_deref(), port).ok()?;
    let spec = ProbeSpec {
        service: name.map(Into::into),
        ..ProbeSpec::default()
    };
    Some(Plan::new(spec, target))
}

/// A metric of TLS requires TLS.
fn reject_without_tls(path: &str, plan: &Plan) -> Result<(), SettingsError> {
    let steps = &plan.spec.steps;
    let in_steps = steps.iter().any(|step| matches!(step, Step::StartTls(_)));
    if plan.spec.layer.is_some() || in_steps {
        return Ok(());
    }
    let message =
        format!("`{path}` requires TLS: give `--tls` or `--starttls`, or use a service with TLS");
    Err(SettingsError::in_option("--output", message))
}

/// The value that is printed must be one that this plan can measure.
fn reject_unmeasured(format: &Format, plan: &Plan) -> Result<(), SettingsError> {
    match format {
        Format::Metric(metric)
            if metric.path.starts_with("attempts.") && plan.spec.attempts.is_none() =>
        {
            let message = format!("`{}` requires --count", metric.path);
            Err(SettingsError::in_option("--output", message))
        }
        Format::Metric(metric) if metric.path == "time.tls" || metric.group == Some("tls") => {
            reject_without_tls(metric.path, plan)
        }
        Format::Capture(name) if !plan.spec.captures().any(|known| known == &**name) => {
            let known: Vec<_> = plan.spec.captures().collect();
            let known = if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            };
            let message = format!(
                "no step captures `{}`; captures: {known}",
                escaped_prefix(name, 40)
            );
            Err(SettingsError::in_option("--output", message))
        }
        _ => Ok(()),
    }
}
