//! Chooses the limits of a batch: the options that were given, otherwise what this machine allows
//! and the probes need.

use std::net::IpAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use crate::engine::{Capacity, Limits, UNANSWERED_COUNTS};
use crate::plan::Plan;
use crate::settings::batch::Bounds;

/// The most targets of a batch whose path is traced. If hundreds are silent, they have few causes.
const MOST_TRACES: usize = 32;

/// The limits of a batch, and the sentences that explain them. `spent` is the elapsed time of the
/// run.
pub fn limits(
    bounds: &Bounds,
    plans: &[Arc<Plan>],
    spent: Duration,
) -> (Limits<'static>, Vec<String>) {
    let capacity = Capacity::of_this_machine();
    let (tables, reason) = tables(&capacity, bounds, plans, Capacity::can_unshare_fds);
    let (in_flight, limit) = match bounds.concurrency {
        Some(asked) => (
            asked,
            format!("at most {asked} probes in flight (--concurrency)"),
        ),
        None => default_in_flight(&capacity, bounds, tables),
    };
    let threads = bounds.threads.unwrap_or(NonZeroUsize::MIN);
    let limits = Limits {
        per_address: bounds.per_host,
        rate: bounds.rate,
        traces: NonZeroUsize::new(MOST_TRACES),
        deadline: Some(bounds.probing_time(plans.len()).saturating_sub(spent)),
        threads,
        standby_threads: tables.get().saturating_sub(threads.get()),
        ..Limits::in_flight(in_flight)
    };
    (limits, [limit].into_iter().chain(reason).collect())
}

/// The most probes in flight that this machine has descriptors and ports for.
fn default_in_flight(
    capacity: &Capacity,
    bounds: &Bounds,
    tables: NonZeroUsize,
) -> (NonZeroUsize, String) {
    let in_flight = match bounds.per_host {
        Some(_) => capacity.in_flight(tables),
        None => capacity.to_one_target(tables),
    };
    let reason = format!(
        "at most {in_flight} probes in flight: this machine has {capacity} (--concurrency sets another limit)"
    );
    (in_flight, reason)
}

/// The number of descriptor tables: one per thread with `--threads`, otherwise as many as the
/// probes need if no target answers. It is one if this system does not give threads their own
/// tables.
fn tables(
    capacity: &Capacity,
    bounds: &Bounds,
    plans: &[Arc<Plan>],
    has_tables: impl FnOnce() -> bool,
) -> (NonZeroUsize, Option<String>) {
    let (one, each) = (NonZeroUsize::MIN, capacity.per_fd_table());
    let tables = bounds
        .threads
        .unwrap_or_else(|| capacity.fd_tables_for(most_in_flight(bounds, plans, each)));
    match (bounds.threads, tables) {
        (_, tables) if tables == one => (one, None),
        _ if !has_tables() => {
            let reason = format!(
                "threads cannot have their own descriptors on this system: at most {each} probes in flight"
            );
            (one, Some(reason))
        }
        (Some(_), _) => (tables, None),
        (None, _) => {
            let reason = format!(
                "1 thread has descriptors for {each} probes: up to {tables} threads are started as needed, each with \
                 its own descriptors (--threads sets another number)"
            );
            (tables, Some(reason))
        }
    }
}

/// The most probes that are in flight if no target answers. Names are not counted: the resolver
/// limits how fast they become connects. A result of at most `enough` may be too high, because the
/// caller then needs only one table.
fn most_in_flight(bounds: &Bounds, plans: &[Arc<Plan>], enough: NonZeroUsize) -> usize {
    let literals = || plans.iter().filter_map(|plan| plan.ip());
    let bounded = plans
        .len()
        .min(bounds.concurrency.map_or(usize::MAX, NonZeroUsize::get))
        .min(started_in_time(bounds, plans));
    match bounds.per_host {
        _ if bounded <= enough.get() => bounded,
        None => bounded.min(literals().count()),
        Some(most) => {
            let most = with_unanswered(most, longest_timeout(bounds, plans));
            // Sorting takes a quarter of the memory of a map.
            let mut hosts: Vec<_> = literals().collect();
            hosts.sort_unstable();
            bounded.min(
                hosts
                    .chunk_by(IpAddr::eq)
                    .map(|probes| probes.len().min(most))
                    .sum(),
            )
        }
    }
}

/// The most probes that the rate limit lets start during the longest timeout.
fn started_in_time(bounds: &Bounds, plans: &[Arc<Plan>]) -> usize {
    let Some(rate) = bounds.rate.map(NonZeroU32::get) else {
        return usize::MAX;
    };
    let started = u128::from(rate) * longest_timeout(bounds, plans).as_millis() / 1000 + 1;
    usize::try_from(started).unwrap_or(usize::MAX)
}

/// The most probes of one address that are in flight within this time if it does not answer, with
/// this limit per address: an unanswered SYN soon no longer counts.
fn with_unanswered(per_address: NonZeroUsize, time: Duration) -> usize {
    let periods = time.as_millis().div_ceil(UNANSWERED_COUNTS.as_millis());
    per_address
        .get()
        .saturating_mul(usize::try_from(periods).unwrap_or(usize::MAX).max(1))
}

