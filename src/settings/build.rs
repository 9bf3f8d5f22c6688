//! Builds [`ProbeSpec`]s from merged options, and [`Plan`]s from those. Contradictions between
//! options are found here, and the source address and the interface are looked up on this machine.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::address::{Host, Target};
use crate::escape::escaped_prefix;
use crate::os::route;
use crate::plan::{
    AddressSelection, Attempts, Expected, Family, Interface, LocalBind, Plan, ProbeSpec,
};
use crate::settings::config::Service;
use crate::settings::cost::{self, Excess};
use crate::settings::dialogue::{CompiledDialogue, dialogue as compile, located};
use crate::settings::error::{Located, Location, SettingsError};
use crate::settings::origins::Origin;
use crate::settings::overrides::Overrides;
use crate::settings::starttls;
use crate::settings::target_spec::TargetSpec;
use crate::settings::tls_build::{PlannedStart, TlsLayers, TlsPlan};

/// Builds the spec of these options; many targets may share it.
///
/// # Errors
/// Every error found; nothing was sent.
pub fn spec(
    overrides: &Overrides,
    layers: &mut TlsLayers,
) -> Result<ProbeSpec, Vec<SettingsError>> {
    let tls = layers.plan(overrides);
    let layer = tls.as_ref().ok().and_then(Option::as_ref);
    let dialogue = compile(overrides, layer.map(|tls| &tls.layer));
    match (dialogue, transport_options(overrides), tls) {
        (Ok(dialogue), Ok(spec), Ok(tls)) => {
            let dialogue =
                with_starttls(dialogue, tls.as_ref(), overrides).map_err(|error| vec![error])?;
            let CompiledDialogue {
                steps,
                quit,
                charset,
            } = dialogue;
            let layer = tls.filter(|tls| matches!(tls.start, PlannedStart::AtConnect));
            let spec = ProbeSpec {
                layer: layer.map(|tls| tls.layer),
                steps,
                quit,
                charset,
                ..spec
            };
            reject_contradictions(&spec, overrides).map_err(|error| vec![error])?;
            cost::reject_excess(&spec).map_err(|excess| vec![excess_error(excess, overrides)])?;
            Ok(spec)
        }
        (dialogue, transport, tls) => {
            let errors = dialogue.err().into_iter().flatten();
            Err(errors.chain(transport.err()).chain(tls.err()).collect())
        }
    }
}

/// The dialogue after the STARTTLS dialogue of a protocol, if TLS starts with one. That is a
/// dialogue of its own: the encoding and the line ends of the other do not apply to it.
fn with_starttls(
    dialogue: CompiledDialogue,
    tls: Option<&TlsPlan<'_>>,
    overrides: &Overrides,
) -> Result<CompiledDialogue, SettingsError> {
    let Some(TlsPlan {
        start: PlannedStart::After(protocol),
        layer,
    }) = tls
    else {
        return Ok(dialogue);
    };
    let before = Overrides {
        tls: overrides.tls.clone(),
        ..starttls::before(protocol)?
    };
    let before = compile(&before, Some(layer)).map_err(SettingsError::first)?;
    let mut steps = before.steps;
    steps.extend(dialogue.steps);
    Ok(CompiledDialogue {
        steps,
        quit: dialogue.quit.or(before.quit),
        ..dialogue
    })
}

/// The errors of a service that each use of it has, whatever the target.
pub fn service_errors(overrides: &Overrides) -> Vec<SettingsError> {
    let max_bytes = overrides.max_bytes;
    let max_bytes = max_bytes.unwrap_or_else(|| ProbeSpec::default().max_bytes);
    match compile(overrides, None) {
        Ok(dialogue) => {
            let excess = cost::reject_work(&dialogue.steps, max_bytes).err();
            let error = excess.map(|excess| excess_error(excess, overrides));
            error.into_iter().collect()
        }
        Err(errors) => errors,
    }
}

/// The error of a probe that may cost too much, where the option or the dialogue was written.
fn excess_error(Excess { option, message }: Excess, overrides: &Overrides) -> SettingsError {
    let steps = overrides.steps.as_deref().unwrap_or_default();
    match (option, located(steps)) {
        (Some(option), _) => overrides.origins.error(option, message),
        (None, Some(given)) => given.error(message),
        (None, None) => SettingsError::new(message),
    }
}

/// Adds the service's name and the hosts it is limited to. The limit holds even if options override
/// the service's dialogue.
pub fn with_service(spec: ProbeSpec, service: Option<&Service>) -> ProbeSpec {
    let Some(Service { name, hosts, .. }) = service else {
        return spec;
    };
    ProbeSpec {
        service: Some(name.as_str().into()),
        allowed_hosts: hosts.clone(),
        ..spec
    }
}

