"""The user macros. A macro of several templates has the same meaning in each."""

from .parts import macro

PORTS = macro(
    "TCP.PORTS", "",
    "Required. Ports to probe, separated by commas, each optionally with the service to test: 22/ssh,25/smtp,443/https,8000-8010. "
    "The command zbx-tcp services lists the services.",
)
INTERVAL = macro("TCP.INTERVAL", "1m", "Interval between probes of a port. Context: the port.")
DISCOVERY_INTERVAL = macro(
    "TCP.DISCOVERY.INTERVAL", "2m",
    "Interval between readings of the list of ports. Reading it causes no network traffic.",
)
DISCOVERY_NODATA = macro(
    "TCP.DISCOVERY.NODATA.PERIOD", "7m",
    "Time without a list of ports after which zbx-tcp is reported as failed. Set it to more than twice "
    "{$TCP.DISCOVERY.INTERVAL}, and to less than {$TCP.NODATA.PERIOD} minus 2 minutes, so that its trigger fires first.",
)
NODATA = macro(
    "TCP.NODATA.PERIOD", "10m",
    "Time without a result after which the probe is reported as failed. Set it to more than twice {$TCP.INTERVAL}; if that "
    "is set for one port by context, set this too, with the same context.",
)
SLOW_PROBES = macro(
    "TCP.SLOW.PROBES", "#5", "Number of measurements over which connect and response times are averaged, with a #; at most #10.",
)
LOSS_PERIOD = macro("TCP.LOSS.PERIOD", "15m", "Period in which probes with retransmitted SYNs are counted.")
TIMEOUT = macro(
    "TCP.TIMEOUT", "2.5s",
    "Total deadline of a probe, including name resolution. Must be below the timeout of Zabbix, 3 s by default.",
)
COUNT = macro(
    "TCP.COUNT", "1",
    "Number of connection attempts of one probe, at intervals of 0.2 s. The service is up if one of them succeeds. With more "
    "than 1, the share of failed attempts is measured.",
)
ADDRESSES = macro(
    "TCP.ADDRESSES", "any",
    "Which addresses of a name must be up: any, first or all. With any, the addresses are tried in order until one passes. "
    "With all, {$TCP.COUNT} must be 1.",
)
SNI = macro("TCP.SNI", "", "Name that a certificate must have, if it is not the host's address. Only for services with TLS, so set it "
            "for one port by context: {$TCP.SNI:\"443\"}.")
# What each release accepts from an external check.
MAX_OUTPUT = {"6.0": "512K", "7.0": "16M"}
OUTPUT = macro(
    "TCP.MAX.OUTPUT", MAX_OUTPUT,
    "Maximum size of the document of a run: 512K in Zabbix 6.0, 16M since 7.0. If it would be longer, parts are omitted.",
)
PATH = macro(
    "TCP.PATH", "",
    "With on, a probe without an answer finds out which router answered last, with at most 30 further SYNs; the failure reason "
    "contains it. Empty or off: no further SYNs.",
)
FAMILY = macro("TCP.FAMILY", "", "Address family to use, 4 or 6; empty for both.")
AGENT_HOST = macro(
    "TCP.HOST", "127.0.0.1",
    "Name or address to probe: the machine of the agent, or another machine that it can reach.",
)
GROUP = macro(
    "TCP.GROUP", "",
    "Required. Group of targets in the configuration file of zbx-tcp. A target can be in several groups.",
)
TARGET_TIMEOUT = macro("TCP.TARGET.TIMEOUT", "2s", "Deadline of one target, including name resolution.")
DEADLINE = macro(
    "TCP.DEADLINE", "2.5s",
    "Deadline of the run. Targets that were not probed by then have the status not_tried. Must be below the timeout of "
    "Zabbix, 3 s by default.",
)
MATCHES = macro("TCP.TARGET.MATCHES", ".*", "Only targets whose id matches this regular expression are discovered.")
NOT_MATCHES = macro(
    "TCP.TARGET.NOT_MATCHES", "CHANGE_IF_NEEDED",
    "Targets whose id matches this regular expression are not discovered.",
)
UNKNOWN_WARN = macro(
    "TCP.UNKNOWN.MAX.WARN", "50",
    "Percentage of targets with an unknown state above which there is one problem for all of them.",
)
GROUP_PROBES = macro(
    "TCP.GROUP.PROBES", "#2",
    "Number of runs in sequence after which there is one problem for many targets, with a #. Set it below {$TCP.DOWN.PROBES}, so "
    "that this problem is created before the problems of the targets.",
)
DOWN_PERCENT = macro(
    "TCP.DOWN.MAX.WARN", "50",
    "Percentage of targets that are down above which there is one problem for all of them, if {$TCP.CAUSE.MIN.TARGETS} or more "
    "are down.",
)
CAUSE_TARGETS = macro(
    "TCP.CAUSE.MIN.TARGETS", "10",
    "Minimum number of targets that are down for the same reason, so that one problem replaces the problems of these targets.",
)
CAUSE_PERCENT = macro(
    "TCP.CAUSE.MIN.PERCENT", "20",
    "Minimum percentage of the targets that are down for the same reason, so that one problem replaces the problems of these targets.",
)
TARGETS_MAX = macro(
    "TCP.TARGETS.MAX", "1500",
    "Maximum number of targets that are discovered; those with all items ({$TCP.DETAIL}) or TLS count as four. The default is safe on a "
    "Zabbix server with the default CacheSize of 32M: increase CacheSize first, by 11 kB for each target.",
)
DETAIL = macro(
    "TCP.DETAIL", "",
    "Regular expression for the ids of targets with all items, triggers and graphs; .* for all targets, empty for none. Other "
    "targets have the state, the status, the failure reason and the connect time.",
)


DOWN = [
    macro("TCP.DOWN.PROBES", "#3", "Number of probes in sequence without success after which a service is reported as down, with a "
          "#; at most #10. A new service needs one more probe."),
    macro("TCP.UP.PROBES", "#2", "Number of successful probes in sequence that resolve the problem, with a #."),
]


def limits(context):
    """Thresholds. Each can be set for one port or target by its context."""
    return [
        macro("TCP.CONNECT.WARN", "0.5s", f"Threshold of the average connect time in seconds, for example 0.5s or 2s; Zabbix "
              f"has no unit for milliseconds. Context: {context}."),
        macro("TCP.RESPONSE.WARN", "1s", f"Threshold of the average response time in seconds, for example 0.5s or 2s; Zabbix "
              f"has no unit for milliseconds. Context: {context}."),
        macro("TCP.LOSS.WARN", "3", f"Threshold of the number of probes with retransmitted SYNs. Context: {context}."),
        SLOW_PROBES,
        LOSS_PERIOD,
    ]
