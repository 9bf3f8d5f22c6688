"""Targets in Zabbix: a host, the items that feed it, and the items of each target, created by low-level discovery."""

from zbxlab import inside
from zbxlab.hosts import EXTERNAL_CHECK, FLOAT, TEXT, TRAPPER, UNSIGNED

HOST = "targets"
CONFIG = "/etc/zbx-tcp/config.toml"
DEPENDENT = 18
# Preprocessing steps by their numbers in the API.
JSONPATH, ONCE_AN_HOUR = 12, 20
TYPES = {
    "up": UNSIGNED,
    "status": UNSIGNED,
    "time.connect": FLOAT,
    "time.total": FLOAT,
    "tcp.syn_retransmits": UNSIGNED,
}
METRICS = tuple(TYPES)
# The path of a metric for a dependent item: in the whole document by the key of the target, by a filter for its id, or in the
# document of one target that another dependent item has extracted.
PATHS = {
    "map": "$.targets['{#TCP.ID}'].%s",
    "filter": "$.targets[?(@.id=='{#TCP.ID}')].%s.first()",
    "two levels": "$.%s",
}
NEVER = "1d"
# The number of addresses of `address`.
MOST = 60_000


def write_targets(release, targets: int, port: int) -> None:
    """The configuration: this many loopback addresses, all answered by one listener, in one group."""
    entries = (f'[[targets]]\nhost = "{address(number)}"\nport = {port}\ngroup = "targets"\n' for number in range(targets))
    inside.write(release, CONFIG, "\n".join(entries))


def address(number: int) -> str:
    return f"127.1.{number // 250}.{number % 250 + 1}"


class Targets:
    """The items on the server. `feed`: "map", "filter", "two levels", "sender" or "checks"."""

    def __init__(self, api, feed: str):
        self.api, self.feed = api, feed
        self.host = self.interface = None
        self.masters = []

    def create(self, batches: list[str]) -> None:
        """`batches`: the keys of the master items, if there are any."""
        for host in self.api.call("host.get", output=["hostid"]):
            # Otherwise its own items would be counted, too.
            self.api.call("host.update", hostid=host["hostid"], status=1)
        self.host = self.api.call("host.create", host=HOST, groups=[self.group()], interfaces=[LOOPBACK])["hostids"][0]
        found = self.api.call("hostinterface.get", hostids=[self.host], output=["interfaceid"])
        self.interface = found[0]["interfaceid"]
        if self.feed in PATHS:
            for number, key in enumerate(batches):
                self.masters.append(self.master(number, key))
                self.prototypes(self.rule(number, self.masters[-1]), number, self.masters[-1])
        else:
            self.prototypes(self.rule(0, None), 0, None)

    def group(self) -> dict:
        return self.api.call("hostgroup.get", filter={"name": ["Discovered hosts"]}, output=["groupid"])[0]

    def master(self, number: int, key: str) -> str:
        made = self.api.call(
            "item.create", hostid=self.host, name=f"batch {number}", key_=key, type=EXTERNAL_CHECK, value_type=TEXT,
            interfaceid=self.interface, delay=NEVER, history="0",
        )  # fmt: skip
        item = made["itemids"][0]
        self.api.call(
            "item.create", hostid=self.host, name=f"elapsed {number}", key_=f"elapsed[{number}]", type=DEPENDENT,
            master_itemid=item, value_type=FLOAT, preprocessing=[step(JSONPATH, "$.summary.elapsed")],
        )  # fmt: skip
        return item

    def rule(self, number: int, master: str | None) -> str:
        more = {"type": TRAPPER}
        if master:
            steps = [step(JSONPATH, "$.discovery"), step(ONCE_AN_HOUR, "1h")]
            more = {"type": DEPENDENT, "master_itemid": master, "preprocessing": steps}
        made = self.api.call(
            "discoveryrule.create", hostid=self.host, name=f"targets {number}", key_=f"targets[{number}]", **more
        )
        return made["itemids"][0]

    def prototypes(self, rule: str, number: int, master: str | None) -> None:
        """`number` makes keys unique if several rules create items on one host."""
        common = {"hostid": self.host, "ruleid": rule}
        if self.feed == "checks":
            key = 'zbx-tcp["check",{#TCP.HOST},{#TCP.PORT}]'
            self.prototype(common, "up", key, EXTERNAL_CHECK, UNSIGNED, interfaceid=self.interface, delay=NEVER)
            return
        if self.feed == "two levels":
            path = [step(JSONPATH, "$.targets['{#TCP.ID}']")]
            more = {"master_itemid": master, "preprocessing": path, "history": "0"}
            master = self.prototype(common, "document", f"tcp.document[{{#TCP.ID}},{number}]", DEPENDENT, TEXT, **more)
        for metric, kind in TYPES.items():
            if self.feed == "sender":
                self.prototype(common, metric, f"tcp.target[{{#TCP.ID}},{metric}]", TRAPPER, kind)
            else:
                more = {"master_itemid": master, "preprocessing": [step(JSONPATH, PATHS[self.feed] % metric)]}
                self.prototype(common, metric, f"tcp.target[{{#TCP.ID}},{metric},{number}]", DEPENDENT, kind, **more)

    def prototype(self, common: dict, name: str, key: str, kind: int, value_type: int, **more) -> str:
        words = common | {"name": "{#TCP.ID} " + name, "key_": key, "type": kind, "value_type": value_type} | more
        return self.api.call("itemprototype.create", **words)["itemids"][0]

    def check_now(self, items: list[str]) -> None:
        """Executes items now, instead of at their interval."""
        self.api.call_list("task.create", [{"type": 6, "request": {"itemid": item}} for item in items])

    def discovered(self) -> list[str]:
        """The identifiers of items that low-level discovery created."""
        found = self.api.call("item.get", hostids=[self.host], filter={"flags": 4}, output=["itemid"])
        return [item["itemid"] for item in found]


LOOPBACK = {"type": 1, "main": 1, "useip": 1, "ip": "127.0.0.1", "dns": "", "port": "10050"}


def step(kind: int, parameters: str) -> dict:
    return {"type": kind, "params": parameters, "error_handler": 0, "error_handler_params": ""}
