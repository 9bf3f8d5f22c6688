//! The list of a batch as it grows: hosts and ports become plans, and an erroneous target ends it
//! or is skipped.

use crate::address::Target;
use crate::plan::{Plan, TargetMeta};
use crate::settings::batch::dedup::{Draft, DraftOrigin, assign_ids, without_repeats};
use crate::settings::batch::spec_cache::{CachedSpec, SpecCache};
use crate::settings::build::{in_target, plan};
use crate::settings::error::{Key, Location, SettingsError};
use crate::settings::target_spec::{TargetLimit, TargetSpec};

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
pub struct TargetList<'c> {
    specs: SpecCache<'c>,
    /// The most targets.
    pub limit: TargetLimit,
    on_error: OnError,
    /// Whether no time is left to probe and report so many targets.
    is_late: &'c dyn Fn(usize) -> bool,
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
    pub fn new(
        specs: SpecCache<'c>,
        limit: TargetLimit,
        on_error: OnError,
        is_late: &'c dyn Fn(usize) -> bool,
    ) -> Self {
        Self {
            specs,
            limit,
            on_error,
            is_late,
            drafts: Vec::new(),
            locations: Vec::new(),
            duplicates: 0,
            invalid: Invalid::default(),
        }
    }

    /// Adds all hosts and ports of a target, or none if there is an error in it. Only the ports whose
    /// own service cannot be used are left out, if erroneous targets are skipped.
    ///
    /// # Errors
    /// The error, unless erroneous targets are skipped; more targets than allowed, or the deadline,
    /// in any case.
    pub fn add(
        &mut self,
        target: Result<&TargetSpec, &SettingsError>,
    ) -> Result<(), SettingsError> {
        self.check_deadline()?;
        let length = self.drafts.len();
        let added = target
            .map_err(Clone::clone)
            .and_then(|target| self.expand(target));
        if let Err(error) = added {
            self.check_deadline()?;
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
        if count > self.limit.max {
            return Err(target.error(self.limit.exceeded(count)));
        }
        let origin = self.origin(target);
        let meta = target.meta();
        if target.ports.is_empty() {
            let cached = self.specs.get(target, None).map_err(SettingsError::first)?;
            let port = cached.port.ok_or_else(|| without_port(target))?;
            for host in target.hosts.iter() {
                let meta = meta.as_deref();
                self.push(target, Target { host, port }, &cached, meta, origin)?;
            }
        }
        for entry in &target.ports {
            let cached = self.specs.get(target, entry.service.as_deref());
            let cached = match cached.map_err(SettingsError::first) {
                Ok(cached) => cached,
                Err(error) if entry.service.is_some() => {
                    self.skip(error)?;
                    continue;
                }
                Err(error) => return Err(error),
            };
            for host in target.hosts.iter() {
                let port = entry.port;
                let address = Target { host, port };
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
        let plan = plan(&cached.spec, address, &cached.family)
            .map_err(|error| in_target(target, error))?;
        let label = meta.map(|meta| Box::new(with_own_name(meta, &plan, target.count())));
        let plan = Plan {
            meta: label,
            ..plan
        };
        self.drafts.push(Draft { origin, plan });
        if self.drafts.len() % 4096 == 0 {
            self.check_deadline()?;
        }
        Ok(())
    }

    /// Reading and expanding a list takes time too, and the values are lost if the run ends too
    /// late.
    fn check_deadline(&self) -> Result<(), SettingsError> {
        if !(self.is_late)(self.drafts.len()) {
            return Ok(());
        }
        Err(SettingsError::new(if (self.is_late)(0) {
            "the list of targets was not complete at the deadline of the run: raise --deadline, or write fewer targets"
        } else {
            "the deadline of the run leaves no time to probe and report so many targets: raise --deadline, or write fewer targets"
        }))
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
        if self.drafts.len() <= self.limit.max.saturating_mul(2) {
            return Ok(());
        }
        self.drop_repeats();
        self.check_max()
    }

    fn check_max(&self) -> Result<(), SettingsError> {
        if self.drafts.len() > self.limit.max {
            return Err(SettingsError::new(self.limit.exceeded(self.drafts.len())));
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
    /// When there are too many targets, two have the same id, or the deadline is over.
    pub fn finish(mut self) -> Result<FinishedList, SettingsError> {
        self.drop_repeats();
        self.check_max()?;
        self.check_deadline()?;
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

fn without_port(target: &TargetSpec) -> SettingsError {
    let host = target.hosts.first();
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
