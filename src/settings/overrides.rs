//! Option overrides: what was asked for on the command line, by a service, by a target or in
//! `[defaults]`, before it is merged. [`Overrides`] holds every option once, with its names, its
//! type and its parser; the command line, the configuration and JSON lines all read them from that
//! one table.

use std::time::Duration;

use crate::address::Port;
use crate::plan::{AddressSelection, Close, Expected, Family, Tracing};
use crate::settings::error::Located;
use crate::settings::option_table::{located, option_table, text};
use crate::settings::parse;
use crate::settings::step_spec::{LineEnds, Secrets, SendSpec, StepSpec};
use crate::settings::tls_overrides::{Spoken, TlsOverrides};

option_table! {
    /// Options that were given; `None` if an option was not.
    ///
    /// Equal overrides, wherever they were written, are one key of the cache of
    /// [`ProbeSpec`](crate::plan::ProbeSpec)s.
    struct Overrides;
    options {
        /// The encoding's label; it is looked up later.
        encoding: Located = "encoding", "--encoding", located;
        /// The most bytes received since the last match.
        max_bytes: usize = "max_bytes", "--max-bytes", text(parse::bytes);
        /// The total deadline.
        timeout: Duration = "timeout", "--timeout", text(parse::duration);
        /// How many addresses of a name are tried.
        addresses: AddressSelection = "addresses", "--addresses", text(parse::addresses);
        /// The address family.
        family: Family = "family", "--family", text(parse::family);
        /// The source address; whether this machine has it is checked later.
        source: Located = "source", "--source", located;
        /// The source port.
        source_port: Port = "source_port", "--source-port", text(parse::port);
        /// The interface; whether this machine has it is checked later.
        interface: Located = "interface", "--interface", located;
        /// The number of connects.
        count: u32 = "count", "--count", text(parse::attempts);
        /// The time from the start of one connect to the start of the next.
        interval: Duration = "interval", "--interval", text(parse::duration);
        /// How many connects must succeed.
        require: u32 = "require", "--require", text(parse::attempts);
        /// What counts as up.
        want: Expected = "expect_closed", "--expect-closed", text(parse::expect_closed);
        /// Whether the path to a silent target is traced.
        tracing: Tracing = "path", "--path", text(parse::tracing);
        /// How a connection is closed.
        close: Close = "close", "--close", text(parse::close);
    }
    flags {}
    lists {}
    others {
        /// The options of TLS; most probes have none.
        tls: Box<TlsOverrides>;
        /// The port of targets without one.
        port: Port;
        /// The steps of the dialogue.
        steps: Vec<StepSpec>;
        /// What is sent before closing.
        quit: SendSpec;
        /// Whether sent texts end in CR LF.
        line_ends: LineEnds;
        /// The secrets of the service, which only the service's own texts can send.
        secrets: Secrets;
    }
}

impl Overrides {
    /// Only the options that `discover open` has: those of the network, and how TLS is spoken where
    /// the command line asks for it.
    pub fn network_only(&self) -> Self {
        Self {
            timeout: self.timeout,
            family: self.family,
            source: self.source.clone(),
            source_port: self.source_port,
            interface: self.interface.clone(),
            tls: self.tls.as_ref().map(|tls| Box::new(tls.without_start())),
            origins: self.origins.clone(),
            ..Self::default()
        }
    }

    /// Whether a step of the dialogue starts TLS.
    pub fn has_start_of_tls(&self) -> bool {
        let steps = self.steps.as_deref().unwrap_or_default();
        steps.contains(&StepSpec::StartTls)
    }

    /// These overrides, completed by those of `base`.
    pub fn or(mut self, mut base: Self) -> Self {
        let tls = TlsOverrides::or(self.tls.take(), base.tls.take());
        Self {
            tls,
            ..self.or_each(base)
        }
    }

    /// These overrides over those of the service and over `[defaults]`: the defaults of `interval`
    /// and `require` apply only if there is a `count`, those of TLS only if it is spoken.
    pub fn over(mut self, service: Option<&Self>, mut defaults: Self) -> Self {
        if let Some(tls) = &mut self.tls {
            tls.verify_unless_told();
        }
        let merged = match service {
            Some(service) => self.or(service.clone()),
            None => self,
        };
        let (interval, require) = (merged.interval, merged.require);
        let spoken = match merged.tls.as_deref() {
            Some(tls) if tls.starts() => Spoken::Anyway,
            _ if merged.has_start_of_tls() => Spoken::Anyway,
            Some(tls) if tls.start.is_some() => Spoken::Never,
            // A service defines whether it uses TLS, and a closed port does not use it.
            _ if service.is_some() || matches!(merged.want, Some(Expected::Closed(_))) => {
                Spoken::Never
            }
            _ => Spoken::ByDefault,
        };
        let of_defaults = |tls: Box<TlsOverrides>| tls.of_defaults(merged.tls.as_deref(), spoken);
        defaults.tls = defaults.tls.and_then(of_defaults);
        match merged.or(defaults) {
            repeated @ Self { count: Some(_), .. } => repeated,
            single => Self {
                interval,
                require,
                ..single
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher, RandomState};

    use super::*;
    use crate::settings::error::{Key, Location};
    use crate::settings::option_table::OptionName;

    #[test]
    fn equal_options_are_equal_wherever_they_were_written() {
        let given = |line, text: &str| {
            let quit = Located {
                text: text.to_owned(),
                location: Location::StdinLine(line),
                key: Key::from("quit"),
            };
            Overrides {
                quit: Some(SendSpec::Text(quit)),
                ..Overrides::default()
            }
        };
        let hasher = RandomState::new();
        assert_eq!(given(1, "BYE"), given(2, "BYE"));
        assert_eq!(
            hasher.hash_one(given(1, "BYE")),
            hasher.hash_one(given(2, "BYE"))
        );
        assert_ne!(given(1, "BYE"), given(1, "QUIT"));
    }

    #[test]
    fn keys_are_the_long_options() {
        for OptionName { key, option, .. } in Overrides::NAMES.iter().chain(TlsOverrides::NAMES) {
            assert_eq!(format!("--{}", key.replace('_', "-")), *option);
        }
    }
}
