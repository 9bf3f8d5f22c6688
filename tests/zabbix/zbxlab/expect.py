"""Waits until Zabbix shows what a scenario expects."""

from .status import short


class Expect:
    """Reads from `hosts` and counts in `checks`. Every wait ends when the expectation holds."""

    def __init__(self, hosts, checks):
        self.hosts, self.checks = hosts, checks

    def value(self, host, key, wanted, seconds=60):
        """The last value of an item: a text, or a function that checks the text."""
        good = wanted if callable(wanted) else lambda seen: seen == wanted

        def probe():
            seen = self.hosts.value(host, key)
            return seen is not None and good(seen), seen

        said = "as expected" if callable(wanted) else short(wanted)
        return self.checks.eventually(probe, f"{host}: {key} is {said}", seconds)

    def problems(self, host, *starts, seconds=90):
        """Exactly these problems are open, in any order, each by the start of its name."""

        def probe():
            seen = sorted(name for name, _ in self.hosts.problems(host))
            return len(seen) == len(starts) and all(map(str.startswith, seen, sorted(starts))), seen

        return self.checks.eventually(probe, f"problems of host {host}: {list(starts) or 'none'}", seconds)

    def keys(self, host, *keys, seconds=90):
        """The host has items with these keys, discovered ones for example."""

        def probe():
            seen = {item["key_"] for item in self.hosts.items(host)}
            return set(keys) <= seen, sorted(set(keys) - seen)

        return self.checks.eventually(probe, f"{host} has {', '.join(keys)}", seconds)

    def no_keys(self, host, *keys, seconds=90):
        """The host has none of these keys any more."""

        def probe():
            left = sorted({item["key_"] for item in self.hosts.items(host)} & set(keys))
            return not left, left

        return self.checks.eventually(probe, f"{host} is without {', '.join(keys)}", seconds)

    def rule_error(self, host, text, seconds=60):
        """A discovery rule is not supported, and its error contains this text."""

        def probe():
            seen = [(rule["key_"], rule["error"]) for rule in self.hosts.rules(host) if rule["state"] == "1"]
            return any(text in error for _, error in seen), seen

        return self.checks.eventually(probe, f"a discovery rule of {host} has the error: {text}", seconds)

    def nothing_unsupported(self):
        """No item and no discovery rule of any host shows an error, now."""
        seen = self.hosts.unsupported()
        return self.checks.check(not seen, "nothing is unsupported", seen)
