"""The templates about what listens on a machine with a Zabbix agent, passive and active."""

from . import graphs, listener_macros, macros
from .listener_problems import ListenerProblems
from .listener_values import ListenerValues, MachineValues
from .parts import DOCUMENT_OR_ERROR, Call, heartbeat, path, raw, trigger
from .widgets import Widgets, page

SUBJECT = "Listener {#TCP.NAME}"
PROBE_ITEMS = ": (Get probe data|Probe status|Probe failure reason|Probe connect time)$"


class Listeners:
    """By passive agent checks."""

    name = "TCP listeners by Zabbix agent"
    kind = "ZABBIX_PASSIVE"
    machine = "tcp.listeners"
    overview = (
        "Discovers the addresses and ports on which a machine listens for TCP connections, with the agent on that machine: "
        "zabbix_agentd or agent 2. It needs no list of ports. For each listener it shows whether the machine still listens, how many "
        "connections wait to be accepted, how full the accept queue is, and whether connections are dropped; all listeners are read "
        "from the kernel by one item. It also connects to each listener from the machine itself.\n\n"
        "A process that hangs still gets connections from the kernel until its accept queue is full, so that checks from outside "
        "are successful for minutes or hours. This template finds it by a queue that does not decrease. The probes themselves "
        "are connections: they fill the queue even if the service has no other clients.\n\n"
        "[What is a listener, and what is known about it](../docs/listeners.md)."
    )
    setup = (
        "[Install zbx-tcp](../docs/install.md) on the agent's machine as `/usr/bin/zbx-tcp`. The packages also install the item "
        "keys; otherwise copy `agentd/zbx-tcp.conf` into [the agent's directory](../docs/install.md#agents). Restart the agent.",
        "Import the template and link it to the agent's host. You can link it together with *TCP service by Zabbix agent*, because "
        "their item keys are different.",
        "Ports that appear and disappear normally: exclude them by `{$TCP.LISTENER.PORT.NOT_MATCHES}`, for example "
        "`^(6010|111)$`. Ephemeral ports are excluded by default.",
        "Services that must not be probed: exclude them by `{$TCP.LISTENER.PROBE.NOT_MATCHES}`, for example `:(10050|5432)$`.",
        "To test the protocol of a service instead of only connecting, set its name for the port: "
        "`{$TCP.LISTENER.SERVICE:\"22\"}` to `ssh`.",
    )
    shows = (
        "In 7.0: the state of each listener, the open problems, the use of the accept queues, dropped connections, and the connect "
        "times; on a second page the accept queue of each listener. In 6.0: the numbers, the list of listeners, and the graphs."
    )
    description = (
        "Discovers the TCP ports on which a machine with a Zabbix agent, or agent 2, listens. For each it shows whether the machine "
        "still listens, the accept queue, dropped connections, and a probe from the machine itself. Items are {what}.\n"
        "Setup: install zbx-tcp and its UserParameters, or its plugin for agent 2, on the agent's machine, link this template."
    ).replace("{what}", "passive: the server or proxy asks the agent")

    def __init__(self):
        self.listing = Call(self.kind, "tcp.listeners", "")
        # As it is documented, not with an empty parameter in quotes.
        self.listing.key = "tcp.listeners[]"
        self.probe = Call(self.kind, "tcp.check", "{#TCP.HOST}", "{#TCP.PORT}", "SERVICE", "json", "{$TCP.TIMEOUT}")
        self.probe.key = self.probe.key.replace('"SERVICE"', '{$TCP.LISTENER.SERVICE:"{#TCP.PORT}"}')
        self.machine_values = MachineValues(self.listing.key)
        self.values = ListenerValues(SUBJECT, self.listing.key, self.probe.key)
        self.problems = ListenerProblems(self.name, self.values, self.machine)

    def items(self):
        """The items that exist once per host."""
        master = raw("Get listeners", self.listing, "{$TCP.LISTENERS.INTERVAL}", "What listens on the machine: the JSON document "
                     "of zbx-tcp. If it cannot be read, the message is the error of this item.", DOCUMENT_OR_ERROR)
        number = self.machine_values.number()
        number["triggers"] = [self.silent()]
        return [master, number, *self.machine_values.others()]

    def silent(self):
        return trigger(
            "no data", "TCP: No data about listeners", "AVERAGE",
            f"nodata(/{self.name}/{self.machine}.count,{{$TCP.LISTENERS.NODATA.PERIOD}})=1",
            "The listeners could not be read for {$TCP.LISTENERS.NODATA.PERIOD}. The agent is down, its configuration lacks the "
            "keys tcp.*, or zbx-tcp is not installed on its machine: see the error of the item \"Get listeners\". While this "
            "problem is open, the state of the listeners is unknown.",
        )

    def rule(self):
        return {
            "name": "Listener discovery",
            "type": "DEPENDENT",
            "key": f"{self.machine}.discovery",
            "delay": "0",
            "filter": {"evaltype": "AND", "conditions": conditions()},
            # A listener that disappeared must keep its items, so that it becomes a problem.
            "lifetime": "{$TCP.LISTENER.KEEP}",
            "description": "One row for each listener that passes the filters. Listeners that the machine itself cannot reach, or "
            "that {$TCP.LISTENER.PROBE.MATCHES} and {$TCP.LISTENER.PROBE.NOT_MATCHES} exclude, have no items for the probe.",
            "item_prototypes": [self.probe_data(), *self.values.of_sockets(), *self.values.of_probe()],
            "trigger_prototypes": self.problems.chain([self.silent()]),
            "graph_prototypes": [self.graph()],
            "overrides": overrides(),
            "master_item": {"key": self.listing.key},
            "preprocessing": [path("$.discovery"), heartbeat("10m")],
        }

    def probe_data(self):
        made = raw(f"{SUBJECT}: Get probe data", self.probe, '{$TCP.INTERVAL:"{#TCP.PORT}"}',
                   "One probe of the listener from the machine itself: the JSON document of zbx-tcp. If the macros are invalid, the "
                   "message is the error of this item.", DOCUMENT_OR_ERROR)
        made["tags"] += self.values.tags
        return made

    def graph(self):
        keys = [self.values.sockets.key(name) for name in ("queue", "drops")]
        colors = (graphs.COLORS[1], graphs.COLORS[3])
        return graphs.graph("Accept queue", f"{SUBJECT}: Accept queue", self.name, keys, colors, right=[keys[1]])

    def macros(self):
        return [
            listener_macros.INTERVAL, listener_macros.NODATA, listener_macros.KEEP, *listener_macros.FILTERS,
            *listener_macros.PROBES, *listener_macros.PROBLEMS, macros.INTERVAL, macros.TIMEOUT,
        ]

    def pages(self, widgets: Widgets):
        queues = f"{SUBJECT}: Accept queue"
        if not widgets.modern:
            return [
                page("Overview",
                     widgets.value(f"{self.machine}.count", "Listeners", (0, 0, 9, 4)),
                     widgets.text(f"{self.machine}.names", "What listens", (9, 0, 63, 4)),
                     widgets.item_graphs(self.values.sockets.key("used"), "Queue use", (0, 4, 72, 12), 3, 2),
                     widgets.item_graphs(self.values.sockets.key("drops"), "Dropped connections", (0, 16, 72, 8), 3, 2)),
                page("Listeners", widgets.graphs(queues, "Accept queues", (0, 0, 72, 20), 2, 4)),
            ]
        return [
            page("Overview",
                 widgets.comb("Listener *: State", cell(), "Listeners", (0, 0, 36, 6)),
                 widgets.problems("What is wrong, and why", (36, 0, 36, 6)),
                 widgets.lines([("Listener *: Queue use", "2E86DE")], "Queue use", (0, 6, 36, 4)),
                 widgets.lines([("Listener *: Dropped connections", "E64B3C")], "Dropped connections", (36, 6, 36, 4)),
                 widgets.lines([("Listener *: Probe connect time", "1A7C11")], "Connect times from the machine", (0, 10, 36, 4)),
                 widgets.text(f"{self.machine}.names", "What listens", (36, 10, 28, 4)),
                 widgets.value(f"{self.machine}.count", "Listeners", (64, 10, 8, 4))),
            page("Listeners", widgets.graphs(queues, "Accept queues", (0, 0, 72, 20), 2, 4)),
        ]


