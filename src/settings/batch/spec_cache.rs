//! Shares one [`ProbeSpec`] among all targets with the same service and the same options.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;

use crate::address::Port;
use crate::plan::ProbeSpec;
use crate::settings::batch::invalid::ServiceFacts;
use crate::settings::build::{FamilyOrigin, spec, with_service};
use crate::settings::config::{Configuration, Service};
use crate::settings::dialogue::dialogue;
use crate::settings::error::{Location, SettingsError};
use crate::settings::overrides::Overrides;
use crate::settings::request::ProbeRequest;
use crate::settings::services;
use crate::settings::starttls;
use crate::settings::target_spec::TargetSpec;
use crate::settings::tls_build::TlsLayers;

/// The default deadline of a target, below that of the whole run.
pub const TARGET_TIMEOUT: Duration = Duration::from_secs(2);

/// Builds specs, each once.
#[derive(Debug)]
pub struct SpecCache<'c> {
    config: &'c Configuration,
    request: ProbeRequest,
    /// The service of targets without one.
    service: Option<Service>,
    /// By the target's own options, then by the name of its service, which is empty if it has none.
    specs: HashMap<Overrides, HashMap<Box<str>, CachedSpec, RandomState>, RandomState>,
    /// The layers of TLS, which targets with other options share.
    layers: TlsLayers,
    /// The memory of their patterns, in bytes.
    pattern_memory: usize,
}

/// The most memory that the patterns of all targets may need, in bytes.
const MAX_PATTERN_MEMORY: usize = 32 << 20;

/// A spec, and the port of targets without one.
#[derive(Debug, Clone)]
pub struct CachedSpec {
    /// The spec.
    pub spec: Arc<ProbeSpec>,
    /// The port of the service.
    pub port: Option<Port>,
    /// Where the address family was written.
    pub family: FamilyOrigin,
}

impl<'c> SpecCache<'c> {
    /// A cache for a run with these options.
    ///
    /// # Errors
    /// The first error in them.
    pub fn new(config: &'c Configuration, request: ProbeRequest) -> Result<Self, SettingsError> {
        let service = request
            .service
            .as_ref()
            .map(|name| services::find(config, name))
            .transpose()
            .map_err(|why| why.or_in_option("--service"))?;
        // An error in the run's dialogue is reported even if every target has a dialogue of its
        // own.
        let run = match &service {
            Some(service) => request.overrides.clone().or(service.overrides.clone()),
            None => request.overrides.clone(),
        };
        dialogue(&run, None).map_err(SettingsError::first)?;
        Ok(Self {
            config,
            request,
            service,
            specs: HashMap::default(),
            layers: TlsLayers::default(),
            pattern_memory: 0,
        })
    }

    /// The spec of a target, where `service` is the service of one of its ports.
    ///
    /// # Errors
    /// When the service is unknown, or the options contradict each other.
    pub fn get(
        &mut self,
        target: &TargetSpec,
        service: Option<&str>,
    ) -> Result<CachedSpec, Vec<SettingsError>> {
        let of_target = target.service.as_ref().map(|name| name.text.as_str());
        let name = service.or(of_target).unwrap_or_default();
        let cached = self
            .specs
            .get(&target.overrides)
            .and_then(|specs| specs.get(name));
        if let Some(cached) = cached {
            return Ok(cached.clone());
        }
        if self.pattern_memory > MAX_PATTERN_MEMORY {
            let why = format!(
                "the patterns of the previous targets need more than {MAX_PATTERN_MEMORY} bytes: use the same service for several targets, or probe fewer targets"
            );
            return Err(vec![target.error(why)]);
        }
        let built = self.build(target, service)?;
        self.pattern_memory += built.spec.pattern_memory();
        self.specs
            .entry(target.overrides.clone())
            .or_default()
            .insert(name.into(), built.clone());
        Ok(built)
    }

    /// The service of this name, or that of targets without one.
    pub fn service_facts(&self, name: Option<&str>) -> ServiceFacts {
        let port = |service: &Service| service.overrides.port;
        let Some(name) = name else {
            return ServiceFacts {
                name: self.service.as_ref().map(|own| own.name.as_str().into()),
                port: self.service.as_ref().and_then(port),
            };
        };
        let found = services::find(self.config, name).ok();
        let of_invalid = self.config.ports_of_invalid.get(name).copied();
        ServiceFacts {
            name: Some(name.into()),
            port: found.as_ref().and_then(port).or(of_invalid),
        }
    }

    /// Whether there is a service of this name, usable or not.
    pub fn is_known(&self, service: &str) -> bool {
        services::is_known(self.config, service)
    }

    fn build(
        &mut self,
        target: &TargetSpec,
        service: Option<&str>,
    ) -> Result<CachedSpec, Vec<SettingsError>> {
        // An error in the service is reported where it is, and an unknown name where it is written.
        let find = |name: &str, unknown: &dyn Fn(SettingsError) -> SettingsError| {
            services::find(self.config, name).map_err(|why| match why.location {
                Location::CommandLine => unknown(why),
                _ => why,
            })
        };
        let found = match (service, &target.service) {
            (Some(name), _) => Some(find(name, &|why| target.error(why))),
            (None, Some(name)) => Some(find(&name.text, &|why| name.error(why))),
            (None, None) => None,
        };
        let found = found.transpose().map_err(|error| vec![error])?;
        let service = found.as_ref().or(self.service.as_ref());
        let default_timeout = Overrides {
            timeout: Some(TARGET_TIMEOUT),
            ..Overrides::default()
        };
        let own = target.overrides.clone();
        let request = own.or(self.request.overrides.clone());
        let merged = starttls::merged(request, service, self.config.defaults.clone());
        let overrides = merged.map_err(|error| vec![error])?.or(default_timeout);
        let spec = spec(&overrides, &mut self.layers)?;
        let spec = with_service(spec, service);
        Ok(CachedSpec {
            spec: Arc::new(spec),
            port: overrides.port,
            family: FamilyOrigin::of(&overrides),
        })
    }
}
