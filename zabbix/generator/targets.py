"""The template for a group of targets from the program's configuration file: one run, one document."""

from . import certificates, graphs, macros, scripts, wall
from .group import MISSING, NO_GROUP, Group
from .parts import DOCUMENT_OR_ERROR, Call, heartbeat, path, raw, step, tag, undiscovered
from .problems import Problems
from .results import Results


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
        "Set the macro `{$TCP.GROUP}` on the host. It is required, so that a host does not get all targets by mistake.",
        "For groups with more than 1,500 targets, increase `CacheSize` of the server first, then `{$TCP.TARGETS.MAX}`: see "
        "[Configuration cache](README.md#configuration-cache).",
        "For a target with a service or a time of its own, such as response times, set `{$TCP.DETAIL}`: a regular expression for "
        "the ids of targets with all items.",
        "If a target is normally slower than others, set separate thresholds for its id: `{$TCP.RESPONSE.WARN:\"mail\"}`.",
    )
    shows = (
        "In 7.0: how many targets are up, down and unknown, the age of the last run, the state of each target, open problems with "
        "their reasons, and the connect times of the group; on a second page the slowest targets, the largest cause, and the graphs "
        "of each target; on a third page the certificates. In 6.0: the numbers, the targets that are not up with the reasons, the "
        "slowest targets, the largest cause, the graphs and the certificates. A tile has a colour only if it tells something, and "
        "without a recent run the state of all targets is unknown."
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
        self.run = Call("EXTERNAL", "zbx-tcp", *parameters, "--deadline", "{$TCP.DEADLINE}", "--path={$TCP.PATH}", "--max-output", "{$TCP.MAX.OUTPUT}")
        tags = [tag("group", "{#TCP.GROUP}"), tag("target", "{#TCP.NAME}")]
        root = "$.targets['{#TCP.ID}']"
        self.results = Results(self.subject, self.base, "{#TCP.ID}", self.run.key, root, tags)
        self.group = Group(self.name, self.run.key)
        self.problems = Problems(self.name, self.results, f"TCP: {self.subject}", "{#TCP.ID}")

    def items(self):
        """The items that exist once per group."""
        master = raw("Get targets", self.run, "{$TCP.INTERVAL}", "One run over the whole group: the JSON document of "
                     "zbx-tcp batch. A message that is not a document is the error of this item.", DOCUMENT_OR_ERROR)
        return [master, *self.group.items()]

    def triggers(self):
        return self.group.shared()

    def rule(self):
        results, conditions = self.results, self.conditions()
        unknown, down = self.problems.few(self.group.before_unknown(), self.group.before_down())
        others = [self.problems.does_not_resolve([down]), *self.problems.slowness(down), *certificates.triggers(self.problems, down)]
        return {
            "name": "Target discovery",
            "type": "DEPENDENT",
            "key": "tcp.targets.discovery",
            "delay": "0",
            "filter": {"evaltype": "AND", "conditions": conditions},
            "lifetime": "0",
            "description": "One row for each target of the group, at most {$TCP.TARGETS.MAX}. A target that is removed from the "
            "file is no longer probed. An error in the macros or in the configuration removes nothing.",
            "item_prototypes": [*results.few(), *undiscovered([*results.detail(), *certificates.items(results)])],
            "trigger_prototypes": [unknown, down, *undiscovered(others)],
            "graph_prototypes": [
                graphs.of_connect_time(self.name, results),
                *undiscovered([graphs.of_times(self.name, results), graphs.of_network(self.name, results)]),
            ],
            "master_item": {"key": self.run.key},
            "preprocessing": [
                step("NOT_MATCHES_REGEX", NO_GROUP, error=MISSING), path("$.discovery"), step("JAVASCRIPT", scripts.ROWS),
                heartbeat("10m"),
            ],
            "overrides": [override(), certificates.override(2)],
        }

    @staticmethod
    def conditions():
        return [
            {"macro": "{#TCP.ID}", "value": "{$TCP.TARGET.MATCHES}", "formulaid": "A"},
            {"macro": "{#TCP.ID}", "value": "{$TCP.TARGET.NOT_MATCHES}", "operator": "NOT_MATCHES_REGEX", "formulaid": "B"},
        ]

    def macros(self):
        return [
            macros.GROUP, macros.INTERVAL, macros.TARGET_TIMEOUT, macros.DEADLINE, macros.PATH, macros.OUTPUT, macros.NODATA, macros.MATCHES,
            macros.NOT_MATCHES, macros.TARGETS_MAX, macros.DETAIL, macros.UNKNOWN_WARN, macros.DOWN_PERCENT, macros.CAUSE_TARGETS,
            *certificates.MACROS, macros.CAUSE_PERCENT, macros.GROUP_PROBES, *macros.DOWN, *macros.limits("the target's id"),
        ]

    def pages(self, widgets):
        return wall.pages(widgets, f"{self.subject}: Connect time")


def override():
    """All prototypes for targets that {$TCP.DETAIL} selects."""
    kinds = ("ITEM_PROTOTYPE", "TRIGGER_PROTOTYPE", "GRAPH_PROTOTYPE")
    return {
        "name": "Targets with all items",
        "step": "1",
        "filter": {"conditions": [{"macro": "{#TCP.DETAIL}", "value": "^1$", "formulaid": "A"}]},
        "operations": [
            {"operationobject": kind, "operator": "NOT_REGEXP", "value": certificates.PART, "discover": "DISCOVER"} for kind in kinds
        ],
    }
