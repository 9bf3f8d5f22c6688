//! The settings of `discover`: which rows there are, or which there may be.

use std::sync::Arc;

use super::batch::unique::{Draft, Origin, name, without_repeats};
use super::batch::{self, Bounds, TIMEOUT};
use super::config::Config;
use super::method::{AskedFamily, method};
use super::options::reach;
use super::plan::plan;
use super::probe::{ResolverChoice, family, first, resolver};
use super::wishes::{Place, Wishes};
use super::{Mistake, configuration, services};
use crate::cli::discover::{OpenArgs, PortsArgs, TargetsArgs};
use crate::plan::{Label, Method, Plan};
use crate::policy::Policy;
use crate::target::expand::ExpandError;
use crate::target::spec::{Entry, entries};
use crate::target::{Host, Target};

/// The most ports of one host that become items without a look at the network: a longer list was not meant.
const MOST_LISTED: usize = 1000;
/// All there are.
const MOST_PROBED: usize = 65_535;

/// The targets of `discover ports`.
///
/// # Errors
/// The first mistake found.
pub fn ports(args: &PortsArgs) -> Result<Vec<Plan>, Mistake> {
    let host = args.host.parse().map_err(Mistake::new)?;
    let listed = entries(&args.spec, MOST_LISTED).map_err(refused)?;
    if listed.is_empty() {
        // From an empty array Zabbix deletes what it discovered, and a macro that nobody set expands to nothing.
        return Err(Mistake::new(
            "the list of ports is empty: name some, such as `22/ssh,443`",
        ));
    }
    let config = configuration(&args.config)?;
    let mut listing = PortListing::new(&config, &host, Method::default(), None);
    listed
        .into_iter()
        .try_for_each(|entry| listing.add(entry))?;
    listing.finish()
}

/// The targets of `discover targets`.
///
/// # Errors
/// The first mistake found.
pub fn targets(args: &TargetsArgs) -> Result<Vec<Plan>, Mistake> {
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
pub fn open(args: &OpenArgs, policy: Policy) -> Result<Candidates, Mistake> {
    let host = args.host.parse().map_err(Mistake::new)?;
    let listed = entries(&args.spec, MOST_PROBED).map_err(refused)?;
    let (bounds, seed) = (
        batch::bounds(&args.pace, &args.deadline, None)?,
        batch::seed(&args.pace)?,
    );
    let (resolver, family) = (resolver(&args.reach)?, family(&args.reach));
    let asked = reach(&args.reach)?;
    let config = configuration(&args.reach.config)?;
    let base = Wishes {
        timeout: Some(TIMEOUT),
        ..Wishes::default()
    };
    let method = method(&asked.over(config.defaults.reach()).over(base), family).map_err(first)?;
    let mut listing = PortListing::new(&config, &host, Method { policy, ..method }, family);
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

fn refused(why: ExpandError) -> Mistake {
    let remedy = match why {
        ExpandError::TooManyPorts(MOST_LISTED) => {
            ", each of which would become items: write fewer, or use `discover open`, which gives those that accept"
        }
        _ => "",
    };
    Mistake::in_option(PORT_LIST, format!("{why}{remedy}"))
}

/// How mistakes in the list begin.
const PORT_LIST: &str = "port list";

/// The ports of one host as plans.
struct PortListing<'c> {
    config: &'c Config,
    host: &'c Host,
    family: AskedFamily,
    method: Method,
    /// The method with the name of each service.
    named: Vec<(Option<&'c str>, Arc<Method>)>,
    drafts: Vec<Draft>,
}

impl<'c> PortListing<'c> {
    fn new(config: &'c Config, host: &'c Host, method: Method, family: AskedFamily) -> Self {
        Self {
            config,
            host,
            family,
            method,
            named: Vec::new(),
            drafts: Vec::new(),
        }
    }

    fn add(&mut self, Entry { port, service }: Entry<'c>) -> Result<(), Mistake> {
        let method = self.method(service)?;
        let title = service.map_or_else(|| port.to_string(), |service| format!("{port}/{service}"));
        let label = Label {
            name: Some(title.into()),
            ..Label::default()
        };
        let plan = plan(
            &method,
            Target {
                host: self.host.clone(),
                port,
            },
            self.family,
        )?;
        let plan = Plan {
            label: Some(Box::new(label)),
            ..plan
        };
        self.drafts.push(Draft {
            origin: Origin::Entry(0),
            plan,
        });
        Ok(())
    }

    /// The method that bears the name of this service; it says nothing of it.
    fn method(&mut self, service: Option<&'c str>) -> Result<Arc<Method>, Mistake> {
        if let Some((_, method)) = self.named.iter().find(|(name, _)| *name == service) {
            return Ok(Arc::clone(method));
        }
        let found = service
            .map(|name| services::find(self.config, name))
            .transpose();
        let name = found
            .map_err(|why| Mistake::in_option(PORT_LIST, why))?
            .map(|service| service.name.into());
        let method = Arc::new(Method {
            service: name,
            ..self.method.clone()
        });
        self.named.push((service, Arc::clone(&method)));
        Ok(method)
    }

    fn finish(self) -> Result<Vec<Plan>, Mistake> {
        name(without_repeats(self.drafts), |_| Place::Option(PORT_LIST))
    }
}
