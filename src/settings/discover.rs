//! The settings of `discover`: one plan for each row that is printed, or that may be.

use std::sync::Arc;
use std::time::Duration;

use crate::address::host_list::one_host;
use crate::address::port_list::{self, PortEntry, PortListError};
use crate::address::{Host, Target};
use crate::cli::discover::OpenArgs;
use crate::plan::{Plan, ProbeSpec, TargetMeta};
use crate::settings::batch::{
    Bounds, Draft, DraftOrigin, TARGET_TIMEOUT, assign_ids, bounds, seed, without_repeats,
};
use crate::settings::build::{FamilyOrigin, plan, spec};
use crate::settings::config::Configuration;
use crate::settings::error::SettingsError;
use crate::settings::options::network;
use crate::settings::overrides::Overrides;
use crate::settings::request::{ProbeRequest, ResolverChoice};
use crate::settings::services;
use crate::settings::tls_build::TlsLayers;

/// The most ports that become items without being probed; a longer list is more likely a typing
/// error.
const MAX_LISTED: usize = 1000;

/// The name of the list argument, for errors.
const PORT_LIST: &str = "port list";

/// The plans of `discover ports`: one for each port of the list.
///
/// # Errors
/// The first error found.
pub fn ports(host: &str, list: &str, config: &Configuration) -> Result<Vec<Plan>, SettingsError> {
    let host = one_host(host).map_err(SettingsError::new)?;
    let entries = port_list::parse(list, MAX_LISTED).map_err(|why| {
        let hint = match why {
            PortListError::TooMany(_) => {
                ", and Zabbix would create items for each: write a shorter list, or use `discover open` to list only open ports"
            }
            _ => "",
        };
        SettingsError::in_option(PORT_LIST, format!("{why}{hint}"))
    })?;
    reject_empty(&entries)?;
    PortPlans::new(config, &host, ProbeSpec::default(), FamilyOrigin::default()).build(&entries)
}

/// An empty array would make Zabbix delete what it discovered, and a macro without a value expands
/// to nothing.
fn reject_empty(entries: &[PortEntry]) -> Result<(), SettingsError> {
    if entries.is_empty() {
        return Err(SettingsError::new(
            "the list of ports is empty: write a list such as `22/ssh,443`",
        ));
    }
    Ok(())
}

/// What `discover open` is asked for.
#[derive(Debug)]
pub struct OpenRequest {
    /// The host.
    pub host: String,
    /// The port list.
    pub ports: String,
    /// How the ports are probed; without a service or a dialogue.
    pub probe: ProbeRequest,
    /// What the run may use.
    pub bounds: Bounds,
    /// The seed of the randomized start order; each run has its own without it.
    pub seed: Option<u64>,
}

impl OpenRequest {
    /// A request for the ports of a list, with every other option at its default.
    pub fn new(host: &str, list: &str, deadline: Duration) -> Self {
        Self {
            host: host.to_owned(),
            ports: list.to_owned(),
            probe: ProbeRequest::default(),
            bounds: Bounds {
                deadline,
                ..Bounds::new(None)
            },
            seed: None,
        }
    }

    /// The request of these arguments.
    ///
    /// # Errors
    /// The first usage error.
    pub fn from_args(args: &OpenArgs) -> Result<Self, SettingsError> {
        Ok(Self {
            host: args.host.clone(),
            ports: args.spec.clone(),
            bounds: bounds(&args.limits, &args.deadline, None)?,
            seed: seed(&args.limits)?,
            probe: network(&args.network, &args.tls)?,
        })
    }
}

/// When an answer to the second SYN, which the kernel sends after one second, would have come.
const SECOND_SYN: Duration = Duration::from_millis(1200);

/// Everything that `discover open` needs.
#[derive(Debug)]
pub struct Candidates {
    /// The probes; a plan's number is its index.
    pub plans: Vec<Arc<Plan>>,
    /// What the run may use.
    pub bounds: Bounds,
    /// The seed of the randomized start order; each run has its own without it.
    pub seed: Option<u64>,
    /// How names are resolved.
    pub resolver: ResolverChoice,
}

