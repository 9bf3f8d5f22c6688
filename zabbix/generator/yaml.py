"""YAML as Zabbix's own export writes it, so that an export of an imported file is the file.

Zabbix writes with Symfony's dumper: indentation 2, single quotes where YAML could misread a text, block literals.
"""

import re

# What YAML 1.1 would take for something other than a text.
WORDS = {"", "null", "~", "true", "false", "y", "n", "yes", "no", "on", "off"}
SIGNS = re.compile(r"""[\s'":{}\[\],&*#?]|\A[-?|<>=!%@`]""")
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\Z|0x[0-9a-fA-F]+\Z")


class Style:
    """How one release writes: in 7.0 a list's mapping begins on the line of its dash."""

    def __init__(self, compact):
        self.compact = compact

    def document(self, value):
        """A whole file."""
        return "".join(f"{line}\n" for line in self.lines(value))

    def lines(self, value):
        if isinstance(value, dict):
            return [line for key, member in value.items() for line in self.member(key, member)]
        return [line for entry in value for line in self.entry(entry)]

    def member(self, key, value):
        if isinstance(value, (dict, list)):
            return [f"{key}:", *indented(self.lines(value))]
        if "\n" in value:
            return [f"{key}: |", *indented(value.split("\n"))]
        return [f"{scalar(key)}: {scalar(value)}"]

    def entry(self, value):
        if not isinstance(value, (dict, list)):
            if "\n" in value:
                return ["- |", *indented(value.split("\n"))]
            return [f"- {scalar(value)}"]
        inner = indented(self.lines(value))
        return ["- " + inner[0][2:], *inner[1:]] if self.compact else ["-", *inner]


def indented(lines):
    return [f"  {line}" if line else "" for line in lines]


def scalar(text):
    """A text on one line, quoted where YAML needs it."""
    assert isinstance(text, str), repr(text)
    if text.lower() in WORDS or SIGNS.search(text) or NUMBER.match(text):
        return "'" + text.replace("'", "''") + "'"
    return text
