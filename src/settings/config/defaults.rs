//! `[defaults]`: the options of every probe that has no others, and the limits of a batch.

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
    /// The output of a batch is shorter than this number of bytes.
    pub max_output: Option<u64>,
}

/// Reads the table.
pub fn defaults(diagnostics: &mut Diagnostics<'_>, field: &Field<'_>) -> Defaults {
    let Some(mut table) = TableReader::of(diagnostics, field) else {
        return Defaults::default();
    };
    let max = |text: &str| parse::positive(text, MAX_TARGETS);
    let defaults = Defaults {
        max_targets: table.parsed(diagnostics, "max_targets", max),
        max_output: table.parsed(diagnostics, "max_output", parse::output_size),
        overrides: overrides(diagnostics, &mut table),
    };
    table.finish(diagnostics);
    defaults
}
