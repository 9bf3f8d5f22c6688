//! The list of a batch as it grows: hosts and ports become plans, and an erroneous target ends it
//! or is skipped.

use crate::address::Target;
use crate::plan::{Plan, TargetMeta};
use crate::settings::batch::dedup::{Draft, DraftOrigin, assign_ids, without_repeats};
use crate::settings::batch::spec_cache::{CachedSpec, SpecCache};
use crate::settings::build::{in_target, plan};
use crate::settings::error::{Key, Location, SettingsError};
use crate::settings::target_spec::TargetSpec;

/// What happens after an error in one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// Nothing is probed.
    Stop,
    /// The target is skipped.
    Skip,
}

/// Targets that were skipped because of errors.
#[derive(Debug, Default)]
pub struct Invalid {
    /// How many there were.
    pub count: usize,
    /// The errors of the first of them, at most [`Invalid::KEPT`].
    pub first: Vec<SettingsError>,
}

impl Invalid {
    /// The most errors that are kept to be shown.
    pub const KEPT: usize = 20;
}

/// The targets of a run, before they get their ids.
#[derive(Debug)]
pub struct TargetList<'c> {
    specs: SpecCache<'c>,
    /// The most targets.
    pub max: usize,
    on_error: OnError,
    drafts: Vec<Draft>,
    /// The locations of targets that were not lines of standard input.
    locations: Vec<(Location, Key)>,
    duplicates: usize,
    invalid: Invalid,
}

/// A complete list.
#[derive(Debug)]
pub struct FinishedList {
    /// The plans in input order, each target once and with its id.
    pub plans: Vec<Plan>,
    /// How many repeats were dropped.
    pub duplicates: usize,
    /// What was skipped.
    pub invalid: Invalid,
}

impl<'c> TargetList<'c> {
    /// An empty list.
    pub fn new(specs: SpecCache<'c>, max: usize, on_error: OnError) -> Self {
        Self {
            specs,
            max,
            on_error,
            drafts: Vec::new(),
            locations: Vec::new(),
            duplicates: 0,
            invalid: Invalid::default(),
        }
    }

    /// Adds all hosts and ports of a target, or none if there is an error in it.
    ///
    /// # Errors
    /// The error, unless erroneous targets are skipped; more targets than allowed in any case.
    pub fn add(
        &mut self,
        target: Result<&TargetSpec, &SettingsError>,
    ) -> Result<(), SettingsError> {
        let length = self.drafts.len();
        let added = target
            .map_err(Clone::clone)
            .and_then(|target| self.expand(target));
        if let Err(error) = added {
            self.drafts.truncate(length);
            self.skip(error)?;
        }
        self.check_length()
    }

    fn skip(&mut self, error: SettingsError) -> Result<(), SettingsError> {
        if self.on_error == OnError::Stop {
            return Err(error);
        }
        self.invalid.count += 1;
        if self.invalid.first.len() < Invalid::KEPT {
            self.invalid.first.push(error);
        }
        Ok(())
    }

    fn expand(&mut self, target: &TargetSpec) -> Result<(), SettingsError> {
        let count = target.count();
        if count > self.max {
            return Err(target.error(too_many(count, self.max)));
        }
        let origin = self.origin(target);
        let meta = target.meta();
        if target.ports.is_empty() {
            let cached = self.specs.get(target, None).map_err(SettingsError::first)?;
            let port = cached.port.ok_or_else(|| without_port(target))?;
            for host in &target.hosts {
                let host = host.clone();
                let meta = meta.as_deref();
                self.push(target, Target { host, port }, &cached, meta, origin)?;
            }
        }
        for entry in &target.ports {
            let cached = self
                .specs
                .get(target, entry.service.as_deref())
                .map_err(SettingsError::first)?;
            for host in &target.hosts {
                let address = Target {
                    host: host.clone(),
                    port: entry.port,
                };
                self.push(target, address, &cached, meta.as_deref(), origin)?;
            }
        }
        Ok(())
    }

    fn push(
        &mut self,
        target: &TargetSpec,
        address: Target,
        cached: &CachedSpec,
        meta: Option<&TargetMeta>,
        origin: DraftOrigin,
    ) -> Result<(), SettingsError> {
        let plan = plan(&cached.spec, address, self.specs.family())
            .map_err(|error| in_target(target, error))?;
        let label = meta.map(|meta| Box::new(with_own_name(meta, &plan, target.count())));
        let plan = Plan {
            meta: label,
            ..plan
        };
        self.drafts.push(Draft { origin, plan });
        Ok(())
    }

    fn origin(&mut self, target: &TargetSpec) -> DraftOrigin {
        if let Location::StdinLine(line) = target.location {
            return DraftOrigin::StdinLine(u32::try_from(line).unwrap_or(u32::MAX));
        }
        let index = self.locations.len();
        self.locations
            .push((target.location.clone(), target.key.clone()));
        DraftOrigin::Other(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// Repeats do not count towards the limit. They are only looked for when the list is twice as
    /// long, which bounds its memory.
    fn check_length(&mut self) -> Result<(), SettingsError> {
        if self.drafts.len() <= self.max.saturating_mul(2) {
            return Ok(());
        }
        self.drop_repeats();
        self.check_max()
    }

    fn check_max(&self) -> Result<(), SettingsError> {
        if self.drafts.len() > self.max {
            return Err(SettingsError::new(too_many(self.drafts.len(), self.max)));
        }
        Ok(())
    }

    fn drop_repeats(&mut self) {
        let before = self.drafts.len();
        self.drafts = without_repeats(std::mem::take(&mut self.drafts));
        self.duplicates += before - self.drafts.len();
    }

    /// Completes the list.
    ///
    /// # Errors
    /// When there are too many targets, or two have the same id.
    pub fn finish(mut self) -> Result<FinishedList, SettingsError> {
        self.drop_repeats();
        self.check_max()?;
        let plans = assign_ids(self.drafts).map_err(|duplicate| {
            let (location, key) = match duplicate.origin {
                DraftOrigin::StdinLine(line) => (Location::StdinLine(line as usize), Key::NONE),
                DraftOrigin::Other(index) => self
                    .locations
                    .get(index as usize)
                    .cloned()
                    .unwrap_or((Location::CommandLine, Key::NONE)),
            };
            SettingsError::at(&location, &key, duplicate)
        })?;
        Ok(FinishedList {
            plans,
            duplicates: self.duplicates,
            invalid: self.invalid,
        })
    }
}

fn too_many(count: usize, max: usize) -> String {
    format!(
        "{count} targets are more than the limit of {max}: raise --max-targets, or give fewer targets"
    )
}

fn without_port(target: &TargetSpec) -> SettingsError {
    let host = target
        .hosts
        .first()
        .map_or_else(String::new, ToString::to_string);
    target.error(format!(
        "no port for `{host}`: write `HOST:PORT` or `HOST PORT`, or use a service with a default port"
    ))
}

/// Host and port are added to a name that several targets share.
fn with_own_name(meta: &TargetMeta, plan: &Plan, count: usize) -> TargetMeta {
    let name = meta.name.as_ref().map(|name| match count {
        1 => name.clone(),
        _ => format!("{name} {}", plan.target).into(),
    });
    TargetMeta {
        name,
        ..meta.clone()
    }
}
