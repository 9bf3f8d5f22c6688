"""The hosts a scenario creates and changes on a fresh server, by name."""

import ipaddress

from .conf import AGENT_PORTS, PROXY
from .status import Status

GROUP = "Discovered hosts"
AGENT_INTERFACE = 1
# Item types and value types, as item.create calls them.
AGENT, TRAPPER, SIMPLE_CHECK, ACTIVE_AGENT, EXTERNAL_CHECK = 0, 2, 3, 7, 10
FLOAT, CHARACTER, UNSIGNED, TEXT = 0, 1, 3, 4
WITHOUT_INTERFACE = (TRAPPER, ACTIVE_AGENT)
CHECK_NOW = 6


class Hosts(Status):
    """Every host of the scenario, in the order of creation."""

    def create(self, name, address, templates=(), macros=(), port=AGENT_PORTS["agentd"]):
        """A host the server monitors. `address`: of an agent interface, IPv4, IPv6 or a DNS name; None for a host
        without interface. `macros`: {name: value}. `port`: of the interface, for agent items."""
        self._create(name, address, templates, macros, port, {})

    def create_by_proxy(self, name, address, templates=(), macros=(), port=AGENT_PORTS["agentd"]):
        """A host that the lab's proxy monitors."""
        proxy = self._proxy()
        monitored = {"monitored_by": 1, "proxyid": proxy} if self.api.since_7 else {"proxy_hostid": proxy}
        self._create(name, address, templates, macros, port, monitored)

    def _create(self, name, address, templates, macros, port, more):
        created = self.api.call(
            "host.create",
            host=name,
            groups=self.api.call("hostgroup.get", filter={"name": [GROUP]}, output=["groupid"]),
            interfaces=[interface(address, port)] if address else [],
            templates=self._templates(templates),
            macros=[{"macro": macro, "value": str(value)} for macro, value in dict(macros).items()],
            **more,
        )
        self.ids[name] = created["hostids"][0]

    def delete(self, host):
        """Delete a host with all its items and problems."""
        self.api.call_list("host.delete", [self.ids.pop(host)])

    def link(self, host, template):
        """One more template for a host."""
        hosts = [{"hostid": self.ids[host]}]
        self.api.call("host.massadd", hosts=hosts, templates=self._templates([template]))

    def unlink_and_clear(self, host, template):
        """Unlink a template and delete everything that came from it."""
        ids = [found["templateid"] for found in self._templates([template])]
        self.api.call("host.massremove", hostids=[self.ids[host]], templateids_clear=ids)

    def external_item(self, host, name, key, value_type, delay):
        """An external check that is not from a template."""
        self.create_item(host, EXTERNAL_CHECK, name, key, value_type, delay)

    def create_item(self, host, kind, name, key, value_type, delay="0"):
        """An item of any type (`AGENT`, `TRAPPER`, ...) that needs nothing but key and interval."""
        wanted = {"hostid": self.ids[host], "name": name, "key_": key, "value_type": value_type, "delay": delay}
        if kind not in WITHOUT_INTERFACE:
            found = self.api.call("hostinterface.get", hostids=[self.ids[host]], output=["interfaceid"])
            wanted |= found[0] if found else {}
        self.api.call("item.create", **wanted, type=kind)

    def set_macro(self, host, name, value):
        """Set a macro of the host."""
        macros = self.api.call("usermacro.get", hostids=[self.ids[host]], output="extend")
        old = next((macro for macro in macros if macro["macro"] == name), None)
        if old:
            self.api.call("usermacro.update", hostmacroid=old["hostmacroid"], value=str(value))
        else:
            self.api.call("usermacro.create", hostid=self.ids[host], macro=name, value=str(value))

    def check_now(self, host, key):
        """The frontend's "Execute now" for an item or discovery rule."""
        item = next(one for one in self.items(host) + self.rules(host) if one["key_"] == key)
        self.api.call("task.create", type=CHECK_NOW, request={"itemid": item["itemid"]})

    def _templates(self, names):
        if not names:
            return []
        found = self.api.call("template.get", filter={"host": list(names)}, output=["templateid"])
        if len(found) != len(set(names)):
            raise LookupError(f"the server does not have every template of {names}")
        return found

    def _proxy(self):
        """Identifier of the lab's proxy, which the server knows from the start."""
        name = "name" if self.api.since_7 else "host"
        return self.api.call("proxy.get", filter={name: [PROXY]}, output=["proxyid"])[0]["proxyid"]


def interface(address, port):
    """An agent interface by address or by name, whichever it is."""
    try:
        ipaddress.ip_address(address)
        where = {"useip": 1, "ip": address, "dns": ""}
    except ValueError:
        where = {"useip": 0, "ip": "", "dns": address}
    return {"type": AGENT_INTERFACE, "main": 1, "port": str(port)} | where
