//! The list of a batch as it grows: hosts and ports become plans, and an erroneous target ends it,
//! is skipped, or is listed with its error.

use crate::address::Target;
use crate::address::host_list::HostList;
use crate::plan::{Plan, TargetMeta};
use crate::settings::batch::dedup::{Draft, DraftOrigin, assign_ids, without_repeats};
use crate::settings::batch::invalid::{self, Invalid, Rows, with_own_name};
use crate::settings::batch::spec_cache::{CachedSpec, SpecCache};
use crate::settings::build::{in_target, plan};
use crate::settings::config::{InvalidTarget, KnownTarget};
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
    rows: Rows,
}

/// A complete list.
#[derive(Debug)]
pub struct FinishedList {
    /// The plans in input order, each target once and with its id.
    pub plans: Vec<Plan>,
    /// How many repeats were dropped.
    pub duplicates: usize,
    /// The entries with errors.
    pub invalid: Invalid,
    /// Whether every target has its row.
    pub rows: Rows,
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
            rows: Rows::default(),
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
        self.invalid.add(error);
        Ok(())
    }

    /// Adds a target of the configuration for these groups. An error concerns only the target that
    /// it is in, and is its result.
    ///
    /// # Errors
    /// More targets than allowed, or the deadline.
    pub fn add_configured(
        &mut self,
        target: &Result<TargetSpec, InvalidTarget>,
        groups: &[&str],
    ) -> Result<(), SettingsError> {
        self.check_deadline()?;
        match target {
            Ok(target) => self.expand_configured(target)?,
            Err(invalid) => {
                // It may be a target of other groups: its row must neither be added nor be missing.
                if invalid.groups.is_none() && !groups.is_empty() {
                    self.rows = Rows::Incomplete;
                }
                match &invalid.known {
                    Some(known) => self.list(known, &invalid.error)?,
                    None => self.rows = Rows::Incomplete,
                }
                self.invalid.add(invalid.error.clone());
            }
        }
        self.check_length()
    }

    /// Adds all hosts and ports of a target. Those with an error are listed with it.
    fn expand_configured(&mut self, target: &TargetSpec) -> Result<(), SettingsError> {
        let count = target.count();
        if count > self.limit.max {
            self.rows = Rows::Incomplete;
            self.invalid.add(target.error(self.limit.exceeded(count)));
            return Ok(());
        }
        let origin = self.origin_of(target);
        let meta = target.meta();
        let mut first = None;
        let without = [None];
        let entries = target.ports.iter().map(Some);
        for entry in entries.chain(without.into_iter().filter(|_| target.ports.is_empty())) {
            let service = entry.and_then(|entry| entry.service.as_deref());
            let length = self.drafts.len();
            let cached = self.specs.get(target, service);
            let cached = cached.map_err(SettingsError::first);
            let found = cached.and_then(|cached| {
                let port = entry.map(|entry| entry.port).or(cached.port);
                let port = port.ok_or_else(|| without_port(target))?;
                Ok((cached, port))
            });
            let error = match found {
                Ok((cached, port)) => target
                    .hosts
                    .iter()
                    .try_for_each(|host| {
                        let address = Target { host, port };
                        self.push(target, address, &cached, meta.as_deref(), origin)
                    })
                    .err(),
                Err(error) => Some(error),
            };
            if let Some(error) = error {
                self.check_deadline()?;
                self.drafts.truncate(length);
                let known = KnownTarget::of(target, entry);
                self.list(&known, &error)?;
                first.get_or_insert(error);
            }
        }
        if let Some(error) = first {
            self.invalid.add(error);
        }
        Ok(())
    }

    /// Adds the hosts and ports of a target with this error, if they are known.
    fn list(&mut self, known: &KnownTarget, error: &SettingsError) -> Result<(), SettingsError> {
        let hosts = known.hosts.as_ref().map_or(1, HostList::count);
        if hosts.saturating_mul(known.ports.len()) > self.limit.max {
            self.rows = Rows::Incomplete;
            return Ok(());
        }
        let origin = self.origin(&known.location, &known.key);
        let listed = invalid::listed(known, error, |name| self.specs.service_facts(name));
        match listed {
            Some(plans) => self
                .drafts
                .extend(plans.into_iter().map(|plan| Draft { origin, plan })),
            None => self.rows = Rows::Incomplete,
        }
        self.check_deadline()
    }

    fn expand(&mut self, target: &TargetSpec) -> Result<(), SettingsError> {
        let count = target.count();
        if count > self.limit.max {
            return Err(target.error(self.limit.exceeded(count)));
        }
        let origin = self.origin_of(target);
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
        let label = meta.map(|meta| {
            let meta = with_own_name(meta.clone(), &plan.target, target.count());
            Box::new(meta)
        });
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

    fn origin_of(&mut self, target: &TargetSpec) -> DraftOrigin {
        self.origin(&target.location, &target.key)
    }

    fn origin(&mut self, location: &Location, key: &Key) -> DraftOrigin {
        if let Location::StdinLine(line) = location {
            return DraftOrigin::StdinLine(u32::try_from(*line).unwrap_or(u32::MAX));
        }
        let index = self.locations.len();
        self.locations.push((location.clone(), key.clone()));
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
    /// When there are too many targets, two have the same id, or the deadline is over. In the
    /// configuration, only the second of two targets with the same id is an error, and it is not
    /// listed.
    pub fn finish(mut self) -> Result<FinishedList, SettingsError> {
        self.drop_repeats();
        self.check_max()?;
        self.check_deadline()?;
        let (mut plans, duplicates) = assign_ids(std::mem::take(&mut self.drafts));
        for duplicate in duplicates {
            let (has_error, origin) = (duplicate.has_error, duplicate.origin);
            let (location, key) = self.location(origin);
            let error = SettingsError::at(&location, &key, duplicate);
            if !error.is_in_configuration() {
                return Err(error);
            }
            self.rows = Rows::Incomplete;
            if !has_error {
                self.invalid.add(error);
            }
        }
        let has_unclear_id = plans.iter().any(|plan| self.has_unclear_id(plan));
        if has_unclear_id {
            self.rows = Rows::Incomplete;
        }
        (0..)
            .zip(&mut plans)
            .for_each(|(index, plan)| plan.index = index);
        Ok(FinishedList {
            plans,
            duplicates: self.duplicates,
            invalid: self.invalid,
            rows: self.rows,
        })
    }

    fn location(&self, origin: DraftOrigin) -> (Location, Key) {
        match origin {
            DraftOrigin::StdinLine(line) => (Location::StdinLine(line as usize), Key::NONE),
            DraftOrigin::Other(index) => self
                .locations
                .get(index as usize)
                .cloned()
                .unwrap_or((Location::CommandLine, Key::NONE)),
        }
    }

    /// Whether the id contains a service that does not exist: it distinguishes the services of one
    /// port, and another service was meant.
    fn has_unclear_id(&self, plan: &Plan) -> bool {
        let service = plan.spec.service.as_deref();
        let Some(service) = service.filter(|_| plan.error().is_some()) else {
            return false;
        };
        plan.id().ends_with(&format!(".{service}")) && !self.specs.is_known(service)
    }
}

fn without_port(target: &TargetSpec) -> SettingsError {
    let host = target.hosts.first();
    target.error(format!(
        "no port for `{host}`: write `HOST:PORT` or `HOST PORT`, or use a service with a default port"
    ))
}
