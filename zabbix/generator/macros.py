"""The user macros. A macro of several templates has the same meaning in each."""

from .parts import macro

PORTS = macro(
    "TCP.PORTS", "",
    "Required. Ports to probe, separated by commas, each optionally with the service to test: 22/ssh,25/smtp,443,8000-8010. "
    "The command zbx-tcp services lists the services.",
)
INTERVAL = macro("TCP.INTERVAL", "1m", "Interval between probes of a port. Can be set for one port by context.")
DISCOVERY_INTERVAL = macro(
    "TCP.DISCOVERY.INTERVAL", "2m",
    "Interval between readings of the list of ports. Reading it causes no network traffic.",
)
DISCOVERY_NODATA = macro(
    "TCP.DISCOVERY.NODATA.PERIOD", "7m",
    "Time without a list of ports after which zbx-tcp is reported as failed. Set it to more than twice "
    "{$TCP.DISCOVERY.INTERVAL}, and to less than {$TCP.NODATA.PERIOD} minus {$TCP.INTERVAL} minus 1 minute, so that its "
    "trigger fires first.",
)
NODATA = macro(
    "TCP.NODATA.PERIOD", "10m",
    "Time without a result after which the probe is reported as failed. Set it to more than {$TCP.INTERVAL}.",
)
DOWN_PERIOD = macro(
    "TCP.DOWN.PERIOD", "3m",
    "Time without a successful probe after which a service is reported as down. Set it to several times {$TCP.INTERVAL}. A service "
    "without an earlier result in this time, for example a new one, is reported as down after its first failed probe.",
)
UP_PERIOD = macro(
    "TCP.UP.PERIOD", "2m",
    "Time in which every probe must succeed before the problem is resolved. Set it to at least {$TCP.INTERVAL}.",
)
SLOW_PERIOD = macro("TCP.SLOW.PERIOD", "5m", "Period over which connect and response times are averaged.")
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
AGENT_HOST = macro(
    "TCP.HOST", "127.0.0.1",
    "Name or address to probe: the machine of the agent, or another machine that it can reach.",
)
GROUP = macro(
    "TCP.GROUP", "",
    "Group of targets in the configuration file of zbx-tcp; empty for all targets.",
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
UNKNOWN_PERIOD = macro(
    "TCP.UNKNOWN.PERIOD", "2m",
    "Time for which the percentage must stay above {$TCP.UNKNOWN.MAX.WARN}. Set it below {$TCP.DOWN.PERIOD}, so that this "
    "problem is created before the problems of the targets.",
)

DOWN = [DOWN_PERIOD, UP_PERIOD]


def limits(context):
    """Thresholds. Each can be set for one port or target by its context."""
    return [
        macro("TCP.CONNECT.WARN", "0.5", f"Threshold of the average connect time, in seconds. Context: {context}."),
        macro("TCP.RESPONSE.WARN", "1", f"Threshold of the average response time, in seconds. Context: {context}."),
        macro("TCP.LOSS.WARN", "3", f"Threshold of the number of probes with retransmitted SYNs. Context: {context}."),
        SLOW_PERIOD,
        LOSS_PERIOD,
    ]
