"""The templates that probe ports from where a Zabbix agent runs, passive and active."""

from . import macros
from .parts import Call
from .service import Service


class ByAgent(Service):
    """The view of the monitored host, or of a jump host."""

    name = "TCP service by Zabbix agent"
    kind = "ZABBIX_PASSIVE"
    base, parameters = "tcp.agent", "{#TCP.HOST},{#TCP.PORT},{#TCP.SERVICE}"
    subject, pattern, cell = "{#TCP.HOST} port {#TCP.NAME}", "* port *", ""
    own_macros = (macros.AGENT_HOST,)
    silence = (
        "The agent is down, its configuration lacks the keys tcp.*, or zbx-tcp is not installed on its machine: the item "
        "\"Get list of ports\" shows which."
    )
    description = (
        "Probes TCP ports from a machine that runs a Zabbix agent, or agent 2, and tells for each whether the service "
        "answers, how fast, and if not, why. Items are {what}.\n"
        "Setup: install zbx-tcp and its UserParameters on the agent's machine, link this template, set the macros "
        "{$TCP.PORTS} and, unless the agent probes its own machine, {$TCP.HOST}."
    ).replace("{what}", "passive: the server or proxy asks the agent")

    def listing(self):
        return Call(self.kind, "tcp.discovery", "ports", "{$TCP.HOST}", "{$TCP.PORTS}")

    def probing(self):
        return Call(self.kind, "tcp.check", "{#TCP.HOST}", "{#TCP.PORT}", "{#TCP.SERVICE}", "json", "{$TCP.TIMEOUT}")


class ByAgentActive(ByAgent):
    """The same, sent by the agent of its own accord."""

    name = "TCP service by Zabbix agent active"
    kind = "ZABBIX_ACTIVE"
    description = ByAgent.description.replace(
        "passive: the server or proxy asks the agent", "active: the agent sends to the server or proxy"
    )
