//! The settings of `check`: defaults, then options.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use super::Mistake;
use crate::cli::check::{CheckArgs, StepArgs, StepKind};
use crate::cli::values::{self, given};
use crate::engine::{Names, sys, wire};
use crate::output::Format;
use crate::plan::bytes::{Charset, shown, unescape};
use crate::plan::{Addresses, Attempts, Close, Family, Interface, Origin, Plan, Silence, Step, Want};
use crate::target::{Host, Target};

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
pub fn check(args: &CheckArgs, default_format: Format) -> Result<Check, Mistake> {
    let target = Target::from_words(&args.host, args.port.as_deref(), None).map_err(Mistake::new)?;
    let format = match given(&args.output) {
        Some(word) => Format::from_word(word).map_err(|why| Mistake::in_option("--output", why))?,
        None => default_format,
    };
    let charset = match given(&args.encoding) {
        Some(label) => Charset::from_label(label).map_err(|why| Mistake::in_option("--encoding", why))?,
        None => Charset::default(),
    };
    let source = source(args)?;
    let mut plan = Plan::connect(target);
    plan.family = family(args, &plan, source)?;
    plan.addresses = choice("--addresses", &args.addresses, &[("first", Addresses::First), ("all", Addresses::All)])?
        .unwrap_or(plan.addresses);
    plan.origin = origin(args, &plan.target.host, source)?;
    plan.timeout = duration("--timeout", &args.timeout)?.unwrap_or(plan.timeout);
    plan.attempts = attempts(args, plan.timeout)?;
    plan.want = want(args)?;
    plan.steps = steps(&args.steps, charset)?;
    plan.charset = charset;
    plan.close = choice("--close", &args.close, &[("fin", Close::Fin), ("rst", Close::Rst)])?.unwrap_or(plan.close);
    refuse_contradictions(&plan, format)?;
    let transcript = if args.verbose { Transcript::Shown } else { Transcript::Silent };
    if transcript == Transcript::Shown && !matches!(format, Format::Text) {
        return Err(Mistake::in_option("--verbose", "explains a text report: add `-o text`"));
    }
    Ok(Check { plan, format, resolver: resolver(args)?, transcript })
}

fn duration(option: &str, value: &Option<String>) -> Result<Option<Duration>, Mistake> {
    given(value).map(values::duration).transpose().map_err(|why| Mistake::in_option(option, why))
}

