use std::net::IpAddr;

use super::*;
use crate::watch::model::WatchModel;

const INTERVAL: Duration = Duration::from_secs(1);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn at(milliseconds: u64) -> Moment {
    Moment {
        wall: 1_790_000_000_000_000,
        ..Moment::default()
    }
    .after(ms(milliseconds))
}

fn failure(status: Status) -> Arc<Failure> {
    Arc::new(Failure::new(status, format!("it is {}", status.name())))
}

fn sample(start: Moment, taken: Duration, status: Status) -> Sample {
    let result = match status {
        Status::Ok => SampleResult::Up,
        status if status.is_unknown() => SampleResult::Unknown(failure(status)),
        status => SampleResult::Down(failure(status)),
    };
    Sample {
        start,
        end: start.after(taken),
        connect: (status == Status::Ok).then_some(taken),
        rtt: None,
        first_byte: None,
        syn_retransmits: 0,
        data_retransmits: 0,
        address: None,
        source: None,
        answer: None,
        certificate: None,
        result,
    }
}

/// A target whose probes start at each second and take 1 ms, with these statuses.
fn run(statuses: impl IntoIterator<Item = Status>) -> TargetModel {
    let mut model = TargetModel::new(INTERVAL);
    for (second, status) in (0..).zip(statuses) {
        model.add(sample(at(second * 1000), ms(1), status));
    }
    model
}

/// The outages as (start, end, probes), in milliseconds.
fn outages(model: &TargetModel) -> Vec<(u64, Option<u64>, u64)> {
    let millis = |moment: &Moment| u64::try_from(moment.since_start().as_millis()).unwrap();
    let row = |outage: &Outage| {
        (
            millis(&outage.start),
            outage.end.as_ref().map(millis),
            outage.probes,
        )
    };
    model.outages().kept().map(row).collect()
}

#[test]
fn without_probes_nothing_is_said() {
    let model = TargetModel::new(INTERVAL);
    assert_eq!(model.state(), TargetState::Waiting);
    assert_eq!(model.counts().loss(), None);
    assert_eq!(outages(&model), []);
}

#[test]
fn an_outage_is_from_the_first_failed_probe_to_the_next_successful_one() {
    use Status::{ConnectTimeout, Ok, Refused};
    let model = run([Ok, Ok, Refused, ConnectTimeout, Refused, Ok, Ok]);
    assert_eq!(outages(&model), [(2000, Some(5001), 3)]);
    let outage = model.outages().first().unwrap();
    assert_eq!(outage.statuses, [Refused, ConnectTimeout]);
    assert_eq!(outage.cause.text, "it is refused");
    assert_eq!(outage.up_before, Some(at(1000)));
    assert_eq!(outage.last, at(4000));
    assert_eq!(model.state(), TargetState::Up);
    assert_eq!(model.up_since(), Some(&at(5001)));
    assert_eq!(model.counts().loss(), Some(3.0 / 7.0));
}

#[test]
fn an_outage_may_begin_with_the_first_probe_and_last() {
    use Status::{Ok, Reset};
    let model = run([Reset, Reset]);
    assert_eq!(outages(&model), [(0, None, 2)]);
    assert_eq!(model.outages().first().unwrap().up_before, None);
    assert_eq!((model.state(), model.up_since()), (TargetState::Down, None));
    assert_eq!(model.outages().total(&at(9500)), ms(9500));
    assert_eq!(outages(&run([Reset, Ok])), [(0, Some(1001), 1)]);
}

#[test]
fn an_unknown_probe_neither_begins_nor_ends_an_outage() {
    use Status::{Denied, LocalError, NotTried, Ok, Refused};
    let model = run([Ok, Denied, LocalError, NotTried, Ok]);
    assert_eq!(outages(&model), []);
    assert_eq!(model.counts().loss(), Some(0.0));
    assert_eq!(model.counts().unknown, 3);
    let model = run([Ok, LocalError]);
    assert_eq!(model.state(), TargetState::Unknown);
    let model = run([Ok, Refused, NotTried, LocalError, Refused, Ok]);
    assert_eq!(outages(&model), [(1000, Some(5001), 2)]);
    assert_eq!(model.outages().first().unwrap().unknown, 2);
    let model = run([Ok, Refused, NotTried]);
    assert_eq!(model.state(), TargetState::Down);
}

