//! The configuration: `/etc/zbx-tcp/config.toml` and `conf.d/*.toml`, or one file that was named.

mod defaults;
mod file;
mod options;
mod service;
mod table;
mod target;
mod tls;
mod value;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::address::Port;
use crate::address::cidr;
use crate::address::host_list::HostList;
use crate::os::errno::os_error_text;
use crate::os::files;
use crate::os::files::Refusal;
use crate::settings::config::file::Privacy;
use crate::settings::config::table::{Diagnostics, Field, TableReader};
use crate::settings::config::target::RejectedTarget;
use crate::settings::config::value::{ConfigValue, toml_member};
use crate::settings::dialogue::dialogue;
use crate::settings::error::{Key, Location, SettingsError};
use crate::settings::overrides::Overrides;
use crate::settings::target_spec::{TargetLimit, TargetSpec};
pub use defaults::MAX_TARGETS;
pub use service::Service;
pub use target::KnownTarget;

/// The main file, unless another one is named.
const MAIN: &str = "/etc/zbx-tcp/config.toml";
/// The directory of further files. They are read after the main file in the order of their names;
/// the last default wins.
const DIRECTORY: &str = "/etc/zbx-tcp/conf.d";
/// The environment variable that names another file.
const ENVIRONMENT: &str = "ZBX_TCP_CONFIG";
/// The most targets of a batch, unless the configuration raises it; a longer list is more likely a
/// typing error.
const DEFAULT_MAX_TARGETS: usize = 65_536;
/// The most ports that the targets of the configuration may have together. Hosts are only counted.
const MAX_PORTS: usize = 1 << 20;
/// The largest file that is read.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// The content of the configuration files. An error affects only those who use the part that
/// contains it: an error in a service affects checks with that service, and an error in a target
/// affects lists of targets.
#[derive(Debug, Default)]
pub struct Configuration {
    /// The options of every probe that has no others.
    pub defaults: Overrides,
    /// The users' own services by their names, or the first error of each.
    pub services: BTreeMap<String, Result<Service, SettingsError>>,
    /// The ports of services with an error that is elsewhere. The ids of targets depend on them.
    pub ports_of_invalid: BTreeMap<String, Port>,
    /// The targets of batches.
    pub targets: Vec<Result<TargetSpec, InvalidTarget>>,
    /// The maximum number of targets of a batch. An item key cannot raise it.
    pub max_targets: Option<usize>,
    /// The output of a batch is shorter than this number of bytes.
    pub max_output: Option<u64>,
    /// The ports of all targets together.
    ports: usize,
    /// Every error in the files, those of services and targets too.
    pub errors: Vec<SettingsError>,
    /// The first error that affects every command: in a file as a whole, or in the defaults.
    pub fatal: Option<SettingsError>,
}

/// A target of the configuration with an error.
#[derive(Debug)]
pub struct InvalidTarget {
    /// The first error in it.
    pub error: SettingsError,
    /// Its groups; `None` if the error may be in them.
    pub groups: Option<Vec<String>>,
    /// Its content; `None` if the error hides which ids the target has.
    pub known: Option<Box<KnownTarget>>,
}

/// The parts of the configuration that a command uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigParts {
    /// Defaults and services.
    Services,
    /// These, and the targets.
    Targets,
    /// The same, and all errors in services. Otherwise the patterns and references of a service are
    /// compiled when it is used, since there may be thousands of services.
    Validated,
}

/// Whether a file configures anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileContent {
    /// It has keys.
    Some,
    /// It has none: it is empty, or all of it is comments.
    None,
}

impl Configuration {
    /// Reads the file that the option or the environment names, else the default files.
    ///
    /// # Errors
    /// The first error that affects every command; `services --check` shows all errors.
    pub fn load(option: Option<&str>, parts: ConfigParts) -> Result<Self, SettingsError> {
        let mut config = Self::read(option, parts);
        match config.fatal.take() {
            Some(error) => Err(error),
            None => Ok(config),
        }
    }

