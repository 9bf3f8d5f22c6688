//! What a run of many probes may use: what was asked for, else what this machine has and the probes need.

use std::net::IpAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use crate::engine::{Capacity, Limits};
use crate::plan::Plan;
use crate::settings::batch::Bounds;

/// The limits of a run of these probes, so much of whose time is over, and the sentences that explain them.
pub fn limits(
    bounds: &Bounds,
    plans: &[Arc<Plan>],
    spent: Duration,
) -> (Limits<'static>, Vec<String>) {
    let room = Capacity::of_this_machine();
    let (tables, why) = tables(&room, bounds, plans, Capacity::can_unshare_fds);
    let (in_flight, limit) = match bounds.concurrency {
        Some(asked) => (
            asked,
            format!("at most {asked} probes at once, as --concurrency says"),
        ),
        None => as_many_as(&room, bounds, tables),
    };
    let threads = bounds.threads.unwrap_or(NonZeroUsize::MIN);
    let limits = Limits {
        per_address: bounds.per_host,
        rate: bounds.rate,
        deadline: Some(bounds.deadline.saturating_sub(spent)),
        threads,
        standby_threads: tables.get().saturating_sub(threads.get()),
        ..Limits::in_flight(in_flight)
    };
    (limits, [limit].into_iter().chain(why).collect())
}

/// As many as this machine has room for.
fn as_many_as(room: &Capacity, bounds: &Bounds, tables: NonZeroUsize) -> (NonZeroUsize, String) {
    let in_flight = match bounds.per_host {
        Some(_) => room.in_flight(tables),
        None => room.to_one_target(tables),
    };
    let why = format!(
        "at most {in_flight} probes at once: there are {room} (--concurrency sets another number)"
    );
    (in_flight, why)
}

/// How many tables of descriptors the run has: one for each thread that was asked for, else as many as its probes need
/// when nobody answers. Where threads cannot have their own there is one.
fn tables(
    room: &Capacity,
    bounds: &Bounds,
    plans: &[Arc<Plan>],
    has_tables: impl FnOnce() -> bool,
) -> (NonZeroUsize, Option<String>) {
    let (one, each) = (NonZeroUsize::MIN, room.per_fd_table());
    let tables = bounds
        .threads
        .unwrap_or_else(|| room.fd_tables_for(wished(bounds, plans, each)));
    match (bounds.threads, tables) {
        (_, tables) if tables == one => (one, None),
        _ if !has_tables() => {
            let why = format!(
                "this system gives threads no descriptors of their own: {each} probes at once have some"
            );
            (one, Some(why))
        }
        (Some(_), _) => (tables, None),
        (None, _) => {
            let why = format!(
                "1 thread has descriptors for {each} of them: up to {tables} threads begin, each with its own, as \
                 they are needed (--threads sets another number)"
            );
            (tables, Some(why))
        }
    }
}

/// How many probes are in flight at once when nobody answers and nothing but these bounds limits them; not exact where
/// it is fewer than `enough`. Names do not count: how fast they are resolved is another limit.
fn wished(bounds: &Bounds, plans: &[Arc<Plan>], enough: NonZeroUsize) -> usize {
    let literals = || plans.iter().filter_map(|plan| plan.ip());
    let bounded = plans
        .len()
        .min(bounds.concurrency.map_or(usize::MAX, NonZeroUsize::get))
        .min(begun_in_time(bounds, plans));
    match bounds.per_host {
        _ if bounded <= enough.get() => bounded,
        None => bounded.min(literals().count()),
        Some(most) => {
            // Sorted they take a quarter of the memory of a map.
            let mut hosts: Vec<_> = literals().collect();
            hosts.sort_unstable();
            bounded.min(
                hosts
                    .chunk_by(IpAddr::eq)
                    .map(|probes| probes.len().min(most.get()))
                    .sum(),
            )
        }
    }
}

/// How many the pace lets begin while the first of them waits for its answer.
fn begun_in_time(bounds: &Bounds, plans: &[Arc<Plan>]) -> usize {
    let Some(rate) = bounds.rate.map(NonZeroU32::get) else {
        return usize::MAX;
    };
    let longest = plans
        .iter()
        .map(|plan| plan.spec.timeout)
        .max()
        .unwrap_or_default()
        .min(bounds.deadline);
    let begun = u128::from(rate) * longest.as_millis() / 1000 + 1;
    usize::try_from(begun).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::address::Target;
    use crate::plan::ProbeSpec;

    const ROOM: Capacity = Capacity {
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

    /// So many targets on each of these hosts.
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
        tables(&ROOM, bounds, plans, || true).0.get()
    }

    #[test]
    fn as_many_threads_as_the_probes_need_descriptors() {
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
            "what was asked for stays"
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
    fn what_waits_for_an_address_or_a_name_has_no_descriptor() {
        let crowded = plans(addresses(50), 100);
        assert_eq!(chosen(&bounds(), &crowded), 1, "50 addresses with 16 each");
        assert_eq!(
            chosen(
                &Bounds {
                    per_host: NonZeroUsize::new(50),
                    ..bounds()
                },
                &crowded
            ),
            3
        );
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
    fn threads_that_share_descriptors_are_no_help() {
        let many = plans(addresses(2500), 1);
        let (tables, why) = tables(&ROOM, &bounds(), &many, || false);
        assert_eq!(tables.get(), 1);
        assert_eq!(
            why.unwrap(),
            "this system gives threads no descriptors of their own: 1000 probes at once have some"
        );
        let (in_flight, _) = as_many_as(&ROOM, &bounds(), tables);
        assert_eq!(in_flight.get(), 1000);
    }

    #[test]
    fn nobody_tries_what_is_not_needed() {
        let few = plans(addresses(900), 1);
        assert_eq!(
            tables(&ROOM, &bounds(), &few, || panic!("tried")),
            (NonZeroUsize::MIN, None)
        );
    }
}
