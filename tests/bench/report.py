"""Output of results: tables, goals, JSON files."""

import json
from dataclasses import dataclass
from pathlib import Path

import build
import runner


def table(title: str, head: list[str], rows: list[list[object]]) -> None:
    """Prints a table in Markdown, as it is recorded in README.md."""
    cells = [[cell(value) for value in row] for row in [head, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    print(f"\n## {title}\n")
    for number, row in enumerate(cells):
        print("| " + " | ".join(text.ljust(width) for text, width in zip(row, widths)) + " |")
        if number == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")


def cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def short(number: float | None) -> str:
    """At most two decimals, four for small numbers, without trailing zeros."""
    if number is None:
        return ""
    digits = 4 if abs(number) < 0.1 else 2
    return f"{number:.{digits}f}".rstrip("0").rstrip(".")


def last_json(path: Path) -> dict:
    """The last line of a file."""
    return json.loads(path.read_text(encoding="utf-8").rstrip("\n").rpartition("\n")[2])


@dataclass(frozen=True)
class Goal:
    """A value and its limit. A value that was not measured is neither met nor missed."""

    what: str
    value: float | None
    limit: float
    at_least: bool = False

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "not measured"
        met = self.value >= self.limit if self.at_least else self.value <= self.limit
        return "met" if met else "NOT MET"


def goals(wanted: list[Goal]) -> int:
    """Prints goals with their values; returns the number of missed ones."""
    rows = [[g.what, short(g.value), (">= " if g.at_least else "<= ") + short(g.limit), g.verdict] for g in wanted]
    table("Goals", ["goal", "measured", "limit", ""], rows)
    return sum(goal.verdict == "NOT MET" for goal in wanted)


def save(name: str, results: object, wanted: list[Goal]) -> Path:
    """Writes the results with a description of the machine."""
    reached = [{"goal": g.what, "value": g.value, "limit": g.limit, "verdict": g.verdict} for g in wanted]
    path = build.OUT / f"{name}.json"
    document = {"machine": runner.machine(), "results": results, "goals": reached}
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"\nwritten: {path}")
    return path