/// The longest time that a probe is in flight.
fn longest_timeout(bounds: &Bounds, plans: &[Arc<Plan>]) -> Duration {
    plans
        .iter()
        .map(|plan| plan.spec.timeout)
        .max()
        .unwrap_or_default()
        .min(bounds.deadline)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::address::Target;
    use crate::plan::ProbeSpec;

    const CAPACITY: Capacity = Capacity {
        descriptors: 1300,
        ports: 28_232,
    };

    fn bounds() -> Bounds {
        let deadline = Duration::from_secs(10);
        Bounds {
            concurrency: None,
            rate: None,
            per_host: NonZeroUsize::new(16),
            threads: None,
            deadline,
        }
    }

    /// Plans for `each` ports of each host.
    fn plans(hosts: impl Iterator<Item = String>, each: u16) -> Vec<Arc<Plan>> {
        let spec = Arc::new(ProbeSpec {
            timeout: Duration::from_secs(2),
            ..ProbeSpec::default()
        });
        let plan = |host: &str, port: u16| {
            let target = Target::from_arguments(host, Some(&port.to_string()), None).unwrap();
            Arc::new(Plan {
                spec: Arc::clone(&spec),
                ..Plan::connect(target)
            })
        };
        hosts
            .flat_map(|host| {
                (1..=each)
                    .map(move |port| plan(&host, port))
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    fn addresses(count: u32) -> impl Iterator<Item = String> {
        (0..count).map(|number| format!("192.0.{}.{}", number / 250, number % 250))
    }

    #[track_caller]
    fn chosen(bounds: &Bounds, plans: &[Arc<Plan>]) -> usize {
        tables(&CAPACITY, bounds, plans, || true).0.get()
    }

    #[test]
    fn the_time_to_report_the_targets_is_a_part_of_the_deadline() {
        let many = plans(addresses(2500), 1);
        let spent = Duration::from_millis(500);
        let deadline = |plans| limits(&bounds(), plans, spent).0.deadline.unwrap();
        assert_eq!(deadline(&many[..0]), Duration::from_millis(9500));
        assert_eq!(deadline(&many), Duration::from_millis(9495));
    }

    #[test]
    fn as_many_tables_as_the_probes_need() {
        let many = plans(addresses(3500), 1);
        assert_eq!(
            [0, 1, 1000, 1001, 3500].map(|count| chosen(&bounds(), &many[..count])),
            [1, 1, 1, 2, 4]
        );
        let by = |bounds: Bounds| chosen(&bounds, &many);
        let some = NonZeroUsize::new;
        assert_eq!(
            by(Bounds {
                concurrency: some(1000),
                ..bounds()
            }),
            1
        );
        assert_eq!(
            by(Bounds {
                concurrency: some(2500),
                ..bounds()
            }),
            3
        );
        assert_eq!(
            by(Bounds {
                threads: some(2),
                ..bounds()
            }),
            2,
            "--threads is not changed"
        );
        assert_eq!(
            by(Bounds {
                rate: NonZeroU32::new(700),
                ..bounds()
            }),
            2,
            "1,400 in two seconds"
        );
        assert_eq!(
            by(Bounds {
                rate: NonZeroU32::new(490),
                ..bounds()
            }),
            1,
            "980 in two seconds"
        );
    }

    #[test]
    fn waiting_probes_need_no_descriptors() {
        let crowded = plans(addresses(50), 100);
        for (per_host, tables) in [(2, 1), (5, 3), (16, 5)] {
            let bounds = Bounds {
                per_host: NonZeroUsize::new(per_host),
                ..bounds()
            };
            assert_eq!(
                chosen(&bounds, &crowded),
                tables,
                "50 addresses with {per_host} each, in ten periods of 200 ms"
            );
        }
        assert_eq!(
            chosen(
                &Bounds {
                    per_host: None,
                    ..bounds()
                },
                &crowded
            ),
            5
        );
        let named = plans((0..3000).map(|number| format!("host{number}")), 1);
        assert_eq!(
            [
                bounds(),
                Bounds {
                    per_host: None,
                    ..bounds()
                }
            ]
            .map(|bounds| chosen(&bounds, &named)),
            [1, 1]
        );
    }

    #[test]
    fn one_table_if_threads_share_descriptors() {
        let many = plans(addresses(2500), 1);
        let (tables, reason) = tables(&CAPACITY, &bounds(), &many, || false);
        assert_eq!(tables.get(), 1);
        assert_eq!(
            reason.unwrap(),
            "threads cannot have their own descriptors on this system: at most 1000 probes in flight"
        );
        let (in_flight, _) = default_in_flight(&CAPACITY, &bounds(), tables);
        assert_eq!(in_flight.get(), 1000);
    }

    #[test]
    fn own_descriptors_are_tested_only_if_needed() {
        let few = plans(addresses(900), 1);
        assert_eq!(
            tables(&CAPACITY, &bounds(), &few, || panic!("tried")),
            (NonZeroUsize::MIN, None)
        );
    }
}
