"""The user macros of the templates about listeners; macros.py has those that other templates have, too."""

from .parts import macro

INTERVAL = macro("TCP.LISTENERS.INTERVAL", "1m", "Interval between readings of the listeners. Reading them causes no network traffic.")
NODATA = macro(
    "TCP.LISTENERS.NODATA.PERIOD", "10m",
    "Time without a list of listeners after which zbx-tcp is reported as failed. Set it to more than twice "
    "{$TCP.LISTENERS.INTERVAL}.",
)
KEEP = macro(
    "TCP.LISTENER.KEEP", "3d",
    "Time after which a listener that disappeared is deleted, with its history and its problem.",
)
FILTERS = [
    macro("TCP.LISTENER.PORT.MATCHES", ".*", "Only listeners whose port matches this regular expression are discovered."),
    macro("TCP.LISTENER.PORT.NOT_MATCHES", "CHANGE_IF_NEEDED", "Listeners whose port matches this regular expression are not "
          "discovered."),
    macro("TCP.LISTENER.ADDRESS.MATCHES", ".*", "Only listeners whose address matches this regular expression are discovered. "
          "The address is 0.0.0.0 for all IPv4 addresses, :: for all IPv6 addresses, and * for both."),
    macro("TCP.LISTENER.ADDRESS.NOT_MATCHES", "CHANGE_IF_NEEDED", "Listeners whose address matches this regular expression are "
          "not discovered."),
    macro("TCP.LISTENER.PROCESS.MATCHES", ".*", "Only listeners whose process has a name that matches this regular expression "
          "are discovered. The name is empty unless the agent runs as root or as the user of the process."),
    macro("TCP.LISTENER.PROCESS.NOT_MATCHES", "CHANGE_IF_NEEDED", "Listeners whose process has a name that matches this regular "
          "expression are not discovered."),
    macro("TCP.LISTENER.EPHEMERAL.NOT_MATCHES", "^yes$", "By default, listeners on ephemeral ports "
          "(net.ipv4.ip_local_port_range) are not discovered. Set it to CHANGE_IF_NEEDED to discover them."),
]
PROBES = [
    macro("TCP.LISTENER.PROBE.MATCHES", ".*", "Only listeners whose id matches this regular expression are probed. An id is "
          "for example any:22 or 127.0.0.1:3306."),
    macro("TCP.LISTENER.PROBE.NOT_MATCHES", ":10050$", "Listeners whose id matches this regular expression are not probed. By "
          "default, the port of the agent is not: an agent logs each connection that is not from its server."),
    macro("TCP.LISTENER.SERVICE", "", "Service to test by the probe; empty to only connect. Set it for single ports by "
          "context, for example {$TCP.LISTENER.SERVICE:\"22\"} to ssh. The command zbx-tcp services lists the services."),
    macro("TCP.LISTENER.DOWN.PERIOD", "7m", "Time in which every probe of a listener must fail before it is a problem. Set it to "
          "at least {$TCP.QUEUE.PERIOD} plus twice {$TCP.INTERVAL}, so that a process that does not accept connections is "
          "reported as such."),
]
PROBLEMS = [
    macro("TCP.LISTENER.GONE.PERIOD", "#3", "Number of readings in which a listener must be missing before it is reported. The "
          "restart of a service must take less."),
    macro("TCP.LISTENER.STABLE.COUNT", "10", "Number of readings, of the last 30, in which a listener must have been seen before "
          "it is reported as missing."),
    macro("TCP.LISTENER.NEW.PERIOD", "1h", "Time for which the list of listeners must be known before a new one is reported. Set "
          "it to at least 20 times {$TCP.LISTENERS.INTERVAL}, and to more than the time in which a proxy gets its configuration."),
    macro("TCP.LISTENER.PUBLIC.MATCHES", "^(public|any)$", "Scopes in which a new listener is reported: loopback, link, private, "
          "public, or any for a listener on all addresses."),
    macro("TCP.QUEUE.MAX.WARN", "80", "Threshold of the use of an accept queue, in per cent. Context: the port."),
    macro("TCP.QUEUE.PERIOD", "5m", "Time for which an accept queue must be above {$TCP.QUEUE.MAX.WARN}, or must not decrease. Set "
          "it to at least 4 times {$TCP.LISTENERS.INTERVAL}."),
    macro("TCP.DROPS.MAX.WARN", "0", "Threshold of the connections per second that a listener drops. Context: the port."),
]
