"""The chain of triggers for one port or target: one cause gives one problem.

No data > state unknown > the name does not resolve > down > slow > packets are lost. Some addresses failed comes after down.
Expressions use periods, not numbers of values, so they mean the same at every interval.
"""

from .parts import trigger

UNKNOWN = "^(14|15|17)$"
UNRESOLVED = "^[12]$"
DOWN = "^([3-9]|1[01236])$"
# A failed connect is reported by other triggers, so its SYNs are not counted as lost packets.
NO_CONNECTION = "^[345]$"


class Problems:
    """Triggers over the items of `results`. Their names begin with `subject`; `context` selects the thresholds."""

    def __init__(self, template, results, subject, context):
        self.template, self.results, self.subject, self.context = template, results, subject, context

    def item(self, name):
        return f"/{self.template}/{self.results.key(name)}"

    def last(self, name):
        """The last value as an expression macro."""
        return f"{{?last(//{self.results.key(name)})}}"

    def limit(self, macro):
        return f'{{${macro}:"{self.context}"}}'

    def failed(self, statuses):
        """The number of probes in the period with these statuses."""
        return f'count({self.item("status")},{{$TCP.DOWN.PERIOD}},"regexp","{statuses}")'

    def never_up(self):
        return f'max({self.item("up")},{{$TCP.DOWN.PERIOD}})=0'

    def chain(self, before):
        """All of them; `before` are the triggers for a probe that does not run at all."""
        unknown = self.cannot_tell(before)
        unresolved = self.does_not_resolve([*before, unknown])
        down = self.is_down([*before, unknown, unresolved])
        connect = self.connects_slowly([down])
        response = self.responds_slowly([down, connect])
        lost = self.loses_packets([down, connect])
        return [unknown, unresolved, down, connect, response, lost, self.lacks_addresses([down])]

    def silent(self, before):
        return trigger(
            "no data", f"{self.subject}: No data from the probe", "AVERAGE",
            f'nodata({self.item("up")},{{$TCP.NODATA.PERIOD}})=1',
            "No result has been stored for {$TCP.NODATA.PERIOD}. See the error of the item \"Get probe data\" of this port: a "
            "macro is invalid, or {$TCP.TIMEOUT} is not below the timeout of Zabbix. While there are no results, the state of "
            "the service is unknown.",
            after=before,
        )

    def cannot_tell(self, before):
        name = f"{self.subject}: Probe cannot tell the service state"
        status, untold = self.item("status"), self.failed(UNKNOWN)
        return trigger(
            "cannot tell", name, "WARNING",
            # The first state of a new port may be stored a moment before its first status.
            f"{self.never_up()} and {untold}>0 and {untold}=count({status},{{$TCP.DOWN.PERIOD}})",
            "For {$TCP.DOWN.PERIOD} no probe could run: the policy of zbx-tcp denies the target, the probing machine has no "
            "free resource or no permission, or the probe was not tried in time. The service itself may be up.",
            event=f"{name}: {self.last('error')}", opdata="Current status: {ITEM.LASTVALUE2}", manual=True, after=before,
        )

    def does_not_resolve(self, before):
        name = f"{self.subject}: Name does not resolve"
        return trigger(
            "does not resolve", name, "AVERAGE",
            f"{self.never_up()} and {self.failed(UNRESOLVED)}>0 and {self.failed(DOWN)}=0",
            "No probe within {$TCP.DOWN.PERIOD} got an address for the name, so the service itself was not probed. "
            "Resolved when a probe gets an address.",
            event=f"{name}: {self.last('error')}", opdata="Current status: {ITEM.LASTVALUE2}", after=before,
        )

    def is_down(self, before):
        name = f"{self.subject}: Service is down"
        return trigger(
            "down", name, "AVERAGE",
            f"{self.never_up()} and {self.failed(DOWN)}>0",
            "No probe within {$TCP.DOWN.PERIOD} found the service up, and at least one of them could run. The name of the "
            "problem ends with the reason at that time. Resolved when every probe within {$TCP.UP.PERIOD} finds it up.",
            recovery=f'min({self.item("up")},{{$TCP.UP.PERIOD}})=1',
            event=f"{name}: {self.last('error')}", opdata="Current status: {ITEM.LASTVALUE2}", after=before,
        )

    def slow(self, what, item, macro, description, before):
        name = f"{self.subject}: {what} is high"
        limit, period = self.limit(macro), "{$TCP.SLOW.PERIOD}"
        up = f"max({self.item('up')},{period})"
        count = f"count({self.item(item)},{period})"
        average = f"avg({self.item(item)},{period})"
        return trigger(
            f"slow {item}", name, "WARNING",
            # Without the count, Zabbix could not evaluate the expression for a time that was never measured. The state is in
            # it because Zabbix evaluates when a value arrives: while the service is down, only its state has values.
            f"{up}=1 and {count}>0 and {average}>{limit}",
            f"{description} Resolved when the average falls below 80 % of it, or when nothing was measured.",
            recovery=f"{up}=0 or {count}=0 or {average}<0.8*{limit}",
            event=f"{name} (over {limit}s for {period})", opdata="Current value: {ITEM.LASTVALUE2}", manual=True,
            after=before, scope="performance",
        )

    def responds_slowly(self, before):
        return self.slow("Response time", "time.dialogue", "TCP.RESPONSE.WARN",
                         "The service is slow: the average response time over {$TCP.SLOW.PERIOD} is above the "
                         "threshold.", before)

    def connects_slowly(self, before):
        return self.slow("Connect time", "time.connect", "TCP.CONNECT.WARN",
                         "The network, or the accept queue of the service, is slow: the average connect time over "
                         "{$TCP.SLOW.PERIOD} is above the threshold.", before)

    def loses_packets(self, before):
        limit, period = self.limit("TCP.LOSS.WARN"), "{$TCP.LOSS.PERIOD}"
        name = f"{self.subject}: Packets are lost on the way"
        up = f"max({self.item('up')},{period})"
        retransmitted = f'count({self.item("tcp.syn_retransmits")},{period},"ge","1")'
        unconnected = f'count({self.item("status")},{period},"regexp","{NO_CONNECTION}")'
        return trigger(
            "loss", name, "WARNING",
            # If no probe ever connects there is no count of SYNs, and Zabbix could not evaluate the rest.
            f"{up}=1 and {retransmitted}-{unconnected}>={limit}",
            "At least this number of probes within {$TCP.LOSS.PERIOD} connected only after the kernel had retransmitted the SYN. "
            "Either packets are lost, or the accept queue of the service is full at times. Resolved when the period has no "
            "such probe.",
            recovery=f"{up}=0 or {retransmitted}-{unconnected}<=0",
            event=f"{name} ({limit} probes or more within {period})",
            opdata="SYN retransmits of the last probe: {ITEM.LASTVALUE2}", manual=True, after=before,
            scope="performance",
        )

    def lacks_addresses(self, before):
        name = f"{self.subject}: Some addresses do not answer"
        up = f"max({self.item('up')},{{$TCP.DOWN.PERIOD}})"
        failed = self.item("addresses_failed")
        return trigger(
            "addresses", name, "WARNING",
            # A name with one address has no such values, and Zabbix could not evaluate the rest.
            f"{up}=1 and count({failed},{{$TCP.DOWN.PERIOD}})>0 and min({failed},{{$TCP.DOWN.PERIOD}})>0",
            "The service is up, but in every probe within {$TCP.DOWN.PERIOD} at least one address of its name failed. Clients "
            "that try this address wait, or fail. Resolved when no address fails within {$TCP.UP.PERIOD}.",
            recovery=f'{up}=0 or count({failed},{{$TCP.UP.PERIOD}},"gt","0")=0',
            event=f"{name}: {self.last('addresses_error')}", opdata="Failed addresses: {ITEM.LASTVALUE2}", manual=True,
            after=before,
        )
