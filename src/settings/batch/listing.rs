//! The list of a batch as it grows: hosts and ports become plans, one mistake ends it or is left out.

use crate::address::port_list::Entry;
use crate::address::{Host, Port, Target};
use crate::plan::{Plan, TargetMeta};
use crate::settings::batch::Invalid;
use crate::settings::batch::methods::{Made, Methods, Own};
use crate::settings::batch::unique::{Draft, Origin, name, without_repeats};
use crate::settings::overrides::Location;
use crate::settings::plan::plan;
use crate::settings::{SettingsError, validate};

/// A line, a word or an entry: every one of its hosts with every one of its ports.
#[derive(Debug)]
pub struct Asked<'s> {
    /// Where it is written.
    pub place: Location,
    /// The hosts.
    pub hosts: Vec<Host>,
    /// The ports; none where the service gives it.
    pub ports: Vec<Entry<'s>>,
    /// The service of ports that name none.
    pub service: Option<&'s str>,
    /// Its own options.
    pub own: Own,
    /// What it is called.
    pub label: Option<Box<TargetMeta>>,
}

/// What happens after a mistake in one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterMistake {
    /// Nothing is probed.
    Stop,
    /// The target is left out.
    KeepGoing,
}

/// Targets on their way to a fleet.
#[derive(Debug)]
pub struct Listing<'c> {
    /// The methods.
    pub methods: Methods<'c>,
    /// The most targets.
    pub most: usize,
    /// What happens after a mistake.
    pub after: AfterMistake,
    drafts: Vec<Draft>,
    /// Where words and entries of the configuration stand.
    places: Vec<Location>,
    duplicates: usize,
    invalid: Invalid,
}

impl<'c> Listing<'c> {
    /// An empty list.
    pub fn new(methods: Methods<'c>, most: usize, after: AfterMistake) -> Self {
        Self {
            methods,
            most,
            after,
            drafts: Vec::new(),
            places: Vec::new(),
            duplicates: 0,
            invalid: Invalid::default(),
        }
    }

    /// Adds what was asked for, if there is no mistake in it.
    ///
    /// # Errors
    /// The mistake, unless the caller said to keep going; more targets than allowed, in any case.
    pub fn add(&mut self, asked: Result<Asked<'_>, SettingsError>) -> Result<(), SettingsError> {
        let before = self.drafts.len();
        if let Err(mistake) = asked.and_then(|asked| self.expand(asked)) {
            self.drafts.truncate(before);
            self.leave_out(mistake)?;
        }
        self.keep_below_limit()
    }

    fn leave_out(&mut self, mistake: SettingsError) -> Result<(), SettingsError> {
        if self.after == AfterMistake::Stop {
            return Err(mistake);
        }
        self.invalid.count += 1;
        if self.invalid.first.len() < Invalid::KEPT {
            self.invalid.first.push(mistake);
        }
        Ok(())
    }

    fn expand(&mut self, asked: Asked<'_>) -> Result<(), SettingsError> {
        let Asked {
            place,
            hosts,
            ports,
            service,
            own,
            label,
        } = asked;
        let count = hosts.len().saturating_mul(ports.len().max(1));
        if count > self.most {
            return Err(SettingsError::at(&place, too_many(count, self.most)));
        }
        let origin = self.origin(&place);
        if ports.is_empty() {
            let made = self.methods.of(service, &own, &place)?;
            let port = made.port.ok_or_else(|| without_port(&place, &hosts))?;
            return hosts.into_iter().try_for_each(|host| {
                self.push(
                    (&place, origin),
                    Target { host, port },
                    &made,
                    &label,
                    count,
                )
            });
        }
        for Entry {
            port,
            service: named,
        } in &ports
        {
            let made = self.methods.of(named.or(service), &own, &place)?;
            for host in &hosts {
                let target = Target {
                    host: host.clone(),
                    port: *port,
                };
                self.push((&place, origin), target, &made, &label, count)?;
            }
        }
        Ok(())
    }