/// The spec without its dialogue.
fn transport_options(overrides: &Overrides) -> Result<ProbeSpec, SettingsError> {
    let defaults = ProbeSpec::default();
    let interface = overrides.interface.as_ref().map(interface).transpose()?;
    let source = match &overrides.source {
        Some(given) => Some(source(given, interface.as_ref())?),
        None => None,
    };
    let timeout = overrides.timeout.unwrap_or(defaults.timeout);
    Ok(ProbeSpec {
        family: family_of(source, overrides)?,
        addresses: overrides.addresses.unwrap_or(defaults.addresses),
        bind: LocalBind {
            source,
            port: overrides.source_port,
            interface,
        },
        timeout,
        attempts: attempts(overrides, timeout)?,
        tracing: overrides.tracing.unwrap_or(defaults.tracing),
        expected: overrides.want.unwrap_or(defaults.expected),
        max_bytes: overrides.max_bytes.unwrap_or(defaults.max_bytes),
        close: overrides.close.unwrap_or(defaults.close),
        ..defaults
    })
}

const NO_SUCH_ADDRESS: &str = "is not an address of this host: `ip address` lists the addresses";

fn source(given: &Located, interface: Option<&Interface>) -> Result<IpAddr, SettingsError> {
    let refused = |why: &str| given.error(format!("`{}` {why}", escaped_prefix(&given.text, 60)));
    let address: IpAddr = given
        .text
        .parse()
        .map_err(|_| refused("is not an IPv4 or IPv6 address"))?;
    if address.is_unspecified() || address.is_multicast() {
        return Err(refused("is not the address of a host"));
    }
    match route::has_address(address, interface.map(|interface| interface.index)) {
        Err(_) if !needs_zone(address, interface) => Err(refused(NO_SUCH_ADDRESS)),
        _ => Ok(address),
    }
}

/// Whether only the target's zone determines the link of this source address.
fn needs_zone(source: IpAddr, interface: Option<&Interface>) -> bool {
    matches!(source, IpAddr::V6(address) if address.is_unicast_link_local()) && interface.is_none()
}

/// The address family: that of the source address, else the one that was asked for.
fn family_of(source: Option<IpAddr>, overrides: &Overrides) -> Result<Family, SettingsError> {
    let of_source = source.map(|address| match address {
        IpAddr::V4(_) => Family::V4,
        IpAddr::V6(_) => Family::V6,
    });
    match (of_source, overrides.family) {
        (Some(of_source), Some(requested)) if of_source != requested => {
            let origins = &overrides.origins;
            let family = origins.name_beside("--source", "--family");
            let message = format!("is not an address of the family that {family} selects");
            Err(origins.error("--source", message))
        }
        (of_source, requested) => Ok(of_source.or(requested).unwrap_or_default()),
    }
}

fn interface(given: &Located) -> Result<Interface, SettingsError> {
    let Some(index) = route::interface_index(&given.text) else {
        let name = escaped_prefix(&given.text, 40);
        let message = format!("no interface `{name}` on this host: `ip link` lists the interfaces");
        return Err(given.error(message));
    };
    Ok(Interface {
        name: given.text.as_str().into(),
        index,
    })
}

fn attempts(overrides: &Overrides, timeout: Duration) -> Result<Option<Attempts>, SettingsError> {
    let origins = &overrides.origins;
    let Some(count) = overrides.count.and_then(NonZeroU32::new) else {
        let option = match (overrides.interval, overrides.require) {
            (None, None) => return Ok(None),
            (Some(_), _) => "--interval",
            (None, Some(_)) => "--require",
        };
        let message = format!("requires {}", origins.name_beside(option, "--count"));
        return Err(origins.error(option, message));
    };
    let require = overrides
        .require
        .and_then(NonZeroU32::new)
        .unwrap_or(NonZeroU32::MIN);
    if require > count {
        let message = format!(
            "{require} is greater than {} ({count})",
            origins.name_beside("--require", "--count")
        );
        return Err(origins.error("--require", message));
    }
    let interval = overrides.interval.unwrap_or(Attempts::INTERVAL);
    if interval.saturating_mul(require.get() - 1) >= timeout {
        let message = format!(
            "{require} attempts with an interval of {} do not fit into the deadline: raise {}",
            humantime::format_duration(interval),
            origins.name_beside("--require", "--timeout")
        );
        return Err(origins.error("--require", message));
    }
    Ok(Some(Attempts {
        count,
        interval,
        require,
    }))
}

