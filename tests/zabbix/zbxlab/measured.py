"""What a scenario expects of hosts with a template: values of each port or target, problems, nothing unsupported."""

import time

from .expect import Expect
from .checks import table

# What Zabbix writes for a macro that it cannot expand. (In backquotes it is an argument of the program.)
UNRESOLVED = " *UNKNOWN*"
# Statuses that say nothing about the target: its state is unknown.
UNKNOWN = ("14", "15", "17")
TIMES = ("time.resolve", "time.connect", "time.dialogue", "time.total")


class Measured(Expect):
    """`base`: the start of the item keys, `tcp.service` for example."""

    def __init__(self, hosts, checks, base, patience=120):
        super().__init__(hosts, checks)
        self.base, self.patience = base, patience

    def measured(self, host, parameters):
        """Last values of the items of one port, by the name in the key; absent when there never was one."""
        start, end = f"{self.base}.", f"[{parameters}]"
        items = [item for item in self.hosts.items(host) if item["key_"].startswith(start) and item["key_"].endswith(end)]
        return {item["key_"][len(start) : -len(end)]: item["lastvalue"] for item in items if item["has_value"]}

    def sees(self, host, parameters, good, what, seconds=None):
        """Waits until `good(values)` is true for the values of a port."""

        def probe():
            seen = self.measured(host, parameters)
            try:
                return good(seen), seen
            except (KeyError, ValueError):
                return False, seen

        self.checks.eventually(probe, f"{host} {parameters}: {what}", seconds or self.patience)

    def is_up(self, host, parameters, *measured, without=()):
        """Up, with values of `measured` and none of `without`."""

        def good(seen):
            is_ok = (seen["state"], seen["status"], seen["error"]) == ("1", "0", "")
            times = all(0 <= float(seen[name]) < 3 for name in TIMES if name in seen)
            return is_ok and times and all(name in seen for name in measured) and not any(name in seen for name in without)

        self.sees(host, parameters, good, "up" + "".join(f", {name}" for name in measured))

    def fails(self, host, parameters, statuses, *, reason="", total=(0, 2.9), **kind):
        """Down, or unknown, with one of these statuses, a reason, and a total time (if it is an item) between these bounds."""

        def good(seen):
            state = "2" if seen["status"] in UNKNOWN else "0"
            is_down = seen["state"] == state and seen.get("up", "0") == "0" and seen["status"] in str(statuses).split()
            in_time = total[0] <= float(seen.get("time.total", total[0])) <= total[1]
            return is_down and seen["error"] and reason in seen["error"] and in_time

        self.sees(host, parameters, good, f"down, status {statuses}", **kind)

    def has_problems(self, host, wanted, seconds=None):
        """Exactly these problems, in any order. A name that ends in a space or a colon must be followed by a reason."""

        def probe():
            seen = self.hosts.problems(host)
            texts = [name + opdata for name, opdata in seen]
            expanded = not any("{" in text or UNRESOLVED in text for text in texts)
            left = [name for name, _ in seen]
            for name in wanted:
                match = next((one for one in left if fits(one, name)), None)
                if match is None:
                    return False, seen
                left.remove(match)
            return expanded and not left, seen

        if self.checks.eventually(probe, f"problems of {host}: {wanted or 'none'}", seconds or self.patience):
            for name, opdata in self.hosts.problems(host):
                print(f"        {name} | {opdata}")

    def keeps_problems(self, host, wanted, seconds):
        """Exactly these problems for this many seconds."""
        end = time.monotonic() + seconds
        seen = self.hosts.problems(host)
        while time.monotonic() < end and len(seen) == len(wanted):
            time.sleep(1)
            seen = self.hosts.problems(host)
        good = len(seen) == len(wanted) and all(any(fits(one, name) for one, _ in seen) for name in wanted)
        self.checks.check(good, f"{host} keeps {wanted or 'no problem'} for {seconds} s", seen)

    def nothing_unsupported(self, *but):
        """Except on these hosts; a proxy reports a recovery a moment later."""

        def probe():
            bad = [row for row in self.hosts.unsupported() if row[0] not in but]
            return not bad, bad

        number = len([item for item in self.hosts.all_items() if item["host"] not in but])
        self.checks.eventually(probe, f"none of {number} items and no rule is unsupported or has an error", 120)

    def no_trigger_is_unknown(self, *but):
        """A trigger that cannot be evaluated has an error and never fires. While one that it depends on is a problem,
        Zabbix keeps its state, including an old error; triggers that are no longer discovered are not evaluated."""
        ids = [number for host, number in self.hosts.ids.items() if host not in but]
        wanted = {"output": ["description", "error", "state", "value"], "selectDependencies": ["triggerid"]}

        def probe():
            found = self.hosts.api.call("trigger.get", hostids=ids, **wanted, monitored=True)
            every = {one["triggerid"]: one for one in found}
            bad = [one for one in found if one["state"] == "1" and not is_held(one, every)]
            return not bad, [(one["description"], one["error"]) for one in bad]

        self.checks.eventually(probe, "every trigger can be evaluated", 120)

    def port_table(self, host, parameters, names):
        """The values of each of these ports, one row each."""
        rows = [(one, *(self.measured(host, one).get(name, "-")[:44] for name in names)) for one in parameters]
        table((host, *names), rows)


def fits(name, wanted):
    if wanted.endswith((" ", ":")):
        return name.startswith(wanted) and name != wanted
    return name == wanted


def is_held(trigger, every):
    """Whether a trigger that it depends on, directly or not, is a problem."""
    others = [every[one["triggerid"]] for one in trigger["dependencies"] if one["triggerid"] in every]
    return any(other["value"] == "1" or is_held(other, every) for other in others)
