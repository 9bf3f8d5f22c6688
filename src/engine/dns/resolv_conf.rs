//! resolv.conf(5): the servers, the search list, timeouts and retries.
//!
//! As in glibc, unknown or invalid lines and options are skipped.

use std::time::Duration;

use crate::address::HostName;
use crate::engine::dns::server::NameServer;

/// `MAXNS` of glibc's resolv.h.
const MAX_SERVERS: usize = 3;
/// glibc 2.26 has no limits on the search list any more (before: 6 domains, 256 characters). These
/// are the limits of Kubernetes.
const MAX_SEARCH: usize = 32;
const MAX_SEARCH_CHARS: usize = 2048;
/// `RES_MAXNDOTS`, `RES_MAXRETRANS` and `RES_MAXRETRY` of glibc's `resolv/res_init.c`.
const MAX_NDOTS: u32 = 15;
const MAX_TIMEOUT: u32 = 30;
const MAX_ATTEMPTS: u32 = 5;

/// The transport protocol of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// UDP, followed by TCP if the answer is truncated.
    Udp,
    /// TCP, from the start (`options use-vc`) or after a truncated answer.
    Tcp,
}

/// Whether AAAA queries are sent for lookups of any family (`options no-aaaa`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AaaaQueries {
    /// Query both families.
    Send,
    /// Query IPv4 only, unless the lookup is for IPv6 only.
    Skip,
}

/// The contents of resolv.conf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvConf {
    /// The servers in the order of the file; 1 to 3.
    pub servers: Vec<NameServer>,
    /// The domains to append to short names.
    pub search: Vec<Box<str>>,
    /// A name with at least this many dots is queried as it is first.
    pub ndots: usize,
    /// The longest wait for one answer.
    pub timeout: Duration,
    /// How often each server is queried.
    pub attempts: usize,
    /// Whether each lookup starts with another server.
    pub rotate: bool,
    /// The transport of the first query to a server.
    pub transport: Transport,
    /// Whether lookups of any family query AAAA records.
    pub aaaa_queries: AaaaQueries,
}

impl ResolvConf {
    /// Parses the text of the file. The domain of `hostname`, the name of this machine, is the
    /// search list if the file has none. Without a usable server the list is 127.0.0.1.
    pub fn parse(text: &str, hostname: &str, port: u16) -> Self {
        let (file, _skipped) = resolv_conf::Config::parse_with_errors(text.as_bytes());
        Self {
            servers: servers(text, port),
            search: search(&file, hostname),
            ndots: file.ndots.min(MAX_NDOTS) as usize,
            timeout: Duration::from_secs(file.timeout.clamp(1, MAX_TIMEOUT).into()),
            attempts: file.attempts.clamp(1, MAX_ATTEMPTS) as usize,
            rotate: file.rotate,
            transport: if file.use_vc {
                Transport::Tcp
            } else {
                Transport::Udp
            },
            aaaa_queries: if file.no_aaaa {
                AaaaQueries::Skip
            } else {
                AaaaQueries::Send
            },
        }
    }

    /// The full names to query, in order, without a final dot and without duplicates.
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
        let index = if dots >= self.ndots { 0 } else { all.len() };
        all.insert(index, given);
        let mut unique: Vec<Box<str>> = Vec::with_capacity(all.len());
        for name in all {
            if !unique.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
                unique.push(name);
            }
        }
        unique
    }
}

/// The `nameserver` lines. Not parsed by the `resolv-conf` crate, which rejects zones such as
/// `%br-lan` and `%eth0.7`.
fn servers(text: &str, port: u16) -> Vec<NameServer> {
    let server = |line: &str| {
        let mut fields = line.split([';', '#']).next()?.split_whitespace();
        match (fields.next(), fields.next()) {
            (Some("nameserver"), Some(address)) => NameServer::parse(address, port),
            _ => None,
        }
    };
    let mut servers: Vec<NameServer> = text.lines().filter_map(server).take(MAX_SERVERS).collect();
    if servers.is_empty() {
        servers.extend(NameServer::parse("127.0.0.1", port));
    }
    servers
}

