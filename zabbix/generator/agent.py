"""The templates that probe ports from where a Zabbix agent runs, passive and active."""

from . import macros
from .parts import Call
from .service import Service


class ByAgent(Service):
    """Probes from the monitored host, or from a jump host."""

    name = "TCP service by Zabbix agent"
    kind = "ZABBIX_PASSIVE"
    base, parameters = "tcp.agent", "{#TCP.HOST},{#TCP.PORT},{#TCP.SERVICE}"
    subject, pattern, cell = "{#TCP.HOST} port {#TCP.NAME}", "* port *", ".* port "
    states = (3, 2)
    own_macros = (macros.AGENT_HOST, macros.PATH)
    silence = (
        "The agent is down, its configuration lacks the keys tcp.*, or zbx-tcp is not installed on its machine: see the error of "
        "the item \"Get list of ports\"."
    )
    overview = (
        "Probes TCP ports from a machine with a Zabbix agent, zabbix_agentd or agent 2: the services of that machine itself, "
        "or services that it can reach. Everything else is as in *TCP service by external check*. You can link both to the same "
        "host, because their item keys are different."
    )
    setup = (
        "[Install zbx-tcp](../docs/install.md) on the agent's machine as `/usr/bin/zbx-tcp`. The packages also install the item "
        "keys; otherwise copy `agentd/zbx-tcp.conf` into [the agent's directory](../docs/install.md#agents). Restart the agent.",
        "Import the template and link it to the agent's host.",
        "Set the macro `{$TCP.PORTS}` on the host, for example `22/ssh,25/smtp,443`.",
        "To probe another machine, set `{$TCP.HOST}` to its name or address (IPv6 without brackets).",
    )
    description = (
        "Probes TCP ports from a machine that runs a Zabbix agent, or agent 2. For each port it shows whether the service "
        "is up, how fast it answers, or why it is down. Items are {what}.\n"
        "Setup: install zbx-tcp and its UserParameters on the agent's machine, link this template, set the macro "
        "{$TCP.PORTS}. To probe a machine other than that of the agent, set {$TCP.HOST}."
    ).replace("{what}", "passive: the server or proxy asks the agent")

    def listing(self):
        return Call(self.kind, "tcp.discovery", "ports", "{$TCP.HOST}", "{$TCP.PORTS}")

    def probing(self):
        return Call(self.kind, "tcp.check", "{#TCP.HOST}", "{#TCP.PORT}", "{#TCP.SERVICE}", "json", "{$TCP.TIMEOUT}", "{$TCP.PATH}")


class ByAgentActive(ByAgent):
    """The same with active agent checks."""

    name = "TCP service by Zabbix agent active"
    kind = "ZABBIX_ACTIVE"
    overview = ByAgent.overview.replace("*TCP service by external check*", "*TCP service by Zabbix agent*").replace(
        "You can link both to the same host, because their item keys are different.",
        "The items are active agent checks. You can link only one of the two to a host.",
    )
    description = ByAgent.description.replace(
        "passive: the server or proxy asks the agent", "active: the agent sends to the server or proxy"
    )
