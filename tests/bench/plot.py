"""A bar chart as SVG, without a library."""

from html import escape
from pathlib import Path

ROW, LABEL, WIDTH, RIGHT = 22, 250, 480, 90

OURS, FLOOR, PEER = "#d40000", "#7a7a7a", "#4a78b5"


def colour(name: str) -> str:
    """The colour of ours, the floor, or a peer, by the name of the row."""
    if name.startswith("zbx-tcp"):
        return OURS
    return FLOOR if name.startswith(("C ", "true")) else PEER


def bars(path: Path, title: str, unit: str, rows: list[tuple[str, float, str]]) -> None:
    """Writes one bar for each (label, value, colour)."""
    largest = max(value for _, value, _ in rows)
    digits = 0 if largest > 20 else 2
    height = ROW * (len(rows) + 2)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LABEL + WIDTH + RIGHT}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="8" y="{ROW - 6}" font-weight="bold">{escape(title)}</text>',
    ]
    for number, (label, value, colour) in enumerate(rows, start=1):
        top, length = ROW * number + 4, WIDTH * value / largest
        lines += [
            f'<text x="{LABEL - 8}" y="{top + 13}" text-anchor="end">{escape(label)}</text>',
            f'<rect x="{LABEL}" y="{top}" width="{length:.1f}" height="{ROW - 6}" fill="{colour}"/>',
            f'<text x="{LABEL + length + 6:.1f}" y="{top + 13}">{value:.{digits}f} {escape(unit)}</text>',
        ]
    path.write_text("\n".join([*lines, "</svg>", ""]), encoding="utf-8")
    print(f"written: {path}")
