//! A user of this machine, and what the modes of files allow them.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::os::errno::os_error_text;
use crate::os::files;

/// The longest list of users or groups that is read, in bytes.
const MAX_FILE: u64 = 16 << 20;

/// A user from passwd(5) and group(5).
#[derive(Debug)]
pub struct Account {
    /// The name.
    pub name: String,
    user: u32,
    groups: Vec<u32>,
}

/// What is done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Its content is read.
    Read,
    /// It is run as a program.
    Execute,
}

impl Access {
    /// The bit of a mode, for others.
    fn bit(self) -> u32 {
        match self {
            Self::Read => 4,
            Self::Execute => 1,
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Execute => "execute",
        })
    }
}

impl Account {
    /// The user of this name, if the files of the system have it.
    pub fn of(name: &str) -> Option<Self> {
        let passwd = lines("/etc/passwd");
        let fields: Vec<&str> = passwd
            .iter()
            .map(|line| line.split(':').collect::<Vec<_>>())
            .find(|fields| fields.first() == Some(&name))?;
        let user = fields.get(2)?.parse().ok()?;
        let mut groups = vec![fields.get(3)?.parse().ok()?];
        for line in &lines("/etc/group") {
            let fields: Vec<&str> = line.split(':').collect();
            let is_member = |members: &&str| members.split(',').any(|member| member == name);
            if let (Some(group), true) = (fields.get(2), fields.get(3).is_some_and(is_member)) {
                groups.extend(group.parse::<u32>());
            }
        }
        Some(Self {
            name: name.to_owned(),
            user,
            groups,
        })
    }

    /// Whether the modes of a file and of the directories above it allow this.
    ///
    /// # Errors
    /// What does not, and the remedy.
    pub fn may(&self, path: &Path, access: Access) -> Result<(), String> {
        // A link is judged by the file that it names, and by the directories of both.
        let real = fs::canonicalize(path).map_err(|error| os_error_text(&error))?;
        for directory in path.ancestors().chain(real.ancestors()).skip(1) {
            if directory != real && directory != path && !directory.as_os_str().is_empty() {
                self.may_here(directory, Access::Execute)?;
            }
        }
        self.may_here(&real, access)
    }

    fn may_here(&self, path: &Path, access: Access) -> Result<(), String> {
        let about = fs::metadata(path)
            .map_err(|error| format!("{}: {}", path.display(), os_error_text(&error)))?;
        let shift = if about.uid() == self.user {
            6
        } else if self.groups.contains(&about.gid()) {
            3
        } else {
            0
        };
        let is_allowed = about.mode() & (access.bit() << shift) != 0;
        if is_allowed || (self.user == 0 && access == Access::Read) {
            return Ok(());
        }
        let letter = match access {
            Access::Read => 'r',
            Access::Execute => 'x',
        };
        let shown = path.display();
        Err(match shift {
            6 => format!("chmod u+{letter} {shown}"),
            3 => format!("chmod g+{letter} {shown}"),
            _ => format!("chgrp {0} {shown} && chmod g+{letter} {shown}", self.name),
        })
    }
}

fn lines(file: &str) -> Vec<String> {
    let content = files::read_optional(Path::new(file), MAX_FILE);
    let text = String::from_utf8_lossy(&content.bytes).into_owned();
    text.lines().map(str::to_owned).collect()
}
