"""Zabbix's frontend in a browser: log in, open a page, wait until it is drawn, take its picture."""

import json
import time
import urllib.parse

from .api import ADMIN
from .errors import LabError
from .services import FRONTEND_PORT
from .webdriver import Browser

ROOT = f"http://127.0.0.1:{FRONTEND_PORT}"
DRAW_TIMEOUT = 30
# Nothing is loading any more, as a person would see it: no spinner, no widget without a body, every picture there.
DRAWN = """
return document.readyState === 'complete'
    && !document.querySelector('.is-loading, .dashboard-widget-loading, .dashboard-grid-widget-hidden')
    && (window.jQuery === undefined || jQuery.active === 0)
    && Array.from(document.images).every(image => image.complete);
"""
# Frontends say what went wrong in a box of their own, or in PHP's words.
COMPLAINTS = """
return Array.from(document.querySelectorAll('output.msg-bad, .msg-bad, .php-error'))
    .map(box => box.innerText.trim()).filter(text => text);
"""
# An open filter takes half the screen.
FILTERS = ".tabfilter-content-container, .tabfilter-subfilter, .filter-container, #subfilter"
HIDE = "document.querySelectorAll(arguments[0]).forEach(part => part.style.display = 'none');"
# What a person reads when the mouse is on a red "i".
HINTS = """
return Array.from(document.querySelectorAll('.list-table [data-hintbox-contents]')).map(icon =>
    new DOMParser().parseFromString(icon.dataset.hintboxContents, 'text/html').body.innerText.trim());
"""
PAGES = """
return Array.from(document.querySelectorAll('.dashboard-navigation-tabs li')).map(tab => tab.innerText.trim());
"""
HINT = ".list-table .zi-i-negative, .list-table .icon-info.status-red"
LOG_IN = """
document.querySelector('input[name=name]').value = arguments[0];
document.querySelector('input[name=password]').value = arguments[1];
document.querySelector('#enter').click();
"""


class Frontend:
    """A logged-in person at a screen of 1920 x 1080; use it in a `with` block."""

    def __init__(self, api):
        self.api = api
        self.browser = Browser()
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
        """Dashboards of the host's templates as (name, identifier)."""
        linked = self.api.call("template.get", hostids=[host_id], output=["templateid"])
        ids = [template["templateid"] for template in linked]
        found = self.api.call("templatedashboard.get", templateids=ids, output=["dashboardid", "name"])
        return [(dashboard["name"], dashboard["dashboardid"]) for dashboard in found]

    def latest_data(self, *host_ids):
        """Monitoring > Latest data of these hosts, values and all."""
        self.open("latest.view", filter_set=1, show_details=0, **indexed("hostids", host_ids))

    def problems(self, *host_ids):
        """Monitoring > Problems, of these hosts or of all, with operational data beside the name."""
        self.open("problem.view", filter_set=1, show=3, show_opdata=1, **indexed("hostids", host_ids))

    def discovery_rules(self, host_id):
        """The list of a host's discovery rules, with what is wrong with each."""
        self.go("host_discovery.php", filter_set=1, context="host", **indexed("filter_hostids", [host_id]))

    def items(self, host_id):
        """The list of a host's items, with what is wrong with each."""
        page = {"action": "item.list"} if self.api.since_7 else {}
        script = "zabbix.php" if self.api.since_7 else "items.php"
        self.go(script, **page, filter_set=1, context="host", **indexed("filter_hostids", [host_id]))

    def open(self, action, **parameters):
        """Any page that is an action of zabbix.php."""
        self.go("zabbix.php", action=action, **parameters)

    def go(self, script, **parameters):
        """Any page, its filter folded away; returns when it is drawn."""
        self.browser.go(f"{ROOT}/{script}?{urllib.parse.urlencode(parameters)}")
        # First, because what comes into view only then starts to load.
        self.browser.run(HIDE, FILTERS)
        self.wait()

    def wait(self):
        """Until the page is drawn, twice in a row: widgets start loading only after the page has."""
        deadline = time.monotonic() + DRAW_TIMEOUT
        seen = 0
        while seen < 4:
            seen = seen + 1 if self.browser.run(DRAWN) else 0
            if time.monotonic() > deadline:
                raise LabError("the page is not drawn: " + self.text()[:200])
            time.sleep(0.15)

    def text(self):
        """What can be read on the page."""
        return self.browser.run("return document.body.innerText")

    def hints(self):
        """Texts behind the icons of a list, errors of items and rules for example."""
        return self.browser.run(HINTS)

    def open_hint(self):
        """Put the first error's text on the screen, by a click on its icon."""
        self.browser.click(HINT)

    def complaints(self):
        """Error boxes on the page."""
        return self.browser.run(COMPLAINTS)

    def picture(self, path):
        """Save what the screen shows as a PNG."""
        self.browser.picture(path)

    def _log_in(self):
        self.go("index.php")
        self.browser.run(LOG_IN, ADMIN["username"], ADMIN["password"])
        self.wait()
        if "zabbix.php" not in self.browser.run("return location.href"):
            raise LabError("could not log in: " + json.dumps(self.complaints()))


def indexed(name, values):
    """hostids[0]=.., hostids[1]=.., as PHP takes a list."""
    return {f"{name}[{index}]": value for index, value in enumerate(values)}