/// Every pattern of ups and downs of this length: the outages are the runs of downs.
#[test]
fn every_pattern_of_twelve_probes_gives_its_outages() {
    for pattern in 0_u32..1 << 12 {
        let is_down = |second: u64| pattern >> second & 1 == 1;
        let status = |second| {
            if is_down(second) {
                Status::Refused
            } else {
                Status::Ok
            }
        };
        let model = run((0..12).map(status));
        let mut expected = Vec::new();
        let mut second = 0;
        while second < 12 {
            if is_down(second) {
                let start = second;
                while second < 12 && is_down(second) {
                    second += 1;
                }
                let end = (second < 12).then_some(second * 1000 + 1);
                expected.push((start * 1000, end, second - start));
            }
            second += 1;
        }
        assert_eq!(outages(&model), expected, "{pattern:012b}");
        let lost = u64::from(pattern.count_ones());
        assert_eq!((model.counts().down, model.counts().up), (lost, 12 - lost));
    }
}

#[test]
fn a_set_clock_changes_no_duration() {
    for step in [-86_400_000_000, -3_600_000_000, 3_600_000_000, i64::MAX / 4] {
        let mut model = TargetModel::new(INTERVAL);
        for second in 0..10 {
            let status = if (3..6).contains(&second) {
                Status::Refused
            } else {
                Status::Ok
            };
            let mut start = at(second * 1000);
            if second >= 4 {
                start.wall = start.wall.saturating_add(step);
            }
            let changes = model.add(sample(start, ms(1), status));
            let is_gap = |change: &Change| matches!(change, Change::Unwatched(_));
            assert!(!changes.iter().any(is_gap), "{changes:?}");
        }
        assert_eq!(outages(&model), [(3000, Some(6001), 3)], "{step}");
        assert_eq!(model.outages().total(&at(10_000)), ms(3001));
        assert_eq!(model.unwatched(), Duration::ZERO);
    }
}

/// A moment after a suspension of an hour.
fn resumed(milliseconds: u64) -> Moment {
    let hour = 3_600_000_000;
    let moment = at(milliseconds);
    Moment {
        suspended: Duration::from_micros(hour),
        wall: moment.wall + i64::try_from(hour).unwrap(),
        ..moment
    }
}

#[test]
fn a_suspension_is_no_outage() {
    let mut model = TargetModel::new(INTERVAL);
    for second in 0..3 {
        model.add(sample(at(second * 1000), ms(1), Status::Ok));
    }
    // The network is not back at once.
    for second in 3..8 {
        let changes = model.add(sample(resumed(second * 1000), ms(1), Status::Unreachable));
        let gap = Change::Unwatched(Duration::from_secs(3600));
        assert_eq!(changes.contains(&gap), second == 3, "{changes:?}");
    }
    model.add(sample(resumed(8000), ms(1), Status::Ok));
    assert_eq!(outages(&model), []);
    assert_eq!((model.counts().unknown, model.counts().down), (5, 0));
    assert_eq!(model.unwatched(), Duration::from_secs(3600));
    // It is back: what fails now is an outage.
    model.add(sample(resumed(9000), ms(1), Status::Refused));
    assert_eq!(outages(&model), [(3_609_000, None, 1)]);
}

#[test]
fn a_target_that_stays_down_after_a_suspension_is_down() {
    let mut model = TargetModel::new(INTERVAL);
    model.add(sample(at(0), ms(1), Status::Ok));
    for second in 1..30 {
        model.add(sample(
            resumed(second * 1000),
            ms(1),
            Status::ConnectTimeout,
        ));
    }
    // The machine was resumed before the probe at 1001 ms ended; failures count 10 s after that.
    assert_eq!(outages(&model), [(3_612_000, None, 18)]);
}

#[test]
fn an_outage_continues_over_a_suspension() {
    let mut model = TargetModel::new(INTERVAL);
    model.add(sample(at(0), ms(1), Status::Ok));
    model.add(sample(at(1000), ms(1), Status::Refused));
    model.add(sample(resumed(2000), ms(1), Status::Refused));
    model.add(sample(resumed(3000), ms(1), Status::Ok));
    assert_eq!(outages(&model), [(1000, Some(3_603_001), 1)]);
    let outage = model.outages().first().unwrap();
    assert_eq!(outage.unwatched, Duration::from_secs(3600));
    assert_eq!(outage.duration(&at(0)), Duration::from_secs(3602) + ms(1));
}

#[test]
fn a_pause_of_this_process_is_a_gap() {
    let mut model = TargetModel::new(INTERVAL);
    for second in [0, 1, 2, 62, 63] {
        model.add(sample(at(second * 1000), ms(1), Status::Ok));
    }
    assert_eq!(model.unwatched(), Duration::from_secs(59));
    let marks: Vec<_> = model
        .series()
        .last(10, 1)
        .iter()
        .map(|point| point.mark)
        .collect();
    let (up, gap) = (Mark::Up, Mark::Gap);
    assert_eq!(marks, [up, up, up, gap, up, up]);
}