fn choice<T: Copy>(option: &str, value: &Option<String>, known: &[(&'static str, T)]) -> Result<Option<T>, Mistake> {
    let Some(word) = given(value) else { return Ok(None) };
    match known.iter().find(|(name, _)| *name == word) {
        Some((_, value)) => Ok(Some(*value)),
        None => {
            let names: Vec<_> = known.iter().map(|(name, _)| format!("`{name}`")).collect();
            Err(Mistake::in_option(option, format!("unknown value `{}`: use {}", shown(word, 40), names.join(" or "))))
        }
    }
}

fn number(option: &str, value: &Option<String>) -> Result<Option<NonZeroU32>, Mistake> {
    /// More connects than anybody needs inside a deadline of minutes.
    const MOST: u32 = 10_000;
    let Some(word) = given(value) else { return Ok(None) };
    let digits = word.bytes().all(|byte| byte.is_ascii_digit());
    let number = if digits { word.parse::<NonZeroU32>().ok().filter(|number| number.get() <= MOST) } else { None };
    let refused = || Mistake::in_option(option, format!("`{}` is not a number from 1 to {MOST}", shown(word, 40)));
    number.map(Some).ok_or_else(refused)
}

fn source(args: &CheckArgs) -> Result<Option<IpAddr>, Mistake> {
    let Some(word) = given(&args.source) else { return Ok(None) };
    let refused = |why: &str| Mistake::in_option("--source", format!("`{}` {why}", shown(word, 60)));
    let address: IpAddr = word.parse().map_err(|_| refused("is not an IPv4 or IPv6 address"))?;
    if address.is_unspecified() || address.is_multicast() {
        return Err(refused("is not the address of a host"));
    }
    let interface = given(&args.interface).and_then(sys::interface_index);
    match wire::has_address(address, interface) {
        Ok(()) => Ok(Some(address)),
        Err(_) => Err(refused("is not an address of this host: `ip address` lists them")),
    }
}

/// The wanted family; an address that is given has its own.
fn family(args: &CheckArgs, plan: &Plan, source: Option<IpAddr>) -> Result<Family, Mistake> {
    let of = |address: IpAddr| if address.is_ipv4() { Family::V4 } else { Family::V6 };
    let asked = match (args.ipv4, args.ipv6) {
        (true, _) => Some((Family::V4, "-4")),
        (_, true) => Some((Family::V6, "-6")),
        _ => source.map(|source| (of(source), "--source")),
    };
    let (Some((family, option)), Some(literal)) = (asked, plan.literal()) else {
        let asked = asked.map_or(Family::Any, |(family, _)| family);
        return match source.map(of) {
            Some(of_source) if of_source != asked => {
                Err(Mistake::in_option("--source", "is of the other address family"))
            }
            _ => Ok(asked),
        };
    };
    if of(literal) != family || source.is_some_and(|source| of(source) != family) {
        let text = format!("{} is not of that address family", plan.target.host);
        return Err(Mistake::in_option(option, text));
    }
    Ok(family)
}

fn origin(args: &CheckArgs, host: &Host, source: Option<IpAddr>) -> Result<Origin, Mistake> {
    let interface = match given(&args.interface) {
        Some(name) => Some(interface(name)?),
        None => None,
    };
    let zone = match host {
        Host::Zoned(_, zone) => Some(zone_index(zone)?),
        Host::Address(IpAddr::V6(address)) if address.is_unicast_link_local() && interface.is_none() => {
            let text =
                format!("`{address}` is link-local: write `{address}%eth0`, or name the interface by --interface");
            return Err(Mistake::new(text));
        }
        _ => None,
    };
    Ok(Origin { source, interface, zone })
}

fn interface(name: &str) -> Result<Interface, Mistake> {
    match sys::interface_index(name) {
        Some(index) => Ok(Interface { name: name.into(), index }),
        None => {
            let text = format!("no interface `{}` on this host: `ip link` lists them", shown(name, 40));
            Err(Mistake::in_option("--interface", text))
        }
    }
}

/// The index of a zone: an interface's name, or the index itself (RFC 4007, section 11.2).
fn zone_index(zone: &str) -> Result<NonZeroU32, Mistake> {
    sys::interface_index(zone).or_else(|| zone.parse().ok()).ok_or_else(|| {
        Mistake::new(format!("zone `{}`: no such interface on this host: `ip link` lists them", shown(zone, 40)))
    })
}

fn attempts(args: &CheckArgs, timeout: Duration) -> Result<Option<Attempts>, Mistake> {
    let interval = duration("--interval", &args.interval)?;
    let require = number("--require", &args.require)?;
    let Some(count) = number("--count", &args.count)? else {
        let stray = if interval.is_some() { "--interval" } else { "--require" };
        return match (interval, require) {
            (None, None) => Ok(None),
            _ => Err(Mistake::in_option(stray, "means something only with --count")),
        };
    };
    let require = require.unwrap_or(NonZeroU32::MIN);
    if require > count {
        return Err(Mistake::in_option("--require", format!("{require} of {count} attempts can never succeed")));
    }
    let interval = interval.unwrap_or(Attempts::INTERVAL);
    if interval.saturating_mul(require.get() - 1) >= timeout {
        let interval = humantime::format_duration(interval);
        let text = format!("{require} attempts, one every {interval}, do not fit into the deadline: raise --timeout");
        return Err(Mistake::in_option("--require", text));
    }
    Ok(Some(Attempts { count, interval, require }))
}

fn want(args: &CheckArgs) -> Result<Want, Mistake> {
    let silence = [("answered", Silence::Fails), ("filtered", Silence::CountsAsClosed)];
    let silence = choice("--expect-closed", &args.expect_closed, &silence)?;
    Ok(silence.map_or(Want::Open, Want::Closed))
}

fn steps(args: &StepArgs, charset: Charset) -> Result<Vec<Step>, Mistake> {
    let step = |(kind, text): &(StepKind, String)| {
        let bytes = unescape(text, charset).map_err(|why| Mistake::in_option(kind.option(), why))?;
        Ok(match kind {
            StepKind::Send => Step::Send(bytes),
            StepKind::Expect => Step::Expect(bytes),
        })
    };
    args.0.iter().map(step).collect()
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

/// Options that cannot both hold.
fn refuse_contradictions(plan: &Plan, format: Format) -> Result<(), Mistake> {
    let closed = matches!(plan.want, Want::Closed(_));
    if closed && !plan.steps.is_empty() {
        return Err(Mistake::in_option("--expect-closed", "a port that is to be closed cannot --send or --expect"));
    }
    if plan.addresses == Addresses::All && plan.attempts.is_some() {
        return Err(Mistake::in_option(
            "--count",
            "counts connects to one address: drop it, or drop `--addresses all`",
        ));
    }
    match format {
        Format::Metric(metric) if metric.path.starts_with("attempts.") && plan.attempts.is_none() => {
            Err(Mistake::in_option("--output", format!("`{}` needs --count", metric.path)))
        }
        _ => Ok(()),
    }
}
