//! From a method and a target to a plan: what only the two together can get wrong.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use super::Mistake;
use super::method::{AskedFamily, NO_ADDRESS, needs_zone};
use crate::engine::{sys, wire};
use crate::plan::{Family, Method, Plan};
use crate::printable::shown;
use crate::target::{Host, Target};

/// The plan to probe this target by this method.
///
/// # Errors
/// When they do not go together; nothing was sent.
pub fn plan(method: &Arc<Method>, target: Target, asked: AskedFamily) -> Result<Plan, Mistake> {
    let zone = zone(&target.host, method)?;
    let plan = Plan {
        number: 0,
        target,
        zone,
        label: None,
        method: Arc::clone(method),
    };
    refuse_other_family(&plan, asked)?;
    if let Some(source) = method
        .origin
        .source
        .filter(|source| needs_zone(*source, method.origin.interface.as_ref()))
    {
        if wire::has_address(source, zone).is_err() {
            return Err(Mistake::in_option(
                "--source",
                format!("`{source}` {NO_ADDRESS}"),
            ));
        }
    }
    Ok(plan)
}

/// An address has its own family.
fn refuse_other_family(plan: &Plan, asked: AskedFamily) -> Result<(), Mistake> {
    let other = |address: IpAddr| match plan.method.family {
        Family::Any => false,
        Family::V4 => address.is_ipv6(),
        Family::V6 => address.is_ipv4(),
    };
    if plan.literal().is_some_and(other) {
        let option = asked.map_or("--source", |(_, option)| option);
        return Err(Mistake::in_option(
            option,
            format!("{} is not of that address family", plan.target.host),
        ));
    }
    Ok(())
}

/// The index of the zone that an address names, or needs to name.
fn zone(host: &Host, method: &Method) -> Result<Option<NonZeroU32>, Mistake> {
    match host {
        Host::Zoned(zoned) => zone_index(&zoned.zone).map(Some),
        Host::Address(IpAddr::V6(address))
            if address.is_unicast_link_local() && method.origin.interface.is_none() =>
        {
            let text = format!(
                "`{address}` is link-local: write `{address}%eth0`, or name the interface by --interface"
            );
            Err(Mistake::new(text))
        }
        _ => Ok(None),
    }
}

/// The index of a zone: an interface's name, or the index itself (RFC 4007, section 11.2).
fn zone_index(zone: &str) -> Result<NonZeroU32, Mistake> {
    sys::interface_index(zone)
        .or_else(|| zone.parse().ok())
        .ok_or_else(|| {
            Mistake::new(format!(
                "zone `{}`: no such interface on this host: `ip link` lists them",
                shown(zone, 40)
            ))
        })
}
