"""The template that probes the ports of a host from the Zabbix server or proxy."""

from . import macros
from .parts import Call
from .service import Service


class ByExternalCheck(Service):
    """Probes from the Zabbix server or proxy."""

    name = "TCP service by external check"
    base, parameters = "tcp.service", "{#TCP.PORT},{#TCP.SERVICE}"
    subject, pattern, cell = "Port {#TCP.NAME}", "Port *", "Port "
    own_macros = (macros.COUNT, macros.ADDRESSES, macros.FAMILY, macros.SNI, macros.PATH)
    with_loss = True
    silence = (
        "See the error of the item \"Get list of ports\": zbx-tcp is not in ExternalScripts or not executable, or the host has "
        "no interface."
    )
    overview = (
        "Probes TCP ports of a host from the Zabbix server, or from the proxy that monitors the host. For each port it shows "
        "whether the service is up, how fast it answers, or why it is down. One process of zbx-tcp is started for each port and "
        "interval. If the port has a service name (`22/ssh`), it tests the protocol; otherwise it only connects (`22`). It "
        "returns one document, and all items of the port take their values from it.\n\n"
        "For more than a few dozen ports per minute and proxy, use *TCP targets by external check*, which probes a whole group "
        "in one process."
    )
    setup = (
        "[Install zbx-tcp](../docs/install.md#directories-for-external-checks) on every server and proxy that monitors "
        "hosts with this template.",
        "Import the template.",
        "Link it to a host with an interface of any type: its address or DNS name is probed.",
        "Set the macro `{$TCP.PORTS}` on the host, for example `22/ssh,25/smtp,443/https`. `zbx-tcp services` lists the names.",
        "If a port is normally slower than others, set separate thresholds for it: `{$TCP.RESPONSE.WARN:\"25\"}`.",
    )
    description = (
        "Probes the TCP ports of a host from the Zabbix server or proxy. For each port it shows whether the service is up, how "
        "fast it answers, or why it is down.\n"
        "Setup: install zbx-tcp into the ExternalScripts directory of the server or proxy that monitors the host, link "
        "this template, set the macro {$TCP.PORTS}."
    )

    def listing(self):
        return Call("EXTERNAL", "zbx-tcp", "discover", "ports", "{HOST.CONN}", "{$TCP.PORTS}")

    def probing(self):
        # {HOST.CONN} and not the address of the discovery: a host may get a new address and keep its items.
        parameters = ("check", "{HOST.CONN}", "{#TCP.PORT}", "-o", "json", "--service", "{#TCP.SERVICE}")
        parameters += ("--timeout", "{$TCP.TIMEOUT}", "--count", "{$TCP.COUNT}", "--addresses", "{$TCP.ADDRESSES}", "--family", "{$TCP.FAMILY}", "--sni", '{$TCP.SNI:"{#TCP.PORT}"}',
                       "--path={$TCP.PATH}")
        return Call("EXTERNAL", "zbx-tcp", *parameters)
