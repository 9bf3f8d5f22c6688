//! The settings of `discover`: which rows there are.

use std::sync::Arc;

use super::batch::unique::{Draft, unique};
use super::config::Config;
use super::plan::plan;
use super::wishes::Place;
use super::{Mistake, configuration, services};
use crate::cli::discover::PortsArgs;
use crate::plan::{Label, Method, Plan};
use crate::target::expand::ExpandError;
use crate::target::spec::{Entry, entries};
use crate::target::{Host, Target};

/// The most ports of one host that become items without a look at the network: a longer list was not meant.
pub const MOST_LISTED: usize = 1000;

/// The targets of `discover ports`.
///
/// # Errors
/// The first mistake found.
pub fn ports(args: &PortsArgs) -> Result<Vec<Plan>, Mistake> {
    let host = args.host.parse().map_err(Mistake::new)?;
    let listed = entries(&args.spec, MOST_LISTED).map_err(refused)?;
    let config = configuration(&args.config)?;
    targets(&config, &host, &listed, &Method::default())
}

fn refused(why: ExpandError) -> Mistake {
    let place = "port list";
    match why {
        ExpandError::TooManyPorts(MOST_LISTED) => Mistake::in_option(
            place,
            format!(
                "{why}, each of which would become items: write fewer, or use `discover open`, which gives those that accept"
            ),
        ),
        why => Mistake::in_option(place, why),
    }
}

/// A plan for each entry, by this method with the entry's service as its name.
fn targets(config: &Config, host: &Host, listed: &[Entry<'_>], method: &Method) -> Result<Vec<Plan>, Mistake> {
    let mut methods: Vec<(Option<&str>, Arc<Method>)> = Vec::new();
    let mut drafts = Vec::with_capacity(listed.len());
    for Entry { port, service } in listed {
        let known = methods.iter().find(|(name, _)| name == service).map(|(_, method)| Arc::clone(method));
        let method = match known {
            Some(method) => method,
            None => {
                let checked = service.map(|name| services::find(config, name)).transpose();
                let checked = checked.map_err(|why| Mistake::in_option("port list", why))?;
                let named = Method { service: checked.map(|service| service.name.into()), ..method.clone() };
                methods.push((*service, Arc::new(named)));
                methods.last().map(|(_, method)| Arc::clone(method)).unwrap_or_default()
            }
        };
        let name = service.map_or_else(|| port.to_string(), |service| format!("{port}/{service}"));
        let label = Label { name: Some(name.into()), ..Label::default() };
        let target = Target { host: host.clone(), port: *port };
        let plan = Plan { label: Some(Box::new(label)), ..plan(&method, target, None)? };
        drafts.push(Draft { place: Place::Option("port list"), plan });
    }
    Ok(unique(drafts)?.0.into_iter().map(|draft| draft.plan).collect())
}
