//! The settings of `discover`: which rows there are, or which there may be.

use std::sync::Arc;

use crate::address::cidr::ExpandError;
use crate::address::port_list::{Entry, entries};
use crate::address::{Host, Target};
use crate::cli::discover::{OpenArgs, PortsArgs, TargetsArgs};
use crate::plan::{Plan, ProbeSpec, TargetMeta};
use crate::settings::batch::unique::{Draft, Origin, name, without_repeats};
use crate::settings::batch::{Bounds, TIMEOUT};
use crate::settings::build::{AskedFamily, spec};
use crate::settings::config::Config;
use crate::settings::options::reach;
use crate::settings::overrides::{Location, Overrides};
use crate::settings::plan::plan;
use crate::settings::probe::{ResolverChoice, family, first, resolver};
use crate::settings::{SettingsError, batch, configuration, services};

/// The most ports of one host that become items without a look at the network: a longer list was not meant.
const MOST_LISTED: usize = 1000;
/// All there are.
const MOST_PROBED: usize = 65_535;

/// The targets of `discover ports`.
///
/// # Errors
/// The first mistake found.
pub fn ports(args: &PortsArgs) -> Result<Vec<Plan>, SettingsError> {
    let host = args.host.parse().map_err(SettingsError::new)?;
    let listed = entries(&args.spec, MOST_LISTED).map_err(refused)?;
    if listed.is_empty() {
        // From an empty array Zabbix deletes what it discovered, and a macro that nobody set expands to nothing.
        return Err(SettingsError::new(
            "the list of ports is empty: name some, such as `22/ssh,443`",
        ));
    }
    let config = configuration(&args.config)?;
    let mut listing = PortListing::new(&config, &host, ProbeSpec::default(), None);
    listed
        .into_iter()
        .try_for_each(|entry| listing.add(entry))?;
    listing.finish()
}

/// The targets of `discover targets`.
///
/// # Errors
/// The first mistake found.
pub fn targets(args: &TargetsArgs) -> Result<Vec<Plan>, SettingsError> {
    batch::configured(&configuration(&args.config)?, &args.group)
}

/// Everything that `discover open` needs.
#[derive(Debug)]
pub struct Candidates {
    /// The probes; a plan's number is its index.
    pub plans: Vec<Arc<Plan>>,
    /// What the run may use.
    pub bounds: Bounds,
    /// What the order of starts is made from.
    pub seed: u64,
    /// How names are resolved.
    pub resolver: ResolverChoice,
}

/// The targets of `discover open`: a connect to each, which says whether its row is printed.
///
/// # Errors
/// The first mistake found; nothing was sent.
pub fn open(args: &OpenArgs) -> Result<Candidates, SettingsError> {
    let host = args.host.parse().map_err(SettingsError::new)?;
    let listed = entries(&args.spec, MOST_PROBED).map_err(refused)?;
    let (bounds, seed) = (
        batch::bounds(&args.limits, &args.deadline, None)?,
        batch::seed(&args.limits)?,
    );
    let (resolver, family) = (resolver(&args.network)?, family(&args.network));
    let asked = reach(&args.network)?;
    let config = configuration(&args.network.config)?;
    let base = Overrides {
        timeout: Some(TIMEOUT),
        ..Overrides::default()
    };
    let spec = spec(&asked.over(config.defaults.reach()).over(base), family).map_err(first)?;
    let mut listing = PortListing::new(&config, &host, spec, family);
    listed
        .into_iter()
        .try_for_each(|entry| listing.add(entry))?;
    let plans = listing.finish()?.into_iter().map(Arc::new).collect();
    Ok(Candidates {
        plans,
        bounds,
        seed,
        resolver,
    })
}

fn refused(why: ExpandError) -> SettingsError {
    let remedy = match why {
        ExpandError::TooManyPorts(MOST_LISTED) => {
            ", each of which would become items: write fewer, or use `discover open`, which gives those that accept"
        }
        _ => "",
    };
    SettingsError::in_option(PORT_LIST, format!("{why}{remedy}"))
}

/// How mistakes in the list begin.
const PORT_LIST: &str = "port list";

/// The ports of one host as plans.
struct PortListing<'c> {
    config: &'c Config,
    host: &'c Host,
    family: AskedFamily,
    spec: ProbeSpec,
    /// The method with the name of each service.
    named: Vec<(Option<&'c str>, Arc<ProbeSpec>)>,
    drafts: Vec<Draft>,
}

impl<'c> PortListing<'c> {
    fn new(config: &'c Config, host: &'c Host, spec: ProbeSpec, family: AskedFamily) -> Self {
        Self {
            config,
            host,
            family,
            spec,
            named: Vec::new(),
            drafts: Vec::new(),
        }
    }

    fn add(&mut self, Entry { port, service }: Entry<'c>) -> Result<(), SettingsError> {
        let spec = self.spec(service)?;
        let title = service.map_or_else(|| port.to_string(), |service| format!("{port}/{service}"));
        let label = TargetMeta {
            name: Some(title.into()),
            ..TargetMeta::default()
        };
        let plan = plan(
            &spec,
            Target {
                host: self.host.clone(),
                port,
            },
            self.family,
        )?;
        let plan = Plan {
            meta: Some(Box::new(label)),
            ..plan
        };
        self.drafts.push(Draft {
            origin: Origin::Entry(0),
            plan,
        });
        Ok(())
    }

    /// The method that bears the name of this service; it says nothing of it.
    fn spec(&mut self, service: Option<&'c str>) -> Result<Arc<ProbeSpec>, SettingsError> {
        if let Some((_, spec)) = self.named.iter().find(|(name, _)| *name == service) {
            return Ok(Arc::clone(spec));
        }
        let found = service
            .map(|name| services::find(self.config, name))
            .transpose();
        let name = found
            .map_err(|why| SettingsError::in_option(PORT_LIST, why))?
            .map(|service| service.name.into());
        let spec = Arc::new(ProbeSpec {
            service: name,
            ..self.spec.clone()
        });
        self.named.push((service, Arc::clone(&spec)));
        Ok(spec)
    }

    fn finish(self) -> Result<Vec<Plan>, SettingsError> {
        name(without_repeats(self.drafts), |_| {
            Location::Option(PORT_LIST)
        })
    }
}
