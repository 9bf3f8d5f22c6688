"""The items that every template has for each port or target. They take their values from one document."""

from .parts import STATE, STATUS, dependent, heartbeat, path, step

# `response.text` shows line ends as the two characters \n.
FIRST_LINE = step("REGEX", r"^(.*?)(?:\\r|\\n|$)", r"\1")
REASON = "Reason why the last probe failed, as one sentence; empty if it succeeded."


class Results:
    """The source of the documents (`master`, and `root` inside it) and the names of the items."""

    def __init__(self, prefix, key, parameters, master, root, tags):
        self.prefix, self.base, self.parameters = prefix, key, parameters
        self.master, self.root, self.tags = master, root, tags

    def key(self, name):
        return f"{self.base}.{name}[{self.parameters}]"

    def item(self, name, key, member, description, *steps, absent=None, **kind):
        """`absent`: the value when the document has no such member; by default there is none, and no error."""
        first = path(f"{self.root}.{member}", discard=absent is None, otherwise=absent)
        made = dependent(f"{self.prefix}: {name}", self.key(key), self.master, description, first, *steps, **kind)
        return made | {"tags": [*made["tags"], *self.tags]}

    def few(self):
        """What every port or target has: state, status, reason and connect time."""
        return [*self.verdict(), self.connect_time()]

    def detail(self):
        """All other items."""
        return [self.up(), *self.addresses(), *self.times(), *self.network(), *self.response()]

    def verdict(self):
        """State, status and reason."""
        return [
            self.item("State", "state", "state", "Up, down, or unknown if the probe could not determine the state: denied "
                      "by the policy, not possible on the probing machine, not tried in time, or without a result.",
                      absent="2", valuemap=STATE, component="health"),
            self.item("Status", "status", "status", "The result of the probe.", valuemap=STATUS, component="health"),
            self.item("Failure reason", "error", "error", REASON, heartbeat("1h"), absent="", value_type="TEXT",
                      component="health"),
        ]

    def up(self):
        """For triggers and widgets of earlier versions."""
        return self.item("Up", "up", "up", "1 if every requested check passed, otherwise 0. It is also 0 if the state is "
                         "unknown, so prefer the item \"State\".", valuemap=STATE, component="health")

    def addresses(self):
        """The addresses of a name that has several."""
        return [
            self.item("Failed addresses", "addresses_failed", "addresses_failed", "Number of addresses of the name that "
                      "were probed and failed; 0 if the name has only one address.", absent="0", component="health"),
            self.item("Address errors", "addresses_error", "addresses_error", "Addresses of the name that failed in the last "
                      "probe, with the reasons; empty if none failed.", heartbeat("1h"), value_type="TEXT", component="health"),
        ]

    def times(self):
        """Times in seconds. A phase that did not happen, or failed, has no value."""
        return [
            self.seconds("Name resolution time", "time.resolve", "Time to resolve the name. There is no value for an "
                         "address."),
            self.seconds("Response time", "time.dialogue", "Time from the established connection until the service "
                         "had sent everything that was expected. There is no value without a named service."),
            self.seconds("Total time", "time.total", "Time of the whole probe, including name resolution, for "
                         "every result."),
        ]

    def connect_time(self):
        return self.seconds("Connect time", "time.connect", "Time from the SYN until the connection was established. "
                            "There is no value for a probe that did not connect.")

    def seconds(self, name, member, description):
        return self.item(name, member, member, description, value_type="FLOAT", units="s", component="time")

    def network(self):
        """What the kernel measured on the path."""
        return [
            self.item("Round-trip time", "tcp.rtt", "tcp.rtt", "Round-trip time of the handshake, measured by the "
                      "kernel: the network's part of the connect time. There is no value after a retransmission.",
                      value_type="FLOAT", units="s"),
            self.item("SYN retransmits", "tcp.syn_retransmits", "tcp.syn_retransmits", "Number of times that the "
                      "kernel retransmitted the SYN: packets were lost, or the accept queue of the service was full."),
            self.item("Data retransmits", "tcp.retransmits", "tcp.retransmits", "Number of times that the kernel retransmitted "
                      "data. There is only a value after a dialogue or a TLS handshake."),
        ]

    def loss(self):
        """The share of several attempts that failed."""
        percent = step("MULTIPLIER", "100")
        return [
            self.item("Failed attempts", "loss", "attempts.loss", "Share of the {$TCP.COUNT} attempts of one probe that "
                      "failed.", percent, value_type="FLOAT", units="%"),
        ]

    def response(self):
        """The answer of the service."""
        return [
            self.item("Response", "response", "response.text", "First line of the last answer of the service; control "
                      "characters are escaped.", FIRST_LINE, heartbeat("1h"), value_type="TEXT", component="health"),
        ]
