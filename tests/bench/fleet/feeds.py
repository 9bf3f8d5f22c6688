"""Which ways to feed a server are measured, at which sizes."""

from dataclasses import dataclass

# How a dependent item finds its value (items.PATHS), or who sends it, or an external check for each target.
MASTERS = ("map", "filter", "two levels")
FEEDS = (*MASTERS, "sender", "checks")
SIZES = (100, 1000, 5000)
# As many external checks, one by one, as anyone should have.
MOST_CHECKS = 500
# A search costs more with each target; more of it would only take time.
MOST_FILTERED = 1000
# What fits into the 512 KiB that 6.0 takes; 7.0 takes 16 MiB.
MOST_IN_6_0 = 900
# A master item may have 29,999 dependents on all levels, discovery rules included: here 6 a target.
MOST_IN_TWO_LEVELS = 4900


@dataclass(frozen=True)
class Case:
    """One fleet."""

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
