//! resolv.conf(5): which servers are asked, for which names, how often and how long.
//!
//! Lines and options that nobody understands are skipped, as glibc skips them; the good ones count.

use std::time::Duration;

use crate::address::HostName;
use crate::engine::dns::server::Server;

/// MAXNS of glibc's resolv.h.
const MAX_SERVERS: usize = 3;
/// glibc 2.26 lifted its limits (6 domains, 256 characters); these are Kubernetes' own, so that a file stays bounded.
const MAX_SEARCH: usize = 32;
const MAX_SEARCH_CHARS: usize = 2048;
/// `RES_MAXNDOTS`, `RES_MAXRETRANS` and `RES_MAXRETRY` of glibc's `resolv/res_init.c`.
const MAX_NDOTS: u32 = 15;
const MAX_TIMEOUT: u32 = 30;
const MAX_ATTEMPTS: u32 = 5;

/// How a question travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// A datagram, with TCP where the answer is truncated.
    Udp,
    /// TCP from the start (`options use-vc`), or after a truncated answer.
    Tcp,
}

/// Whether `options no-aaaa` forbids IPv6 questions that nobody asked for by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aaaa {
    /// Ask for both families.
    Ask,
    /// Ask for IPv4 only, unless IPv6 alone is wanted.
    Skip,
}

/// What resolv.conf says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The servers in the order of the file, at most 3, at least 1.
    pub servers: Vec<Server>,
    /// The domains that are appended to short names.
    pub search: Vec<Box<str>>,
    /// Names with so many dots are tried as they are first.
    pub ndots: usize,
    /// The longest wait for one answer.
    pub timeout: Duration,
    /// How often each server is asked.
    pub attempts: usize,
    /// Whether each lookup starts with another server.
    pub rotate: bool,
    /// How questions travel.
    pub over: Over,
    /// Whether IPv6 is asked for where any family will do.
    pub aaaa: Aaaa,
}

impl Config {
    /// Reads the file's text; `hostname` is this machine's name, whose domain is searched where the file names none.
    ///
    /// Without a usable server the local one is asked, as resolv.conf(5) says.
    pub fn parse(text: &str, hostname: &str, port: u16) -> Self {
        let (file, _skipped) = resolv_conf::Config::parse_with_errors(text.as_bytes());
        Self {
            servers: servers(text, port),
            search: search(&file, hostname),
            ndots: file.ndots.min(MAX_NDOTS) as usize,
            timeout: Duration::from_secs(file.timeout.clamp(1, MAX_TIMEOUT).into()),
            attempts: file.attempts.clamp(1, MAX_ATTEMPTS) as usize,
            rotate: file.rotate,
            over: if file.use_vc { Over::Tcp } else { Over::Udp },
            aaaa: if file.no_aaaa { Aaaa::Skip } else { Aaaa::Ask },
        }
    }

    /// The full names to ask for, in order, without a final dot, each once.
    pub fn candidates(&self, name: &HostName) -> Vec<Box<str>> {
        let given: Box<str> = name.relative().into();
        if name.is_absolute() {
            return vec![given];
        }
        let dots = given.bytes().filter(|byte| *byte == b'.').count();
        let mut all: Vec<Box<str>> = self
            .search
            .iter()
            .filter_map(|domain| joined(&given, domain))
            .collect();
        let place = if dots >= self.ndots { 0 } else { all.len() };
        all.insert(place, given);
        let mut once: Vec<Box<str>> = Vec::with_capacity(all.len());
        for name in all {
            if !once.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
                once.push(name);
            }
        }
        once
    }
}

/// Read here and not by the crate, which refuses zones such as `%br-lan` and `%eth0.7`.
fn servers(text: &str, port: u16) -> Vec<Server> {
    let word = |line: &str| {
        let mut words = line
            .split([';', '#'])
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned);
        words
            .next()
            .filter(|word| word == "nameserver")
            .and_then(|_| words.next())
    };
    let mut servers: Vec<Server> = text
        .lines()
        .filter_map(word)
        .filter_map(|word| Server::from_word(&word, port))
        .take(MAX_SERVERS)
        .collect();
    if servers.is_empty() {
        servers.extend(Server::from_word("127.0.0.1", port));
    }
    servers
}

fn search(file: &resolv_conf::Config, hostname: &str) -> Vec<Box<str>> {
    let mut room = MAX_SEARCH_CHARS;
    let mut listed: Vec<Box<str>> = Vec::new();
    for domain in file.get_last_search_or_domain().take(MAX_SEARCH) {
        room = room.saturating_sub(domain.len());
        if room == 0 {
            break;
        }
        listed.push(domain.as_str().into());
    }
    if listed.is_empty() {
        let own = hostname
            .trim()
            .split_once('.')
            .map(|(_, domain)| domain.into());
        listed.extend(own);
    }
    listed
}

