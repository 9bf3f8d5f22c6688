//! The clocks of a run.

use crate::os::clock;
use crate::os::clock::ClockReading;
use crate::watch::moment::Moment;

/// Reads the clocks and compares them with the start of the run.
#[derive(Debug, Clone, Copy)]
pub struct RunClock {
    start: ClockReading,
}

impl RunClock {
    /// The run starts now.
    pub fn start() -> Self {
        Self {
            start: clock::read(),
        }
    }

    /// The current moment of the run.
    pub fn now(&self) -> Moment {
        let now = clock::read();
        let running = now.monotonic.saturating_sub(self.start.monotonic);
        let elapsed = now.boot.saturating_sub(self.start.boot);
        Moment {
            running,
            suspended: elapsed.saturating_sub(running),
            wall: now.wall,
        }
    }
}
