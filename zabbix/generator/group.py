"""What *TCP targets by external check* has once per group: numbers, lists, the largest cause, and their triggers."""

from . import scripts
from .problems import more_than
from .parts import calculated, dependent, heartbeat, path, step, trigger

MISSING = "the macro TCP.GROUP is empty: set it to a group of targets in the configuration of zbx-tcp"
# A document begins with a brace, so it matches only if the macro is empty. \Q and \E quote the macro's text.
NO_GROUP = r"^\Q{$TCP.GROUP}\E\{"
PROBES, PERIOD = "{$TCP.GROUP.PROBES}", "{$TCP.NODATA.PERIOD}"


class Group:
    """Items and triggers over the document of a run; `run` is the master item's key."""

    def __init__(self, template, run):
        self.template, self.run = template, run

    def items(self):
        """All of them, with their triggers."""
        made = [*self.numbers(), *self.texts(), *self.causes(), *self.connect_times(), *self.current()]
        by_key = {item["key"]: item for item in made}
        for key, triggers in self.owned().items():
            by_key[key]["triggers"] = triggers
        return made

    def numbers(self):
        return [
            self.count("Targets", "targets", "Number of targets in the group."),
            self.count("Targets up", "up", "Number of targets that are up."),
            self.count("Targets down", "down", "Number of targets that are down; targets with an unknown state are not counted."),
            self.count("Targets with unknown state", "unknown", "Number of targets with an unknown state: denied by the policy, not "
                       "tried in time, or not possible on the probing machine."),
            self.share("Share of targets up", "up", "Share of targets that are up."),
            self.share("Share of targets down", "down", "Share of targets that are down."),
            self.share("Share of targets with unknown state", "unknown", "Share of targets with an unknown state."),
            dependent("Targets left out", "tcp.targets.omitted", self.run, "Number of targets beyond {$TCP.TARGETS.MAX}. They "
                      "are probed and counted, but have no items.", path("$.discovery", discard=True),
                      step("JAVASCRIPT", scripts.OMITTED), component="health"),
            dependent("Run time", "tcp.targets.elapsed", self.run, "Duration of the run. If it is near {$TCP.DEADLINE}, "
                      "some targets may not be tried: use several groups.", path("$.summary.elapsed", discard=True),
                      value_type="FLOAT", units="s", component="time"),
            dependent("Time of the last run", "tcp.targets.time", self.run, "When the result of the last run was received.",
                      path("$.summary.targets", discard=True), step("JAVASCRIPT", scripts.NOW), units="unixtime",
                      component="time"),
        ]

    def texts(self):
        return [
            dependent("Configuration error", "tcp.targets.error", self.run, "Why {$TCP.GROUP}, the configuration or the policy "
                      "of zbx-tcp is invalid; empty if there is no error.",
                      step("NOT_MATCHES_REGEX", NO_GROUP, otherwise=MISSING), step("JAVASCRIPT", scripts.ERROR), heartbeat("1h"),
                      value_type="TEXT", component="health"),
            dependent("Omitted parts of the document", "tcp.targets.shortened", self.run, "What the document of the last run "
                      "lacks because it would have been longer than Zabbix accepts; empty if it is complete.",
                      path("$.summary", discard=True), step("JAVASCRIPT", scripts.SHORTENED), heartbeat("1h"),
                      value_type="TEXT", component="health"),
            dependent("Targets that are not up", "tcp.targets.failing", self.run,
                      "One line with the reason for each target that is not up, by name; at most 100 lines.",
                      path("$.targets[?(@.up == 0)]", otherwise="[]"), step("JAVASCRIPT", scripts.FAILING), heartbeat("1h"),
                      value_type="TEXT", component="health"),
            dependent("Slowest targets", "tcp.targets.slowest", self.run, "The ten longest connect times of the last run, one "
                      "target a line.", path("$.targets[?(@.time.connect)]", otherwise="[]"),
                      step("JAVASCRIPT", scripts.SLOWEST), value_type="TEXT", component="time"),
            dependent("Certificates", "tcp.targets.certificates", self.run, "The certificates of the group, at most 100: days left, "
                      "target and issuer, one a line, the one that expires first at the top.",
                      path("$.targets[?(@.tls.days_left)]", otherwise="[]"), step("JAVASCRIPT", scripts.CERTIFICATES), heartbeat("1h"),
                      value_type="TEXT", component="security"),
        ]

    def causes(self):
        """The cause that most targets have in common."""
        about = "the largest common cause of targets that are down"
        return [
            dependent("Largest cause", "tcp.targets.cause", self.run, f"One sentence: {about}; empty if there is none.",
                      path("$.summary", discard=True), step("JAVASCRIPT", scripts.CAUSE), heartbeat("1h"),
                      value_type="TEXT", component="health"),
            dependent("Largest cause of unknown states", "tcp.targets.unknown.cause", self.run, "One sentence: why the state of most "
                      "of the targets with an unknown state is unknown; empty if there is no common cause.",
                      path("$.summary", discard=True), step("JAVASCRIPT", scripts.UNKNOWN_CAUSE), heartbeat("1h"),
                      value_type="TEXT", component="health"),
            dependent("Targets with the largest cause", "tcp.targets.cause.targets", self.run, f"Number of targets with {about}.",
                      path("$.summary", discard=True), step("JAVASCRIPT", scripts.CAUSE_TARGETS), component="health"),
            dependent("Share of targets with the largest cause", "tcp.targets.cause.share", self.run,
                      f"Share of targets with {about}.", path("$.summary", discard=True),
                      step("JAVASCRIPT", scripts.CAUSE_SHARE), value_type="FLOAT", units="%", component="health"),
        ]

    def connect_times(self):
        """Of the whole group. A target that did not connect has none."""
        wanted = (("Connect time: median", "median", 50), ("Connect time: 95th percentile", "p95", 95),
                  ("Connect time: longest", "max", 100))
        return [
            dependent(name, f"tcp.targets.connect.{member}", self.run, "Over all targets that were connected in the last run.",
                      path("$.targets[*].time.connect", discard=True), step("JAVASCRIPT", scripts.percentile(part)),
                      value_type="FLOAT", units="s", component="time")
            for name, member, part in wanted
        ]

    def current(self):
        """For dashboards: without a run within the period the state of every target is unknown."""
        fresh, said = "last(//tcp.targets.current)", f"Without a run within {PERIOD}"
        every = "count(exists_foreach(//tcp.target.state[*]))"
        return [
            calculated("Results are current", "tcp.targets.current", f"count(//tcp.targets.targets,{PERIOD})>0",
                       f"1 if there was a run within {PERIOD}, otherwise 0.", "0", component="health"),
            calculated("Current targets up", "tcp.targets.current.up", f"last(//tcp.targets.up)*{fresh}",
                       f"Number of targets that are up. {said} it is 0.", "0", component="health"),
            calculated("Current targets down", "tcp.targets.current.down", f"last(//tcp.targets.down)*{fresh}",
                       f"Number of targets that are down. {said} it is 0.", "0", component="health"),
            calculated("Current targets probed in vain", "tcp.targets.current.denied", f"last(//tcp.targets.unknown)*{fresh}",
                       f"Number of targets whose state the last run could not determine. {said} it is 0.", "0",
                       component="health"),
            calculated("Current targets with unknown state", "tcp.targets.current.unknown",
                       f"max(last(//tcp.targets.current.denied),{every}-last(//tcp.targets.current.up)"
                       "-last(//tcp.targets.current.down))",
                       f"Number of targets with an unknown state. {said}, or if the configuration is invalid, it is the number of "
                       "discovered targets.", "0",
                       component="health"),
            calculated("Current share of targets up", "tcp.targets.current.share", f"last(//tcp.targets.up.share)*{fresh}",
                       f"Share of targets that are up. {said} it is 0.", "0", value_type="FLOAT", units="%",
                       component="health"),
            calculated("Age of the last run", "tcp.targets.age", "now()-last(//tcp.targets.time)",
                       "Time since the last run; one day if there was none.", "86400", units="s", component="time"),
        ]

    def count(self, name, member, description):
        return dependent(name, f"tcp.targets.{member}", self.run, description,
                         path(f"$.summary.{member}", discard=True), component="health")

    def share(self, name, member, description):
        return dependent(name, f"tcp.targets.{member}.share", self.run, description, path("$.summary", discard=True),
                         step("JAVASCRIPT", scripts.SHARE % member), value_type="FLOAT", units="%", component="health")

    def item(self, name):
        return f"/{self.template}/tcp.targets.{name}"

    def owned(self):
        """The triggers by the key of the item that has them in an export; those over several items have none."""
        return {
            "tcp.targets.targets": [self.silent()],
            "tcp.targets.error": [self.wrong()],
            "tcp.targets.shortened": [self.shortened()],
            "tcp.targets.omitted": [self.omitted()],
            "tcp.targets.unknown.share": [self.untold()],
        }

    def shared(self):
        """Triggers over several items."""
        return [self.cause(), self.many_down()]

    def before_unknown(self):
        """What suppresses a target's problem *cannot tell*: an error of the probing machine is not an error of the target."""
        return [self.wrong(), self.untold()]

    def before_down(self):
        """What suppresses its other problems."""
        return [self.many_down()]

    def silent(self):
        return trigger(
            "no data", "TCP: No data from the probe", "AVERAGE", f"nodata({self.item('targets')},{PERIOD})=1",
            f"No result has been stored for {PERIOD}. See the error of the item \"Get targets\": zbx-tcp is not "
            "in ExternalScripts or not executable, or the timeout of Zabbix is below {$TCP.DEADLINE}. While there are no results, "
            "the state of all targets is unknown.",
            opdata="See the error of the item \"Get targets\"",
        )

    def wrong(self):
        name = "TCP: Configuration of zbx-tcp is invalid"
        return trigger(
            "wrong", name, "AVERAGE", f"length(last({self.item('error')}))>0",
            "{$TCP.GROUP} is empty, or the configuration or the policy of zbx-tcp on the server or proxy is invalid. Targets with "
            "an error have an unknown state; the others are probed. Discovered targets are kept. On that machine, `zbx-tcp services "
            "--check` lists all errors.",
            event=f"{name}: {{?last(//tcp.targets.error)}}", after=[self.silent()],
        )

    def shortened(self):
        name = "TCP: Document of a run is too long"
        return trigger(
            "shortened", name, "WARNING", f"length(last({self.item('shortened')}))>0",
            "Zabbix accepts 512 KiB (6.0) or 16 MiB (7.0) from an external check. Parts of the document were omitted: some items "
            "have no values. Use several groups, each with a host of its own.",
            event=f"{name}: {{?last(//tcp.targets.shortened)}} omitted", opdata="Omitted: {ITEM.LASTVALUE1}",
            after=[self.silent()], scope="notice",
        )

    def omitted(self):
        name = "TCP: Not all targets are discovered"
        return trigger(
            "omitted", name, "WARNING", f"last({self.item('omitted')})>0",
            "The group has more targets than {$TCP.TARGETS.MAX}, which protects the configuration cache of the server: a server "
            "without free configuration cache ends. The last targets of the group have no items and no problems. Increase CacheSize by 11 kB for "
            "each target, then {$TCP.TARGETS.MAX}, or use several groups on several servers.",
            event=f"{name} ({{?last(//tcp.targets.omitted)}} left out, {{$TCP.TARGETS.MAX}} allowed by TCP.TARGETS.MAX)",
            opdata="Left out: {ITEM.LASTVALUE1}", after=[self.silent()], scope="capacity",
        )

    def cause(self):
        number, share = self.item("cause.targets"), self.item("cause.share")
        name = "TCP: Many targets have one cause"
        return trigger(
            "cause", name, "HIGH",
            f"{more_than(number, PROBES)}\nand min({number},{PROBES})>={{$TCP.CAUSE.MIN.TARGETS}}\n"
            f"and min({share},{PROBES})>={{$TCP.CAUSE.MIN.PERCENT}}\nand length(last({self.item('cause')}))>0",
            "Many targets are down for the same reason. While this problem is open, there are no problems of single targets; the "
            "item \"Targets that are not up\" lists them. Resolved when fewer targets than "
            "{$TCP.CAUSE.MIN.TARGETS}, or less than {$TCP.CAUSE.MIN.PERCENT} per cent of them, have a common cause.",
            recovery=f"max({number},{PROBES})<{{$TCP.CAUSE.MIN.TARGETS}}\nor max({share},{PROBES})<{{$TCP.CAUSE.MIN.PERCENT}}",
            event="TCP: {?last(//tcp.targets.cause.targets)} of {?last(//tcp.targets.targets)} targets: "
            "{?last(//tcp.targets.cause)}",
            opdata="Targets with the largest cause: {ITEM.LASTVALUE1}", after=[self.silent()],
        )

    def untold(self):
        name = "TCP: State of many targets is unknown"
        share = self.item("unknown.share")
        return trigger(
            "many unknown", name, "WARNING", f"{more_than(share, PROBES)}\nand min({share},{PROBES})>{{$TCP.UNKNOWN.MAX.WARN}}",
            "In each of the last runs most targets could not be probed, for example because of the policy, the "
            "deadline, or a problem of the probing machine. The targets themselves may be up.",
            event=f"{name} (over {{$TCP.UNKNOWN.MAX.WARN}}%): {{?last(//tcp.targets.unknown.cause)}}",
            opdata="Current value: {ITEM.LASTVALUE1}", manual=True, after=[self.cause()],
        )

    def many_down(self):
        name = "TCP: Many targets are down"
        number, share = self.item("down"), self.item("down.share")
        return trigger(
            "many down", name, "HIGH",
            f"{more_than(share, PROBES)}\nand min({share},{PROBES})>{{$TCP.DOWN.MAX.WARN}}\n"
            f"and min({number},{PROBES})>={{$TCP.CAUSE.MIN.TARGETS}}",
            "In each of the last runs most targets were down. While this problem is open, there are no problems of single "
            "targets; the item \"Targets that are not up\" lists them.",
            event=f"{name} (over {{$TCP.DOWN.MAX.WARN}}%)", opdata="Current value: {ITEM.LASTVALUE1}",
            after=[self.cause()],
        )
