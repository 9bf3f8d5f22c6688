"""Converts the result of `measure` to a row of the table."""

import statistics

from cpu import DATABASE
from feeds import MASTERS

# Columns by the titles of the server's processes. The other processes do not work for the targets.
KINDS = {
    "checks": ("poller", "poller, its children"),
    "preprocessing": ("preprocessing manager", "preprocessing worker"),
    "LLD": ("lld manager", "lld worker"),
    "trapper": ("trapper",),
    "history": ("history syncer",),
    "database": (DATABASE,),
}
CASE = ["release", "fed by", "targets", "masters", "values"]
COST = [*CASE, "checks", "preprocessing", "trapper", "history", "server", "database", "sender's side", "a target"]
TIME = [*CASE, "document, KiB", "bytes a target", "batch, s", "until stored, s", "discovered, s", "LLD, us an item"]


def cost(case: dict) -> list:
    """Microseconds of CPU for each value, by kind of process; the last column is for each target."""
    values = case["values"]

    def each(kinds) -> float:
        return median(case, lambda one: sum(one["cpu"].get(kind, 0) for kind in kinds)) / values * 1e6

    known = {name: each(kinds) for name, kinds in KINDS.items()}
    clients = median(case, lambda one: sum(one["clients"].values())) / values * 1e6
    server = sum(used for name, used in known.items() if name != "database")
    row = [known["checks"], known["preprocessing"], known["trapper"], known["history"], server]
    row += [known["database"], clients, (server + clients) * values / case["targets"]]
    return head(case) + [f"{figure:.1f}" for figure in row]


def time(case: dict) -> list:
    """Seconds: of the batch, from its first connect until all values are stored, and of the discovery before."""
    size = case["document_bytes"]
    seconds = median(case, lambda one: one["seconds"])
    batch = median(case, lambda one: one["batch"]) or None
    found = case["discovery"]
    lld = sum(found["cpu"].get(kind, 0) for kind in KINDS["LLD"]) / case["items"] * 1e6
    row = [f"{size / 1024:.0f}", f"{size / case['targets']:.0f}", batch, seconds, found["seconds"], f"{lld:.0f}"]
    return head(case) + row


def head(case: dict) -> list:
    masters = case["masters"] if case["feed"] in MASTERS else None
    return [case["release"], case["feed"], case["targets"], masters, case["values"]]


def median(case: dict, figure) -> float:
    return statistics.median(figure(one) for one in case["rounds"])
