"""The template for a group of targets from the program's configuration file: one run, one document."""

from . import graphs, macros
from .parts import DOCUMENT_OR_ERROR, Call, dependent, heartbeat, path, raw, step, tag, trigger
from .problems import Problems
from .results import Results
from .widgets import AMBER, GREEN, RED, label, page

SHARE = """var summary = JSON.parse(value);
return summary.targets ? 100 * summary.%s / summary.targets : %d;"""
# One line for each target that is not up; a text item holds 65 535 characters.
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
        "Probes a whole group of TCP targets in one process, thousands at once, and tells for each whether it answers, how "
        "fast, and if not, why. The targets, with their names, services and options, are listed in the configuration file "
        "of zbx-tcp on the Zabbix server or proxy. One item holds the document of a run; the discovery rule and all other "
        "items take their values from it, so a group costs one poller for {$TCP.DEADLINE} at most, however many of its "
        "targets hang."
    )
    setup = (
        "Install zbx-tcp into the directory that `ExternalScripts` names in `zabbix_server.conf` or `zabbix_proxy.conf`: "
        "`install -o root -g root -m 0755 zbx-tcp /usr/lib/zabbix/externalscripts/zbx-tcp`.",
        "List the targets in `/etc/zbx-tcp/config.toml` of that machine, readable by the user zabbix: a `[[targets]]` entry "
        "each, with `host`, `port`, and as you like `id`, `name`, `service`, `group`. `sudo -u zabbix zbx-tcp services "
        "--check` names every mistake in it.",
        "Import the template and link it to a host with an interface of any type, one host for each group: it only holds "
        "the results.",
        "Set the macro `{$TCP.GROUP}` on the host, or leave it empty for all targets of the file.",
        "Where a target is slower than others by nature, give it limits of its own by its id: `{$TCP.RESPONSE.WARN:\"mail\"}`.",
    )
    shows = (
        "In 7.0: how many targets are up, which, what is wrong and why, connect and response times side by side, and on a "
        "second page the graphs of each target. In 6.0: the numbers, the targets that are not up with the reason, and the "
        "graphs of each target."
    )
    description = (
        "Probes a whole group of TCP targets in one run and tells for each whether it answers, how fast, and if not, "
        "why. The targets are listed in the configuration file of zbx-tcp on the Zabbix server or proxy; the host that "
        "this template is linked to only holds the results.\n"
        "Setup: install zbx-tcp into the ExternalScripts directory of the server or proxy, list the targets in "
        "/etc/zbx-tcp/config.toml, link this template to a host with any interface, set the macro {$TCP.GROUP}."
    )

    def __init__(self):
        words = ("batch", "-o", "json", "--group", "{$TCP.GROUP}", "--timeout", "{$TCP.TARGET.TIMEOUT}")
        self.run = Call("EXTERNAL", "zbx-tcp", *words, "--deadline", "{$TCP.DEADLINE}")
        tags = [tag("group", "{#TCP.GROUP}"), tag("target", "{#TCP.NAME}")]
        root = "$.targets['{#TCP.ID}']"
        self.results = Results(self.subject, self.base, "{#TCP.ID}", self.run.key, root, tags)
        self.problems = Problems(self.name, self.results, f"TCP: {self.subject}", "{#TCP.ID}")

    def items(self):
        """What there is once per group."""
        master = raw("Get targets", self.run, "{$TCP.INTERVAL}", "One run over the whole group: the document of zbx-tcp "
                     "batch as JSON. Anything else it prints is a mistake in the macros or in the configuration file, and "
                     "this item then shows it as its error.", DOCUMENT_OR_ERROR)
        unknown = self.share("Targets that could not be judged", "unknown", 0, "Share of targets about which nothing could "
                             "be told: forbidden by the policy, not tried in time, or for want of something on this "
                             "machine.")
        silent, untold = self.host_triggers()
        unknown["triggers"] = [untold]
        number = self.count("Targets", "targets", "How many targets the group has.")
        number["triggers"] = [silent]
        return [
            master,
            number,
            self.count("Targets up", "up", "How many of them answered as they should."),
            self.count("Targets down", "down", "How many of them did not."),
            self.share("Share of targets up", "up", 100, "Share of targets that answered as they should."),
            unknown,
            dependent("Targets that are not up", "tcp.targets.failing", self.run.key,
                      "One line for each target that is not up, with the reason; the first hundred.",
                      path("$.targets[?(@.up == 0)]", otherwise="[]"), step("JAVASCRIPT", FAILING), heartbeat("1h"),
                      value_type="TEXT", component="health"),
            dependent("Run time", "tcp.targets.elapsed", self.run.key, "How long the run took. Near {$TCP.DEADLINE}: "
                      "targets may be left out; use several groups.", path("$.summary.elapsed", discard=True),
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
            "No result has been stored for {$TCP.NODATA.PERIOD}. The item \"Get targets\" shows why: zbx-tcp is not in "
            "ExternalScripts or not executable, the configuration file holds a mistake or cannot be read by Zabbix, the "
            "group does not exist, or Zabbix's own timeout is below {$TCP.DEADLINE}. Nothing is known about any target "
            "meanwhile.",
        )
        key = f"/{self.name}/tcp.targets.unknown.share"
        name = "TCP: Many targets could not be judged"
        untold = trigger(
            "many unknown", name, "WARNING", f"min({key},{{$TCP.UNKNOWN.PERIOD}})>{{$TCP.UNKNOWN.MAX.WARN}}",
            "For {$TCP.UNKNOWN.PERIOD} nothing could be told about so many targets that the cause is common to them: the "
            "policy, the deadline, or this machine. The targets themselves may be up.",
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
            "description": "A row for each target of the group. A target that is taken out of the file is no longer probed.",
            "item_prototypes": [*results.verdict(), *results.times(), *results.network(), *results.response()],
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
