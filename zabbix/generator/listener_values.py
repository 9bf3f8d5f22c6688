"""The items of the templates about listeners: for the machine, and for each listener."""

from .parts import STATE, STATUS, NotSupported, dependent, heartbeat, path, step, tag
from .results import REASON, Results

# One line for each listener. A text item stores 65 535 characters, so the number of lines is limited.
NAMES = step("JAVASCRIPT", """var lines = JSON.parse(value).filter(function (row) {
    return row['{#TCP.LISTENER.EPHEMERAL}'] !== 'yes';
}).map(function (row) {
    var about = [row['{#TCP.LISTENER.SCOPE}'], row['{#TCP.LISTENER.UNIT}'], row['{#TCP.LISTENER.CONTAINER}']];
    return row['{#TCP.NAME}'] + ' (' + about.filter(String).join(', ') + ')';
});
return lines.slice(0, 200).join('\\n') + (lines.length > 200 ? '\\n...' : '');""")
FINGERPRINT = step("JAVASCRIPT", """var number = 0;
JSON.parse(value).filter(function (row) {
    return row['{#TCP.LISTENER.EPHEMERAL}'] !== 'yes';
}).forEach(function (row) {
    var text = row['{#TCP.ID}'] + ' ';
    for (var at = 0; at < text.length; at++) {
        number = (31 * number + text.charCodeAt(at)) % 4294967296;
    }
});
return number;""")
LISTENS = step("JAVASCRIPT", "return value > 0 ? 1 : 0;")
PER_SECOND = step("CHANGE_PER_SECOND", "")


class MachineValues:
    """The items that exist once per host."""

    def __init__(self, master):
        self.master = master

    def number(self):
        return dependent("Listeners", "tcp.listeners.count", self.master, "Number of addresses and ports on which the machine "
                         "listens, ephemeral ports included.", path("$.summary.listeners", discard=True), component="health")

    def others(self):
        return [
            dependent("List of listeners", "tcp.listeners.names", self.master, "One line for each listener that is not on an "
                      "ephemeral port; at most 200 lines.", path("$.discovery", discard=True), NAMES, heartbeat("1h"),
                      value_type="TEXT", component="health"),
            dependent("Fingerprint of the listeners", "tcp.listeners.fingerprint", self.master, "A number that changes when a "
                      "listener appears or disappears. It is used by the trigger for new listeners.",
                      path("$.discovery", discard=True), FINGERPRINT, component="raw"),
            self.counter("Full accept queues", "overflows", "Connections per second that were dropped because an accept queue was "
                         "full, of all listeners (ListenOverflows)."),
            self.counter("Dropped connections", "drops", "Connections per second that were dropped for any reason, of all "
                         "listeners (ListenDrops)."),
        ]

    def counter(self, name, member, description):
        return dependent(name, f"tcp.listeners.{member}", self.master, description,
                         path(f"$.summary.listen_{member}", discard=True), PER_SECOND, value_type="FLOAT", units="!cps")


class ListenerValues:
    """The items of each listener: of its sockets, and of the probe."""

    def __init__(self, subject, master, probe):
        tags = [tag("listener", "{#TCP.ID}"), tag("port", "{#TCP.PORT}")]
        self.tags, root = tags, "$.listeners['{#TCP.ID}']"
        self.sockets = Results(subject, "tcp.listener", "{#TCP.ID}", master, root, tags)
        self.probe = Results(subject, "tcp.listener.probe", "{#TCP.ID}", probe, "$", tags)
        self.subject, self.master = subject, master

    def of_sockets(self):
        return [
            self.state(),
            self.sockets.item("Accept queue", "queue", "queue", "Connections that wait to be accepted."),
            self.sockets.item("Backlog", "backlog", "backlog", "Length of the accept queue that the service requested, limited by "
                              "net.core.somaxconn.", heartbeat("1h")),
            self.sockets.item("Queue use", "used", "used", "Fill level of the fullest accept queue of the listener. At 100 % "
                              "the kernel drops new connections.", value_type="FLOAT", units="%"),
            self.sockets.item("Dropped connections", "drops", "drops", "Connections per second that the kernel dropped, mostly "
                              "because the accept queue was full.", PER_SECOND, value_type="FLOAT", units="!cps"),
            self.accepting(),
        ]

    def state(self):
        """A listener that is missing in the document is down."""
        first = path(f"{self.sockets.root}.sockets", otherwise="0")
        made = dependent(f"{self.subject}: State", self.sockets.key("state"), self.master, "1 if the machine listens on this "
                         "address and port, otherwise 0.", first, LISTENS, valuemap=STATE, component="health")
        return made | {"tags": [*made["tags"], *self.tags]}

    def accepting(self):
        """The kernel does not count accepted connections, but a queue decreases only if connections are accepted."""
        queue, state = (f"//{self.sockets.key(name)}" for name in ("queue", "state"))
        return {
            "name": f"{self.subject}: Accepting",
            "type": "CALCULATED",
            "key": self.sockets.key("accepting"),
            "delay": "{$TCP.LISTENERS.INTERVAL}",
            "params": f"last({state})=1 and (last({queue})=0 or last({queue})<max({queue},#2))",
            "description": "1 if the machine listens, and the accept queue is empty, or is shorter than at the reading before: "
            "connections were accepted. Otherwise 0.",
            # A listener that was there for a moment may have no queue. The default handler discards the value.
            "preprocessing": [NotSupported(None)],
            "tags": [tag("component", "health"), *self.tags],
        }

    def of_probe(self):
        return [
            self.probe.item("Probe status", "status", "status", "The result of the probe from the machine itself.",
                            valuemap=STATUS, component="health"),
            self.probe.item("Probe failure reason", "error", "error", REASON, heartbeat("1h"), value_type="TEXT",
                            component="health"),
            self.probe.seconds("Probe connect time", "time.connect", "Time from the SYN until the connection was established. "
                               "There is no value for a probe that did not connect."),
        ]