#[test]
fn changed_addresses_are_noticed_whatever_their_order() {
    let list = |texts: &[&str]| -> Option<Arc<[IpAddr]>> {
        Some(texts.iter().map(|text| text.parse().unwrap()).collect())
    };
    let mut model = TargetModel::new(INTERVAL);
    let mut seen = Vec::new();
    for (second, answer) in [
        None,
        list(&["192.0.2.7"]),
        list(&["192.0.2.7"]),
        None,
        list(&["192.0.2.8"]),
        list(&["192.0.2.8"]),
        list(&["192.0.2.7"]),
    ]
    .into_iter()
    .enumerate()
    {
        let start = at(second as u64 * 1000);
        let changes = model.add(Sample {
            answer,
            ..sample(start, ms(1), Status::Ok)
        });
        if let Some(Change::Addresses(change)) = changes.into_iter().next() {
            seen.push((
                second,
                change.before[0].to_string(),
                change.after[0].to_string(),
            ));
        }
    }
    let (old, new) = ("192.0.2.7".to_owned(), "192.0.2.8".to_owned());
    assert_eq!(seen, [(4, old.clone(), new.clone()), (6, new, old)]);
    assert_eq!(model.address_changes().1, 2);
}

#[test]
fn a_new_certificate_is_noticed() {
    let mut model = TargetModel::new(INTERVAL);
    let mut noticed = Vec::new();
    for (second, digest) in [1, 1, 2, 2].into_iter().enumerate() {
        let certificate = SeenCertificate {
            subject: "CN=a".into(),
            issuer: "CN=b".into(),
            sha256: [digest; 32],
            not_after: 0,
        };
        let changes = model.add(Sample {
            certificate: Some(certificate),
            ..sample(at(second as u64 * 1000), ms(1), Status::Ok)
        });
        noticed.extend(changes.into_iter().map(|change| (second, change)));
    }
    assert!(matches!(&noticed[..], [(2, Change::Certificate(before))] if before.sha256 == [1; 32]));
    assert_eq!(model.certificate().unwrap().sha256, [2; 32]);
}

#[test]
fn times_and_retransmissions_are_counted() {
    let mut model = TargetModel::new(INTERVAL);
    for second in 0..100 {
        let start = at(second * 1000);
        model.add(Sample {
            rtt: Some(ms(2)),
            syn_retransmits: if second % 50 == 0 { 2 } else { 0 },
            data_retransmits: if second == 7 { 3 } else { 0 },
            ..sample(start, ms(second + 1), Status::Ok)
        });
    }
    let retransmits = Retransmits {
        syns: 4,
        segments: 3,
        probes: 3,
    };
    assert_eq!(model.retransmits(), retransmits);
    assert_eq!(model.connect().count(), 100);
    assert_eq!(model.rtt().percentile(50), Some(ms(2)));
    let jitter = model.connect().jitter().unwrap();
    assert!(jitter > ms(88) && jitter < ms(92), "{jitter:?}");
    let minute = model.recent_counts(&at(99_500), Duration::from_secs(60));
    assert_eq!(minute.all(), 60);
}

#[test]
fn the_target_that_failed_first_comes_first() {
    let mut model = WatchModel::new(3, INTERVAL, at(0));
    for second in 0..20 {
        for (target, down) in [(0, 12..15), (1, 5..20), (2, 50..51)] {
            let status = if down.contains(&second) {
                Status::Refused
            } else {
                Status::Ok
            };
            model.add(target, sample(at(second * 1000), ms(1), status));
        }
    }
    let failed: Vec<_> = model
        .failed_targets()
        .iter()
        .map(|(target, _)| *target)
        .collect();
    assert_eq!(failed, [1, 0]);
    assert_eq!(model.outages().len(), 2);
    assert_eq!(model.count(TargetState::Down), 1);
    assert!(!model.all_up());
    assert_eq!(model.add(7, sample(at(0), ms(1), Status::Ok)), []);
}

#[test]
fn clock_steps_are_noted_and_bounded() {
    let mut model = WatchModel::new(1, INTERVAL, at(0));
    model.compare_clocks(at(1000));
    model.compare_clocks(resumed(2000));
    assert_eq!(model.clock_steps().1, 0);
    for step in 0..30_i64 {
        let mut now = resumed(3000);
        now.wall += 5_000_000 * (step + 1);
        model.compare_clocks(now);
    }
    let (steps, count) = model.clock_steps();
    assert_eq!((steps.len(), count, steps[0].micros), (10, 30, 5_000_000));
}
