"""Prints and counts the checks of a scenario."""

import time


class Checks:
    """Prints every check as it is made; `summary` is the last line and the exit status.

    `patience` limits the seconds that all failed checks together may wait, so that a scenario which fails
    from the start ends soon.
    """

    def __init__(self, patience=120):
        self.passed = self.failed = 0
        self.patience = patience

    def check(self, good, what, seen=""):
        """One check; `seen` is printed if it fails."""
        if good:
            self.passed += 1
            print(f"ok    {what}", flush=True)
        else:
            self.failed += 1
            print(f"FAIL  {what}: {seen}", flush=True)
        return good

    def eventually(self, probe, what, seconds):
        """Calls `probe`, which returns (good, seen), until it is good or the time is over."""
        began = time.monotonic()
        seconds = min(seconds, self.patience)
        good, seen = probe()
        while not good and time.monotonic() - began < seconds:
            time.sleep(0.3)
            good, seen = probe()
        if not good:
            self.patience -= seconds
        return self.check(good, f"{what} ({time.monotonic() - began:.1f} s)", seen)

    def summary(self):
        """The closing line; returns the exit status."""
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed or not self.passed else 0


def table(headings, rows):
    """Columns as wide as their widest cell."""
    rows = [[str(cell) for cell in row] for row in [headings, *rows]]
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
