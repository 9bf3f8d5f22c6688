"""The uuid of each template object: listed in uuids.txt, the same in the files of every release, never changed."""

import uuid
from pathlib import Path


class Uuids:
    """`UUID what it names` by line; an object that is not listed yet gets a new line."""

    def __init__(self, path):
        self.path = Path(path)
        self.used = {}
        lines = [line for line in self.path.read_text().splitlines() if not line.startswith("#")]
        self.known = {name: number for number, _, name in (line.partition(" ") for line in lines)}
        self.new = []

    def of(self, name):
        """The uuid of an object, such as `TCP service by external check: item tcp.service.up`."""
        if name not in self.known:
            self.known[name] = uuid.uuid4().hex
            self.new.append(name)
        number = self.known[name]
        assert self.used.setdefault(number, name) == name, f"{number} names {self.used[number]} and {name}"
        return number

    def save(self):
        """Append new lines. Lines are never changed or removed."""
        with self.path.open("a") as file:
            file.writelines(f"{self.known[name]} {name}\n" for name in self.new)
        self.new = []
