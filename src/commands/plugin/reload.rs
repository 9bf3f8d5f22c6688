//! The configuration and the policy of the plugin, which runs for months: both are read again when
//! their files change.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;

use crate::commands::plugin::agent::AgentWriter;
use crate::commands::plugin::keys::CheckKey;
use crate::os::files::FileVersion;
use crate::output::Format;
use crate::plugin::message::LogSeverity;
use crate::policy::PATH;
use crate::policy::Policy;
use crate::settings;
use crate::settings::config::{ConfigParts, Configuration};
use crate::settings::{Check, Key, Location, SettingsError, options};

/// The minimum time between two checks of the files.
const INTERVAL: Duration = Duration::from_secs(1);

/// The maximum number of cached plans. An agent usually has one check for each port of its host. If
/// there are more, plans are made again.
const MAX_KEPT: usize = 10_000;

/// How long a plan is kept: the index of a network interface in it may change.
const MAX_AGE: Duration = Duration::from_secs(60);

/// The longest parameters of a plan that is kept, in bytes. Item keys have at most 2048 characters.
const MAX_KEPT_LENGTH: usize = 8192;

/// The files that something is read from, each with its state: `None` if there is no file.
type Versions = Vec<(PathBuf, Option<FileVersion>)>;

/// The settings in force.
#[derive(Debug)]
pub struct Reloading {
    agent: AgentWriter,
    file: Option<String>,
    looked: Option<Instant>,
    /// Defaults and services.
    services: Loaded<Arc<Configuration>>,
    /// These and the targets; read when a key needs targets.
    targets: Loaded<Arc<Configuration>>,
    policy: Loaded<Arc<Policy>>,
    /// The plans of the configuration in force, by their key and deadline.
    kept: HashMap<(CheckKey, Duration), (Instant, Arc<Check>), RandomState>,
}

/// Something that was read from files.
#[derive(Debug)]
struct Loaded<T> {
    /// The last version without an error. If there is none, the last error; `None` if nothing was
    /// read yet.
    value: Option<Result<T, String>>,
    /// The error of the version that was read last, if it is not in force.
    refused: Option<String>,
    /// The files that were read last.
    read: Versions,
    /// The files at the last check.
    seen: Versions,
}

/// The result of a check of the files.
#[derive(Debug, PartialEq, Eq)]
enum Look {
    /// There is nothing to read, or not yet.
    Unchanged,
    /// They were read, and what was read is in force.
    Replaced,
    /// They were read, and what was read before stays in force, because of this error.
    Kept(String),
}

impl<T> Loaded<T> {
    /// Nothing was read yet.
    fn empty() -> Self {
        Self {
            value: None,
            refused: None,
            read: Vec::new(),
            seen: Vec::new(),
        }
    }

    /// Reads the files if they have changed. A changed version is read only if it is the same as at
    /// the previous check, because an editor may still be writing it.
    fn look(&mut self, versions: Versions, read: impl FnOnce() -> Result<T, String>) -> Look {
        let is_changed = versions != self.read;
        let is_settled = versions == self.seen;
        self.seen.clone_from(&versions);
        match &self.value {
            Some(_) if !(is_changed && is_settled) => return Look::Unchanged,
            _ => self.read = versions,
        }
        match (read(), &self.value) {
            (Err(error), Some(Ok(_))) => {
                self.refused = Some(error.clone());
                Look::Kept(error)
            }
            (read, _) => {
                self.refused = None;
                self.value = Some(read);
                Look::Replaced
            }
        }
    }

    /// What is in force.
    fn value(&self) -> Result<&T, String> {
        match &self.value {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err(error.clone()),
            None => Err("nothing was read".to_owned()),
        }
    }
}

impl Reloading {
    /// Settings that are read when they are first needed.
    pub fn new(agent: AgentWriter) -> Self {
        Self {
            agent,
            file: None,
            looked: None,
            services: Loaded::empty(),
            targets: Loaded::empty(),
            policy: Loaded::empty(),
            kept: HashMap::default(),
        }
    }

    /// Uses this configuration file, or the default ones.
    pub fn use_file(&mut self, file: Option<String>) {
        *self = Self {
            file,
            ..Self::new(self.agent.clone())
        };
    }

    /// The policy in force.
    pub fn policy(&mut self) -> Arc<Policy> {
        self.look();
        match self.policy.value() {
            Ok(policy) => Arc::clone(policy),
            // Not reached: a first policy with an error is one that denies everything.
            Err(_) => Arc::new(Policy::deny_all()),
        }
    }

    /// The defaults and services in force.
    ///
    /// # Errors
    /// A configuration error, as the command line reports it.
    pub fn services(&mut self) -> Result<Arc<Configuration>, String> {
        self.look();
        self.services.value().map(Arc::clone)
    }

    /// These and the targets in force.
    ///
    /// # Errors
    /// A configuration error, as the command line reports it.
    pub fn targets(&mut self) -> Result<Arc<Configuration>, String> {
        self.look();
        if self.targets.value.is_none() {
            let found = versions(Configuration::files(self.file.as_deref()));
            self.look_at_targets(found);
        }
        self.targets.value().map(Arc::clone)
    }

    /// Why the configuration or the policy in force is an earlier one, if it is.
    pub fn refused(&self) -> Option<String> {
        let config = self.services.refused.as_ref();
        let config = config.map(|error| not_used("configuration", error));
        let policy = self.policy.refused.as_ref();
        config.or_else(|| Some(not_used("policy", policy?)))
    }