    fn push(
        &mut self,
        (place, origin): (&Location, Origin),
        target: Target,
        made: &Made,
        label: &Option<Box<TargetMeta>>,
        of: usize,
    ) -> Result<(), SettingsError> {
        let plan =
            plan(&made.spec, target, self.methods.family).map_err(|why| placed(place, why))?;
        let label = label
            .as_ref()
            .map(|label| Box::new(own_name(label, &plan, of)));
        self.drafts.push(Draft {
            origin,
            plan: Plan {
                meta: label,
                ..plan
            },
        });
        Ok(())
    }

    fn origin(&mut self, place: &Location) -> Origin {
        if let Location::File { file, line, .. } = place {
            if &**file == STANDARD_INPUT {
                return Origin::Line(u32::try_from(*line).unwrap_or(u32::MAX));
            }
        }
        self.places.push(place.clone());
        Origin::Entry(u32::try_from(self.places.len() - 1).unwrap_or(u32::MAX))
    }

    /// Repeats do not count, and are looked for when there are so many that memory would.
    fn keep_below_limit(&mut self) -> Result<(), SettingsError> {
        if self.drafts.len() <= self.most.saturating_mul(2) {
            return Ok(());
        }
        self.drop_repeats();
        if self.drafts.len() > self.most {
            Err(SettingsError::new(too_many(self.drafts.len(), self.most)))
        } else {
            Ok(())
        }
    }

    fn drop_repeats(&mut self) {
        let before = self.drafts.len();
        self.drafts = without_repeats(std::mem::take(&mut self.drafts));
        self.duplicates += before - self.drafts.len();
    }

    /// The whole list, each target once and with its id; repeats; what was left out.
    ///
    /// # Errors
    /// When there are too many, or two have one id.
    pub fn finish(mut self) -> Result<(Vec<Plan>, usize, Invalid), SettingsError> {
        self.drop_repeats();
        if self.drafts.len() > self.most {
            return Err(SettingsError::new(too_many(self.drafts.len(), self.most)));
        }
        let places = &self.places;
        let plans = name(self.drafts, |origin| match origin {
            Origin::Line(line) => in_line(line as usize),
            Origin::Entry(entry) => places
                .get(entry as usize)
                .cloned()
                .unwrap_or(Location::Option("targets")),
        })?;
        Ok((plans, self.duplicates, self.invalid))
    }
}

/// How mistakes in standard input begin.
const STANDARD_INPUT: &str = "-";

/// A line of standard input, from 1.
pub fn in_line(line: usize) -> Location {
    Location::File {
        file: STANDARD_INPUT.into(),
        line,
        key: String::new(),
    }
}

fn too_many(count: usize, most: usize) -> String {
    format!("{count} targets are more than {most}: raise --max-targets, or write fewer")
}

fn without_port(place: &Location, hosts: &[Host]) -> SettingsError {
    let host = hosts.first().map_or_else(String::new, ToString::to_string);
    SettingsError::at(
        place,
        format!(
            "no port for `{host}`: write `HOST:PORT` or `HOST PORT`, or name a service that has one"
        ),
    )
}

/// A mistake of a target and its options together.
fn placed(place: &Location, mistake: SettingsError) -> SettingsError {
    match validate::bare(&mistake) {
        Some(_) => mistake,
        None => SettingsError::at(place, mistake),
    }
}

/// Several targets of one name are told apart by host and port.
fn own_name(label: &TargetMeta, plan: &Plan, of: usize) -> TargetMeta {
    let name = label.name.as_ref().map(|name| match of {
        1 => name.clone(),
        _ => format!("{name} {}", plan.target).into(),
    });
    TargetMeta {
        name,
        ..label.clone()
    }
}

/// The ports of a list without services.
pub fn bare(ports: &[Port]) -> Vec<Entry<'static>> {
    ports
        .iter()
        .map(|port| Entry {
            port: *port,
            service: None,
        })
        .collect()
}
