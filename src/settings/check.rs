//! The settings of `check`: defaults, then options.

use std::sync::Arc;

use super::config::Config;
use super::method::{AskedFamily, method};
use super::options::{choice, wishes};
use super::plan::plan;
use super::wishes::Wishes;
use super::{Mistake, services};
use crate::cli::check::CheckArgs;
use crate::cli::values::given;
use crate::engine::Names;
use crate::output::Format;
use crate::plan::{Family, Method, Plan};
use crate::policy::Policy;
use crate::printable::shown;
use crate::target::Target;

/// Everything a `check` needs.
#[derive(Debug)]
pub struct Check {
    /// The probe.
    pub plan: Plan,
    /// What is printed.
    pub format: Format,
    /// How names are resolved.
    pub resolver: ResolverChoice,
    /// Whether each step is explained.
    pub transcript: Transcript,
}

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
    pub fn names(self) -> Names {
        match self {
            Self::Stub => Names::Usual,
            #[cfg(not(target_feature = "crt-static"))]
            Self::System => Names::System,
        }
    }
}

/// Whether each step is explained on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transcript {
    /// `-v`
    Shown,
    /// Standard error stays empty.
    Silent,
}

/// What the options of `check` mean.
///
/// # Errors
/// The first mistake found; nothing was sent.
pub fn check(args: &CheckArgs, default_format: Format, policy: Policy) -> Result<Check, Mistake> {
    let config = configuration(&args.config)?;
    let service = given(&args.service).map(|name| services::find(&config, name)).transpose();
    let service = service.map_err(|why| Mistake::in_option("--service", why))?;
    let own = service.as_ref().map_or_else(Wishes::default, |service| service.wishes.clone());
    let wishes = wishes(args)?.over(own).over(config.defaults);
    let target = Target::from_words(&args.host, args.port.as_deref(), wishes.port).map_err(Mistake::new)?;
    let format = match given(&args.output) {
        Some(word) => Format::from_word(word).map_err(|why| Mistake::in_option("--output", why))?,
        None => default_format,
    };
    let method = method(&wishes, family(args)).map_err(first)?;
    let method = Method { service: service.map(|service| service.name.into()), policy, ..method };
    let plan = plan(&Arc::new(method), target, family(args))?;
    refuse_impossible(&format, &plan)?;
    let transcript = if args.verbose { Transcript::Shown } else { Transcript::Silent };
    if transcript == Transcript::Shown && !matches!(format, Format::Text) {
        return Err(Mistake::in_option("--verbose", "explains a text report: add `-o text`"));
    }
    Ok(Check { plan, format, resolver: resolver(args)?, transcript })
}

/// The configuration: the file that an option or the environment names, else the usual ones.
///
/// # Errors
/// The first mistake in it; `services --check` shows them all.
pub fn configuration(option: &Option<String>) -> Result<Config, Mistake> {
    let config = Config::read(named(option).as_deref());
    if config.mistakes.is_empty() { Ok(config) } else { Err(first(config.mistakes)) }
}

/// The file that an option or the environment names.
pub fn named(option: &Option<String>) -> Option<String> {
    // A path that is not UTF-8 becomes one that does not exist: better than the usual files without a word.
    let environment = || std::env::var_os("ZBX_TCP_CONFIG").map(|path| path.to_string_lossy().into_owned());
    let environment = || environment().filter(|path| !path.is_empty());
    given(option).map(str::to_owned).or_else(environment)
}

/// A caller of one command sees the first mistake; `services --check` shows them all.
fn first(mistakes: Vec<Mistake>) -> Mistake {
    mistakes.into_iter().next().unwrap_or_else(|| Mistake::new("a mistake without a text"))
}

fn family(args: &CheckArgs) -> AskedFamily {
    match (args.ipv4, args.ipv6) {
        (true, _) => Some((Family::V4, "-4")),
        (_, true) => Some((Family::V6, "-6")),
        _ => None,
    }
}

fn resolver(args: &CheckArgs) -> Result<ResolverChoice, Mistake> {
    #[cfg(not(target_feature = "crt-static"))]
    let known = [("stub", ResolverChoice::Stub), ("system", ResolverChoice::System)];
    #[cfg(target_feature = "crt-static")]
    let known = [("stub", ResolverChoice::Stub)];
    if cfg!(target_feature = "crt-static") && given(&args.resolver) == Some("system") {
        let text = "`system` does not exist in this static build: use a dynamic build, or leave it out";
        return Err(Mistake::in_option("--resolver", text));
    }
    Ok(choice("--resolver", &args.resolver, &known)?.unwrap_or(ResolverChoice::Stub))
}

/// A value that this plan can never measure.
fn refuse_impossible(format: &Format, plan: &Plan) -> Result<(), Mistake> {
    match format {
        Format::Metric(metric) if metric.path.starts_with("attempts.") && plan.method.attempts.is_none() => {
            Err(Mistake::in_option("--output", format!("`{}` needs --count", metric.path)))
        }
        Format::Capture(name) if !plan.method.captures().any(|known| known == &**name) => {
            let known: Vec<_> = plan.method.captures().collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let text = format!("no step captures `{}`; captured are: {known}", shown(name, 40));
            Err(Mistake::in_option("--output", text))
        }
        _ => Ok(()),
    }
}