    /// The check of a key, with a deadline of at most `most`.
    ///
    /// # Errors
    /// A usage or configuration error, as the command line reports it.
    #[allow(clippy::disallowed_methods)]
    pub fn check(&mut self, key: CheckKey, most: Duration) -> Result<Arc<Check>, SettingsError> {
        self.look();
        let now = Instant::now();
        let name = (key, most);
        match self.kept.get(&name) {
            Some((made, check)) if now.duration_since(*made) < MAX_AGE => {
                return Ok(Arc::clone(check));
            }
            _ => {}
        }
        let config = self.services.value();
        let config =
            config.map_err(|text| SettingsError::at(&Location::Configuration, &Key::NONE, text))?;
        let check = make(config, &name.0, most)?;
        let check = Arc::new(check);
        if self.kept.len() >= MAX_KEPT {
            self.kept.clear();
        }
        if name.0.length() <= MAX_KEPT_LENGTH {
            self.kept.insert(name, (now, Arc::clone(&check)));
        }
        Ok(check)
    }

    /// Reads the files that have changed, once a second at most.
    #[allow(clippy::disallowed_methods)]
    fn look(&mut self) {
        let now = Instant::now();
        if self
            .looked
            .is_some_and(|looked| now.duration_since(looked) < INTERVAL)
        {
            return;
        }
        self.looked = Some(now);
        let file = self.file.as_deref();
        let found = versions(Configuration::files(file));
        let parts = first_parts(&self.services, ConfigParts::Services);
        let look = self.services.look(found.clone(), || load(file, parts));
        if look != Look::Unchanged {
            self.kept.clear();
        }
        self.log_kept("configuration", look);
        if self.targets.value.is_some() {
            self.look_at_targets(found);
        }
        let is_first = self.policy.value.is_none();
        let found = versions(vec![PathBuf::from(PATH)]);
        let look = self.policy.look(found, || {
            let policy = Policy::system();
            // If there is no earlier policy, an invalid policy denies everything, with the error as
            // the reason.
            match policy.error().filter(|_| !is_first) {
                Some(error) => Err(error.to_owned()),
                None => Ok(Arc::new(policy)),
            }
        });
        self.log_kept("policy", look);
    }

    fn look_at_targets(&mut self, found: Versions) {
        let file = self.file.as_deref();
        let parts = first_parts(&self.targets, ConfigParts::Targets);
        // The services are read from the same files, so an error has been logged.
        self.targets.look(found, || load(file, parts));
    }

    fn log_kept(&self, what: &str, look: Look) {
        if let Look::Kept(error) = look {
            self.agent.log(LogSeverity::Error, &not_used(what, &error));
        }
    }
}

fn not_used(what: &str, error: &str) -> String {
    format!("the new {what} is not used, because of an error: {error}")
}

/// What is read. The first version is read in the parts that are needed, so that an error affects
/// only the keys that use its part; a new version is validated as a whole.
fn first_parts<T>(loaded: &Loaded<T>, needed: ConfigParts) -> ConfigParts {
    match &loaded.value {
        Some(Ok(_)) => ConfigParts::Validated,
        Some(Err(_)) | None => needed,
    }
}

fn load(file: Option<&str>, parts: ConfigParts) -> Result<Arc<Configuration>, String> {
    let read = match parts {
        ConfigParts::Validated => {
            let mut config = Configuration::validated(file);
            let first = config.errors.drain(..).next();
            first.map_or(Ok(config), Err)
        }
        ConfigParts::Services | ConfigParts::Targets => Configuration::load(file, parts),
    };
    read.map(Arc::new).map_err(|error| error.to_string())
}

/// The check of a key: that of `zbx-tcp check` with the same arguments.
fn make(config: &Configuration, key: &CheckKey, most: Duration) -> Result<Check, SettingsError> {
    let default = Format::parse("up").map_err(SettingsError::new)?;
    let mut request = options::check(&key.arguments(None), default)?;
    // Without a timeout, the deadline of the probe is that of the agent.
    let asked = request.probe.overrides.timeout.or(config.defaults.timeout);
    request.probe.overrides.timeout = Some(asked.unwrap_or(most).min(most));
    settings::check(request, config)
}

fn versions(files: Vec<PathBuf>) -> Versions {
    let with_version = |path: PathBuf| {
        let version = FileVersion::of_path(&path);
        (path, version)
    };
    files.into_iter().map(with_version).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(number: u64) -> Versions {
        vec![(PathBuf::from(format!("/{number}")), None)]
    }

    #[test]
    fn a_changed_file_is_read_when_it_no_longer_changes() {
        let mut loaded = Loaded::empty();
        assert_eq!(loaded.look(version(1), || Ok(1)), Look::Replaced);
        let unread = || panic!("read");
        assert_eq!(loaded.look(version(1), unread), Look::Unchanged);
        assert_eq!(loaded.look(version(2), unread), Look::Unchanged);
        assert_eq!(loaded.look(version(3), unread), Look::Unchanged);
        assert_eq!(loaded.look(version(3), || Ok(3)), Look::Replaced);
        assert_eq!(loaded.look(version(3), unread), Look::Unchanged);
        assert_eq!(loaded.value(), Ok(&3));
    }

    #[test]
    fn an_error_keeps_the_last_version_without_one() {
        let mut loaded = Loaded::empty();
        let broken = || Err("broken".to_owned());
        assert_eq!(loaded.look(version(1), broken), Look::Replaced);
        assert_eq!(loaded.value(), Err("broken".to_owned()));
        for look in [Look::Unchanged, Look::Replaced] {
            assert_eq!(loaded.look(version(2), || Ok(2)), look);
        }
        for look in [Look::Unchanged, Look::Kept("broken".into())] {
            assert_eq!(loaded.look(version(3), broken), look);
        }
        // The error is reported once.
        assert_eq!(loaded.refused.as_deref(), Some("broken"));
        let look = loaded.look(version(3), || panic!("read"));
        assert_eq!((look, loaded.value()), (Look::Unchanged, Ok(&2)));
    }
}
