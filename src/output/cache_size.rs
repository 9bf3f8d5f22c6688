//! The memory that discovered targets need in Zabbix: the configuration cache of the server, whose
//! size is `CacheSize`. If the cache is full, the server exits, and exits again after each start.

/// What a target of the template *TCP targets* needs, in bytes, with the default items; with all
/// items (`{$TCP.DETAIL}`) it is 3.5 times as much. Measured in Zabbix 6.0.14 and 7.0.22 by
/// `tests/bench/zabbix/cache`.
const PER_TARGET: [(&str, u64); 2] = [("6.0", 10_900), ("7.0", 7_700)];
/// What Zabbix needs with its own templates and no other host, in bytes.
const EMPTY: u64 = 8 << 20;
/// The default of `CacheSize`.
const DEFAULT: u64 = 32 << 20;

/// How much of `CacheSize` this number of targets needs, and what to set, as one line for each
/// release.
pub fn lines(targets: usize) -> Vec<String> {
    let targets = u64::try_from(targets).unwrap_or(u64::MAX);
    let line = |(release, each): (&str, u64)| {
        let need = targets.saturating_mul(each);
        let all = need.saturating_add(EMPTY);
        let advice = if all.saturating_mul(10) <= DEFAULT * 9 {
            "the default of 32M is enough if nothing else is monitored".to_owned()
        } else {
            // A quarter is left free.
            let size = all.saturating_add(all / 4).div_ceil(1 << 20);
            format!("set CacheSize={size}M or more before you link the template")
        };
        format!(
            "CacheSize of Zabbix {release}: {targets} targets x {}.{} kB = {:.1} MB, and 8 MB without them: {advice}",
            each / 1000,
            each % 1000 / 100,
            mega(need),
        )
    };
    PER_TARGET.into_iter().map(line).collect()
}

/// Megabytes as Zabbix counts them.
#[allow(clippy::cast_precision_loss, reason = "one decimal is shown")]
fn mega(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_enough_for_few_targets() {
        let [six, seven] = &lines(200)[..] else {
            panic!()
        };
        assert_eq!(
            six,
            "CacheSize of Zabbix 6.0: 200 targets x 10.9 kB = 2.1 MB, and 8 MB without them: the default of 32M is enough if nothing else is monitored"
        );
        assert!(
            seven.starts_with("CacheSize of Zabbix 7.0: 200 targets x 7.7 kB = 1.5 MB"),
            "{seven}"
        );
        let [six, seven] = &lines(5000)[..] else {
            panic!()
        };
        assert!(six.ends_with("52.0 MB, and 8 MB without them: set CacheSize=75M or more before you link the template"), "{six}");
        assert!(
            seven.ends_with("set CacheSize=56M or more before you link the template"),
            "{seven}"
        );
        assert_eq!(lines(usize::MAX).len(), 2);
    }
}
