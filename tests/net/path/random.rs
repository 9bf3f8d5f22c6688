//! Random paths through one chain: silent routers, lost SYNs, drops, rejects, and targets that are
//! silent, refuse or accept. The sentence of each trace is compared with what the path does.
//!
//! `ZBX_TCP_PATHS=500` sets how many paths there are.

use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::namespaces::{Net, ROUTERS};
use crate::path::{MOST_SYNS, counted, node, trace};
use crate::program::Ran;

/// How many routers the chain has.
const LENGTH: usize = 11;
/// How many traces run at once.
const AT_ONCE: usize = 12;

/// A sequence of numbers that looks random (xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }

    fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }
}

/// What ends a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// This router drops.
    Drop(usize),
    /// This router rejects the SYNs of the trace, and drops that of the attempt.
    Reject(usize),
    /// The target drops.
    Silent,
    /// It refuses the SYNs of the trace.
    Refuses,
    /// It accepts them.
    Accepts,
}

#[derive(Debug)]
struct Path {
    port: u16,
    /// The node that is the target.
    distance: usize,
    /// The routers that send no ICMP time exceeded.
    silent: Vec<usize>,
    /// The hops whose first SYN is lost.
    lost: Vec<usize>,
    end: End,
}

impl Path {
    fn random(port: u16, random: &mut Random) -> Self {
        let distance = 1 + random.below(LENGTH + 1);
        let routers = distance - 1;
        let some = |chance, random: &mut Random| -> Vec<usize> {
            (1..=routers).filter(|_| random.percent(chance)).collect()
        };
        let (silent, lost) = (some(25, random), some(10, random));
        let lost = lost.into_iter().take(3).collect();
        let router = |random: &mut Random| 1 + random.below(routers);
        let end = match random.below(5) {
            0 if routers > 0 => End::Drop(router(random)),
            1 if routers > 0 => End::Reject(router(random)),
            2 => End::Refuses,
            3 => End::Accepts,
            _ => End::Silent,
        };
        Self {
            port,
            distance,
            silent,
            lost,
            end,
        }
    }

    fn is_silent(&self, router: usize) -> bool {
        self.silent.contains(&router)
    }

    /// The sentence that is true.
    fn sentence(&self) -> String {
        let reached = match self.end {
            End::Drop(router) | End::Reject(router) => router,
            End::Silent | End::Refuses | End::Accepts => self.distance - 1,
        };
        let last = (1..=reached).rev().find(|router| !self.is_silent(*router));
        match self.end {
            End::Drop(_) | End::Silent => match last {
                None => "no router on the way answered".to_owned(),
                Some(last) => {
                    format!(
                        "the last router that answered is hop {last}, {}",
                        node(last)
                    )
                }
            },
            End::Reject(router) => {
                let from = node(router);
                let place = if self.is_silent(router) {
                    format!("{from}, at hop {router} or {},", router + 1)
                } else {
                    format!("hop {router}, {from},")
                };
                format!("{place} says administratively prohibited (ICMP type 3 code 13)")
            }
            End::Refuses => {
                format!(
                    "a SYN from another port was refused (RST), at hop {}",
                    self.distance
                )
            }
            End::Accepts => format!(
                "a SYN from another port was accepted, at hop {}",
                self.distance
            ),
        }
    }

    /// Whether a router may be hidden: its SYN was lost, and the three hops before it did not answer,
    /// so that it did not get a second one.
    fn may_hide_a_router(&self) -> bool {
        let is_unknown = |hop: usize| self.is_silent(hop) || self.lost.contains(&hop);
        self.lost
            .iter()
            .any(|hop| (hop.saturating_sub(3).max(1)..*hop).all(is_unknown) && *hop > 3)
    }

    /// Whether what the document names is on the path, and where it says.
    fn is_true(&self, document: &serde_json::Value) -> bool {
        let path = &document["path"];
        let Some(last) = path["last_hop"].as_u64() else {
            return true;
        };
        let last = usize::try_from(last).unwrap();
        last <= self.distance && !self.is_silent(last) && path["last"] == node(last)
    }