/// `name.domain`, unless that is no name; the root (`search .`) leaves the name as it is.
fn joined(name: &str, domain: &str) -> Option<Box<str>> {
    let domain = domain.trim_matches('.');
    if domain.is_empty() {
        return Some(name.into());
    }
    let full: HostName = format!("{name}.{domain}").parse().ok()?;
    Some(full.relative().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Config {
        Config::parse(text, "probe", 53)
    }

    fn escaped_prefix(config: &Config) -> Vec<String> {
        config.servers.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_empty_file_asks_the_local_server() {
        let config = parse("");
        assert_eq!(escaped_prefix(&config), ["127.0.0.1"]);
        assert_eq!(
            (config.ndots, config.timeout, config.attempts),
            (1, Duration::from_secs(5), 2)
        );
        assert_eq!(
            (config.rotate, config.over, config.search.len()),
            (false, Over::Udp, 0)
        );
    }

    #[test]
    fn garbage_does_not_hide_the_good_lines() {
        let text = "nope\nnameserver\nnameserver dns.example\n\u{feff}\nnameserver 192.0.2.53 # first\n\
                    options retrans:1 timeout:x attempts:3 trust-ad\n;nameserver 192.0.2.9\n  nameserver\tfe80::1%br-lan\n\
                    search --\nnameserver 2001:db8::53 extra\nnameserver 192.0.2.55\n";
        let config = parse(text);
        assert_eq!(
            escaped_prefix(&config),
            ["192.0.2.53", "fe80::1%br-lan", "2001:db8::53"]
        );
        assert_eq!(
            (config.attempts, config.timeout),
            (3, Duration::from_secs(5))
        );
    }

    #[test]
    fn options_have_their_limits() {
        let config = parse("options ndots:99 timeout:99 attempts:99 rotate use-vc no-aaaa");
        assert_eq!(
            (config.ndots, config.timeout, config.attempts),
            (15, Duration::from_secs(30), 5)
        );
        assert_eq!(
            (config.rotate, config.over, config.aaaa),
            (true, Over::Tcp, Aaaa::Skip)
        );
        let config = parse("options ndots:0 timeout:0 attempts:0");
        assert_eq!(
            (config.ndots, config.timeout, config.attempts),
            (0, Duration::from_secs(1), 1)
        );
    }

    #[test]
    fn the_last_of_search_and_domain_wins() {
        assert_eq!(
            *parse("search a.example b.example\ndomain c.example").search,
            ["c.example".into()]
        );
        assert_eq!(
            *parse("domain c.example\nsearch a.example b.example").search,
            ["a.example".into(), "b.example".into()]
        );
        assert_eq!(
            *Config::parse("", "probe.corp.example\n", 53).search,
            ["corp.example".into()]
        );
        assert_eq!(
            *Config::parse("search a.example", "probe.corp.example", 53).search,
            ["a.example".into()]
        );
        let many: String = (0..40).map(|n| format!(" d{n}.example")).collect();
        assert_eq!(parse(&format!("search{many}")).search.len(), MAX_SEARCH);
        let long: String = (0..32)
            .map(|n| format!(" d{n}.{}.example", "x".repeat(100)))
            .collect();
        assert!(parse(&format!("search{long}")).search.len() < 20);
    }

    #[test]
    fn candidates_follow_ndots() {
        let config = parse("search a.example b.example.");
        for (name, expected) in [
            ("db1", "db1.a.example db1.b.example db1"),
            ("db1.", "db1"),
            ("db1.a", "db1.a db1.a.a.example db1.a.b.example"),
        ] {
            assert_eq!(
                config.candidates(&name.parse().unwrap()).join(" "),
                expected
            );
        }
        let config = parse("search a.example\noptions ndots:2");
        assert_eq!(
            config.candidates(&"db1.x".parse().unwrap()).join(" "),
            "db1.x.a.example db1.x"
        );
        assert_eq!(
            config.candidates(&"db1.x.y".parse().unwrap()).join(" "),
            "db1.x.y db1.x.y.a.example"
        );
        let config = parse("options ndots:0\nsearch a.example");
        assert_eq!(
            config.candidates(&"db1".parse().unwrap()).join(" "),
            "db1 db1.a.example"
        );
    }

    #[test]
    fn candidates_are_names_and_come_once() {
        let config = parse("search . -- a..b A.example a.example");
        assert_eq!(
            config.candidates(&"db1".parse().unwrap()).join(" "),
            "db1 db1.A.example"
        );
        let label = "a".repeat(63);
        let longest = format!("{label}.{label}.{label}.{}", "b".repeat(61));
        assert_eq!(config.candidates(&longest.parse().unwrap()).len(), 1);
    }
}
