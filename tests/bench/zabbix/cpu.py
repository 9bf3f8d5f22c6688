"""CPU time of the processes of a lab, by their titles."""

import os
import re
from collections import Counter
from pathlib import Path

SERVER = re.compile(r"zabbix_server: ([a-z ]+)")
DATABASE, AGENT, PLUGIN = "database", "agent 2", "plugin"
# The beginning of a command line; the plugin's second word is the socket of the agent.
TITLES = {"postgres": DATABASE, "zabbix_agent2\0": AGENT, "/usr/bin/zbx-tcp\0/": PLUGIN}
TICK = 1 / os.sysconf("SC_CLK_TCK")


def used() -> Counter:
    """CPU seconds by kind of process ("poller"); children that it waited for are separate ("poller, its children").

    A Zabbix process has its kind in its title, and a kind is all its processes: 20 pollers, or, in 7.0, a preprocessing
    manager whose workers are threads. Only this network namespace counts: another lab may run.
    """
    seconds = Counter()
    here = os.stat("/proc/self/ns/net").st_ino
    for process in Path("/proc").glob("[0-9]*"):
        try:
            kind = kind_of((process / "cmdline").read_bytes().decode(errors="replace"))
            if kind and os.stat(process / "ns/net").st_ino == here:
                seconds[kind] += own(process)
                if kind not in TITLES.values():
                    seconds[f"{kind}, its children"] += of_children(process)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return seconds


def kind_of(title: str) -> str | None:
    for start, kind in TITLES.items():
        if title.startswith(start):
            return kind
    found = SERVER.match(title)
    return found[1].removesuffix(" started").strip() if found else None


def own(process: Path) -> float:
    """All threads; schedstat has nanoseconds, stat only ticks (Documentation/scheduler/sched-stats.rst)."""
    threads = (process / "task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def of_children(process: Path) -> float:
    """Fields 16 and 17 of stat, cutime and cstime (proc(5))."""
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) * TICK
