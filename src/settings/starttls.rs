//! STARTTLS by the name of its protocol: `--starttls smtp` and `starttls = "smtp"`.
//!
//! The dialogue is that of the built-in service `smtp_starttls`. Its steps after the start of TLS
//! are replaced by the steps that are given, if there are any. The steps of the built-in service
//! `smtp` are the plain form of the same dialogue, so they are not used. Only built-in services are
//! found by a protocol: services of the configuration may have secrets, which only their own hosts
//! may receive.

use crate::escape::escaped_prefix;
use crate::settings::built_in;
use crate::settings::config::{Configuration, Service};
use crate::settings::error::{Located, SettingsError};
use crate::settings::overrides::Overrides;
use crate::settings::secret_tls;
use crate::settings::step_spec::StepSpec;
use crate::settings::tls_overrides::TlsStart;
use crate::suggest::did_you_mean;

/// The end of the name of a service that has the dialogue of a protocol.
const SUFFIX: &str = "_starttls";

/// The options of a request, over those of its service, over `[defaults]`.
///
/// # Errors
/// When the protocol has no STARTTLS, or is not that of the service; when the options could send
/// the secrets of the service to a server that the service does not trust.
pub fn merged(
    request: Overrides,
    service: Option<&Service>,
    mut defaults: Overrides,
) -> Result<Overrides, SettingsError> {
    if let Some(service) = service.filter(|service| service.overrides.secrets.is_some()) {
        secret_tls::reject_weaker(&request, &service.name, &service.overrides)?;
        defaults = secret_tls::verified(defaults);
    }
    let (request, service) = match (protocol(&request).cloned(), service) {
        (Some(protocol), Some(service)) => {
            let (request, overrides) = in_service(request, &protocol, service)?;
            (request, Some(overrides))
        }
        (_, service) => (request, service.map(|service| service.overrides.clone())),
    };
    complete(request.over(service.as_ref(), defaults))
}

/// The protocol whose STARTTLS dialogue these options use.
fn protocol(overrides: &Overrides) -> Option<&Located> {
    match &overrides.tls.as_ref()?.start {
        Some(TlsStart::After(protocol)) => Some(protocol),
        _ => None,
    }
}

/// A request for STARTTLS, and the options of its service that agree with it.
fn in_service(
    mut request: Overrides,
    protocol: &Located,
    service: &Service,
) -> Result<(Overrides, Overrides), SettingsError> {
    let mut overrides = service.overrides.clone();
    let wanted = dialogue(protocol)?.name;
    let names = [Some(service.name.as_str()), service.base.as_deref()];
    let mut names = names.into_iter().flatten();
    if overrides.has_start_of_tls() && names.clone().any(|name| name == wanted) {
        // The service has the same dialogue already.
        if let Some(tls) = &mut request.tls {
            tls.start = None;
        }
        return Ok((request, overrides));
    }
    let tls = overrides.tls.as_deref();
    if tls.is_some_and(|tls| tls.start == Some(TlsStart::AtConnect)) {
        return Err(protocol.error(format!(
            "service `{}` starts TLS directly after the connect: remove one of them",
            service.name
        )));
    }
    let is_plain = names.any(|name| plain_form(name).is_some_and(|other| other == wanted));
    if request.steps.is_some() || service.has_own_steps {
        return Ok((request, overrides));
    }
    if is_plain {
        (overrides.steps, overrides.quit, overrides.line_ends) = (None, None, None);
    } else if overrides.steps.is_some() {
        return Err(protocol.error(format!(
            "service `{}` does not speak {}: remove one of them",
            service.name,
            escaped_prefix(&protocol.text, 40)
        )));
    }
    Ok((request, overrides))
}

/// Completes options with STARTTLS: with the port and the limits of its dialogue, and with its
/// steps if they have none.
fn complete(mut overrides: Overrides) -> Result<Overrides, SettingsError> {
    let Some(protocol) = protocol(&overrides) else {
        return Ok(overrides);
    };
    let service = dialogue(protocol)?;
    let base = Overrides {
        port: service.overrides.port,
        max_bytes: service.overrides.max_bytes,
        ..Overrides::default()
    };
    if overrides.steps.is_some() || overrides.encoding.is_some() {
        return Ok(overrides.or(base));
    }
    if let Some(tls) = &mut overrides.tls {
        tls.start = None;
    }
    Ok(overrides.or(service.overrides))
}

/// The part before the steps of a dialogue: the STARTTLS dialogue of this protocol up to its start
/// of TLS, and its `quit`.
///
/// # Errors
/// When there is no such dialogue; a similar name is suggested.
pub fn before(protocol: &Located) -> Result<Overrides, SettingsError> {
    let Overrides {
        mut steps,
        quit,
        line_ends,
        ..
    } = dialogue(protocol)?.overrides;
    if let Some(steps) = &mut steps {
        let start = steps.iter().position(|step| *step == StepSpec::StartTls);
        steps.truncate(start.map_or(0, |start| start + 1));
    }
    Ok(Overrides {
        steps,
        quit,
        line_ends,
        ..Overrides::default()
    })
}

/// The service with the STARTTLS dialogue of a protocol. If it extends another one, it has the name
/// of that.
fn dialogue(protocol: &Located) -> Result<Service, SettingsError> {
    if let Some(service) = built_in(&format!("{}{SUFFIX}", protocol.text)) {
        let name = service.base.clone().unwrap_or(service.name);
        return Ok(Service { name, ..service });
    }
    let known: Vec<_> = protocols().collect();
    let hint = match did_you_mean(&protocol.text, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("use one of {}", known.join(", ")),
    };
    let name = escaped_prefix(&protocol.text, 40);
    Err(protocol.error(format!("no STARTTLS is known for `{name}`: {hint}")))
}

/// The name of the STARTTLS dialogue that has this service as its plain form.
fn plain_form(name: &str) -> Option<String> {
    let service = built_in(&format!("{name}{SUFFIX}"))?;
    Some(service.base.unwrap_or(service.name))
}

fn built_in(name: &str) -> Option<Service> {
    let section = built_in::section(name)?;
    let read = Configuration::from_text(built_in::FILE_NAME, section);
    read.services.into_values().next()?.ok()
}

/// The names of the protocols.
pub fn protocols() -> impl Iterator<Item = &'static str> {
    built_in::names().filter_map(|name| name.strip_suffix(SUFFIX))
}
