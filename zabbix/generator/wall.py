"""The dashboard of *TCP targets by external check*. It has the same widgets for 1 and for 2,000 targets."""

from .widgets import AMBER, GREEN, GREY, RED, label, page

# A tile has a colour only if its value has one meaning: "down 0" is not good while all targets are unknown.
TILES = (
    ("Up", "tcp.targets.current.up", [("1", GREEN)]),
    ("Down", "tcp.targets.current.down", [("1", RED)]),
    ("Unknown", "tcp.targets.current.unknown", [("1", GREY)]),
    ("Age of the last run", "tcp.targets.age", [("0", GREEN), ("180", AMBER), ("600", RED)]),
)
CONNECT_TIMES = (("Connect time: median", "1A7C11"), ("Connect time: 95th percentile", "F6A623"), ("Connect time: longest", "E64B3C"))
COUNTS = (("Current targets up", "4CAF50"), ("Current targets down", "E64B3C"), ("Current targets with unknown state", "9E9E9E"))


def pages(widgets, graph):
    """`graph`: the name of the graph prototype that every target has."""
    if not widgets.modern:
        return old(widgets, graph)
    tiles = [
        widgets.value(key, name, (12 + 8 * (place % 2), 3 * (place // 2), 8, 3), colors)
        for place, (name, key, colors) in enumerate(TILES)
    ]
    return [
        page("Overview",
             widgets.gauge("tcp.targets.current.share", "Share of targets up", (0, 0, 12, 6),
                           [("0", RED), ("90", AMBER), ("100", GREEN)]),
             *tiles,
             widgets.comb("Target *: State", label("Target "), "Last known states", (28, 0, 44, 6)),
             widgets.problems("What is wrong, and why", (0, 6, 36, 5)),
             widgets.text("tcp.targets.failing", "Targets that are not up", (36, 6, 36, 5)),
             widgets.lines(COUNTS, "Number of targets", (0, 11, 36, 4)),
             widgets.lines(CONNECT_TIMES, "Connect times of the group", (36, 11, 36, 4))),
        page("Targets",
             widgets.text("tcp.targets.slowest", "Slowest targets", (0, 0, 24, 5)),
             widgets.text("tcp.targets.cause", "Largest cause", (24, 0, 24, 2)),
             widgets.text("tcp.targets.error", "Configuration error: empty when there is none", (48, 0, 24, 2)),
             widgets.value("tcp.targets.cause.targets", "Targets with the largest cause", (24, 2, 12, 3), [("1", RED)]),
             widgets.value("tcp.targets.omitted", "Targets left out", (36, 2, 12, 3), [("1", AMBER)]),
             widgets.value("tcp.targets.elapsed", "Run time", (48, 2, 24, 3), decimals=2),
             widgets.graphs(graph, "Connect times", (0, 5, 72, 12), 3, 2)),
        page("Certificates",
             widgets.text("tcp.targets.certificates", "Certificates: what expires first", (0, 0, 36, 12)),
             widgets.problems("Problems of certificates", (36, 0, 36, 12), scope="security")),
    ]


def old(widgets, graph):
    """6.0 has neither colours nor lists of problems on the dashboard of a template."""
    tiles = [widgets.value(key, name, (9 * place, 0, 9, 3)) for place, (name, key, _) in enumerate(TILES)]
    return [
        page("Overview",
             *tiles,
             widgets.text("tcp.targets.cause", "Largest cause", (36, 0, 36, 3)),
             widgets.text("tcp.targets.failing", "Targets that are not up", (0, 3, 36, 9)),
             widgets.text("tcp.targets.slowest", "Slowest targets", (36, 3, 36, 5)),
             widgets.text("tcp.targets.error", "Configuration error: empty when there is none", (36, 8, 36, 4))),
        page("Targets", widgets.graphs(graph, "Connect times", (0, 0, 72, 20), 3, 4)),
        page("Certificates", widgets.text("tcp.targets.certificates", "Certificates: what expires first", (0, 0, 72, 12))),
    ]