/// The plans of `discover open`: a connect to each port, whose result decides whether the row is
/// printed.
///
/// # Errors
/// The first error found; nothing was sent.
pub fn open(request: &OpenRequest, config: &Configuration) -> Result<Candidates, SettingsError> {
    let host = one_host(&request.host).map_err(SettingsError::new)?;
    let entries = port_list::parse(&request.ports, port_list::MAX_PORTS)
        .map_err(|why| SettingsError::in_option(PORT_LIST, why))?;
    reject_empty(&entries)?;
    // A silent port is to be known as one before the deadline, not to be undetermined; but only after
    // the second SYN, because one may be lost.
    let before_deadline = (request.bounds.deadline * 4 / 5).max(SECOND_SYN);
    let default_timeout = Overrides {
        timeout: Some(TARGET_TIMEOUT.min(before_deadline)),
        ..Overrides::default()
    };
    let overrides = request
        .probe
        .overrides
        .clone()
        .over(None, config.defaults.network_only())
        .or(default_timeout);
    let spec = spec(&overrides, &mut TlsLayers::default()).map_err(SettingsError::first)?;
    let plans =
        PortPlans::new(config, &host, spec, FamilyOrigin::of(&overrides)).build(&entries)?;
    Ok(Candidates {
        plans: plans.into_iter().map(Arc::new).collect(),
        bounds: request.bounds.clone(),
        seed: request.seed,
        resolver: request.probe.resolver,
    })
}

/// The spec with the name of a service, and why the service cannot be used.
#[derive(Clone)]
struct NamedSpec {
    spec: Arc<ProbeSpec>,
    error: Option<Box<str>>,
}

/// Builds the plans of one host's ports.
struct PortPlans<'c> {
    config: &'c Configuration,
    host: &'c Host,
    family: FamilyOrigin,
    spec: ProbeSpec,
    /// The row of each service.
    named: Vec<(Option<Arc<str>>, NamedSpec)>,
}

impl<'c> PortPlans<'c> {
    fn new(
        config: &'c Configuration,
        host: &'c Host,
        spec: ProbeSpec,
        family: FamilyOrigin,
    ) -> Self {
        Self {
            config,
            host,
            family,
            spec,
            named: Vec::new(),
        }
    }

    fn build(mut self, entries: &[PortEntry]) -> Result<Vec<Plan>, SettingsError> {
        let drafts = entries
            .iter()
            .map(|entry| self.draft(entry))
            .collect::<Result<_, _>>()?;
        let (plans, duplicates) = assign_ids(without_repeats(drafts));
        match duplicates.into_iter().next() {
            Some(duplicate) => Err(SettingsError::in_option(PORT_LIST, duplicate)),
            None => Ok(plans),
        }
    }

    fn draft(&mut self, entry: &PortEntry) -> Result<Draft, SettingsError> {
        let port = entry.port;
        let NamedSpec { spec, error } = self.spec(entry.service.as_ref())?;
        let name = match &entry.service {
            Some(service) => format!("{port}/{service}"),
            None => port.to_string(),
        };
        let label = TargetMeta {
            name: Some(name.into()),
            error,
            ..TargetMeta::default()
        };
        let host = self.host.clone();
        let plan = plan(&spec, Target { host, port }, &self.family)?;
        Ok(Draft {
            origin: DraftOrigin::Other(0),
            plan: Plan {
                meta: Some(Box::new(label)),
                ..plan
            },
        })
    }

    /// The spec with the name of this service. It names the row; the service's dialogue is not run.
    ///
    /// A service that exists and cannot be used keeps its row, which contains the reason: without
    /// the row, Zabbix would delete the items of the port. An unknown name is an error of the whole
    /// list, because its row would replace the row of the intended service.
    fn spec(&mut self, service: Option<&Arc<str>>) -> Result<NamedSpec, SettingsError> {
        let known = self.named.iter().find(|(name, _)| name.as_ref() == service);
        if let Some((_, named)) = known {
            return Ok(named.clone());
        }
        let found = service.map(|name| services::find(self.config, name));
        let error = match (service, found) {
            (Some(name), Some(Err(why))) if !services::is_known(self.config, name) => {
                return Err(SettingsError::in_option(PORT_LIST, why));
            }
            (_, Some(Err(why))) => Some(why.to_string().into()),
            _ => None,
        };
        let spec = Arc::new(ProbeSpec {
            service: service.map(|name| (**name).into()),
            ..self.spec.clone()
        });
        let named = NamedSpec { spec, error };
        self.named.push((service.cloned(), named.clone()));
        Ok(named)
    }
}
