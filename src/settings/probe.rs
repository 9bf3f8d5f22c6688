//! What the options mean that every probing command has: where the configuration is, which family, which resolver.

use crate::cli::probe::NetworkArgs;
use crate::cli::values::non_empty;
use crate::engine::ResolverKind;
use crate::plan::Family;
use crate::settings::SettingsError;
use crate::settings::build::AskedFamily;
use crate::settings::config::Config;
use crate::settings::options::choice;

/// How names are resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResolverChoice {
    /// Our own: hosts file and name servers, inside the deadline.
    Stub,
    /// The system's getaddrinfo(3).
    #[cfg(not(target_feature = "crt-static"))]
    System,
}

impl ResolverChoice {
    /// What the engine is told.
    pub fn names(self) -> ResolverKind {
        match self {
            Self::Stub => ResolverKind::Default,
            #[cfg(not(target_feature = "crt-static"))]
            Self::System => ResolverKind::System,
        }
    }
}

/// The configuration: the file that an option or the environment names, else the usual ones.
///
/// # Errors
/// The first mistake in it; `services --check` shows them all.
pub fn configuration(option: &Option<String>) -> Result<Config, SettingsError> {
    let config = Config::read(named(option).as_deref());
    if config.mistakes.is_empty() {
        Ok(config)
    } else {
        Err(first(config.mistakes))
    }
}

/// The file that an option or the environment names.
pub fn named(option: &Option<String>) -> Option<String> {
    // A path that is not UTF-8 becomes one that does not exist: better than the usual files without a word.
    let environment =
        || std::env::var_os("ZBX_TCP_CONFIG").map(|path| path.to_string_lossy().into_owned());
    let environment = || environment().filter(|path| !path.is_empty());
    non_empty(option).map(str::to_owned).or_else(environment)
}

/// A caller of one command sees the first mistake; `services --check` shows them all.
pub fn first(mistakes: Vec<SettingsError>) -> SettingsError {
    mistakes
        .into_iter()
        .next()
        .unwrap_or_else(|| SettingsError::new("a mistake without a text"))
}

/// The family that was asked for.
pub fn family(args: &NetworkArgs) -> AskedFamily {
    match (args.ipv4, args.ipv6) {
        (true, _) => Some((Family::V4, "-4")),
        (_, true) => Some((Family::V6, "-6")),
        _ => None,
    }
}

/// How names are to be resolved.
pub fn resolver(args: &NetworkArgs) -> Result<ResolverChoice, SettingsError> {
    #[cfg(not(target_feature = "crt-static"))]
    let known = [
        ("stub", ResolverChoice::Stub),
        ("system", ResolverChoice::System),
    ];
    #[cfg(target_feature = "crt-static")]
    let known = [("stub", ResolverChoice::Stub)];
    if cfg!(target_feature = "crt-static") && non_empty(&args.resolver) == Some("system") {
        let text =
            "`system` does not exist in this static build: use a dynamic build, or leave it out";
        return Err(SettingsError::in_option("--resolver", text));
    }
    Ok(choice("--resolver", &args.resolver, &known)?.unwrap_or(ResolverChoice::Stub))
}