fn reject_contradictions(spec: &ProbeSpec, overrides: &Overrides) -> Result<(), SettingsError> {
    let origins = &overrides.origins;
    let is_closed = matches!(spec.expected, Expected::Closed(_));
    if is_closed && !(spec.steps.is_empty() && spec.quit.is_none()) {
        let message = if origins.can_be_overridden("--expect-closed") {
            "cannot be combined with `steps` and `quit`"
        } else {
            "cannot be combined with `--send`, `--expect` and `--quit`"
        };
        return Err(origins.error("--expect-closed", message));
    }
    if is_closed && spec.layer.is_some() {
        let message = format!(
            "cannot be combined with {}: a closed port speaks no TLS",
            origins.name_beside("--expect-closed", "--tls")
        );
        return Err(origins.error("--expect-closed", message));
    }
    let is_repeated = spec
        .attempts
        .is_some_and(|attempts| attempts.count.get() > 1);
    if spec.addresses == AddressSelection::All && is_repeated {
        let other = origins.name_beside("--count", "--addresses");
        let mut message = format!("cannot be combined with {other} `all`: remove one of them");
        for (option, value) in [
            ("--count", "`--count 1`"),
            ("--addresses", "`--addresses any`"),
        ] {
            if origins.can_be_overridden(option) {
                message.push_str(", or give ");
                message.push_str(value);
            }
        }
        return Err(origins.error("--count", message));
    }
    Ok(())
}

/// Where the address family of a probe was written.
#[derive(Debug, Clone, Default)]
pub struct FamilyOrigin(Option<Arc<Origin>>);

impl FamilyOrigin {
    /// That of these options: an option, or the source address.
    pub fn of(overrides: &Overrides) -> Self {
        let origins = &overrides.origins;
        Self(origins.get("--family").or(origins.get("--source")).cloned())
    }

    fn error(&self, message: String) -> SettingsError {
        match &self.0 {
            Some(origin) => origin.error(message),
            None => SettingsError::new(message),
        }
    }
}

/// The plan to probe this target as this spec says. Only the two together can be wrong: address
/// family, zone, source.
///
/// # Errors
/// When they contradict each other; nothing was sent. The location is the command line; see
/// [`in_target`].
pub fn plan(
    spec: &Arc<ProbeSpec>,
    target: Target,
    family: &FamilyOrigin,
) -> Result<Plan, SettingsError> {
    let zone = zone(&target.host, spec)?;
    let plan = Plan {
        index: 0,
        target,
        zone,
        meta: None,
        spec: Arc::clone(spec),
    };
    reject_other_family(&plan, family)?;
    let is_local = |source: &IpAddr| needs_zone(*source, spec.bind.interface.as_ref());
    match spec.bind.source.filter(is_local) {
        Some(source) if route::has_address(source, zone).is_err() => Err(SettingsError::in_option(
            "--source",
            format!("`{source}` {NO_SUCH_ADDRESS}"),
        )),
        _ => Ok(plan),
    }
}

/// An error of [`plan`] at the location of the target.
pub fn in_target(target: &TargetSpec, error: SettingsError) -> SettingsError {
    if error.location != Location::CommandLine {
        return error;
    }
    let SettingsError { key, message, .. } = error;
    if target.key.is_none() {
        return SettingsError::at(&target.location, &key, message);
    }
    target.error(if key.is_none() {
        message
    } else {
        format!("{key}: {message}")
    })
}

/// A numeric address must be of the family that was asked for.
fn reject_other_family(plan: &Plan, family: &FamilyOrigin) -> Result<(), SettingsError> {
    let is_other = |address: IpAddr| match plan.spec.family {
        Family::Any => false,
        Family::V4 => address.is_ipv6(),
        Family::V6 => address.is_ipv4(),
    };
    if plan.ip().is_some_and(is_other) {
        let wanted = match plan.spec.family {
            Family::V4 => "IPv4",
            Family::V6 | Family::Any => "IPv6",
        };
        let host = &plan.target.host;
        return Err(family.error(format!("the target {host} is not an {wanted} address")));
    }
    Ok(())
}

/// The interface index of the address's zone; a link-local address needs a zone or an interface.
fn zone(host: &Host, spec: &ProbeSpec) -> Result<Option<NonZeroU32>, SettingsError> {
    match host {
        Host::Zoned(zoned) => zone_index(&zoned.zone).map(Some),
        Host::Address(IpAddr::V6(address))
            if address.is_unicast_link_local() && spec.bind.interface.is_none() =>
        {
            Err(SettingsError::new(format!(
                "`{address}` is link-local: write `{address}%eth0`, or give --interface"
            )))
        }
        _ => Ok(None),
    }
}

/// The index of a zone: an interface's name, or the index itself (RFC 4007, section 11.2).
fn zone_index(zone: &str) -> Result<NonZeroU32, SettingsError> {
    route::interface_index(zone)
        .or_else(|| zone.parse().ok())
        .ok_or_else(|| {
            SettingsError::new(format!(
                "zone `{}`: this host has no such interface: `ip link` lists the interfaces",
                escaped_prefix(zone, 40)
            ))
        })
}
