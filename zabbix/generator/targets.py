"""The template for a group of targets from the program's configuration file: one run, one document."""

from . import graphs, macros
from .parts import DOCUMENT_OR_ERROR, Call, dependent, heartbeat, path, raw, step, tag, trigger
from .problems import Problems
from .results import Results
from .widgets import AMBER, GREEN, RED, label, page

SHARE = """var summary = JSON.parse(value);
return summary.targets ? 100 * summary.%s / summary.targets : %d;"""
# One line for each target that is not up. A text item stores 65 535 characters, so the number of lines is limited.
FAILING = """var lines = JSON.parse(value).map(function (target) {
    return (target.name || target.id) + ': ' + target.status_name + ': ' + target.error;
});
return lines.slice(0, 100).join('\\n') + (lines.length > 100 ? '\\n...' : '');"""


class Targets:
    """By external check."""

    name = "TCP targets by external check"
    base = "tcp.target"
    subject = "Target {#TCP.NAME}"
    overview = (
        "Probes a whole group of TCP targets in one process, thousands at once. For each target it shows whether it is up, how "
        "fast it answers, or why it is down. The targets, with their names, services and options, are listed in the "
        "configuration file of zbx-tcp on the Zabbix server or proxy. One item receives the document of a run; the discovery rule and all other "
        "items take their values from it. So a group occupies one poller for at most {$TCP.DEADLINE}, even if many of its "
        "targets do not answer."
    )
    setup = (
        "[Install zbx-tcp](../docs/install.md#directories-for-external-checks) on the server or proxy.",
        "List the targets in `/etc/zbx-tcp/config.toml` of that machine, readable by the user zabbix: each is a `[[targets]]` "
        "entry with `host`, `port`, and optionally `id`, `name`, `service`, `group` ([example](../docs/many-targets.md#targets)). "
        "`runuser -u zabbix -- zbx-tcp services --check` lists all errors in it.",
        "Import the template and link it to a host with an interface of any type. Create one host for each group: it only "
        "stores the results.",
        "Set the macro `{$TCP.GROUP}` on the host, or leave it empty for all targets of the file.",
        "If a target is normally slower than others, set separate thresholds for its id: `{$TCP.RESPONSE.WARN:\"mail\"}`.",
    )
    shows = (
        "In 7.0: the number of targets that are up, the state of each, open problems with their reasons, connect and response "
        "times, and on a second page the graphs of each target. In 6.0: the numbers, the targets that are not up with the "
        "reason, and the graphs of each target."
    )
    description = (
        "Probes a whole group of TCP targets in one run. For each target it shows whether it is up, how fast it answers, "
        "or why it is down. The targets are listed in the configuration file of zbx-tcp on the Zabbix server or proxy; the "
        "host with this template only stores the results.\n"
        "Setup: install zbx-tcp into the ExternalScripts directory of the server or proxy, list the targets in "
        "/etc/zbx-tcp/config.toml, link this template to a host with any interface, set the macro {$TCP.GROUP}."
    )

    def __init__(self):
        parameters = ("batch", "-o", "json", "--group", "{$TCP.GROUP}", "--timeout", "{$TCP.TARGET.TIMEOUT}")
        self.run = Call("EXTERNAL", "zbx-tcp", *parameters, "--deadline", "{$TCP.DEADLINE}")
        tags = [tag("group", "{#TCP.GROUP}"), tag("target", "{#TCP.NAME}")]
        root = "$.targets['{#TCP.ID}']"
        self.results = Results(self.subject, self.base, "{#TCP.ID}", self.run.key, root, tags)
        self.problems = Problems(self.name, self.results, f"TCP: {self.subject}", "{#TCP.ID}")

    def items(self):
        """The items that exist once per group."""
        master = raw("Get targets", self.run, "{$TCP.INTERVAL}", "One run over the whole group: the JSON document of "
                     "zbx-tcp batch. If the macros or the configuration file are invalid, the message is the error of this "
                     "item.", DOCUMENT_OR_ERROR)
        unknown = self.share("Targets that could not be judged", "unknown", 0, "Share of targets with an unknown state: denied "
                             "by the policy, not tried in time, or not possible on the probing machine.")
        silent, untold = self.host_triggers()
        unknown["triggers"] = [untold]
        number = self.count("Targets", "targets", "Number of targets in the group.")
        number["triggers"] = [silent]
        return [
            master,
            number,
            self.count("Targets up", "up", "Number of targets that are up."),
            self.count("Targets down", "down", "Number of targets that are down; targets with an unknown state are not counted."),
            self.share("Share of targets up", "up", 100, "Share of targets that are up."),
            unknown,
            dependent("Targets that are not up", "tcp.targets.failing", self.run.key,
                      "One line with the reason for each target that is not up; at most 100 lines.",
                      path("$.targets[?(@.up == 0)]", otherwise="[]"), step("JAVASCRIPT", FAILING), heartbeat("1h"),
                      value_type="TEXT", component="health"),
            dependent("Run time", "tcp.targets.elapsed", self.run.key, "Duration of the run. If it is near {$TCP.DEADLINE}, "
                      "some targets may not be tried: use several groups.", path("$.summary.elapsed", discard=True),
                      value_type="FLOAT", units="s", component="time"),
        ]

    def count(self, name, member, description):
        return dependent(name, f"tcp.targets.{member}", self.run.key, description,
                         path(f"$.summary.{member}", discard=True), component="health")

    def share(self, name, member, empty, description):
        return dependent(name, f"tcp.targets.{member}.share", self.run.key, description, path("$.summary", discard=True),
                         step("JAVASCRIPT", SHARE % (member, empty)), value_type="FLOAT", units="%", component="health")

    def host_triggers(self):
        silent = trigger(
            "no data", "TCP: No data from the probe", "AVERAGE",
            f"nodata(/{self.name}/tcp.targets.targets,{{$TCP.NODATA.PERIOD}})=1",
            "No result has been stored for {$TCP.NODATA.PERIOD}. See the error of the item \"Get targets\": zbx-tcp is not in "
            "ExternalScripts or not executable, the configuration file is invalid or not readable by Zabbix, the group does "
            "not exist, or the timeout of Zabbix is below {$TCP.DEADLINE}. While there are no results, the state of all targets "
            "is unknown.",
        )
        key = f"/{self.name}/tcp.targets.unknown.share"
        name = "TCP: Many targets could not be judged"
        untold = trigger(
            "many unknown", name, "WARNING", f"min({key},{{$TCP.UNKNOWN.PERIOD}})>{{$TCP.UNKNOWN.MAX.WARN}}",
            "For {$TCP.UNKNOWN.PERIOD} most targets could not be probed for the same reason, for example the policy, the "
            "deadline, or a problem of the probing machine. The targets themselves may be up.",
            event=f"{name} (over {{$TCP.UNKNOWN.MAX.WARN}}% for {{$TCP.UNKNOWN.PERIOD}})",
            opdata="Current value: {ITEM.LASTVALUE1}", manual=True, after=[silent],
        )
        return silent, untold

    def rule(self):
        before = self.host_triggers()
        results = self.results
        conditions = [
            {"macro": "{#TCP.ID}", "value": "{$TCP.TARGET.MATCHES}", "formulaid": "A"},
            {"macro": "{#TCP.ID}", "value": "{$TCP.TARGET.NOT_MATCHES}", "operator": "NOT_MATCHES_REGEX", "formulaid": "B"},
        ]
        return {
            "name": "Target discovery",
            "type": "DEPENDENT",
            "key": "tcp.targets.discovery",
            "delay": "0",
            "filter": {"evaltype": "AND", "conditions": conditions},
            "lifetime": "0",
            "description": "One row for each target of the group. A target that is removed from the file is no longer probed.",
            "item_prototypes": [
                *results.verdict(), *results.addresses(), *results.times(), *results.network(), *results.response(),
            ],
            "trigger_prototypes": self.problems.chain(before),
            "graph_prototypes": [graphs.of_times(self.name, results), graphs.of_network(self.name, results)],
            "master_item": {"key": self.run.key},
            "preprocessing": [path("$.discovery"), heartbeat("10m")],
        }

    def macros(self):
        return [
            macros.GROUP, macros.INTERVAL, macros.TARGET_TIMEOUT, macros.DEADLINE, macros.NODATA, macros.MATCHES,
            macros.NOT_MATCHES, macros.UNKNOWN_WARN, macros.UNKNOWN_PERIOD, *macros.DOWN, *macros.limits("the target's id"),
        ]

    def pages(self, widgets):
        times = graphs.times_name(self.results)
        numbers = [("Targets", "targets"), ("Up", "up"), ("Down", "down")]
        if not widgets.modern:
            counts = [
                widgets.value(f"tcp.targets.{member}", name, (9 * place, 0, 9, 4))
                for place, (name, member) in enumerate(numbers)
            ]
            return [
                page("Overview", *counts,
                     widgets.text("tcp.targets.failing", "Targets that are not up", (27, 0, 45, 4)),
                     widgets.item_graphs(self.results.key("up"), "States: 1 is up", (0, 4, 72, 8), 4, 2),
                     widgets.graphs(times, "Times", (0, 12, 72, 16), 2, 3)),
                page("Network", widgets.graphs(f"{self.subject}: Network", "Network", (0, 0, 72, 20), 3, 4)),
            ]
        colors = {"targets": [], "up": [("0", GREEN)], "down": [("0", GREEN), ("1", RED)]}
        counts = [
            widgets.value(f"tcp.targets.{member}", name, (12, 2 * place, 10, 2), colors[member])
            for place, (name, member) in enumerate(numbers)
        ]
        return [
            page("Overview",
                 widgets.gauge("tcp.targets.up.share", "Share of targets up", (0, 0, 12, 6),
                               [("0", RED), ("90", AMBER), ("100", GREEN)]),
                 *counts,
                 widgets.comb("Target *: State", label("Target "), "Targets", (22, 0, 50, 6)),
                 widgets.problems("What is wrong, and why", (0, 6, 36, 4)),
                 widgets.text("tcp.targets.failing", "Targets that are not up", (36, 6, 36, 4)),
                 widgets.lines([("Target *: Connect time", "2E86DE")], "Connect times", (0, 10, 36, 4)),
                 widgets.lines([("Target *: Response time", "1A7C11")], "Response times", (36, 10, 36, 4))),
            page("Targets",
                 widgets.graphs(times, "Times", (0, 0, 72, 12), 3, 2),
                 widgets.graphs(f"{self.subject}: Network", "Network", (0, 12, 72, 12), 3, 2)),
        ]