class ListenersActive(Listeners):
    """The same with active agent checks."""

    name = "TCP listeners by Zabbix agent active"
    kind = "ZABBIX_ACTIVE"
    overview = Listeners.overview + (
        "\n\nEverything is as in *TCP listeners by Zabbix agent*, but the items are active agent checks. You can link only one of the "
        "two to a host."
    )
    description = Listeners.description.replace(
        "passive: the server or proxy asks the agent", "active: the agent sends to the server or proxy"
    )


def conditions():
    """The filters of the discovery, in the order of an export: by the name of the macro."""
    lld = {name: f"{{#TCP.LISTENER.{name}}}" for name in ("ADDRESS", "EPHEMERAL", "PROCESS")} | {"PORT": "{#TCP.PORT}"}
    made = []
    for name, macro in lld.items():
        if name != "EPHEMERAL":
            made.append(matching(macro, f"{{$TCP.LISTENER.{name}.MATCHES}}"))
        made.append(unlike(macro, f"{{$TCP.LISTENER.{name}.NOT_MATCHES}}"))
    return lettered(made)


def overrides():
    """What some listeners do not have: a probe, or a problem when they are new."""
    return [
        {
            "name": "Listeners that are not probed",
            "step": "1",
            "filter": {
                "evaltype": "OR",
                "conditions": lettered([
                    matching("{#TCP.ID}", "{$TCP.LISTENER.PROBE.NOT_MATCHES}"),
                    unlike("{#TCP.ID}", "{$TCP.LISTENER.PROBE.MATCHES}"),
                    matching("{#TCP.LISTENER.PROBE}", "^no$"),
                ]),
            },
            "operations": [
                omitted("ITEM_PROTOTYPE", PROBE_ITEMS),
                omitted("TRIGGER_PROTOTYPE", ": Probe from the machine fails$"),
            ],
        },
        {
            "name": "Listeners that are not public",
            "step": "2",
            "filter": {"conditions": lettered([unlike("{#TCP.LISTENER.SCOPE}", "{$TCP.LISTENER.PUBLIC.MATCHES}")])},
            "operations": [omitted("TRIGGER_PROTOTYPE", ": New listener on a public address$")],
        },
    ]


def matching(macro, pattern):
    return {"macro": macro, "value": pattern}


def unlike(macro, pattern):
    return {"macro": macro, "value": pattern, "operator": "NOT_MATCHES_REGEX"}


def lettered(conditions):
    """With the letters by which an export names conditions."""
    return [one | {"formulaid": letter} for one, letter in zip(conditions, "ABCDEFG")]


def omitted(kind, pattern):
    """Prototypes whose names match are not created."""
    return {"operationobject": kind, "operator": "REGEXP", "value": pattern, "discover": "NO_DISCOVER"}


def cell():
    """The text of a cell: the name of the listener."""
    return '{{ITEM.NAME}.regsub("^Listener (.*): State$", "\\1")}'
