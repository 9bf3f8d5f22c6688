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
    overview = (
        "Probes TCP ports of a host from the Zabbix server, or from the proxy that monitors the host, and tells for each "
        "whether the service there answers, how fast, and if not, why. For each port one process of zbx-tcp is started "
        "per interval; it talks to the service as far as the service's name says (`22/ssh`), or only connects (`22`), and "
        "returns one document from which all items of the port take their values.\n\n"
        "For more than some dozens of ports per minute and proxy use *TCP targets by external check*, which probes a whole "
        "group in one process."
    )
    setup = (
        "Install zbx-tcp into the directory that `ExternalScripts` names in `zabbix_server.conf` or `zabbix_proxy.conf`, on "
        "every server and proxy that monitors such a host: `install -o root -g root -m 0755 zbx-tcp "
        "/usr/lib/zabbix/externalscripts/zbx-tcp`.",
        "Import the template.",
        "Link it to a host with an interface of any type: its address or DNS name is what is probed.",
        "Set the macro `{$TCP.PORTS}` on the host, for example `22/ssh,25/smtp,443`. `zbx-tcp services` lists the names.",
        "Where a port is slower than others by nature, give it limits of its own: `{$TCP.RESPONSE.WARN:\"25\"}`.",
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
