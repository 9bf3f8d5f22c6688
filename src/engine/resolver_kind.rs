//! The choice of a resolver.

use std::io;

use crate::engine::dns::files::Files;
use crate::engine::dns::{Resolver, StubResolver};

/// How names are resolved.
#[derive(Debug, Clone, Default)]
pub enum ResolverKind {
    /// By the stub resolver with these files.
    Stub(Files),
    /// By the stub resolver with the files of this machine.
    #[default]
    Default,
    /// By the C library, with everything that nsswitch.conf names.
    #[cfg(not(target_feature = "crt-static"))]
    System,
}

impl ResolverKind {
    /// Makes the resolver of one worker.
    ///
    /// # Errors
    /// When the process has no descriptor left for the C library's resolver.
    // A static build has no resolver that needs the registry.
    #[cfg_attr(target_feature = "crt-static", allow(unused_variables))]
    pub(in crate::engine) fn resolver(
        self,
        registry: &mio::Registry,
    ) -> io::Result<Box<dyn Resolver>> {
        match self {
            Self::Stub(files) => Ok(Box::new(StubResolver::new(files))),
            Self::Default => Ok(Box::new(StubResolver::new(Files::default()))),
            #[cfg(not(target_feature = "crt-static"))]
            Self::System => Ok(Box::new(crate::engine::dns::system::SystemResolver::new(
                registry,
            )?)),
        }
    }
}
