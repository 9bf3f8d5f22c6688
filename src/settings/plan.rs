//! From a target and merged wishes to a plan; this machine is asked whether it has the source and the interface.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use super::Mistake;
use super::dialogue::{Dialogue, dialogue};
use super::wishes::{Wishes, Written};
use crate::engine::{sys, wire};
use crate::plan::{Addresses, Attempts, Family, Interface, Origin, Plan, Want};
use crate::printable::shown;
use crate::target::{Host, Target};

/// Which family was asked for, and by which option.
pub type AskedFamily = Option<(Family, &'static str)>;

/// The plan of these wishes for this target.
///
/// # Errors
/// Every mistake found; nothing was sent.
pub fn plan(target: Target, wishes: &Wishes, family: AskedFamily) -> Result<Plan, Vec<Mistake>> {
    match (dialogue(wishes), silent(target, wishes, family)) {
        (Ok(Dialogue { steps, quit, charset }), Ok(plan)) => {
            refuse_contradictions(Plan { steps, quit, charset, ..plan }).map_err(|mistake| vec![mistake])
        }
        (spoken, rest) => Err(spoken.err().into_iter().flatten().chain(rest.err()).collect()),
    }
}

/// The plan without its dialogue.
fn silent(target: Target, wishes: &Wishes, family: AskedFamily) -> Result<Plan, Mistake> {
    let defaults = Plan::connect(target);
    let source = source(wishes, &defaults.target.host)?;
    let timeout = wishes.timeout.unwrap_or(defaults.timeout);
    Ok(Plan {
        family: asked_family(&defaults, source, family)?,
        addresses: wishes.addresses.unwrap_or(defaults.addresses),
        origin: origin(wishes, &defaults.target.host, source)?,
        timeout,
        attempts: attempts(wishes, timeout)?,
        want: wishes.want.unwrap_or(defaults.want),
        max_bytes: wishes.max_bytes.unwrap_or(defaults.max_bytes),
        close: wishes.close.unwrap_or(defaults.close),
        ..defaults
    })
}

fn source(wishes: &Wishes, host: &Host) -> Result<Option<IpAddr>, Mistake> {
    let Some(Written { place, text }) = &wishes.source else { return Ok(None) };
    let refused = |why: &str| Mistake::at(place, format!("`{}` {why}", shown(text, 60)));
    let address: IpAddr = text.parse().map_err(|_| refused("is not an IPv4 or IPv6 address"))?;
    if address.is_unspecified() || address.is_multicast() {
        return Err(refused("is not the address of a host"));
    }
    // Where a link-local source is looked for; a name that is wrong is its own option's mistake.
    let scope = match host {
        Host::Zoned(_, zone) => zone_index(zone).ok(),
        _ => wishes.interface.as_ref().and_then(|interface| sys::interface_index(&interface.text)),
    };
    match wire::has_address(address, scope) {
        Ok(()) => Ok(Some(address)),
        Err(_) => Err(refused("is not an address of this host: `ip address` lists them")),
    }
}

/// The wanted family; an address that is given has its own.
fn asked_family(plan: &Plan, source: Option<IpAddr>, asked: AskedFamily) -> Result<Family, Mistake> {
    let of = |address: IpAddr| if address.is_ipv4() { Family::V4 } else { Family::V6 };
    let asked = asked.or_else(|| source.map(|source| (of(source), "--source")));
    let (Some((family, option)), Some(literal)) = (asked, plan.literal()) else {
        let asked = asked.map_or(Family::Any, |(family, _)| family);
        return match source.map(of) {
            Some(of_source) if of_source != asked => {
                Err(Mistake::in_option("--source", "is of the other address family"))
            }
            _ => Ok(asked),
        };
    };
    if of(literal) != family || source.is_some_and(|source| of(source) != family) {
        let text = format!("{} is not of that address family", plan.target.host);
        return Err(Mistake::in_option(option, text));
    }
    Ok(family)
}

fn origin(wishes: &Wishes, host: &Host, source: Option<IpAddr>) -> Result<Origin, Mistake> {
    let interface = wishes.interface.as_ref().map(interface).transpose()?;
    let zone = match host {
        Host::Zoned(_, zone) => Some(zone_index(zone)?),
        Host::Address(IpAddr::V6(address)) if address.is_unicast_link_local() && interface.is_none() => {
            let text =
                format!("`{address}` is link-local: write `{address}%eth0`, or name the interface by --interface");
            return Err(Mistake::new(text));
        }
        _ => None,
    };
    Ok(Origin { source, interface, zone })
}

fn interface(written: &Written) -> Result<Interface, Mistake> {
    match sys::interface_index(&written.text) {
        Some(index) => Ok(Interface { name: written.text.as_str().into(), index }),
        None => {
            let text = format!("no interface `{}` on this host: `ip link` lists them", shown(&written.text, 40));
            Err(Mistake::at(&written.place, text))
        }
    }
}

/// The index of a zone: an interface's name, or the index itself (RFC 4007, section 11.2).
fn zone_index(zone: &str) -> Result<NonZeroU32, Mistake> {
    sys::interface_index(zone).or_else(|| zone.parse().ok()).ok_or_else(|| {
        Mistake::new(format!("zone `{}`: no such interface on this host: `ip link` lists them", shown(zone, 40)))
    })
}

fn attempts(wishes: &Wishes, timeout: Duration) -> Result<Option<Attempts>, Mistake> {
    let Some(count) = wishes.count.and_then(NonZeroU32::new) else {
        let stray = if wishes.interval.is_some() { "--interval" } else { "--require" };
        return match (wishes.interval, wishes.require) {
            (None, None) => Ok(None),
            _ => Err(Mistake::in_option(stray, "means something only with --count")),
        };
    };
    let require = wishes.require.and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
    if require > count {
        return Err(Mistake::in_option("--require", format!("{require} of {count} attempts can never succeed")));
    }
    let interval = wishes.interval.unwrap_or(Attempts::INTERVAL);
    if interval.saturating_mul(require.get() - 1) >= timeout {
        let interval = humantime::format_duration(interval);
        let text = format!("{require} attempts, one every {interval}, do not fit into the deadline: raise --timeout");
        return Err(Mistake::in_option("--require", text));
    }
    Ok(Some(Attempts { count, interval, require }))
}

/// Wishes that cannot all hold.
fn refuse_contradictions(plan: Plan) -> Result<Plan, Mistake> {
    let closed = matches!(plan.want, Want::Closed(_));
    if closed && !(plan.steps.is_empty() && plan.quit.is_none()) {
        return Err(Mistake::in_option(
            "--expect-closed",
            "a port that is to be closed cannot --send, --expect or --quit",
        ));
    }
    if plan.addresses == Addresses::All && plan.attempts.is_some() {
        return Err(Mistake::in_option(
            "--count",
            "counts connects to one address: drop it, or drop `--addresses all`",
        ));
    }
    Ok(plan)
}
