"""The templates that probe ports from where a Zabbix agent runs, passive and active."""

from . import macros
from .parts import Call
from .service import Service


class ByAgent(Service):
    """The view of the monitored host, or of a jump host."""

    name = "TCP service by Zabbix agent"
    kind = "ZABBIX_PASSIVE"
    base, parameters = "tcp.agent", "{#TCP.HOST},{#TCP.PORT},{#TCP.SERVICE}"
    subject, pattern, cell = "{#TCP.HOST} port {#TCP.NAME}", "* port *", ".* port "
    states = (3, 2)
    own_macros = (macros.AGENT_HOST,)
    silence = (
        "The agent is down, its configuration lacks the keys tcp.*, or zbx-tcp is not installed on its machine: the item "
        "\"Get list of ports\" shows which."
    )
    overview = (
        "Probes TCP ports from a machine with a Zabbix agent, zabbix_agentd or agent 2: the services of that machine itself, "
        "or others as they are seen from there. Everything else is as in *TCP service by external check*, and a host can "
        "have both: the keys differ."
    )
    setup = (
        "Install zbx-tcp on the agent's machine as `/usr/bin/zbx-tcp`.",
        "Install `agentd/zbx-tcp.conf` into the agent's configuration: `/etc/zabbix/zabbix_agentd.conf.d/` or "
        "`/etc/zabbix/zabbix_agent2.d/`, and restart the agent. `UnsafeUserParameters` is not needed.",
        "Import the template and link it to the agent's host.",
        "Set the macro `{$TCP.PORTS}` on the host, for example `22/ssh,25/smtp,443`.",
        "To probe another machine from there, set `{$TCP.HOST}` to its name or address (IPv6 without brackets).",
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
    overview = ByAgent.overview.replace("*TCP service by external check*", "*TCP service by Zabbix agent*").replace(
        ", and a host can have both: the keys differ", ", but the agent sends of its own accord (active items); a host can "
        "have one of the two"
    )
    description = ByAgent.description.replace(
        "passive: the server or proxy asks the agent", "active: the agent sends to the server or proxy"
    )
