"""One page of Zabbix's frontend: whether it is drawn, its text, its picture."""

import time
import urllib.parse

from .errors import LabError
from .services import FRONTEND_PORT

ROOT = f"http://127.0.0.1:{FRONTEND_PORT}"
DRAW_TIMEOUT = 30
# Nothing is loading any more: no spinner, no widget without a body, all images complete.
DRAWN = """
return document.readyState === 'complete'
    && !document.querySelector('.is-loading, .dashboard-widget-loading, .dashboard-grid-widget-hidden')
    && (window.jQuery === undefined || jQuery.active === 0)
    && Array.from(document.images).every(image => image.complete);
"""
# Error boxes of the frontend and of PHP.
COMPLAINTS = """
return Array.from(document.querySelectorAll('output.msg-bad, .msg-bad, .php-error'))
    .map(box => box.innerText.trim()).filter(text => text);
"""
# Widgets with "no data" and graphs without a line; graphs that are images, as in 6.0, do not show it.
EMPTY = """
const empty = widget => /\\bno data\\b/i.test(widget.innerText)
    || Array.from(widget.querySelectorAll('svg.svg-graph')).some(graph => !graph.querySelector('.svg-graph-line'));
return Array.from(document.querySelectorAll('.dashboard-grid-widget')).filter(empty).map(widget => widget.innerText);
"""
# An open filter takes half the screen.
FILTERS = ".tabfilter-content-container, .tabfilter-subfilter, .filter-container, #subfilter"
HIDE = """
document.querySelectorAll(arguments[0]).forEach(part => part.style.display = 'none');
// A widget starts to load when it comes into view, which dashboards notice on these events.
document.querySelector('.wrapper')?.dispatchEvent(new Event('scroll'));
window.dispatchEvent(new Event('resize'));
"""
# The texts behind the red "i" icons.
HINTS = """
return Array.from(document.querySelectorAll('.list-table [data-hintbox]')).map(icon => {
    // 7.0 has the text in the icon, 6.0 in a hidden box after it.
    const html = icon.dataset.hintboxContents ?? icon.parentNode.querySelector('.hint-box')?.innerHTML ?? '';
    return new DOMParser().parseFromString(html, 'text/html').body.innerText.trim();
}).filter(text => text);
"""
HINT = ".list-table .zi-i-negative, .list-table .icon-info.status-red"


class Page:
    """What the browser shows."""

    def __init__(self, browser):
        self.browser = browser

    def go(self, script, **parameters):
        """Opens a page without its filter; returns when it is drawn."""
        self.browser.go(f"{ROOT}/{script}?{urllib.parse.urlencode(parameters)}")
        self.wait()
        self.browser.run(HIDE, FILTERS)
        self.wait()

    def wait(self):
        """Waits until the page has been drawn for half a second: widgets load after the page."""
        deadline = time.monotonic() + DRAW_TIMEOUT
        seen = 0
        while seen < 4:
            seen = seen + 1 if self.browser.run(DRAWN) else 0
            if time.monotonic() > deadline:
                raise LabError("the page is not drawn: " + self.text()[:200])
            time.sleep(0.15)

    def text(self):
        """The visible text of the page."""
        return self.browser.run("return document.body.innerText")

    def hints(self):
        """Texts behind the icons of a list, errors of items and rules for example."""
        return self.browser.run(HINTS)

    def open_hint(self):
        """Open the first error's text by a click on its icon."""
        self.browser.click(HINT)

    def complaints(self):
        """Error boxes on the page."""
        return self.browser.run(COMPLAINTS)

    def empty_widgets(self):
        """The texts of the widgets of a dashboard that show no data."""
        return self.browser.run(EMPTY)

    def picture(self, path):
        """Save what the screen shows as a PNG."""
        self.browser.picture(path)
