"""The graph prototypes: times, and the network."""

COLORS = ("1A7C11", "2E86DE", "F6A623", "E64B3C")


def graph(identity, name, host, keys, colors=COLORS, right=()):
    """Lines for these items; those in `right` belong to the right axis."""
    lines = []
    for number, (key, color) in enumerate(zip(keys, colors)):
        line = {"sortorder": str(number)} if number else {}
        line |= {"drawtype": "GRADIENT_LINE"} if len(keys) == 1 else {}
        line["color"] = color
        line |= {"yaxisside": "RIGHT"} if key in right else {}
        lines.append(line | {"item": {"host": host, "key": key}})
    return {"identity": identity, "name": name, "ymin_type_1": "FIXED", "graph_items": lines}


def of_times(template, results):
    """All phases in one graph. Not the total: it includes failures, and a connect that is refused at once would look fast."""
    keys = [results.key(f"time.{phase}") for phase in ("resolve", "connect", "dialogue")]
    return graph("Times", times_name(results), template, keys)


def of_connect_time(template, results):
    return graph("Connect time", f"{results.prefix}: Connect time", template, [results.key("time.connect")], COLORS[1:])


def of_network(template, results):
    """Round-trip time and SYN retransmits."""
    repeated = results.key("tcp.syn_retransmits")
    keys = [results.key("tcp.rtt"), repeated]
    return graph("Network", f"{results.prefix}: Network", template, keys, (COLORS[1], COLORS[3]), right=[repeated])


def times_name(results):
    return f"{results.prefix}: Times"
