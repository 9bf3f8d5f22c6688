"""The triggers for each listener: one cause gives one problem.

The listener has disappeared > its queue does not decrease > its queue is nearly full > it drops connections. The probe fails
comes after the first two. A restart of the service, of the machine or of the agent is no problem.

A process that hangs also fills its queue and drops connections. It is recognized only after {$TCP.QUEUE.PERIOD}, so the other
triggers wait, too.
"""

from .parts import trigger
from .problems import DOWN

READINGS = 30
# The minimum number of values in a period.
FEWEST = 4
# The minimum growth of a queue, in connections. A reading may come just after a probe, before the service accepts it, so a
# queue that has the same length at each reading is no sign.
GROWTH = 3


class ListenerProblems:
    """Triggers over the items of `values`; `machine` is the start of the keys of the items of the machine."""

    def __init__(self, template, values, machine):
        self.template, self.values, self.machine = template, values, machine
        self.subject = f"TCP: {values.subject}"

    def item(self, name):
        return f"/{self.template}/{self.values.sockets.key(name)}"

    def status(self):
        return f"/{self.template}/{self.values.probe.key('status')}"

    def last(self, results, name):
        return f"{{?last(//{results.key(name)})}}"

    @staticmethod
    def limit(macro):
        return f'{{${macro}:"{{#TCP.PORT}}"}}'

    def listens(self):
        """Zabbix evaluates an expression when a value arrives, and a listener that has disappeared has no other values."""
        return f"last({self.item('state')})=1"

    def is_missing(self):
        return f"last({self.item('state')})=0"

    def chain(self, before):
        """All of them; `before` are the triggers for a list that cannot be read."""
        gone = self.has_disappeared(before)
        hangs = self.does_not_accept([*before, gone])
        full = self.is_nearly_full([gone, hangs])
        drops = self.drops_connections([gone, hangs, full])
        return [gone, self.is_new(), hangs, full, drops, self.probe_fails([*before, gone, hangs])]

    def has_disappeared(self, before):
        name, state = f"{self.subject}: Listener has disappeared", self.item("state")
        missing, stable = "{$TCP.LISTENER.GONE.PERIOD}", "{$TCP.LISTENER.STABLE.COUNT}"
        return trigger(
            "gone", name, "AVERAGE",
            # By numbers of values: a machine that was off has no values meanwhile. After 30 values the expression is false, so
            # that a problem that was closed manually is not created again.
            f'max({state},{missing})=0 and count({state},#{READINGS},"eq","1")>={stable}',
            "The machine no longer listens on this address and port: the service has ended, or has other settings. Resolved when it "
            "listens again. If the service was removed on purpose, close the problem manually; the listener is deleted after "
            "{$TCP.LISTENER.KEEP}.",
            recovery=f"min({state},{missing})=1",
            event=f"{name} (missing for {{$TCP.LISTENER.GONE.PERIOD}})", manual=True, after=before,
        )

    def is_new(self):
        name, state, period = f"{self.subject}: New listener on a public address", self.item("state"), "{$TCP.LISTENER.NEW.PERIOD}"
        known = f"/{self.template}/{self.machine}.fingerprint"
        return trigger(
            "new", name, "INFO",
            # The item is young, the list is older, and it has changed: otherwise each listener of a new host would be new. The
            # expression is true for three readings only, so that a problem that was closed manually is not created again.
            f"count({state},{period})<=3 and count({known},{period})>10 and changecount({known},{period})>0",
            "A listener has appeared that clients from outside may reach: its address is public, or it is on all addresses "
            "of the machine. Close the problem manually if it is expected.",
            event=f"{name} ({{#TCP.LISTENER.SCOPE}})", manual=True, scope="security",
        ) | {"recovery_mode": "NONE"}

    def does_not_accept(self, before):
        name, queue, period = f"{self.subject}: Waiting connections are not accepted", self.item("queue"), "{$TCP.QUEUE.PERIOD}"
        waits = f"count({queue},{period})>={FEWEST} and min({queue},{period})>0 and monoinc({queue},{period})=1"
        grew = f"last({queue})-min({queue},{period})>={GROWTH}"
        # The use of a queue is unknown if only /proc is readable.
        full = f"count({self.item('used')},{period})>0 and last({self.item('used')})>=100"
        return trigger(
            "hangs", name, "AVERAGE",
            f"{self.listens()} and {waits} and ({grew} or ({full}))",
            "For {$TCP.QUEUE.PERIOD} connections wait to be accepted. Their number never decreased between two readings, and it "
            f"grew by {GROWTH} or more, or the queue is full: the process hangs, or accepts connections more slowly than they "
            "arrive. The kernel still accepts connections for it until its queue is full, so a probe that only connects is "
            "successful. Resolved when the queue decreases or is empty.",
            event=f"{name} ({self.last(self.values.sockets, 'queue')} are waiting)",
            opdata="Waiting connections: {ITEM.LASTVALUE2}", manual=True, after=before,
            recovery=f"{self.is_missing()} or min({queue},{period})=0 or monoinc({queue},{period})=0",
        )

    def is_nearly_full(self, before):
        name, used, period = f"{self.subject}: Accept queue is nearly full", self.item("used"), "{$TCP.QUEUE.PERIOD}"
        limit = self.limit("TCP.QUEUE.MAX.WARN")
        # The period until the reading before: the next one shows whether the process hangs.
        earlier = f"{period}:now-{{$TCP.LISTENERS.INTERVAL}}"
        return trigger(
            "full", name, "WARNING",
            f"{self.listens()} and count({used},{earlier})>={FEWEST} and min({used},{earlier})>{limit} and last({used})>{limit}",
            "In every reading within {$TCP.QUEUE.PERIOD} the accept queue was above the threshold: the service accepts connections "
            "more slowly than they arrive. When the queue is full, connections are dropped. Resolved when it falls below 80 % of "
            "the threshold.",
            recovery=f"{self.is_missing()} or count({used},{period})=0 or last({used})<0.8*{limit}",
            event=f"{name} (over {limit}% for {period})", opdata="Current value: {ITEM.LASTVALUE2}", manual=True,
            after=before, scope="performance",
        )

    def drops_connections(self, before):
        name, drops, limit = f"{self.subject}: Connections are dropped", self.item("drops"), self.limit("TCP.DROPS.MAX.WARN")
        # The period before the last one: until then it is known whether the process hangs.
        earlier = "{$TCP.QUEUE.PERIOD}:now-{$TCP.QUEUE.PERIOD}"
        return trigger(
            "drops", name, "WARNING",
            f"{self.listens()} and count({drops},{earlier})>0 and max({drops},{earlier})>{limit}",
            "The kernel dropped connections to this listener, mostly because its accept queue was full: the clients waited for a "
            "second or more. Reported after {$TCP.QUEUE.PERIOD}, unless the cause is reported until then. Resolved when no "
            "connection was dropped for {$TCP.QUEUE.PERIOD}.",
            event=f"{name} (over {limit} per second)", opdata="Current value: {ITEM.LASTVALUE2}", manual=True,
            after=before, scope="performance",
        )

    def probe_fails(self, before):
        name, status, period = f"{self.subject}: Probe from the machine fails", self.status(), "{$TCP.LISTENER.DOWN.PERIOD}"
        good = f'count({status},{period},"eq","0")'
        return trigger(
            "probe fails", name, "AVERAGE",
            f"{self.listens()} and count({status},{period})>={FEWEST} and {good}=0 and "
            f'count({status},{period},"regexp","{DOWN}")>0',
            "The machine listens, but no probe by the agent within {$TCP.LISTENER.DOWN.PERIOD} was successful, and at least one of "
            "them could run. The name of the problem ends with the reason at that time. Resolved when two probes are successful.",
            recovery=f'{self.is_missing()} or count({status},#2,"eq","0")=2',
            event=f"{name}: {self.last(self.values.probe, 'error')}", opdata="Current status: {ITEM.LASTVALUE2}", manual=True,
            after=before,
        )
