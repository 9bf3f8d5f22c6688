//! The settings of `batch`: many targets, few methods.

pub mod unique;

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use super::{Mistake, ResolverChoice, Transcript};
use crate::output::wanted::Wanted;
use crate::plan::Plan;

/// Everything a `batch` needs.
#[derive(Debug)]
pub struct Fleet {
    /// The probes in input order; a plan's number is its index, and its label has an id where that is not `host:port`.
    pub plans: Vec<Arc<Plan>>,
    /// How many targets stood there again and are one entry.
    pub duplicates: usize,
    /// What was left out because it was wrong, where the caller said to keep going.
    pub invalid: Invalid,
    /// What is printed.
    pub wanted: Wanted,
    /// What the run may use.
    pub bounds: Bounds,
    /// What the order of starts is made from.
    pub seed: u64,
    /// How names are resolved.
    pub resolver: ResolverChoice,
    /// Whether the choices made are explained.
    pub transcript: Transcript,
}

/// Entries that are no targets.
#[derive(Debug, Default)]
pub struct Invalid {
    /// How many there were.
    pub count: usize,
    /// What was wrong with the first of them, at most [`Invalid::KEPT`].
    pub first: Vec<Mistake>,
}

impl Invalid {
    /// How many mistakes are kept to be shown.
    pub const KEPT: usize = 20;
}

/// What a run may use; what is `None` is the program's to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Probes in flight at once.
    pub concurrency: Option<NonZeroUsize>,
    /// Connects started in a second; no limit where it is absent.
    pub rate: Option<NonZeroU32>,
    /// Probes in flight at once to one resolved address; no limit where it is absent.
    pub per_host: Option<NonZeroUsize>,
    /// Threads that probe.
    pub threads: Option<NonZeroUsize>,
    /// The time of the whole run, reading the targets included.
    pub deadline: Duration,
}
