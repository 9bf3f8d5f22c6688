//! What a front end asks for, before services, configuration and defaults are merged. The command
//! line makes these from its arguments; other front ends make them directly.

use crate::output::Format;
use crate::plan::Tracing;
use crate::settings::overrides::Overrides;

/// How targets are probed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProbeRequest {
    /// The options.
    pub overrides: Overrides,
    /// The named service.
    pub service: Option<String>,
    /// How names are resolved.
    pub resolver: ResolverChoice,
}

/// One target, and what is printed.
#[derive(Debug, Clone)]
pub struct CheckRequest {
    /// The host, or `HOST:PORT`.
    pub host: String,
    /// The port; empty counts as not given.
    pub port: Option<String>,
    /// How the target is probed.
    pub probe: ProbeRequest,
    /// What is printed.
    pub format: Format,
    /// Whether each step is explained.
    pub transcript: Transcript,
    /// Whether the path is traced if neither the options nor the configuration say it.
    pub default_tracing: Option<Tracing>,
}

/// How names are resolved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ResolverChoice {
    /// Our own stub resolver: hosts file and name servers, within the deadline.
    #[default]
    Stub,
    /// The system's getaddrinfo(3).
    #[cfg(not(target_feature = "crt-static"))]
    System,
}

/// Whether a run is explained on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transcript {
    /// `-v` was given.
    Shown,
    /// Standard error stays empty.
    Silent,
}
