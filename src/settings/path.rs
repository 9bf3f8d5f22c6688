//! The settings of `path`: a plan that only traces, and how the result is printed.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::address::host_list::one_target;
use crate::address::{Port, Target};
use crate::cli::path::PathArgs;
use crate::cli::tls::TlsArgs;
use crate::plan::{AddressSelection, Plan, ProbeSpec, Tracing};
use crate::settings::build::{FamilyOrigin, plan, spec};
use crate::settings::config::Configuration;
use crate::settings::error::SettingsError;
use crate::settings::options::{network, option};
use crate::settings::overrides::Overrides;
use crate::settings::parse;
use crate::settings::request::ResolverChoice;
use crate::settings::tls_build::TlsLayers;

/// The default of `--rounds`.
const ROUNDS: u32 = 3;
/// The most rounds.
const MAX_ROUNDS: u32 = 100;
/// The time of a trace without its rounds: one SYN to every hop, and the wait for hops that do not
/// answer.
const BASE_TIME: Duration = Duration::from_secs(4);
/// The time of one round. Routers answer one host only once a second.
const ROUND_TIME: Duration = Duration::from_secs(1);

/// Everything that `path` needs.
#[derive(Debug)]
pub struct PathSettings {
    /// The trace of the port.
    pub plan: Plan,
    /// The port that is compared with it.
    pub against: Option<Port>,
    /// How names are resolved.
    pub resolver: ResolverChoice,
    /// Whether the names of routers are looked up.
    pub names: RouterNames,
    /// What is printed.
    pub format: PathFormat,
}

/// Whether the names of routers are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouterNames {
    /// By reverse lookups.
    LookedUp,
    /// Only addresses are shown.
    Omitted,
}

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathFormat {
    /// A table for people.
    Text,
    /// One line of JSON.
    Json,
}

/// The values of `--output`.
const FORMATS: [(&str, PathFormat); 2] = [("text", PathFormat::Text), ("json", PathFormat::Json)];

impl PathSettings {
    /// Merges the arguments with the configuration.
    ///
    /// # Errors
    /// The first error found; nothing was sent.
    pub fn new(args: &PathArgs, config: &Configuration) -> Result<Self, SettingsError> {
        let given = network(&args.network, &TlsArgs::default())?;
        if given.overrides.source_port.is_some() {
            let message = "cannot be used here, because each SYN has a port of its own: remove it";
            return Err(SettingsError::in_option("--source-port", message));
        }
        let format = option("--output", &args.output, |text| {
            parse::choice(text, &FORMATS)
        })?;
        let rounds = option("--rounds", &args.rounds, |text| {
            parse::positive::<u32>(text, u64::from(MAX_ROUNDS))
        })?;
        let rounds = rounds.and_then(NonZeroU32::new);
        let rounds = rounds.unwrap_or(NonZeroU32::MIN.saturating_add(ROUNDS - 1));
        let against = option("--against", &args.against, parse::port)?;
        let defaults = Overrides {
            source_port: None,
            timeout: None,
            ..config.defaults.network_only()
        };
        let own_timeout = Overrides {
            timeout: Some(BASE_TIME + ROUND_TIME * rounds.get()),
            ..Overrides::default()
        };
        let overrides = given.overrides.over(None, defaults).or(own_timeout);
        let target = one_target(&args.host, args.port.as_deref(), None);
        let target = target.map_err(SettingsError::new)?;
        if against == Some(target.port) {
            let message = "is the port that is traced anyway: give another port";
            return Err(SettingsError::in_option("--against", message));
        }
        let spec = spec(&overrides, &mut TlsLayers::default()).map_err(SettingsError::first)?;
        let spec = ProbeSpec {
            tracing: Tracing::Rounds(rounds),
            addresses: AddressSelection::First,
            ..spec
        };
        Ok(Self {
            plan: plan(&Arc::new(spec), target, &FamilyOrigin::of(&overrides))?,
            against,
            resolver: given.resolver,
            names: if args.names {
                RouterNames::LookedUp
            } else {
                RouterNames::Omitted
            },
            format: format.unwrap_or(PathFormat::Text),
        })
    }

    /// The trace of the other port, to the address of the first one.
    pub fn plan_against(&self, host: crate::address::Host) -> Option<Plan> {
        let port = self.against?;
        Some(Plan {
            target: Target { host, port },
            ..self.plan.clone()
        })
    }
}
