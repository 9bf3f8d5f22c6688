"""What has reached the database's history tables."""

import subprocess
import time

from zbxlab import inside

TABLES = ("history", "history_uint", "history_str", "history_text")
# Often enough to tell when the last value came, seldom enough not to be what is measured.
INTERVAL = 0.1
# So long without a new value, and none will come.
QUIET = 5


class Stored:
    """A session of psql in the lab, for counts that must not cost the start of a program each."""

    def __init__(self, release):
        words = ["setpriv", "--reuid=zabbix", "--regid=zabbix", "--clear-groups"]
        words = [*inside.chroot(release), *words, "psql", "-qAtX", "zabbix"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True, bufsize=1)

    def ask(self, query: str) -> str:
        """The first line of a query's answer."""
        self.process.stdin.write(query + ";\n")
        return self.process.stdout.readline().rstrip("\n")

    def forget(self) -> None:
        """Empty the history, so that counting is quick and counts one round only."""
        # TRUNCATE answers nothing; the SELECT says that it is done.
        self.ask(f"TRUNCATE {', '.join(TABLES)}; SELECT 1")

    def count(self) -> int:
        return int(self.ask("SELECT " + " + ".join(f"(SELECT count(*) FROM {table})" for table in TABLES)))

    def wait(self, wanted: int, first: float = 60) -> tuple[int, float]:
        """How many values came of those wanted, and when (seconds since 1970) the last one was there.

        `first`: how long to wait for the first one.
        """
        count, at = 0, time.time()
        patience = first
        while count < wanted and time.time() - at < patience:
            time.sleep(INTERVAL)
            seen = self.count()
            if seen > count:
                count, at, patience = seen, time.time(), QUIET
        return count, at

    def first_stamp(self) -> float:
        """The earliest time that a value has (seconds since 1970): for dependents, when their master ended."""
        union = " UNION ALL ".join(f"SELECT clock, ns FROM {table}" for table in TABLES)
        return float(self.ask(f"SELECT min(clock + ns / 1e9) FROM ({union}) AS a"))

    def longest_batch(self) -> float:
        """Seconds that the longest run said it took, in this round."""
        batches = "SELECT itemid FROM items WHERE key_ LIKE 'elapsed[%'"
        return float(self.ask(f"SELECT coalesce(max(value), 0) FROM history WHERE itemid IN ({batches})"))

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()
