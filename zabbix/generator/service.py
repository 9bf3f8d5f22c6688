"""What all templates with a list of ports in a macro have in common."""

from . import certificates, graphs, macros
from .parts import DOCUMENT_OR_ERROR, calculated, dependent, heartbeat, path, raw, step, tag, trigger, undiscovered
from .problems import Problems
from .results import Results
from .widgets import AMBER, GREEN, GREY, RED, label, page

# An invalid or empty list is an error of the rule: otherwise Zabbix would delete all discovered items.
ROWS_OR_ERROR = step("JAVASCRIPT", """if (value.charAt(0) !== '[') {
    throw value;
}
if (value === '[]') {
    throw 'the list of ports is empty: set the macro TCP.PORTS';
}
return value;""")
SENTENCE = step("JAVASCRIPT", """if (value === '[]') {
    return 'the list of ports is empty: set the macro TCP.PORTS';
}
if (value.charAt(0) !== '[') {
    return value;
}
var wrong = JSON.parse(value).filter(function (row) {
    return row['{#TCP.ERROR}'];
});
return wrong.length > 0 ? wrong[0]['{#TCP.NAME}'] + ': ' + wrong[0]['{#TCP.ERROR}'] : '';""")
COUNT = path("$.length()", otherwise="0")


class Service:
    """A template with a list of ports. Subclasses define how a port is probed, and the names of the items."""

    own_macros = ()
    shows = (
        "One dashboard shows all ports of the host. In 7.0 its first page shows the state of each port, the open problems "
        "with their reasons, and the connect and response times; its second page shows the graphs of each port, its third the certificates. "
        "In 6.0 a template's dashboard can show only numbers, texts and graphs: see *Monitoring > Problems* for the problems."
    )
    with_loss = False
    # Columns and rows of the graphs of states in 6.0: Zabbix cuts a legend if the graph is too narrow.
    states = (4, 2)

    def __init__(self):
        self.list = self.listing()
        self.probe = self.probing()
        tags = [tag("port", "{#TCP.PORT}"), tag("service", "{#TCP.SERVICE}")]
        self.results = Results(self.subject, self.base, self.parameters, self.probe.key, "$", tags)
        self.problems = Problems(self.name, self.results, f"TCP: {self.subject}", "{#TCP.PORT}")

    def items(self):
        """The items that exist once per host."""
        error = dependent(
            "Port list error", f"{self.base}.ports.error", self.list.key,
            "Why the macro {$TCP.PORTS} or the configuration file is invalid; empty if it is valid.",
            SENTENCE, value_type="TEXT", component="health",
        )
        number = dependent(
            "Ports in the list", f"{self.base}.ports.count", self.list.key,
            "Number of ports in {$TCP.PORTS}.", COUNT, component="health",
        )
        error["triggers"] = list(self.host_triggers())
        listing = raw("Get list of ports", self.list, "{$TCP.DISCOVERY.INTERVAL}",
                      "The ports of {$TCP.PORTS} as rows for the discovery, or an error message.")
        return [listing, error, number, *self.counts()]

    def counts(self):
        """For dashboards. A port without a recent result has an unknown state."""
        every = ",".join("*" * self.parameters.count("{"))
        states, ups = (f"last_foreach(//{self.base}.{name}[{every}],{{$TCP.NODATA.PERIOD}})" for name in ("state", "up"))
        # States are 0, 1 and 2: half of the sum of states and ups is the number of those that are not down.
        up, down = f"sum({ups})", f"count({states})-(sum({states})+sum({ups}))/2"
        recent = "with a result within {$TCP.NODATA.PERIOD}"
        return [
            calculated("Ports up", f"{self.base}.ports.up", up, f"Number of ports that are up, {recent}.", "0",
                       value_type="FLOAT", component="health"),
            calculated("Ports down", f"{self.base}.ports.down", down, f"Number of ports that are down, {recent}.", "0",
                       value_type="FLOAT", component="health"),
            calculated("Ports with unknown state", f"{self.base}.ports.unknown",
                       f"count(exists_foreach(//{self.base}.state[{every}]))-last(//{self.base}.ports.up)-last(//{self.base}.ports.down)",
                       f"Number of discovered ports that are not known to be up or down, {recent}.", "0",
                       value_type="FLOAT", component="health"),
        ]

    def host_triggers(self):
        key = f"/{self.name}/{self.base}.ports.error"
        silent = trigger(
            "does not run", "TCP: zbx-tcp does not run", "AVERAGE", f"nodata({key},{{$TCP.DISCOVERY.NODATA.PERIOD}})=1",
            f"The list of ports could not be read for {{$TCP.DISCOVERY.NODATA.PERIOD}}. {self.silence} While this problem is "
            "open, the state of the services is unknown.",
        )
        wrong = trigger(
            "list", "TCP: List of ports cannot be used", "WARNING", f"length(last({key}))>0",
            "The macro {$TCP.PORTS}, or the configuration file of zbx-tcp, is invalid. The ports that were discovered "
            "before are still probed.",
            event=f"TCP: List of ports cannot be used: {{?last(/{'/' + self.base}.ports.error)}}", after=[silent],
        )
        return silent, wrong

    def rule(self):
        silent, wrong = self.host_triggers()
        none = self.problems.silent([silent])
        unresolved = self.problems.does_not_resolve([none])
        unknown, down = self.problems.few([none, wrong], [unresolved])
        encrypted = certificates.triggers(self.problems, down)
        made = {
            "name": "Port discovery",
            "type": "DEPENDENT",
            "key": f"{self.base}.discovery",
            "delay": "0",
            "lifetime": "0",
            "description": "One row for each port of {$TCP.PORTS}. A port that is removed from the list is no longer probed.",
            "item_prototypes": self.prototypes(),
            "trigger_prototypes": [none, unresolved, unknown, down, *self.problems.slowness(down), *undiscovered(encrypted)],
            "graph_prototypes": [graphs.of_times(self.name, self.results), graphs.of_network(self.name, self.results)],
            "master_item": {"key": self.list.key},
            "preprocessing": [ROWS_OR_ERROR, heartbeat("10m")],
            "overrides": [certificates.override(1)],
        }
        return made

    def prototypes(self):
        results = self.results
        master = raw(f"{self.subject}: Get probe data", self.probe, '{$TCP.INTERVAL:"{#TCP.PORT}"}',
                     "One probe of the port: the JSON document of zbx-tcp. If the macros are invalid, the message is the error "
                     "of this item.", DOCUMENT_OR_ERROR)
        master["tags"] += results.tags
        loss = results.loss() if self.with_loss else []
        return [master, *results.few(), *results.detail(), *loss, *undiscovered(certificates.items(results))]

    def macros(self):
        return [
            macros.PORTS, macros.INTERVAL, macros.DISCOVERY_INTERVAL, macros.DISCOVERY_NODATA, macros.NODATA,
            macros.TIMEOUT, *macros.DOWN, *macros.limits("the port"), *certificates.MACROS, *self.own_macros,
        ]

    def pages(self, widgets):
        times = graphs.times_name(self.results)
        if not widgets.modern:
            columns, rows = self.states
            return [
                page("Overview",
                     *self.tiles(widgets, 0),
                     widgets.text(f"{self.base}.ports.error", "Port list error: empty when there is none", (27, 0, 45, 2)),
                     widgets.item_graphs(self.results.key("state"), "States: 1 is up, 0 is down, 2 is unknown", (0, 2, 72, 4 * rows), columns, rows),
                     widgets.graphs(times, "Times", (0, 2 + 4 * rows, 72, 16), 2, 3)),
                page("Network", widgets.graphs(f"{self.subject}: Network", "Network", (0, 0, 72, 20), 2, 4)),
            ]
        pattern = self.pattern
        return [
            page("Overview",
                 *self.tiles(widgets, 0),
                 widgets.comb(f"{pattern}: State", label(self.cell), "Last known states", (9, 0, 27, 6)),
                 widgets.problems("What is wrong, and why", (36, 0, 36, 6)),
                 widgets.lines([(f"{pattern}: Connect time", "2E86DE")], "Connect times", (0, 6, 36, 6)),
                 widgets.lines([(f"{pattern}: Response time", "1A7C11")], "Response times", (36, 6, 36, 6))),
            page("Ports",
                 widgets.graphs(times, "Times", (0, 0, 72, 12), 2, 2),
                 widgets.graphs(f"{self.subject}: Network", "Network", (0, 12, 72, 12), 2, 2)),
            page("Certificates",
                 widgets.comb(f"{pattern}: Certificate days left", label(self.cell, "Certificate days left"), "Days left", (0, 0, 36, 8),
                              [("-100000", RED), ("7", AMBER), ("30", GREEN)]),
                 widgets.problems("Problems of certificates", (36, 0, 36, 8), scope="security"),
                 widgets.lines([(f"{pattern}: Certificate days left", "2E86DE")], "Days left", (0, 8, 72, 6))),
        ]

    def tiles(self, widgets, y):
        """Ports up, down and unknown: below each other in 7.0, side by side in 6.0."""
        wanted = (("Up", "up", [("1", GREEN)]), ("Down", "down", [("1", RED)]), ("Unknown", "unknown", [("1", GREY)]))
        places = [(0, y + 2 * place, 9, 2) if widgets.modern else (9 * place, y, 9, 2) for place in range(len(wanted))]
        return [
            widgets.value(f"{self.base}.ports.{member}", name, place, colors)
            for (name, member, colors), place in zip(wanted, places)
        ]