    /// The files that [`load`](Self::load) would read now.
    pub fn files(option: Option<&str>) -> Vec<PathBuf> {
        match named(option) {
            Some(path) => vec![path.into()],
            None => [MAIN, DIRECTORY]
                .map(PathBuf::from)
                .into_iter()
                .chain(directory_files().unwrap_or_default())
                .collect(),
        }
    }

    /// The same for `services --check`, with all errors in [`errors`](Self::errors).
    pub fn validated(option: Option<&str>) -> Self {
        Self::read(option, ConfigParts::Validated)
    }

    /// A missing default file is not an error.
    fn read(option: Option<&str>, parts: ConfigParts) -> Self {
        let mut config = Self::default();
        if let Some(path) = named(option) {
            config.read_named_file(Path::new(&path), parts);
        } else {
            if files::is_absent(Path::new(MAIN)) != Ok(true) {
                config.read_default_file(Path::new(MAIN), parts);
            }
            match directory_files() {
                Ok(paths) => paths
                    .iter()
                    .for_each(|path| config.read_default_file(path, parts)),
                Err(error) => {
                    config.file_error(Path::new(DIRECTORY), &os_error_text(&error));
                }
            }
        }
        config
    }

    /// The most targets of a run for which this number was asked.
    ///
    /// # Errors
    /// It is more than the configuration allows.
    pub fn target_limit(&self, asked: Option<usize>) -> Result<TargetLimit, SettingsError> {
        const REMEDY: &str = "raise max_targets under [defaults] of the configuration";
        let allowed = self.max_targets.unwrap_or(DEFAULT_MAX_TARGETS);
        match asked {
            Some(asked) if asked > allowed.max(DEFAULT_MAX_TARGETS) => {
                let allowed = allowed.max(DEFAULT_MAX_TARGETS);
                let why = format!("{asked} is more than the limit of {allowed}: {REMEDY}");
                Err(SettingsError::in_option("--max-targets", why))
            }
            Some(max) => Ok(TargetLimit {
                max,
                remedy: "raise --max-targets",
            }),
            None => Ok(TargetLimit {
                max: allowed,
                remedy: REMEDY,
            }),
        }
    }

    /// Reads a text as if it were a file of this name.
    pub fn from_text(file: &str, text: &str) -> Self {
        let mut config = Self::default();
        config.read_text(file, text, Privacy::Private, ConfigParts::Targets);
        config
    }

    /// Reads one of the files with a fixed path.
    fn read_default_file(&mut self, path: &Path, parts: ConfigParts) {
        if let Err(why) = self.read_file(path, parts) {
            self.file_error(path, &why.to_string());
        }
    }

    /// Reads a file whose path the caller chose. The caller, who may only be allowed to write item
    /// keys, must not learn from an error whether there is such a file or what it contains. Errors
    /// are described only if the name says that it is a file of this kind, and if everybody may
    /// read it or it belongs to the user of this process.
    fn read_named_file(&mut self, path: &Path, parts: ConfigParts) {
        let is_named = path.extension().is_some_and(|name| name == "toml");
        let is_described = || is_named && files::is_public_or_own(path).unwrap_or(false);
        match self.read_file(path, parts) {
            Ok(FileContent::Some) if self.errors.is_empty() => {}
            Ok(_) if is_described() => {}
            // It configures something, and other services and targets can be used.
            Ok(FileContent::Some) if is_named && self.fatal.is_none() => self.conceal_errors(path),
            Err(why @ Refusal::TooLarge(_)) if is_described() => {
                self.file_error(path, &why.to_string());
            }
            Ok(_) | Err(_) => {
                self.errors.clear();
                self.fatal = None;
                let sentence = Refusal::SENTENCE;
                let shown_if = if is_named {
                    "everybody may read it or its owner runs zbx-tcp"
                } else {
                    "its name ends in `.toml`"
                };
                let why = format!("{sentence}; errors in a file are shown only if {shown_if}");
                self.file_error(path, &why);
            }
        }
    }

