"""The chain of triggers for one port or target: one cause gives one problem.

No data > the name does not resolve > down > slow > packets are lost. Some addresses failed comes after down. No data > state
unknown: a port is never unknown and down at once.

Expressions count probes, so they mean the same at every interval: a macro such as {$TCP.DOWN.PROBES} is #3, the last three values.
Zabbix also evaluates an expression if there are fewer values than it counts, so a new port needs one more for its first problem.
State unknown, no name and down are derived from one item, the status: Zabbix evaluates their triggers together, in the order of
their dependencies, so a trigger never misses a problem that suppresses it. Zabbix follows dependencies through triggers without a
problem, so each trigger names only the nearest ones.
"""

from .parts import trigger

UNKNOWN = "^(14|15|17)$"
UNRESOLVED = "^[12]$"
DOWN = "^([1-9]|1[01236])$"
# A failed connect is reported by other triggers, so its SYNs are not counted as lost packets.
NO_CONNECTION = "^[345]$"


# The longest history that a trigger looks at: macros with a number of values are at most #10.
MOST = "#11"


def more_than(item, number):
    """An item has more values than `number`, such as #3."""
    return f"count({item},{MOST})>count({item},{number})"


class Problems:
    """Triggers over the items of `results`. Their names begin with `subject`; `context` selects the thresholds."""

    def __init__(self, template, results, subject, context):
        self.template, self.results, self.subject, self.context = template, results, subject, context
        # Without context: a parameter that is the same for all targets is in the server's configuration cache once.
        self.probes = "{$TCP.DOWN.PROBES}"

    def item(self, name):
        return f"/{self.template}/{self.results.key(name)}"

    def last(self, name):
        """The last value as an expression macro."""
        return f"{{?last(//{self.results.key(name)})}}"

    def limit(self, macro):
        return f'{{${macro}:"{self.context}"}}'

    def of_the_last(self, item, operator, value, number=None):
        """The number of the last values of an item for which this comparison is true."""
        return f'count({self.item(item)},{number or self.probes},"{operator}","{value}")'

    def all(self, item, number=None):
        """The number of the last values that exist."""
        return f"count({self.item(item)},{number or self.probes})"

    def enough(self, item, number=None):
        """There are more values than `number`."""
        return more_than(self.item(item), number or self.probes)

    def never_up(self):
        """There were enough probes, and none of them found the service up."""
        return f'{self.enough("status")}\nand {self.of_the_last("status", "eq", "0")}=0'

    def few(self, before_unknown, before_down):
        """What every port or target has: state unknown, and down. They come after the triggers that explain an unknown state, or
        a service that is down."""
        return [self.cannot_tell(before_unknown), self.is_down(before_down)]

    def slowness(self, down):
        """Triggers of a service that is up."""
        connect = self.connects_slowly([down])
        return [connect, self.responds_slowly([connect]), self.loses_packets([connect]), self.lacks_addresses([down])]

    def silent(self, before):
        period = self.limit("TCP.NODATA.PERIOD")
        return trigger(
            "no data", f"{self.subject}: No data from the probe", "AVERAGE",
            # No other function can be in it: since 7.0 all items of a probe without a document are not supported.
            f"nodata({self.item('status')},{period})=1",
            "No result has been stored for {$TCP.NODATA.PERIOD}. See the error of the item \"Get probe "
            "data\" of this port: a macro is invalid, or {$TCP.TIMEOUT} is not below the timeout of Zabbix. While there are no "
            "results, the state of the service is unknown.",
            opdata="See the error of the item \"Get probe data\"", after=before,
        )

    def cannot_tell(self, before):
        name = f"{self.subject}: Probe cannot tell the service state"
        return trigger(
            "cannot tell", name, "WARNING",
            f'{self.never_up()}\nand 2*{self.of_the_last("status", "regexp", UNKNOWN)}>={self.all("status")}',
            "None of the last probes found the service up, and at least half of them could not run: the "
            "policy of zbx-tcp denies the target, the probing machine has no free resource or no permission, its configuration "
            "is invalid, or the probe was not tried in time. The service itself may be up.",
            event=f"{name}: {self.last('error')}", opdata="Current status: {ITEM.LASTVALUE1}", manual=True, after=before,
        )

    def does_not_resolve(self, before):
        name = f"{self.subject}: Name does not resolve"
        return trigger(
            "does not resolve", name, "AVERAGE",
            f'{self.enough("status")}\nand {self.of_the_last("status", "regexp", UNRESOLVED)}={self.all("status")}',
            "None of the last probes got an address for the name, so the service itself was not probed. "
            "Resolved when a probe gets an address.",
            event=f"{name}: {self.last('error')}", opdata="Current status: {ITEM.LASTVALUE1}", after=before,
        )

    def is_down(self, before):
        name = f"{self.subject}: Service is down"
        up = "{$TCP.UP.PROBES}"
        return trigger(
            "down", name, "AVERAGE",
            f'{self.never_up()}\nand 2*{self.of_the_last("status", "regexp", DOWN)}>{self.all("status")}',
            "None of the last probes found the service up, and most of them found it down; the others could "
            "not run. The name of the problem ends with the reason at that time. Resolved when the last {$TCP.UP.PROBES} probes find it up.",
            recovery=f'{self.of_the_last("status", "eq", "0", up)}={self.all("status", up)}',
            event=f"{name}: {self.last('error')}", opdata="Current status: {ITEM.LASTVALUE1}", after=before,
        )

    def slow(self, what, item, macro, description, before):
        name = f"{self.subject}: {what} is high"
        limit, number = self.limit(macro), "{$TCP.SLOW.PROBES}"
        average = f"avg({self.item(item)},{number})"
        up = self.of_the_last("status", "eq", "0")
        return trigger(
            f"slow {item}", name, "WARNING",
            # Without the count, Zabbix could not evaluate the expression for a time that was never measured. The status is in it
            # because Zabbix evaluates when a value arrives: while the service is down, only its status has values.
            f"{up}>0\nand {self.enough(item, number)}\nand {average}>{limit}",
            f"{description} Resolved when the average falls below 80 % of it, or when no probe succeeds.",
            recovery=f"{up}=0\nor {average}<0.8*{limit}",
            event=f"{name} (over {limit})", opdata="Current value: {ITEM.LASTVALUE2}", manual=True,
            after=before, scope="performance",
        )

    def responds_slowly(self, before):
        return self.slow("Response time", "time.dialogue", "TCP.RESPONSE.WARN",
                         "The service is slow: the average response time of the last measurements is above the threshold.", before)

    def connects_slowly(self, before):
        return self.slow("Connect time", "time.connect", "TCP.CONNECT.WARN",
                         "The network, or the accept queue of the service, is slow: the average connect time of the last measurements "
                         "is above the threshold.", before)

    def loses_packets(self, before):
        limit, period = self.limit("TCP.LOSS.WARN"), "{$TCP.LOSS.PERIOD}"
        name = f"{self.subject}: Packets are lost on the way"
        up = f'count({self.item("status")},{period},"eq","0")'
        retransmitted = f'count({self.item("tcp.syn_retransmits")},{period},"ge","1")'
        unconnected = f'count({self.item("status")},{period},"regexp","{NO_CONNECTION}")'
        return trigger(
            "loss", name, "WARNING",
            # If no probe ever connects there is no count of SYNs, and Zabbix could not evaluate the rest.
            f"{up}>0\nand {retransmitted}-{unconnected}>={limit}",
            "At least this number of probes within {$TCP.LOSS.PERIOD} connected only after the kernel had retransmitted the SYN. "
            "Either packets are lost, or the accept queue of the service is full at times. Resolved when the period has no "
            "such probe.",
            recovery=f"{up}=0\nor {retransmitted}-{unconnected}<=0",
            event=f"{name} ({limit} probes or more within {period})",
            opdata="SYN retransmits of the last probe: {ITEM.LASTVALUE2}", manual=True, after=before,
            scope="performance",
        )

    def lacks_addresses(self, before):
        name = f"{self.subject}: Some addresses do not answer"
        up = "{$TCP.UP.PROBES}"
        failed = self.of_the_last("addresses_failed", "gt", "0")
        return trigger(
            "addresses", name, "WARNING",
            f'{self.enough("addresses_failed")}\nand {failed}={self.all("addresses_failed")}\nand {self.of_the_last("status", "eq", "0")}>0',
            "The service is up, but in each of the last probes at least one address of its name failed. "
            "Clients that try this address wait, or fail. Resolved when none fails any more.",
            recovery=f"max({self.item('addresses_failed')},{up})=0",
            event=f"{name}: {self.last('addresses_error')}", opdata="Failed addresses: {ITEM.LASTVALUE1}", manual=True,
            after=before,
        )
