"""The pages of Zabbix's frontend, in a browser with a logged-in user."""

import time

from .api import ADMIN
from .errors import LabError
from .page import Page
from .lab_directory import LabDirectory
from .webdriver import Browser

LOG_IN_TIMEOUT = 20
PAGES = """
return Array.from(document.querySelectorAll('.dashboard-navigation-tabs li')).map(tab => tab.innerText.trim());
"""
LOG_IN = """
document.querySelector('input[name=name]').value = arguments[0];
document.querySelector('input[name=password]').value = arguments[1];
document.querySelector('#enter').click();
"""


class Frontend(Page):
    """A browser of 1920 x 1080 with a logged-in user; use it in a `with` block."""

    def __init__(self, api):
        super().__init__(Browser(LabDirectory.of_this_lab().browsers))
        self.api = api
        try:
            self._log_in()
        except BaseException:
            self.browser.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.browser.close()

    def host_dashboard(self, host_id, dashboard_id):
        """The first page of a dashboard that a host has from one of its templates."""
        self.open("host.dashboard.view", hostid=host_id, dashboardid=dashboard_id)

    def dashboard_pages(self):
        """Titles of the pages of the dashboard on the screen."""
        return self.browser.run(PAGES)

    def dashboard_page(self, number):
        """Turn to a page, from 1."""
        self.browser.click(f".dashboard-navigation-tabs li:nth-of-type({number}) div")
        self.wait()

    def dashboards(self, host_id):
        """Dashboards of the host's templates as (name, identifier), by name."""
        linked = self.api.call("template.get", hostids=[host_id], output=["templateid"])
        ids = [template["templateid"] for template in linked]
        found = self.api.call("templatedashboard.get", templateids=ids, output=["dashboardid", "name"])
        return sorted((dashboard["name"], dashboard["dashboardid"]) for dashboard in found)

    def latest_data(self, *host_ids):
        """Monitoring > Latest data of these hosts, values and all."""
        self.open("latest.view", filter_set=1, show_details=0, **indexed("hostids", host_ids))

    def problems(self, *host_ids):
        """Monitoring > Problems, of these hosts or of all, with operational data beside the name."""
        self.open("problem.view", filter_set=1, show=3, show_opdata=1, **indexed("hostids", host_ids))

    def discovery_rules(self, host_id):
        """The list of a host's discovery rules, with their errors."""
        self.go("host_discovery.php", filter_set=1, context="host", **indexed("filter_hostids", [host_id]))

    def items(self, host_id):
        """The list of a host's items, with their errors."""
        page = {"action": "item.list"} if self.api.since_7 else {}
        script = "zabbix.php" if self.api.since_7 else "items.php"
        self.go(script, **page, filter_set=1, context="host", **indexed("filter_hostids", [host_id]))

    def open(self, action, **parameters):
        """Any page that is an action of zabbix.php."""
        self.go("zabbix.php", action=action, **parameters)

    def _log_in(self):
        self.go("index.php")
        self.browser.run(LOG_IN, ADMIN["username"], ADMIN["password"])
        deadline = time.monotonic() + LOG_IN_TIMEOUT
        while "zabbix.php" not in self.browser.run("return location.href"):
            if time.monotonic() > deadline:
                raise LabError(f"could not log in: {self.complaints()}")
            time.sleep(0.1)
        self.wait()


def indexed(name, values):
    """hostids[0]=.., hostids[1]=.., as PHP takes a list."""
    return {f"{name}[{index}]": value for index, value in enumerate(values)}
