"""The hosts a scenario creates on a fresh server, by name: their items, macros and problems."""

IP, DNS = "1", "0"
GROUP = "Discovered hosts"
AGENT_INTERFACE, EXTERNAL_CHECK = 1, 10
UNSIGNED, TEXT = 3, 4
VALUE_TYPES = {"0": "float", "1": "char", "2": "log", "3": "unsigned", "4": "text"}
COLUMNS = ("host", "item", "key", "type", "last value", "state", "error")


class Hosts:
    """Every host of the scenario, in the order of creation."""

    def __init__(self, api):
        self.api = api
        self.ids = {}

    def create(self, name, address, templates=(), macros=()):
        """A host with one interface: an IPv4 address, or a DNS name when it holds letters. `macros`: {name: value}."""
        use = DNS if any(letter.isalpha() for letter in address) else IP
        interface = {"type": AGENT_INTERFACE, "main": 1, "useip": use, "port": "10050"}
        interface |= {"ip": "", "dns": address} if use == DNS else {"ip": address, "dns": ""}
        group = self.api.call("hostgroup.get", filter={"name": [GROUP]}, output=["groupid"])
        linked = self.api.call("template.get", filter={"host": templates}, output=["templateid"]) if templates else []
        created = self.api.call(
            "host.create",
            host=name,
            groups=group,
            interfaces=[interface],
            templates=linked,
            macros=[{"macro": macro, "value": str(value)} for macro, value in dict(macros).items()],
        )
        self.ids[name] = created["hostids"][0]

    def external_item(self, host, name, key, value_type, delay):
        """An external check of its own, beside any template."""
        interface = self.api.call("hostinterface.get", hostids=[self.ids[host]], output=["interfaceid"])[0]
        wanted = {"hostid": self.ids[host], "name": name, "key_": key, "value_type": value_type, "delay": delay}
        self.api.call("item.create", **wanted, **interface, type=EXTERNAL_CHECK)

    def set_macro(self, host, name, value):
        """A new value for a macro the host has."""
        macros = self.api.call("usermacro.get", hostids=[self.ids[host]], output="extend")
        macro = next(macro for macro in macros if macro["macro"] == name)
        self.api.call("usermacro.update", hostmacroid=macro["hostmacroid"], value=str(value))

    def items(self, host):
        """Items as the API has them; `has_value` tells a 0 from an item that never had a value, which reads 0 too."""
        found = self.api.call("item.get", hostids=[self.ids[host]], output="extend", sortfield="key_")
        return [dict(item, host=host, has_value=item["lastclock"] != "0") for item in found]

    def problems(self, host):
        """Open problems as (name, operational data), oldest first."""
        triggers = self.api.call("trigger.get", hostids=[self.ids[host]], output=["triggerid"])
        ids = [trigger["triggerid"] for trigger in triggers]
        found = self.api.call("problem.get", objectids=ids, output="extend", sortfield=["eventid"]) if ids else []
        return [(problem["name"], problem["opdata"]) for problem in found]

    def fired(self, host):
        """Names of all problems there ever were."""
        events = self.api.call("event.get", hostids=[self.ids[host]], source=0, value=["1"], output=["name"])
        return [event["name"] for event in events]

    def all_items(self):
        """Items of every host."""
        return [item for host in self.ids for item in self.items(host)]

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