    /// Replaces the errors of services and targets by one that does not describe them.
    fn conceal_errors(&mut self, path: &Path) {
        let why = "this service or target has an error: `services --check` shows it to the owner of the file";
        let location = Location::File(path.to_string_lossy().into());
        let concealed = SettingsError::at(&location, &Key::NONE, why);
        let services = self.services.values_mut();
        let services = services.filter_map(|service| service.as_mut().err());
        let targets = self.targets.iter_mut();
        let targets = targets.filter_map(|target| Some(&mut target.as_mut().err()?.error));
        for error in services.chain(targets) {
            *error = concealed.clone();
        }
        self.errors = vec![concealed];
    }

    fn read_file(&mut self, path: &Path, parts: ConfigParts) -> Result<FileContent, Refusal> {
        let (bytes, privacy) = file::read(path, MAX_FILE_BYTES)?;
        let Ok(text) = String::from_utf8(bytes) else {
            self.file_error(path, "is not UTF-8 text");
            return Ok(FileContent::None);
        };
        Ok(self.read_text(&path.display().to_string(), &text, privacy, parts))
    }

    fn file_error(&mut self, path: &Path, why: &str) {
        let location = Location::File(path.to_string_lossy().into());
        let error = SettingsError::at(&location, &Key::NONE, why);
        self.add_fatal(vec![error]);
    }

    /// Adds errors that affect every command.
    fn add_fatal(&mut self, errors: Vec<SettingsError>) {
        if self.fatal.is_none() {
            self.fatal = errors.first().cloned();
        }
        self.errors.extend(errors);
    }

    fn read_text(
        &mut self,
        file: &str,
        text: &str,
        privacy: Privacy,
        parts: ConfigParts,
    ) -> FileContent {
        let mut diagnostics = Diagnostics::of_file(file, text);
        let parsed = diagnostics.parse_toml();
        self.add_fatal(diagnostics.take_errors());
        let members = parsed.iter().map(toml_member).collect();
        let mut table = TableReader::new(Key::NONE, 0, members);
        if let Some(field) = table.take("defaults") {
            self.read_defaults(&mut diagnostics, &field);
        }
        if let Some(field) = table.take("services") {
            self.read_services(&mut diagnostics, &field, privacy, parts);
        }
        let targets = table.list("targets");
        if parts != ConfigParts::Services {
            for field in targets {
                if self.ports > MAX_PORTS {
                    break;
                }
                self.read_target(&mut diagnostics, &field);
            }
        }
        table.finish(&mut diagnostics);
        self.add_fatal(diagnostics.take_errors());
        if parsed.is_empty() {
            FileContent::None
        } else {
            FileContent::Some
        }
    }

    fn read_defaults(&mut self, diagnostics: &mut Diagnostics<'_>, field: &Field<'_>) {
        let read = defaults::defaults(diagnostics, field);
        self.max_targets = read.max_targets.or(self.max_targets);
        self.max_output = read.max_output.or(self.max_output);
        self.defaults = read.overrides.or(std::mem::take(&mut self.defaults));
        self.add_fatal(diagnostics.take_errors());
    }