fn search(file: &resolv_conf::Config, hostname: &str) -> Vec<Box<str>> {
    let mut chars_left = MAX_SEARCH_CHARS;
    let mut listed: Vec<Box<str>> = Vec::new();
    for domain in file.get_last_search_or_domain().take(MAX_SEARCH) {
        chars_left = chars_left.saturating_sub(domain.len());
        if chars_left == 0 {
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

/// `name.domain`, or `None` if that is not a valid name. The root (`search .`) appends nothing.
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

    fn parse(text: &str) -> ResolvConf {
        ResolvConf::parse(text, "probe", 53)
    }

    fn printed_servers(conf: &ResolvConf) -> Vec<String> {
        conf.servers.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_empty_file_means_the_local_server() {
        let conf = parse("");
        assert_eq!(printed_servers(&conf), ["127.0.0.1"]);
        assert_eq!(
            (conf.ndots, conf.timeout, conf.attempts),
            (1, Duration::from_secs(5), 2)
        );
        assert_eq!(
            (conf.rotate, conf.transport, conf.search.len()),
            (false, Transport::Udp, 0)
        );
    }

    #[test]
    fn invalid_lines_are_skipped() {
        let text = "nope\nnameserver\nnameserver dns.example\n\u{feff}\nnameserver 192.0.2.53 # first\n\
                    options retrans:1 timeout:x attempts:3 trust-ad\n;nameserver 192.0.2.9\n  nameserver\tfe80::1%br-lan\n\
                    search --\nnameserver 2001:db8::53 extra\nnameserver 192.0.2.55\n";
        let conf = parse(text);
        assert_eq!(
            printed_servers(&conf),
            ["192.0.2.53", "fe80::1%br-lan", "2001:db8::53"]
        );
        assert_eq!((conf.attempts, conf.timeout), (3, Duration::from_secs(5)));
    }

    #[test]
    fn options_are_clamped() {
        let conf = parse("options ndots:99 timeout:99 attempts:99 rotate use-vc no-aaaa");
        assert_eq!(
            (conf.ndots, conf.timeout, conf.attempts),
            (15, Duration::from_secs(30), 5)
        );
        assert_eq!(
            (conf.rotate, conf.transport, conf.aaaa_queries),
            (true, Transport::Tcp, AaaaQueries::Skip)
        );
        let conf = parse("options ndots:0 timeout:0 attempts:0");
        assert_eq!(
            (conf.ndots, conf.timeout, conf.attempts),
            (0, Duration::from_secs(1), 1)
        );
    }

    #[test]
    fn the_last_search_or_domain_line_counts() {
        assert_eq!(
            *parse("search a.example b.example\ndomain c.example").search,
            ["c.example".into()]
        );
        assert_eq!(
            *parse("domain c.example\nsearch a.example b.example").search,
            ["a.example".into(), "b.example".into()]
        );
        assert_eq!(
            *ResolvConf::parse("", "probe.corp.example\n", 53).search,
            ["corp.example".into()]
        );
        assert_eq!(
            *ResolvConf::parse("search a.example", "probe.corp.example", 53).search,
            ["a.example".into()]
        );
        let many: Vec<String> = (0..40).map(|n| format!("d{n}.example")).collect();
        let many = format!("search {}", many.join(" "));
        assert_eq!(parse(&many).search.len(), MAX_SEARCH);
        let long: Vec<String> = (0..32)
            .map(|n| format!("d{n}.{}.example", "x".repeat(100)))
            .collect();
        let long = format!("search {}", long.join(" "));
        assert!(parse(&long).search.len() < 20);
    }

    #[test]
    fn candidates_follow_ndots() {
        let conf = parse("search a.example b.example.");
        for (name, expected) in [
            ("db1", "db1.a.example db1.b.example db1"),
            ("db1.", "db1"),
            ("db1.a", "db1.a db1.a.a.example db1.a.b.example"),
        ] {
            assert_eq!(conf.candidates(&name.parse().unwrap()).join(" "), expected);
        }
        let conf = parse("search a.example\noptions ndots:2");
        assert_eq!(
            conf.candidates(&"db1.x".parse().unwrap()).join(" "),
            "db1.x.a.example db1.x"
        );
        assert_eq!(
            conf.candidates(&"db1.x.y".parse().unwrap()).join(" "),
            "db1.x.y db1.x.y.a.example"
        );
        let conf = parse("options ndots:0\nsearch a.example");
        assert_eq!(
            conf.candidates(&"db1".parse().unwrap()).join(" "),
            "db1 db1.a.example"
        );
    }

    #[test]
    fn candidates_are_valid_and_unique() {
        let conf = parse("search . -- a..b A.example a.example");
        assert_eq!(
            conf.candidates(&"db1".parse().unwrap()).join(" "),
            "db1 db1.A.example"
        );
        let label = "a".repeat(63);
        let longest = format!("{label}.{label}.{label}.{}", "b".repeat(61));
        assert_eq!(conf.candidates(&longest.parse().unwrap()).len(), 1);
    }
}
