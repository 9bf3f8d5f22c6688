//! `[defaults]`: the options of every probe that has no others, and the limit for targets.

use crate::settings::config::options::overrides;
use crate::settings::config::table::{Diagnostics, Field, TableReader};
use crate::settings::overrides::Overrides;
use crate::settings::parse;

/// The most targets that can be asked for. Each needs half a KiB.
pub const MAX_TARGETS: u64 = 1 << 20;

/// The content of `[defaults]`.
#[derive(Debug, Default)]
pub struct Defaults {
    /// The options.
    pub overrides: Overrides,
    /// The most targets of a batch.
    pub max_targets: Option<usize>,
}

/// Reads the table.
pub fn defaults(diagnostics: &mut Diagnostics<'_>, field: &Field<'_>) -> Defaults {
    let Some(mut table) = TableReader::of(diagnostics, field) else {
        return Defaults::default();
    };
    let max = |text: &str| parse::positive(text, MAX_TARGETS);
    let defaults = Defaults {
        max_targets: table.parsed(diagnostics, "max_targets", max),
        overrides: overrides(diagnostics, &mut table),
    };
    table.finish(diagnostics);
    defaults
}
