"""Items, discovery rules, values and problems of a scenario's hosts."""

VALUE_TYPES = {"0": "float", "1": "char", "2": "log", "3": "unsigned", "4": "text"}
COLUMNS = ("host", "item", "key", "type", "last value", "state", "error")


class Status:
    """Reads only. `ids`: host identifiers by name, in the order of creation."""

    def __init__(self, api):
        self.api = api
        self.ids = {}

    def items(self, host):
        """Items as the API has them; `has_value` distinguishes the value 0 from no value, which the API also returns as 0."""
        found = self.api.call("item.get", hostids=[self.ids[host]], output="extend", sortfield="key_")
        return [dict(item, host=host, has_value=item["lastclock"] != "0") for item in found]

    def all_items(self):
        """Items of every host."""
        return [item for host in self.ids for item in self.items(host)]

    def item(self, host, key):
        """The item with this key, or None."""
        return next((item for item in self.items(host) if item["key_"] == key), None)

    def value(self, host, key):
        """The last value as text; None when there is no such item or it never had one."""
        item = self.item(host, key)
        return item["lastvalue"] if item and item["has_value"] else None

    def history(self, host, key):
        """Every stored value as (time in seconds, text), oldest first."""
        item = self.item(host, key)
        wanted = {"itemids": [item["itemid"]], "history": int(item["value_type"]), "output": "extend"}
        # Not sorted by the API: 6.0 knows seconds only.
        found = self.api.call("history.get", **wanted)
        return sorted((int(row["clock"]) + int(row["ns"]) / 1e9, row["value"]) for row in found)

    def unsupported(self):
        """(host, key, error) of every item and discovery rule that is not supported or shows an error."""
        everything = self.all_items() + [rule for host in self.ids for rule in self.rules(host)]
        return [(one["host"], one["key_"], one["error"]) for one in everything if one["state"] != "0" or one["error"]]

    def rules(self, host):
        """Discovery rules as the API has them: `state` "1" is not supported, `error` is the reason."""
        found = self.api.call("discoveryrule.get", hostids=[self.ids[host]], output="extend", sortfield="key_")
        return [dict(rule, host=host) for rule in found]

    def problems(self, host):
        """Open problems as (name, operational data), oldest first."""
        triggers = self.api.call("trigger.get", hostids=[self.ids[host]], output=["triggerid"])
        ids = [trigger["triggerid"] for trigger in triggers]
        found = self.api.call("problem.get", objectids=ids, output="extend", sortfield=["eventid"]) if ids else []
        return [(problem["name"], problem["opdata"]) for problem in found]

    def fired(self, host):
        """Names of all problems, also resolved ones."""
        events = self.api.call("event.get", hostids=[self.ids[host]], source=0, value=["1"], output=["name"])
        return [event["name"] for event in events]

    def table(self):
        """One row per item, by `COLUMNS`."""
        return [
            (
                item["host"],
                item["name"],
                short(item["key_"]),
                VALUE_TYPES[item["value_type"]],
                short(item["lastvalue"]) if item["has_value"] else "-",
                item["state"],
                short(item["error"]),
            )
            for item in self.all_items()
        ]


def short(text, width=60):
    text = " ".join(text.split())
    return text if len(text) <= width else text[: width - 1] + "…"
