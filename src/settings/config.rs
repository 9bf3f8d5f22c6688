//! The configuration: `/etc/zbx-tcp/config.toml` and `conf.d/*.toml`, or one file that was named.

mod file;
mod options;
mod service;
mod table;
mod target;
mod value;

use std::io;
use std::path::{Path, PathBuf};

use crate::address::cidr;
use crate::os::errno::os_error_text;
use crate::os::files;
use crate::os::files::Refusal;
use crate::settings::config::file::Privacy;
use crate::settings::config::table::{Diagnostics, Field, TableReader};
use crate::settings::config::value::{ConfigValue, toml_member};
use crate::settings::error::{Key, Location, SettingsError};
use crate::settings::overrides::Overrides;
use crate::settings::target_spec::{TargetSpec, expand};
pub use service::Service;

/// The main file, unless another one is named.
const MAIN: &str = "/etc/zbx-tcp/config.toml";
/// The directory of further files. They are read after the main file in the order of their names;
/// the last default wins.
const DIRECTORY: &str = "/etc/zbx-tcp/conf.d";
/// The environment variable that names another file.
const ENVIRONMENT: &str = "ZBX_TCP_CONFIG";
/// The largest file that is read.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// The content of the configuration files.
#[derive(Debug, Default)]
pub struct Configuration {
    /// The options of every probe that has no others.
    pub defaults: Overrides,
    /// The users' own services.
    pub services: Vec<Service>,
    /// The targets of batches.
    pub targets: Vec<TargetSpec>,
    /// Every error in the files.
    pub errors: Vec<SettingsError>,
}

/// Whether a file configures anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// It has keys.
    Some,
    /// It has none: it is empty, or all of it is comments.
    None,
}

impl Configuration {
    /// Reads the file that the option or the environment names, else the default files.
    ///
    /// # Errors
    /// The first error in it; `services --check` shows all.
    pub fn load(option: Option<&str>) -> Result<Self, SettingsError> {
        let mut config = Self::read(option);
        match std::mem::take(&mut config.errors) {
            errors if errors.is_empty() => Ok(config),
            errors => Err(SettingsError::first(errors)),
        }
    }

    /// The same, with all errors in [`errors`](Self::errors). A missing default file is not an
    /// error.
    pub fn read(option: Option<&str>) -> Self {
        let mut config = Self::default();
        if let Some(path) = named(option) {
            config.read_named_file(Path::new(&path));
        } else {
            if files::is_absent(Path::new(MAIN)) != Ok(true) {
                config.read_default_file(Path::new(MAIN));
            }
            match directory_files() {
                Ok(paths) => paths.iter().for_each(|path| config.read_default_file(path)),
                Err(error) => {
                    config.file_error(Path::new(DIRECTORY), &os_error_text(&error));
                }
            }
        }
        config
    }

    /// Reads a text as if it were a file of this name.
    pub fn from_text(file: &str, text: &str) -> Self {
        let mut config = Self::default();
        config.read_text(file, text, Privacy::Private);
        config
    }

    /// Reads one of the files with a fixed path.
    fn read_default_file(&mut self, path: &Path) {
        if let Err(why) = self.read_file(path) {
            self.file_error(path, &why.to_string());
        }
    }

    /// Reads a file whose path the caller chose. The caller, who may only be allowed to write item
    /// keys, must not learn from an error whether there is such a file or what it contains: errors
    /// are described only if the name says that it is a file of this kind.
    fn read_named_file(&mut self, path: &Path) {
        let before = self.errors.len();
        let is_described = path.extension().is_some_and(|name| name == "toml");
        match self.read_file(path) {
            Ok(Content::Some) if self.errors.len() == before => {}
            Ok(_) if is_described => {}
            Err(why @ Refusal::TooLarge(_)) if is_described => {
                self.file_error(path, &why.to_string());
            }
            Err(_) if is_described => self.file_error(path, Refusal::SENTENCE),
            Ok(_) | Err(_) => {
                self.errors.truncate(before);
                let sentence = Refusal::SENTENCE;
                let why = format!("{sentence}; errors in it are shown if its name ends in `.toml`");
                self.file_error(path, &why);
            }
        }
    }

    fn read_file(&mut self, path: &Path) -> Result<Content, Refusal> {
        let (bytes, privacy) = file::read(path, MAX_FILE_BYTES)?;
        Ok(match String::from_utf8(bytes) {
            Ok(text) => self.read_text(&path.display().to_string(), &text, privacy),
            Err(_) => {
                self.file_error(path, "is not UTF-8 text");
                Content::None
            }
        })
    }

    fn file_error(&mut self, path: &Path, why: &str) {
        let location = Location::File(path.to_string_lossy().into());
        self.errors
            .push(SettingsError::at(&location, &Key::NONE, why));
    }

    fn read_text(&mut self, file: &str, text: &str, privacy: Privacy) -> Content {
        let mut diagnostics = Diagnostics::of_file(file, text);
        let parsed = diagnostics.parse_toml();
        let members = parsed.iter().map(toml_member).collect();
        let mut table = TableReader::new(Key::NONE, 0, members);
        if let Some(field) = table.take("defaults") {
            self.read_defaults(&mut diagnostics, &field);
        }
        if let Some(field) = table.take("services") {
            self.read_services(&mut diagnostics, &field, privacy);
        }
        for field in table.list("targets") {
            self.read_target(&mut diagnostics, &field);
        }
        table.finish(&mut diagnostics);
        self.errors.append(&mut diagnostics.errors);
        if parsed.is_empty() {
            Content::None
        } else {
            Content::Some
        }
    }

    fn read_defaults(&mut self, diagnostics: &mut Diagnostics<'_>, field: &Field<'_>) {
        if let Some(mut table) = TableReader::of(diagnostics, field) {
            let defaults = options::overrides(diagnostics, &mut table);
            table.finish(diagnostics);
            self.defaults = defaults.or(std::mem::take(&mut self.defaults));
        }
    }

    fn read_services(
        &mut self,
        diagnostics: &mut Diagnostics<'_>,
        field: &Field<'_>,
        privacy: Privacy,
    ) {
        for service in service::services(diagnostics, field, privacy) {
            if self.services.iter().any(|known| known.name == service.name) {
                let field = Field {
                    key: field.key.member(&service.name),
                    ..field.clone()
                };
                diagnostics.error(&field, "is defined in two files");
            } else {
                self.services.push(service);
            }
        }
    }

    fn read_target(&mut self, diagnostics: &mut Diagnostics<'_>, field: &Field<'_>) {
        let hosts = |text: &str| cidr::hosts(text, cidr::MAX_HOSTS);
        let Some(target) = target::target(diagnostics, field, hosts) else {
            return;
        };
        if target.ports.is_empty() && target.service.is_none() {
            let error = target.error("a target needs a `port`, or a `service` that has one");
            diagnostics.errors.push(error);
        } else {
            self.targets.push(target);
        }
    }
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
/// by the same code. Its networks may have at most `max` hosts.
///
/// # Errors
/// The first error in it.
pub fn json_target(
    line: usize,
    object: &serde_json::Value,
    max: usize,
) -> Result<TargetSpec, SettingsError> {
    let mut diagnostics = Diagnostics::of_stdin_line(line);
    let field = Field {
        key: Key::NONE,
        value: ConfigValue::Json(object),
    };
    let hosts = |text: &str| expand(text, max);
    target::target(&mut diagnostics, &field, hosts)
        .ok_or_else(|| SettingsError::first(diagnostics.errors))
}
