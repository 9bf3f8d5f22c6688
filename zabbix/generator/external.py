"""The template that probes the ports of a host from the Zabbix server or proxy."""

from . import macros
from .parts import Call
from .service import Service


class ByExternalCheck(Service):
    """The view of the Zabbix server or proxy."""

    name = "TCP service by external check"
    base, parameters = "tcp.service", "{#TCP.PORT},{#TCP.SERVICE}"
    subject, pattern, cell = "Port {#TCP.NAME}", "Port *", "Port "
    own_macros = (macros.COUNT,)
    with_loss = True
    silence = (
        "The item \"Get list of ports\" shows why: zbx-tcp is not in ExternalScripts or not executable, or the host has "
        "no interface."
    )
    description = (
        "Probes the TCP ports of a host from the Zabbix server or proxy and tells for each whether the service there "
        "answers, how fast, and if not, why.\n"
        "Setup: install zbx-tcp into the ExternalScripts directory of the server or proxy that monitors the host, link "
        "this template, set the macro {$TCP.PORTS}."
    )

    def listing(self):
        return Call("EXTERNAL", "zbx-tcp", "discover", "ports", "{HOST.CONN}", "{$TCP.PORTS}")

    def probing(self):
        # The address of the moment, not that of the discovery: a host may move and keep its items.
        words = ("check", "{HOST.CONN}", "{#TCP.PORT}", "-o", "json", "--service", "{#TCP.SERVICE}")
        return Call("EXTERNAL", "zbx-tcp", *words, "--timeout", "{$TCP.TIMEOUT}", "--count", "{$TCP.COUNT}")
