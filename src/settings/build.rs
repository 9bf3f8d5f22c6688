//! From merged wishes to a method; this machine is asked whether it has the source and the interface.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::escape::escaped_prefix;
use crate::os::route;
use crate::plan::{AddressSelection, Attempts, Expected, Family, Interface, LocalBind, ProbeSpec};
use crate::settings::SettingsError;
use crate::settings::config::Service;
use crate::settings::dialogue::{Dialogue, dialogue};
use crate::settings::overrides::{Located, Overrides};

/// Which family was asked for, and by which option.
pub type AskedFamily = Option<(Family, &'static str)>;

/// The method of these wishes; many targets may share it.
///
/// # Errors
/// Every mistake found; nothing was sent.
pub fn spec(overrides: &Overrides, family: AskedFamily) -> Result<ProbeSpec, Vec<SettingsError>> {
    match (dialogue(overrides), silent(overrides, family)) {
        (
            Ok(Dialogue {
                steps,
                quit,
                charset,
            }),
            Ok(spec),
        ) => refuse_contradictions(ProbeSpec {
            steps,
            quit,
            charset,
            ..spec
        })
        .map_err(|mistake| vec![mistake]),
        (spoken, rest) => Err(spoken
            .err()
            .into_iter()
            .flatten()
            .chain(rest.err())
            .collect()),
    }
}

/// The method with the name of its service, and where that may be spoken, whatever is said in its place.
pub fn of_service(spec: ProbeSpec, service: Option<&Service>) -> ProbeSpec {
    let Some(Service { name, hosts, .. }) = service else {
        return spec;
    };
    ProbeSpec {
        service: Some(name.as_str().into()),
        hosts: hosts.clone(),
        ..spec
    }
}

/// The method without its dialogue.
fn silent(overrides: &Overrides, family: AskedFamily) -> Result<ProbeSpec, SettingsError> {
    let defaults = ProbeSpec::default();
    let interface = overrides.interface.as_ref().map(interface).transpose()?;
    let source = source(overrides, interface.as_ref())?;
    let timeout = overrides.timeout.unwrap_or(defaults.timeout);
    Ok(ProbeSpec {
        family: family_of(source, family)?,
        addresses: overrides.addresses.unwrap_or(defaults.addresses),
        origin: LocalBind { source, interface },
        timeout,
        attempts: attempts(overrides, timeout)?,
        want: overrides.want.unwrap_or(defaults.want),
        max_bytes: overrides.max_bytes.unwrap_or(defaults.max_bytes),
        close: overrides.close.unwrap_or(defaults.close),
        ..defaults
    })
}

fn source(
    overrides: &Overrides,
    interface: Option<&Interface>,
) -> Result<Option<IpAddr>, SettingsError> {
    let Some(Located { place, text }) = &overrides.source else {
        return Ok(None);
    };
    let refused =
        |why: &str| SettingsError::at(place, format!("`{}` {why}", escaped_prefix(text, 60)));
    let address: IpAddr = text
        .parse()
        .map_err(|_| refused("is not an IPv4 or IPv6 address"))?;
    if address.is_unspecified() || address.is_multicast() {
        return Err(refused("is not the address of a host"));
    }
    match route::has_address(address, interface.map(|interface| interface.index)) {
        Err(_) if !needs_zone(address, interface) => Err(refused(NO_ADDRESS)),
        _ => Ok(Some(address)),
    }
}

/// What is said of a source that this machine does not have.
pub const NO_ADDRESS: &str = "is not an address of this host: `ip address` lists them";

/// Whether only a target's zone tells which link this source is on.
pub fn needs_zone(source: IpAddr, interface: Option<&Interface>) -> bool {
    matches!(source, IpAddr::V6(address) if address.is_unicast_link_local()) && interface.is_none()
}

/// The wanted family; a source has its own.
fn family_of(source: Option<IpAddr>, asked: AskedFamily) -> Result<Family, SettingsError> {
    let of = source.map(|address| {
        if address.is_ipv4() {
            Family::V4
        } else {
            Family::V6
        }
    });
    match (of, asked) {
        (Some(of), Some((asked, _))) if of != asked => Err(SettingsError::in_option(
            "--source",
            "is of the other address family",
        )),
        (of, asked) => Ok(of.or(asked.map(|(family, _)| family)).unwrap_or_default()),
    }
}

fn interface(written: &Located) -> Result<Interface, SettingsError> {
    if let Some(index) = route::interface_index(&written.text) {
        Ok(Interface {
            name: written.text.as_str().into(),
            index,
        })
    } else {
        let text = format!(
            "no interface `{}` on this host: `ip link` lists them",
            escaped_prefix(&written.text, 40)
        );
        Err(SettingsError::at(&written.place, text))
    }
}

fn attempts(overrides: &Overrides, timeout: Duration) -> Result<Option<Attempts>, SettingsError> {
    let Some(count) = overrides.count.and_then(NonZeroU32::new) else {
        let stray = if overrides.interval.is_some() {
            "--interval"
        } else {
            "--require"
        };
        return match (overrides.interval, overrides.require) {
            (None, None) => Ok(None),
            _ => Err(SettingsError::in_option(
                stray,
                "means something only with --count",
            )),
        };
    };
    let require = overrides
        .require
        .and_then(NonZeroU32::new)
        .unwrap_or(NonZeroU32::MIN);
    if require > count {
        return Err(SettingsError::in_option(
            "--require",
            format!("{require} of {count} attempts can never succeed"),
        ));
    }
    let interval = overrides.interval.unwrap_or(Attempts::INTERVAL);
    if interval.saturating_mul(require.get() - 1) >= timeout {
        let interval = humantime::format_duration(interval);
        let text = format!(
            "{require} attempts, one every {interval}, do not fit into the deadline: raise --timeout"
        );
        return Err(SettingsError::in_option("--require", text));
    }
    Ok(Some(Attempts {
        count,
        interval,
        require,
    }))
}

/// Wishes that cannot all hold.
fn refuse_contradictions(spec: ProbeSpec) -> Result<ProbeSpec, SettingsError> {
    let closed = matches!(spec.want, Expected::Closed(_));
    if closed && !(spec.steps.is_empty() && spec.quit.is_none()) {
        return Err(SettingsError::in_option(
            "--expect-closed",
            "a port that is to be closed cannot --send, --expect or --quit",
        ));
    }
    if spec.addresses == AddressSelection::All && spec.attempts.is_some() {
        return Err(SettingsError::in_option(
            "--count",
            "counts connects to one address: drop it, or drop `--addresses all`",
        ));
    }
    Ok(spec)
}
