//! The configuration and the policy of a process that runs for months: both are read again when
//! their files change.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::commands::plugin::agent::AgentWriter;
use crate::commands::plugin::keys::CheckKey;
use crate::output::Format;
use crate::plugin::message::LogSeverity;
use crate::policy::PATH;
use crate::policy::Policy;
use crate::settings;
use crate::settings::config::{ConfigParts, Configuration};
use crate::settings::{Check, SettingsError, options};

/// How often the files are looked at, at most.
const INTERVAL: Duration = Duration::from_secs(1);

/// How many plans are kept. An agent has as many checks as its host has ports; with more than this,
/// plans are made again.
const MAX_KEPT: usize = 10_000;

/// How long a plan is kept: the index of a network interface in it may change.
const MAX_AGE: Duration = Duration::from_secs(60);

/// What tells one version of a file from another: none if there is no file.
type Version = Option<(u64, u64, i64, i64, i64, i64)>;

/// The settings in force.
#[derive(Debug)]
pub struct Reloading {
    agent: AgentWriter,
    file: Option<String>,
    looked: Option<Instant>,
    config: Loaded<Arc<Configuration>>,
    policy: Loaded<Arc<Policy>>,
    /// The plans of the configuration in force, by the parameters of their key and the deadline.
    kept: HashMap<(Vec<String>, Duration), (Instant, Arc<Check>)>,
}

/// Something that was read from files.
#[derive(Debug)]
struct Loaded<T> {
    /// The last version without an error.
    value: Result<T, String>,
    versions: Vec<(PathBuf, Version)>,
}

impl<T> Loaded<T> {
    /// Nothing was read yet.
    fn empty() -> Self {
        Self {
            value: Err(String::new()),
            versions: Vec::new(),
        }
    }

    /// Takes what these versions of the files contain. An error in them does not replace a value
    /// that is good; returns it then.
    fn take(
        &mut self,
        versions: Vec<(PathBuf, Version)>,
        read: Result<T, String>,
    ) -> Option<String> {
        self.versions = versions;
        match (read, &self.value) {
            (Err(error), Ok(_)) => Some(error),
            (read, _) => {
                self.value = read;
                None
            }
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
            config: Loaded::empty(),
            policy: Loaded::empty(),
            kept: HashMap::new(),
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
        match &self.policy.value {
            Ok(policy) => Arc::clone(policy),
            // Not reached: a policy that cannot be read is one that denies everything.
            Err(_) => Arc::new(Policy::deny_all()),
        }
    }

    /// The check of a key, with a deadline of at most `most`.
    ///
    /// # Errors
    /// A usage or configuration error, as the command line reports it.
    #[allow(clippy::disallowed_methods)]
    pub fn check(
        &mut self,
        parameters: &[String],
        key: &CheckKey,
        most: Duration,
    ) -> Result<Arc<Check>, String> {
        self.look();
        let now = Instant::now();
        let name = (parameters.to_vec(), most);
        if let Some((made, check)) = self.kept.get(&name)
            && now.duration_since(*made) < MAX_AGE
        {
            return Ok(Arc::clone(check));
        }
        let config = self.config.value.as_ref().map_err(Clone::clone)?;
        let check = Arc::new(make(config, key, most).map_err(|error| error.to_string())?);
        if self.kept.len() >= MAX_KEPT {
            self.kept.clear();
        }
        self.kept.insert(name, (now, Arc::clone(&check)));
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
        let is_first = self.looked.replace(now).is_none();
        let versions = versions(Configuration::files(self.file.as_deref()));
        if is_first || versions != self.config.versions {
            let read = Configuration::load(self.file.as_deref(), ConfigParts::Services);
            let read = read.map(Arc::new).map_err(|error| error.to_string());
            self.kept.clear();
            if let Some(error) = self.config.take(versions, read) {
                self.log_kept("configuration", &error);
            }
        }
        let versions = versions_of_policy();
        if is_first || versions != self.policy.versions {
            let policy = Policy::system();
            let error = policy.error().filter(|_| !is_first).map(str::to_owned);
            let read = error.map_or_else(|| Ok(Arc::new(policy)), Err);
            if let Some(error) = self.policy.take(versions, read) {
                self.log_kept("policy", &error);
            }
        }
    }

    fn log_kept(&self, what: &str, error: &str) {
        let text = format!("the {what} has changed and is not used, because of an error: {error}");
        self.agent.log(LogSeverity::Error, &text);
    }
}

/// The check of a key: that of `zbx-tcp check` with the same arguments.
fn make(config: &Configuration, key: &CheckKey, most: Duration) -> Result<Check, SettingsError> {
    let default = Format::parse("up").map_err(SettingsError::new)?;
    let mut request = options::check(&key.arguments(None), default)?;
    // Without a timeout the probe may take as long as the agent waits.
    let asked = request.probe.overrides.timeout.or(config.defaults.timeout);
    request.probe.overrides.timeout = Some(asked.unwrap_or(most).min(most));
    settings::check(request, config)
}

fn versions_of_policy() -> Vec<(PathBuf, Version)> {
    versions(vec![PathBuf::from(PATH)])
}

fn versions(files: Vec<PathBuf>) -> Vec<(PathBuf, Version)> {
    let with_version = |path: PathBuf| {
        let version = version(&path);
        (path, version)
    };
    files.into_iter().map(with_version).collect()
}

fn version(path: &Path) -> Version {
    let file = std::fs::metadata(path).ok()?;
    Some((
        file.ino(),
        file.size(),
        file.mtime(),
        file.mtime_nsec(),
        file.ctime(),
        file.ctime_nsec(),
    ))
}
