"""A small client of the Zabbix API (JSON-RPC over HTTP)."""

import json
import urllib.request

from .errors import LabError
from .services import FRONTEND_PORT

ADMIN = {"username": "Admin", "password": "zabbix"}


class ApiError(LabError):
    """The API refused a call; the text is Zabbix's own."""


class Api:
    """A logged-in session with the frontend of the lab, or with one at another address; run inside its network.

    `patience`: how many seconds a call may take.
    """

    def __init__(self, frontend=f"http://127.0.0.1:{FRONTEND_PORT}", patience=30):
        self.patience = patience
        self.url = f"{frontend}/api_jsonrpc.php"
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self.token = None
        self.version = self.call("apiinfo.version")
        self.token = self.call("user.login", **ADMIN)

    def call(self, method, **params):
        """Result of one API method."""
        return self._request(method, params)

    def call_list(self, method, params):
        """Result of a method that takes a list, of identifiers to delete for example."""
        return self._request(method, list(params))

    def _request(self, method, params):
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        if self.token:
            # In the body: 6.0 does not accept an authorization header, 7.0 accepts both.
            body["auth"] = self.token
        headers = {"Content-Type": "application/json-rpc"}
        request = urllib.request.Request(self.url, json.dumps(body).encode(), headers)
        with self.opener.open(request, timeout=self.patience) as response:
            answer = json.load(response)
        if "error" in answer:
            raise ApiError(f"{method}: {answer['error']['data']}")
        return answer["result"]

    @property
    def since_7(self):
        """Whether this is 7.0 or newer, where proxies, host groups and import rules have other names."""
        return int(self.version.partition(".")[0]) >= 7

    def import_template(self, text, form="yaml"):
        """Import a template file with the rules of the frontend's import form."""
        self.call("configuration.import", format=form, source=text, rules=self._import_rules())

    def import_difference(self, text, form="yaml"):
        """What an import of the file would change: [] when the server holds just that (configuration.importcompare)."""
        return self.call("configuration.importcompare", format=form, source=text, rules=self._import_rules())

    def export_template(self, name, form="yaml"):
        """The template as the server exports it, without the date that 6.0 puts in."""
        found = self.call("template.get", filter={"host": [name]}, output=["templateid"])
        ids = [template["templateid"] for template in found]
        text = self.call("configuration.export", format=form, options={"templates": ids})
        # The YAML of 6.0 ends without a newline.
        lines = [line for line in text.rstrip("\n").split("\n") if not line.startswith("  date: ")]
        return "\n".join(lines) + "\n"

    def _import_rules(self):
        groups = ("template_groups", "host_groups") if self.since_7 else ("groups",)
        return IMPORT_RULES | dict.fromkeys(groups, KEEP)


ALL = {"createMissing": True, "updateExisting": True, "deleteMissing": True}
KEEP = {"createMissing": True, "updateExisting": True}
IMPORT_RULES = {
    "templates": KEEP,
    "templateLinkage": {"createMissing": True, "deleteMissing": True},
    "templateDashboards": ALL,
    "valueMaps": ALL,
    "items": ALL,
    "discoveryRules": ALL,
    "triggers": ALL,
    "graphs": ALL,
    "httptests": ALL,
}
