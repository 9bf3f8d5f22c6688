"""The ways to poll single items, one value a minute each, and the table of their cost."""

import statistics
from dataclasses import dataclass

from cpu import AGENT, DATABASE, PLUGIN
from zbxlab.hosts import AGENT as AGENT_ITEM
from zbxlab.hosts import EXTERNAL_CHECK, SIMPLE_CHECK


@dataclass(frozen=True)
class Way:
    """An item type and its key, with places for address and port; that of the master item if the items are dependent."""

    about: str
    kind: int
    key: str
    is_text: bool = False
    is_dependent: bool = False


WAYS = {
    "simple": Way("simple check `net.tcp.service`", SIMPLE_CHECK, "net.tcp.service[tcp,{},{}]"),
    "agent": Way("`net.tcp.service` of agent 2", AGENT_ITEM, "net.tcp.service[tcp,{},{}]"),
    "plugin": Way("plugin, `tcp.check`: 1 or 0", AGENT_ITEM, "tcp.check[{},{}]"),
    "document": Way("plugin, `tcp.check`: the document", AGENT_ITEM, "tcp.check[{},{},,json]", is_text=True),
    "external": Way("external check", EXTERNAL_CHECK, 'zbx-tcp["check",{},{}]'),
    "master": Way(
        "master item, external check `batch`", EXTERNAL_CHECK,
        'zbx-tcp["batch","--group","targets","--deadline","2.5","-o","json"]', is_dependent=True,
    ),
}  # fmt: skip
SIMPLE = "simple"
# What the plugin may cost, as a multiple of a simple check.
MOST = 3.0
HEAD = ["way", "values a minute", "server, us", "agent 2, us", "plugin, us", "database, us", "all but the database, us", "of a simple check"]


def rows(cases: list[dict]) -> list[list]:
    """Microseconds of CPU for each value, and the sum as a multiple of a simple check of the same run."""
    sums = {case["way"]: total(case) for case in cases}
    made = []
    for case in cases:
        figures = [cost(case, kind) for kind in (server, AGENT, PLUGIN, DATABASE)]
        ratio = f"{sums[case['way']] / sums[SIMPLE]:.2f}" if SIMPLE in sums else None
        made.append([WAYS[case["way"]].about, values(case), *(f"{one:.1f}" for one in figures), f"{total(case):.1f}", ratio])
    return made


def total(case: dict) -> float:
    return sum(cost(case, kind) for kind in (server, AGENT, PLUGIN))


def values(case: dict) -> int:
    return round(statistics.median(one["values"] for one in case["minutes"]))


def server(kind: str) -> bool:
    """Whether a process is of the server: the children of its pollers, too."""
    return not kind.startswith((AGENT, PLUGIN, DATABASE))


def cost(case: dict, kind) -> float:
    """Median microseconds for each value. `kind`: a kind of process, or a condition."""
    wanted = kind if callable(kind) else kind.__eq__
    each = [sum(used for name, used in one["cpu"].items() if wanted(name)) / max(one["values"], 1) for one in case["minutes"]]
    return statistics.median(each) * 1e6