    /// Adds the rules of this path to those of each node, by hook.
    fn add_rules(&self, rules: &mut Rules) {
        let port = self.port;
        for router in &self.silent {
            // The port is 2 bytes behind the ICMP header (8) and the quoted IPv4 header (20).
            rules.add(
                *router,
                "output",
                format!("icmp type time-exceeded @th,240,16 {port} drop"),
            );
        }
        for hop in &self.lost {
            rules.add(
                0,
                "output",
                format!("tcp dport {port} ip ttl {hop} quota until 60 bytes drop"),
            );
        }
        rules.add(
            0,
            "output",
            format!("tcp dport {port} ip ttl < 40 counter comment \"{port}\""),
        );
        let syn = "tcp flags & (syn | ack) == syn";
        match self.end {
            End::Drop(router) => rules.add(router, "forward", format!("tcp dport {port} drop")),
            End::Reject(router) => {
                rules.add(
                    router,
                    "forward",
                    format!("tcp dport {port} ip ttl > 40 drop"),
                );
                let reject = format!("tcp dport {port} reject with icmp type admin-prohibited");
                rules.add(router, "forward", reject);
            }
            End::Silent => rules.add(self.distance, "input", format!("tcp dport {port} drop")),
            End::Refuses | End::Accepts => {
                let drop = format!("tcp dport {port} {syn} ip ttl > 40 drop");
                rules.add(self.distance, "input", drop);
            }
        }
        if self.end == End::Accepts {
            rules.listeners.push((self.distance, port));
        }
    }
}

#[derive(Default)]
struct Rules {
    rules: Vec<(usize, &'static str, String)>,
    listeners: Vec<(usize, u16)>,
}

impl Rules {
    fn add(&mut self, node: usize, hook: &'static str, rule: String) {
        self.rules.push((node, hook, rule));
    }

    fn load(&self, net: &Net) {
        for node in 0..=LENGTH + 1 {
            for hook in ["input", "output", "forward"] {
                let rules = self
                    .rules
                    .iter()
                    .filter(|(of, at, _)| (*of, *at) == (node, hook));
                let rules: Vec<_> = rules.map(|(_, _, rule)| rule.as_str()).collect();
                if !rules.is_empty() {
                    net.nft(role(node), hook, &rules);
                }
            }
        }
    }
}

fn role(node: usize) -> &'static str {
    match node {
        0 => "probe",
        _ if node <= LENGTH => ROUTERS[node - 1],
        _ => "target",
    }
}

#[test]
fn every_sentence_is_true() {
    let number = std::env::var("ZBX_TCP_PATHS").map_or(40, |number| number.parse().unwrap());
    let seed =
        std::env::var("ZBX_TCP_SEED").map_or(0x2545_f491_4f6c_dd1d, |seed| seed.parse().unwrap());
    let Some(net) = Net::chain(LENGTH) else {
        return;
    };
    let mut random = Random(seed);
    let paths: Vec<_> = (0..number)
        .map(|index| Path::random(2000 + index, &mut random))
        .collect();
    let mut rules = Rules::default();
    for path in &paths {
        path.add_rules(&mut rules);
    }
    rules.load(&net);
    let _listeners: Vec<_> = (1..=LENGTH + 1)
        .filter_map(|node| {
            let of_node = rules.listeners.iter().filter(|(at, _)| *at == node);
            let ports: Vec<_> = of_node.map(|(_, port)| port.to_string()).collect();
            let words: Vec<_> = ports.iter().map(String::as_str).collect();
            (!words.is_empty()).then(|| net.python(role(node), "listeners_on.py", &words))
        })
        .collect();
    let next = AtomicUsize::new(0);
    let (mut wrong, mut ends, mut incomplete) = (String::new(), [0; 5], 0);
    std::thread::scope(|scope| {
        let work = || {
            let mut ended: Vec<(usize, Ran)> = Vec::new();
            while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                let (target, port) = (node(path.distance), path.port.to_string());
                let ran = trace(&net, &[&target, &port]);
                ended.push((usize::from(path.port) - 2000, ran));
            }
            ended
        };
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            for (index, ran) in worker.join().unwrap() {
                let path = &paths[index];
                let document = &ran.document();
                let error = document["error"].as_str().unwrap();
                let is_exact = error.ends_with(&format!("; {}", path.sentence()));
                incomplete += usize::from(!is_exact);
                if !(is_exact || path.may_hide_a_router() && path.is_true(document)) {
                    let _ = writeln!(
                        wrong,
                        "{path:?}\n  wanted {}\n  is {document}",
                        path.sentence()
                    );
                }
                ends[match path.end {
                    End::Drop(_) => 0,
                    End::Reject(_) => 1,
                    End::Silent => 2,
                    End::Refuses => 3,
                    End::Accepts => 4,
                }] += 1;
            }
        }
    });
    let syns = counted(&net);
    let most = syns.values().max().unwrap();
    println!(
        "{number} paths (drop, reject, silent, refuse, accept: {ends:?}), {incomplete} sentences that \
         leave out a router whose packets were lost, at most {most} SYNs"
    );
    assert!(wrong.is_empty(), "{wrong}");
    assert!(*most <= MOST_SYNS, "{syns:?}");
}
