"""The values in the history tables of the database."""

import subprocess
import time

from zbxlab import inside

TABLES = ("history", "history_uint", "history_str", "history_text")
# Often enough for the time of the last value, and rarely enough not to add to the measured cost.
INTERVAL = 0.1
# Waiting ends after this time without a new value.
QUIET = 5


class Stored:
    """A session of psql in the lab, so that a count does not cost the start of a program."""

    def __init__(self, release):
        words = ["setpriv", "--reuid=zabbix", "--regid=zabbix", "--clear-groups"]
        words = [*inside.chroot(release), *words, "psql", "-qAtX", "zabbix"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True, bufsize=1)

    def ask(self, query: str) -> str:
        """The first line of the result of a query."""
        self.process.stdin.write(query + ";\n")
        return self.process.stdout.readline().rstrip("\n")

    def forget(self) -> None:
        """Empties the history, so that counts are quick and of one round only."""
        # TRUNCATE returns no row; the SELECT shows that it has ended.
        self.ask(f"TRUNCATE {', '.join(TABLES)}; SELECT 1")

    def count(self) -> int:
        return int(self.ask("SELECT " + " + ".join(f"(SELECT count(*) FROM {table})" for table in TABLES)))

    def wait(self, wanted: int, first: float = 60) -> tuple[int, float]:
        """The number of stored values, at most those expected, and the time (seconds since 1970) of the last one.

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
        """The earliest time of a value (seconds since 1970): for dependent items, when their master item ended."""
        union = " UNION ALL ".join(f"SELECT clock, ns FROM {table}" for table in TABLES)
        return float(self.ask(f"SELECT min(clock + ns / 1e9) FROM ({union}) AS a"))

    def longest_batch(self) -> float:
        """The longest `elapsed` of the batches of this round, in seconds."""
        batches = "SELECT itemid FROM items WHERE key_ LIKE 'elapsed[%'"
        return float(self.ask(f"SELECT coalesce(max(value), 0) FROM history WHERE itemid IN ({batches})"))

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()
