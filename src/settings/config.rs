//! The configuration: `/etc/zbx-tcp/config.toml` and `conf.d/*.toml`, or one file that was named.

mod file;
mod options;
mod service;
mod table;
mod target;

use std::io;
use std::path::{Path, PathBuf};

use crate::os::errno::os_error_text;
use crate::os::files;
use crate::settings::SettingsError;
use crate::settings::config::service::Privacy;
use crate::settings::config::table::{Examined, Table};
use crate::settings::overrides::{Location, Overrides};
pub use service::Service;
pub use target::TargetEntry;

/// Where the configuration is, unless somebody says otherwise.
const MAIN: &str = "/etc/zbx-tcp/config.toml";
/// More files of it, read after it in the order of their names; a default in a later file counts.
const MORE: &str = "/etc/zbx-tcp/conf.d";
/// More than any list of targets that a person writes.
const MOST_BYTES: u64 = 16 << 20;

/// What the files say.
#[derive(Debug, Default)]
pub struct Config {
    /// The options of every check that does not have its own.
    pub defaults: Overrides,
    /// The users' own services.
    pub services: Vec<Service>,
    /// What batches probe.
    pub targets: Vec<TargetEntry>,
    /// Every mistake in the files.
    pub mistakes: Vec<SettingsError>,
}

impl Config {
    /// Reads the file that was named, else the usual ones; a usual one that is absent is no mistake.
    pub fn read(named: Option<&str>) -> Self {
        let mut config = Self::default();
        if let Some(path) = named {
            config.read_file(Path::new(path))
        } else {
            if files::is_absent(Path::new(MAIN)) != Ok(true) {
                config.read_file(Path::new(MAIN));
            }
            match more_files() {
                Ok(paths) => paths.iter().for_each(|path| config.read_file(path)),
                Err(error) => {
                    config.mistakes.push(SettingsError::new(format!(
                        "{MORE}: {}",
                        os_error_text(&error)
                    )));
                }
            }
        }
        config
    }

    /// Reads a text, as if it stood in a file of that name.
    pub fn from_text(file: &str, text: &str) -> Self {
        let mut config = Self::default();
        config.read_text(file, text, Privacy::Private);
        config
    }

    fn read_file(&mut self, path: &Path) {
        match file::read(path, MOST_BYTES) {
            Ok((bytes, privacy)) => match String::from_utf8(bytes) {
                Ok(text) => self.read_text(&path.display().to_string(), &text, privacy),
                Err(_) => self.mistakes.push(SettingsError::new(format!(
                    "{}: is not UTF-8 text",
                    path.display()
                ))),
            },
            Err(why) => self.mistakes.push(SettingsError::new(why)),
        }
    }

    fn read_text(&mut self, file: &str, text: &str, privacy: Privacy) {
        let mut found = Examined::new(file, text);
        let parsed = found.parse();
        let mut table = Table::new("", 0..0, &parsed);
        if let Some(entry) = table.take("defaults") {
            if let Some(mut defaults) = Table::of(&mut found, &entry) {
                let overrides = options::overrides(&mut found, &mut defaults);
                defaults.finish(&mut found);
                self.defaults = overrides.over(std::mem::take(&mut self.defaults));
            }
        }
        if let Some(entry) = table.take("services") {
            for service in service::services(&mut found, &entry, privacy) {
                if self.services.iter().any(|known| known.name == service.name) {
                    found.wrong(
                        &entry.1.span(),
                        &format!("services.{}", service.name),
                        "is defined in two files",
                    );
                } else {
                    self.services.push(service);
                }
            }
        }
        let entries = table.list("targets").unwrap_or_default();
        self.targets.extend(target::targets(&mut found, &entries));
        table.finish(&mut found);
        self.mistakes.append(&mut found.mistakes);
    }
}

/// The options of a target that stands in one line of a list, rewritten as TOML; `known` are its keys that are none.
///
/// # Errors
/// The first mistake in them.
pub fn one_line_options(
    place: &Location,
    text: &str,
    known: &[&'static str],
) -> Result<Overrides, SettingsError> {
    let (file, line) = match place {
        Location::File { file, line, .. } => (&**file, *line),
        Location::Option(_) | Location::Word(_) => ("", 1),
    };
    let mut found = Examined::line(file, line, text);
    let parsed = found.parse();
    let mut table = Table::new("", 0..0, &parsed);
    table.know(known);
    let overrides = options::overrides(&mut found, &mut table);
    table.finish(&mut found);
    match found.mistakes.into_iter().next() {
        Some(mistake) => Err(mistake),
        None => Ok(overrides),
    }
}

/// The files of the usual directory in the order of their names; none where it is absent.
fn more_files() -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(MORE) {
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
