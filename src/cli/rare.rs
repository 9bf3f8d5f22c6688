//! Groups of options that few command lines have. Each option costs a start about 3,000
//! instructions, so a group is built only if an argument may be one of its options.

use std::ffi::OsString;
use std::ops::Deref;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{ArgMatches, Args, Command, FromArgMatches};

/// A group of options that may be omitted.
pub trait RareOptions: Args + Default {
    /// The long names of all options, without `--`. None has a short name.
    const NAMES: &[&str];

    /// Whether the group is omitted. Initially it is not, so that help, completions and errors
    /// contain all options.
    fn omitted() -> &'static AtomicBool;
}

/// The options of the group, at their defaults if the group is omitted.
#[derive(Debug, Default)]
pub struct Rare<T>(pub T);

impl<T> Deref for Rare<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Omits the group if no argument may be one of its options.
pub fn omit_unless_used<T: RareOptions>(words: &[OsString]) {
    let is_used = |word: &OsString| {
        let name = word.as_bytes().strip_prefix(b"--");
        let name = name.and_then(|name| name.split(|byte| *byte == b'=').next());
        name.is_some_and(|name| T::NAMES.iter().any(|known| known.as_bytes() == name))
    };
    let is_used = words.iter().any(is_used);
    T::omitted().store(!is_used, Ordering::Relaxed);
}

/// Includes the group again.
pub fn include<T: RareOptions>() {
    T::omitted().store(false, Ordering::Relaxed);
}

/// Whether the group is omitted.
pub fn is_omitted<T: RareOptions>() -> bool {
    T::omitted().load(Ordering::Relaxed)
}

impl<T: RareOptions> Args for Rare<T> {
    fn augment_args(command: Command) -> Command {
        if is_omitted::<T>() {
            command
        } else {
            T::augment_args(command)
        }
    }

    fn augment_args_for_update(command: Command) -> Command {
        T::augment_args_for_update(command)
    }
}

impl<T: RareOptions> FromArgMatches for Rare<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Self::from_arg_matches_mut(&mut matches.clone())
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, clap::Error> {
        if is_omitted::<T>() {
            Ok(Self::default())
        } else {
            T::from_arg_matches_mut(matches).map(Self)
        }
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::steps::StepArgs;
    use crate::cli::tls::TlsArgs;

    #[track_caller]
    fn names_all<T: RareOptions>() {
        let command = T::augment_args(Command::new("x"));
        let options: Vec<_> = command.get_arguments().collect();
        let names: Vec<_> = options
            .iter()
            .map(|option| option.get_long().unwrap())
            .collect();
        assert_eq!(names, T::NAMES);
        for option in options {
            assert!(option.get_short_and_visible_aliases().is_none());
            assert!(
                option
                    .get_all_aliases()
                    .is_none_or(|aliases| aliases.is_empty())
            );
        }
    }

    #[test]
    fn the_names_are_those_of_the_options() {
        names_all::<TlsArgs>();
        names_all::<StepArgs>();
    }
}
