//! Entries of a target list with errors. An entry of the configuration keeps its targets: each has
//! the error as its result, so that an error in one entry does not hide the others, and so that
//! Zabbix does not delete what it discovered.

use std::net::{IpAddr, Ipv4Addr};

use crate::address::{Host, Port, Target};
use crate::plan::{AddressKnowledge, Plan, ProbeSpec, TargetMeta};
use crate::settings::config::KnownTarget;
use crate::settings::error::SettingsError;

/// The entries of the list with errors.
#[derive(Debug, Default)]
pub struct Invalid {
    /// How many there are.
    pub count: usize,
    /// The errors of the first of them, at most [`Invalid::KEPT`].
    pub first: Vec<SettingsError>,
    /// The first error in the configuration.
    configured: Option<SettingsError>,
    /// How many entries of the configuration have an error.
    configured_count: usize,
}

impl Invalid {
    /// The most errors that are kept to be shown.
    pub const KEPT: usize = 20;

    /// Counts an entry with this error.
    pub fn add(&mut self, error: SettingsError) {
        self.count += 1;
        if error.is_in_configuration() {
            self.configured_count += 1;
            if self.configured.is_none() {
                self.configured = Some(error.clone());
            }
        }
        if self.first.len() < Self::KEPT {
            self.first.push(error);
        }
    }

    /// The first error in the configuration, and the number of the others; `None` if there is none.
    pub fn in_configuration(&self) -> Option<String> {
        let first = self.configured.as_ref()?;
        let others = match self.configured_count {
            0 | 1 => return Some(first.to_string()),
            2 => "1 more entry has an error".to_owned(),
            count => format!("{} more entries have errors", count - 1),
        };
        Some(format!(
            "{first}; {others}: `zbx-tcp services --check` shows all errors"
        ))
    }
}

/// Whether every target of the list has its row for low-level discovery.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Rows {
    /// Every one has.
    #[default]
    Complete,
    /// An error hides the ids of some targets. If rows were printed, Zabbix would delete the items of
    /// these targets.
    Incomplete,
}

/// What is known of a service by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceFacts {
    /// The name.
    pub name: Option<Box<str>>,
    /// The port, if it is known.
    pub port: Option<Port>,
}

/// The targets of an entry with this error; `None` if it is not known which ids they have.
/// `service` finds the service of a port, or that of the whole entry.
pub fn listed(
    known: &KnownTarget,
    error: &SettingsError,
    service: impl Fn(Option<&str>) -> ServiceFacts,
) -> Option<Vec<Plan>> {
    let of_target = known.service.as_ref().map(|name| name.text.as_str());
    let mut ports: Vec<(Option<Port>, ServiceFacts)> = Vec::new();
    for entry in &known.ports {
        let name = entry.service.as_deref().or(of_target);
        ports.push((Some(entry.port), service(name)));
    }
    if ports.is_empty() {
        let facts = service(of_target);
        ports.push((facts.port, facts));
    }
    let hosts = known.hosts.as_ref();
    let count = hosts.map_or(1, |hosts| hosts.count().saturating_mul(ports.len()));
    if known.id.is_some() {
        let facts = ports.first().map(|(_, facts)| facts.clone())?;
        let address = match (hosts, &ports[..]) {
            (Some(hosts), [(Some(port), _)]) if count == 1 => Some((hosts.first(), *port)),
            _ => None,
        };
        return Some(vec![plan(address, facts, known.meta(), error)]);
    }
    let hosts = hosts?;
    let mut plans = Vec::new();
    for (port, facts) in ports {
        let port = port?;
        for host in hosts.iter() {
            let target = Target { host, port };
            let meta = with_own_name(known.meta(), &target, count);
            let Target { host, port } = target;
            plans.push(plan(Some((host, port)), facts.clone(), meta, error));
        }
    }
    Some(plans)
}

/// A target that is not probed, because of this error.
fn plan(
    address: Option<(Host, Port)>,
    service: ServiceFacts,
    meta: TargetMeta,
    error: &SettingsError,
) -> Plan {
    let knowledge = match address {
        Some(_) => AddressKnowledge::Known,
        None => AddressKnowledge::Unknown,
    };
    let unspecified = || {
        (
            Host::Address(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            Port::FIRST,
        )
    };
    let (host, port) = address.unwrap_or_else(unspecified);
    let spec = ProbeSpec {
        service: service.name,
        ..ProbeSpec::default()
    };
    Plan {
        meta: Some(Box::new(TargetMeta {
            error: Some(error.to_string().into()),
            address: knowledge,
            ..meta
        })),
        ..Plan::new(spec, Target { host, port })
    }
}

/// Host and port are added to a name that several targets share.
pub fn with_own_name(meta: TargetMeta, target: &Target, count: usize) -> TargetMeta {
    let name = meta.name.map(|name| match count {
        1 => name,
        _ => format!("{name} {target}").into(),
    });
    TargetMeta { name, ..meta }
}
