"""What is taken from one result document: the items that every template has for each of its ports or targets."""

from .parts import STATE, STATUS, dependent, heartbeat, path, step

# `response.text` shows line ends as the two characters \n.
FIRST_LINE = step("REGEX", r"^(.*?)(?:\\r|\\n|$)", r"\1")
REASON = "Why the last probe did not succeed, as a sentence; empty when it did."


class Results:
    """Where documents come from (`master`, and `root` inside it) and what the items are called."""

    def __init__(self, prefix, key, parameters, master, root, tags):
        self.prefix, self.base, self.parameters = prefix, key, parameters
        self.master, self.root, self.tags = master, root, tags

    def key(self, name):
        return f"{self.base}.{name}[{self.parameters}]"

    def item(self, name, key, member, description, *steps, **kind):
        # A member that was not measured is absent: that is no error and no value.
        first = path(f"{self.root}.{member}", discard=True)
        made = dependent(f"{self.prefix}: {name}", self.key(key), self.master, description, first, *steps, **kind)
        return made | {"tags": [*made["tags"], *self.tags]}

    def verdict(self):
        """Whether it is up, and why not."""
        return [
            self.item("State", "up", "up", "Whether everything that was asked for was verified. 0 also stands for a "
                      "probe that could not tell: see the status.", valuemap=STATE, component="health"),
            self.item("Status", "status", "status", "How the probe ended.", valuemap=STATUS, component="health"),
            self.item("Failure reason", "error", "error", REASON, heartbeat("1h"), value_type="TEXT",
                      component="health"),
        ]

    def times(self):
        """Seconds; a phase that did not happen, or failed, has no value."""
        return [
            self.seconds("Name resolution time", "time.resolve", "Time until the name server had answered. There is "
                         "no value for an address."),
            self.seconds("Connect time", "time.connect", "Time from the SYN until the connection was established. "
                         "There is no value for a probe that did not connect."),
            self.seconds("Response time", "time.dialogue", "Time from the established connection until the service "
                         "had said everything that was expected. There is no value without a named service."),
            self.seconds("Total time", "time.total", "Time of the whole probe, name resolution included, whatever "
                         "its result."),
        ]

    def seconds(self, name, member, description):
        return self.item(name, member, member, description, value_type="FLOAT", units="s", component="time")

    def network(self):
        """What this machine's kernel knows about the way there."""
        return [
            self.item("Round-trip time", "tcp.rtt", "tcp.rtt", "Round-trip time as the kernel measured it while "
                      "connecting: the network's part of the connect time. There is no value after a retransmission.",
                      value_type="FLOAT", units="s"),
            self.item("SYN retransmits", "tcp.syn_retransmits", "tcp.syn_retransmits", "How often the kernel had to "
                      "repeat the SYN: packets were lost on the way, or the listener's queue was full."),
        ]

    def loss(self):
        """The share of several attempts that failed."""
        percent = step("MULTIPLIER", "100")
        return [
            self.item("Failed attempts", "loss", "attempts.loss", "Share of the attempts of one probe that failed; "
                      "{$TCP.COUNT} says how many there are.", percent, value_type="FLOAT", units="%"),
        ]

    def response(self):
        """What the service said."""
        return [
            self.item("Response", "response", "response.text", "First line of what the service said last; control "
                      "characters are escaped.", FIRST_LINE, heartbeat("1h"), value_type="TEXT", component="health"),
        ]
