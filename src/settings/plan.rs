//! From a method and a target to a plan: what only the two together can get wrong.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use crate::address::{Host, Target};
use crate::escape::escaped_prefix;
use crate::os::route;
use crate::plan::{Family, Plan, ProbeSpec};
use crate::settings::SettingsError;
use crate::settings::build::{AskedFamily, NO_ADDRESS, needs_zone};

/// The plan to probe this target by this method.
///
/// # Errors
/// When they do not go together; nothing was sent.
pub fn plan(
    spec: &Arc<ProbeSpec>,
    target: Target,
    asked: AskedFamily,
) -> Result<Plan, SettingsError> {
    let zone = zone(&target.host, spec)?;
    let plan = Plan {
        number: 0,
        target,
        zone,
        label: None,
        spec: Arc::clone(spec),
    };
    refuse_other_family(&plan, asked)?;
    if let Some(source) = spec
        .origin
        .source
        .filter(|source| needs_zone(*source, spec.origin.interface.as_ref()))
    {
        if route::has_address(source, zone).is_err() {
            return Err(SettingsError::in_option(
                "--source",
                format!("`{source}` {NO_ADDRESS}"),
            ));
        }
    }
    Ok(plan)
}

/// An address has its own family.
fn refuse_other_family(plan: &Plan, asked: AskedFamily) -> Result<(), SettingsError> {
    let other = |address: IpAddr| match plan.spec.family {
        Family::Any => false,
        Family::V4 => address.is_ipv6(),
        Family::V6 => address.is_ipv4(),
    };
    if plan.ip().is_some_and(other) {
        let option = asked.map_or("--source", |(_, option)| option);
        return Err(SettingsError::in_option(
            option,
            format!("{} is not of that address family", plan.target.host),
        ));
    }
    Ok(())
}

/// The index of the zone that an address names, or needs to name.
fn zone(host: &Host, spec: &ProbeSpec) -> Result<Option<NonZeroU32>, SettingsError> {
    match host {
        Host::Zoned(zoned) => zone_index(&zoned.zone).map(Some),
        Host::Address(IpAddr::V6(address))
            if address.is_unicast_link_local() && spec.origin.interface.is_none() =>
        {
            let text = format!(
                "`{address}` is link-local: write `{address}%eth0`, or name the interface by --interface"
            );
            Err(SettingsError::new(text))
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
                "zone `{}`: no such interface on this host: `ip link` lists them",
                escaped_prefix(zone, 40)
            ))
        })
}
