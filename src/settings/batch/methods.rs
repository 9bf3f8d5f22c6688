//! Few methods for many targets: one for each service and each set of own options.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::address::Port;
use crate::cli::probe::ProbeArgs;
use crate::cli::values::non_empty;
use crate::plan::ProbeSpec;
use crate::settings::build::{AskedFamily, of_service, spec};
use crate::settings::config::{Config, Service};
use crate::settings::dialogue::dialogue;
use crate::settings::options::overrides;
use crate::settings::overrides::{Location, Overrides};
use crate::settings::probe::{family, first};
use crate::settings::{SettingsError, services, validate};

/// The deadline of a target of which nobody says another: below that of the whole run.
pub const TIMEOUT: Duration = Duration::from_secs(2);

/// Makes methods, each once.
#[derive(Debug)]
pub struct Methods<'c> {
    config: &'c Config,
    /// The family that the run was asked for.
    pub family: AskedFamily,
    run: Overrides,
    service: Option<Service>,
    made: HashMap<String, Result<Made, Refused>>,
    key: String,
}

/// A method, and the port of targets that name none.
#[derive(Debug, Clone)]
pub struct Made {
    /// The method.
    pub spec: Arc<ProbeSpec>,
    /// The port.
    pub port: Option<Port>,
}

/// Why there is no method.
#[derive(Debug, Clone)]
enum Refused {
    /// Because of what the target says.
    Here(SettingsError),
    /// Because of what stands elsewhere, which the text names.
    Elsewhere(SettingsError),
}

/// The options that a target has of its own.
#[derive(Debug, Clone, Default)]
pub struct Own {
    /// The options.
    pub overrides: Overrides,
    /// The same for the same options, and empty without any.
    pub key: String,
}

impl<'c> Methods<'c> {
    /// Makes methods of these options.
    ///
    /// # Errors
    /// The first mistake in them.
    pub fn new(config: &'c Config, probe: &ProbeArgs) -> Result<Self, SettingsError> {
        let service = non_empty(&probe.service)
            .map(|name| services::find(config, name))
            .transpose();
        let service = service.map_err(|why| SettingsError::in_option("--service", why))?;
        let (run, family) = (overrides(probe)?, family(&probe.network));
        // A mistake in its dialogue is one of the run, even where every target has a dialogue of its own.
        let said = service
            .as_ref()
            .map_or_else(Overrides::default, |service| service.overrides.clone());
        dialogue(&run.clone().over(said)).map_err(first)?;
        Ok(Self {
            config,
            family,
            run,
            service,
            made: HashMap::new(),
            key: String::new(),
        })
    }

    /// The method of a target with this service and these options of its own.
    ///
    /// # Errors
    /// When the service is unknown, or the options go together with nothing.
    pub fn of(
        &mut self,
        service: Option<&str>,
        own: &Own,
        place: &Location,
    ) -> Result<Made, SettingsError> {
        // A service's name has no NUL: a name that has is unknown.
        self.key.clear();
        self.key.push_str(service.unwrap_or_default());
        self.key.push('\0');
        self.key.push_str(&own.key);
        if !self.made.contains_key(&self.key) {
            let made = self.make(service, own);
            self.made.insert(self.key.clone(), made);
        }
        match self.made.get(&self.key) {
            Some(Ok(made)) => Ok(made.clone()),
            Some(Err(Refused::Here(mistake))) => Err(SettingsError::at(place, mistake)),
            Some(Err(Refused::Elsewhere(mistake))) => Err(mistake.clone()),
            None => Err(SettingsError::new("a method was made and lost")),
        }
    }

    fn make(&self, service: Option<&str>, own: &Own) -> Result<Made, Refused> {
        let found = service
            .map(|name| services::find(self.config, name))
            .transpose()
            .map_err(Refused::Here)?;
        let service = found.as_ref().or(self.service.as_ref());
        let said = service.map_or_else(Overrides::default, |service| service.overrides.clone());
        let base = Overrides {
            timeout: Some(TIMEOUT),
            ..Overrides::default()
        };
        let said = own.overrides.clone().over(self.run.clone()).over(said);
        let overrides = said.over_defaults(self.config.defaults.clone()).over(base);
        let refused = |mistakes| {
            let mistake = first(mistakes);
            match validate::bare(&mistake) {
                Some(text) if !own.key.is_empty() => Refused::Here(SettingsError::new(text)),
                _ => Refused::Elsewhere(mistake),
            }
        };
        let spec = spec(&overrides, self.family).map_err(refused)?;
        let spec = of_service(spec, service);
        Ok(Made {
            spec: Arc::new(spec),
            port: overrides.port,
        })
    }
}
