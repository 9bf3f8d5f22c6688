"""The measured ways to feed a server, and their sizes."""

from dataclasses import dataclass

# By the path of dependent items (items.PATHS), by zabbix_sender, or by an external check for each target.
MASTERS = ("map", "filter", "two levels")
FEEDS = (*MASTERS, "sender", "checks")
SIZES = (100, 1000, 5000)
# More single external checks than a server should have.
MOST_CHECKS = 500
# A filter costs more with each target; larger sizes would only take time.
MOST_FILTERED = 1000
# The targets in one document: at most 512 KiB in 6.0, 16 MiB in 7.0.
MOST_IN_6_0 = 900
# A master item may have 29,999 dependents on all levels, discovery rules included: here 6 a target.
MOST_IN_TWO_LEVELS = 4900


@dataclass(frozen=True)
class Case:
    """One case."""

    feed: str
    targets: int
    masters: int = 1

    def words(self) -> list[str]:
        return ["--feed", self.feed, "--targets", str(self.targets), "--masters", str(self.masters)]

    def __str__(self):
        return f"{self.feed}, {self.targets} targets, {self.masters} master items"


def of(release: str, sizes: list[int] | None) -> list[Case]:
    """The cases of a release."""
    found = [Case("checks", min(MOST_CHECKS, max(sizes or SIZES)))]
    for targets in sizes or SIZES:
        masters = -(-targets // MOST_IN_6_0) if release == "6.0" else 1
        for feed in MASTERS:
            if feed == "two levels" and masters == 1:
                found.append(Case(feed, min(targets, MOST_IN_TWO_LEVELS)))
            elif feed != "filter" or targets <= MOST_FILTERED:
                found.append(Case(feed, targets, masters))
        found.append(Case("sender", targets))
    return found
