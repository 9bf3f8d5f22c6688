//! From merged wishes to a method; this machine is asked whether it has the source and the interface.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use super::Mistake;
use super::config::Service;
use super::dialogue::{Dialogue, dialogue};
use super::wishes::{Wishes, Written};
use crate::engine::{sys, wire};
use crate::plan::{Addresses, Attempts, Family, Interface, Method, Origin, Want};
use crate::printable::shown;

/// Which family was asked for, and by which option.
pub type AskedFamily = Option<(Family, &'static str)>;

/// The method of these wishes; many targets may share it.
///
/// # Errors
/// Every mistake found; nothing was sent.
pub fn method(wishes: &Wishes, family: AskedFamily) -> Result<Method, Vec<Mistake>> {
    match (dialogue(wishes), silent(wishes, family)) {
        (
            Ok(Dialogue {
                steps,
                quit,
                charset,
            }),
            Ok(method),
        ) => refuse_contradictions(Method {
            steps,
            quit,
            charset,
            ..method
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
pub fn of_service(method: Method, service: Option<&Service>) -> Method {
    let Some(Service { name, hosts, .. }) = service else {
        return method;
    };
    Method {
        service: Some(name.as_str().into()),
        hosts: hosts.clone(),
        ..method
    }
}

/// The method without its dialogue.
fn silent(wishes: &Wishes, family: AskedFamily) -> Result<Method, Mistake> {
    let defaults = Method::default();
    let interface = wishes.interface.as_ref().map(interface).transpose()?;
    let source = source(wishes, interface.as_ref())?;
    let timeout = wishes.timeout.unwrap_or(defaults.timeout);
    Ok(Method {
        family: family_of(source, family)?,
        addresses: wishes.addresses.unwrap_or(defaults.addresses),
        origin: Origin { source, interface },
        timeout,
        attempts: attempts(wishes, timeout)?,
        want: wishes.want.unwrap_or(defaults.want),
        max_bytes: wishes.max_bytes.unwrap_or(defaults.max_bytes),
        close: wishes.close.unwrap_or(defaults.close),
        ..defaults
    })
}

fn source(wishes: &Wishes, interface: Option<&Interface>) -> Result<Option<IpAddr>, Mistake> {
    let Some(Written { place, text }) = &wishes.source else {
        return Ok(None);
    };
    let refused = |why: &str| Mistake::at(place, format!("`{}` {why}", shown(text, 60)));
    let address: IpAddr = text
        .parse()
        .map_err(|_| refused("is not an IPv4 or IPv6 address"))?;
    if address.is_unspecified() || address.is_multicast() {
        return Err(refused("is not the address of a host"));
    }
    match wire::has_address(address, interface.map(|interface| interface.index)) {
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
fn family_of(source: Option<IpAddr>, asked: AskedFamily) -> Result<Family, Mistake> {
    let of = source.map(|address| {
        if address.is_ipv4() {
            Family::V4
        } else {
            Family::V6
        }
    });
    match (of, asked) {
        (Some(of), Some((asked, _))) if of != asked => Err(Mistake::in_option(
            "--source",
            "is of the other address family",
        )),
        (of, asked) => Ok(of.or(asked.map(|(family, _)| family)).unwrap_or_default()),
    }
}

fn interface(written: &Written) -> Result<Interface, Mistake> {
    match sys::interface_index(&written.text) {
        Some(index) => Ok(Interface {
            name: written.text.as_str().into(),
            index,
        }),
        None => {
            let text = format!(
                "no interface `{}` on this host: `ip link` lists them",
                shown(&written.text, 40)
            );
            Err(Mistake::at(&written.place, text))
        }
    }
}

fn attempts(wishes: &Wishes, timeout: Duration) -> Result<Option<Attempts>, Mistake> {
    let Some(count) = wishes.count.and_then(NonZeroU32::new) else {
        let stray = if wishes.interval.is_some() {
            "--interval"
        } else {
            "--require"
        };
        return match (wishes.interval, wishes.require) {
            (None, None) => Ok(None),
            _ => Err(Mistake::in_option(
                stray,
                "means something only with --count",
            )),
        };
    };
    let require = wishes
        .require
        .and_then(NonZeroU32::new)
        .unwrap_or(NonZeroU32::MIN);
    if require > count {
        return Err(Mistake::in_option(
            "--require",
            format!("{require} of {count} attempts can never succeed"),
        ));
    }
    let interval = wishes.interval.unwrap_or(Attempts::INTERVAL);
    if interval.saturating_mul(require.get() - 1) >= timeout {
        let interval = humantime::format_duration(interval);
        let text = format!(
            "{require} attempts, one every {interval}, do not fit into the deadline: raise --timeout"
        );
        return Err(Mistake::in_option("--require", text));
    }
    Ok(Some(Attempts {
        count,
        interval,
        require,
    }))
}

/// Wishes that cannot all hold.
fn refuse_contradictions(method: Method) -> Result<Method, Mistake> {
    let closed = matches!(method.want, Want::Closed(_));
    if closed && !(method.steps.is_empty() && method.quit.is_none()) {
        return Err(Mistake::in_option(
            "--expect-closed",
            "a port that is to be closed cannot --send, --expect or --quit",
        ));
    }
    if method.addresses == Addresses::All && method.attempts.is_some() {
        return Err(Mistake::in_option(
            "--count",
            "counts connects to one address: drop it, or drop `--addresses all`",
        ));
    }
    Ok(method)
}