    fn read_services(
        &mut self,
        diagnostics: &mut Diagnostics<'_>,
        field: &Field<'_>,
        privacy: Privacy,
        parts: ConfigParts,
    ) {
        let Some(mut table) = TableReader::of(diagnostics, field) else {
            self.add_fatal(diagnostics.take_errors());
            return;
        };
        for (name, field) in table.take_all() {
            let service = service::service(diagnostics, name, &field, privacy);
            if let (Some(service), ConfigParts::Validated) = (&service, parts) {
                let errors = dialogue(&service.overrides, None).err();
                diagnostics.errors.extend(errors.into_iter().flatten());
            }
            let is_repeated = self.services.contains_key(name);
            if is_repeated {
                diagnostics.error(&field, "is defined in two files");
            }
            let errors = diagnostics.take_errors();
            match (errors.first(), service) {
                (Some(error), service) => {
                    self.ports_of_invalid.remove(name);
                    let port = service.and_then(|service| service.overrides.port);
                    if let (Some(port), true, false) =
                        (port, has_port(&field, &errors), is_repeated)
                    {
                        self.ports_of_invalid.insert(name.to_owned(), port);
                    }
                    self.services.insert(name.to_owned(), Err(error.clone()));
                }
                (None, Some(service)) => {
                    self.services.insert(name.to_owned(), Ok(service));
                }
                // A service that is not read has an error.
                (None, None) => {}
            }
            self.errors.extend(errors);
        }
    }

    fn read_target(&mut self, diagnostics: &mut Diagnostics<'_>, field: &Field<'_>) {
        let hosts = |text: &str| HostList::parse(text, cidr::MAX_HOSTS);
        let target = target::target(diagnostics, field, hosts).and_then(|target| {
            self.ports += target.ports.len();
            if self.ports > MAX_PORTS {
                let why = format!(
                    "with this entry, the targets have more than {MAX_PORTS} ports, and no further entry is read: write fewer ports"
                );
                diagnostics.errors.push(target.error(why));
                return Err(RejectedTarget {
                    groups: None,
                    known: None,
                });
            }
            if !target.ports.is_empty() || target.service.is_some() {
                return Ok(target);
            }
            let error = target.error("a target needs a `port`, or a `service` that has one");
            diagnostics.errors.push(error);
            Err(RejectedTarget {
                groups: Some(target.groups.clone()),
                known: target
                    .id
                    .is_some()
                    .then(|| Box::new(KnownTarget::of(&target, None))),
            })
        });
        let errors = diagnostics.take_errors();
        match (target, errors.first()) {
            (Ok(target), _) => self.targets.push(Ok(target)),
            (Err(rejected), Some(error)) => self.targets.push(Err(InvalidTarget {
                error: error.clone(),
                groups: rejected.groups,
                known: rejected.known,
            })),
            // A target that is not read has an error.
            (Err(_), None) => {}
        }
        self.errors.extend(errors);
    }
}

/// Whether a service with these errors gives its port, without an error in it.
fn has_port(service: &Field<'_>, errors: &[SettingsError]) -> bool {
    let members = service.value.members().unwrap_or_default();
    let key = service.key.member("port");
    members.iter().any(|member| member.name == "port")
        && errors.iter().all(|error| error.key != key)
}

/// The file that the option or the environment names.
fn named(option: Option<&str>) -> Option<String> {
    let environment = || {
        // A path that is not UTF-8 becomes one that does not exist, which is an error. Falling back
        // to the default files would not be noticed.
        let path = std::env::var_os(ENVIRONMENT)?
            .to_string_lossy()
            .into_owned();
        (!path.is_empty()).then_some(path)
    };
    option.map(str::to_owned).or_else(environment)
}

/// The files of the directory in the order of their names; none if there is no directory.
fn directory_files() -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(DIRECTORY) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "toml")
    });
    paths.sort();
    Ok(paths)
}

/// Reads a JSON object of a line of standard input: it has the keys of `[[targets]]`, and is read
/// by the same code.
///
/// # Errors
/// The first error in it.
pub fn json_target(
    line: usize,
    object: &serde_json::Value,
    limit: TargetLimit,
) -> Result<TargetSpec, SettingsError> {
    let mut diagnostics = Diagnostics::of_stdin_line(line);
    let field = Field {
        key: Key::NONE,
        value: ConfigValue::Json(object),
    };
    let hosts = |text: &str| limit.expand(text);
    target::target(&mut diagnostics, &field, hosts)
        .map_err(|_| SettingsError::first(diagnostics.errors))
}
