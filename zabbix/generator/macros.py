"""The user macros. One that several templates have means the same in each."""

from .parts import macro

PORTS = macro(
    "TCP.PORTS", "",
    "Required. Ports to probe, each with the service that is expected there, if any: 22/ssh,25/smtp,443/https,8000-8010. "
    "The services are listed by: zbx-tcp services.",
)
INTERVAL = macro("TCP.INTERVAL", "1m", "How often each port is probed. Can be set for one port by context.")
DISCOVERY_INTERVAL = macro("TCP.DISCOVERY.INTERVAL", "2m", "How often the list of ports is read. This asks no network.")
DISCOVERY_NODATA = macro(
    "TCP.DISCOVERY.NODATA.PERIOD", "7m",
    "How long the list of ports could not be read before zbx-tcp itself counts as failed. Longer than twice "
    "{$TCP.DISCOVERY.INTERVAL}; shorter than {$TCP.NODATA.PERIOD} by {$TCP.INTERVAL} and a minute, so that it comes first.",
)
NODATA = macro(
    "TCP.NODATA.PERIOD", "10m",
    "How long no result may have arrived before the probe itself counts as failed. Longer than {$TCP.INTERVAL}.",
)
DOWN_PERIOD = macro(
    "TCP.DOWN.PERIOD", "3m",
    "How long no probe may have succeeded before a service counts as down. Several times {$TCP.INTERVAL}.",
)
UP_PERIOD = macro(
    "TCP.UP.PERIOD", "2m",
    "How long every probe must have succeeded before the problem is resolved. At least {$TCP.INTERVAL}.",
)
SLOW_PERIOD = macro("TCP.SLOW.PERIOD", "5m", "Period over which connect and response times are averaged.")
LOSS_PERIOD = macro("TCP.LOSS.PERIOD", "15m", "Period in which probes with retransmitted SYNs are counted.")
TIMEOUT = macro(
    "TCP.TIMEOUT", "2.5s",
    "Total deadline of a probe, name resolution included. Must be below Zabbix's own timeout, 3 s by default.",
)
COUNT = macro(
    "TCP.COUNT", "1",
    "Attempts of one probe, 0.2 s apart; the service is up when one of them succeeds. More than 1 measures the share that fails.",
)
AGENT_HOST = macro(
    "TCP.HOST", "127.0.0.1",
    "Name or address that the agent probes: the agent's own machine, or another one as seen from there.",
)
GROUP = macro(
    "TCP.GROUP", "",
    "Group of targets in the configuration file of zbx-tcp; empty for every target of the file.",
)
TARGET_TIMEOUT = macro("TCP.TARGET.TIMEOUT", "2s", "Deadline of one target, name resolution included.")
DEADLINE = macro(
    "TCP.DEADLINE", "2.5s",
    "Deadline of the whole run: what was not reached by then is reported as not_tried. Must be below Zabbix's own "
    "timeout, 3 s by default.",
)
MATCHES = macro("TCP.TARGET.MATCHES", ".*", "Only targets whose id matches this expression become items.")
NOT_MATCHES = macro("TCP.TARGET.NOT_MATCHES", "CHANGE_IF_NEEDED", "Targets whose id matches this expression are left out.")
UNKNOWN_WARN = macro(
    "TCP.UNKNOWN.MAX.WARN", "50",
    "Share of targets, in per cent, about which nothing could be told, above which there is one problem for all of them.",
)
UNKNOWN_PERIOD = macro(
    "TCP.UNKNOWN.PERIOD", "2m",
    "For how long that must be so. Shorter than {$TCP.DOWN.PERIOD}, so that it comes before a problem for each target.",
)

DOWN = [DOWN_PERIOD, UP_PERIOD]


def limits(context):
    """Thresholds, each of which can be set for one port or target by its context."""
    return [
        macro("TCP.CONNECT.WARN", "0.5", f"Average connect time that is too high, in seconds. Context: {context}."),
        macro("TCP.RESPONSE.WARN", "1", f"Average response time that is too high, in seconds. Context: {context}."),
        macro("TCP.LOSS.WARN", "3", f"Number of probes with retransmitted SYNs that is too high. Context: {context}."),
        SLOW_PERIOD,
        LOSS_PERIOD,
    ]
