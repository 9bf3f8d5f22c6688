//! What `watch` shows of its [model](crate::watch): a screen, one line a probe, or a summary.

pub mod idle;
pub mod lines;
pub mod ndjson;
mod plot;
pub mod screen;
pub mod styled;
pub mod summary;
mod words;

use std::time::Duration;

use crate::watch::model::WatchModel;
use crate::watch::moment::Moment;

pub use plot::Glyphs;
pub use styled::{ScreenSize, rendered};
pub use words::UtcOffset;

/// What all views show.
#[derive(Debug, Clone, Copy)]
pub struct WatchView<'m> {
    /// The model.
    pub model: &'m WatchModel,
    /// The names of its targets, in the same order.
    pub labels: &'m [String],
    /// The time between two probes of a target.
    pub interval: Duration,
    /// The time of the view.
    pub now: Moment,
    /// The local time.
    pub utc_offset: UtcOffset,
}

impl WatchView<'_> {
    /// The name of a target.
    fn label(&self, target: usize) -> &str {
        self.labels.get(target).map_or("", String::as_str)
    }
}

#[cfg(test)]
mod test_views;
