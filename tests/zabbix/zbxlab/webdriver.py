"""A headless Chromium, driven by its chromedriver: the W3C WebDriver protocol, JSON over HTTP.

Both are this machine's programs (Debian: chromium, chromium-driver) and run in the network of who starts them.
"""

import base64
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from .errors import LabError, Unavailable

FLAGS = (
    "--headless",
    # Needed by root; the only pages it sees are the lab's own.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PROGRAMS = ("chromium", "chromedriver", "unshare", "setpriv")
# chromedriver as process 1 of a PID namespace: all the browser's processes end with it, and it ends with us.
ALONE = ("setpriv", "--pdeathsig=KILL", "unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
START_TIMEOUT = 20
END_TIMEOUT = 10


class Browser:
    """One browser with one window; use it in a `with` block, whose end ends both programs.

    `directory` gets the profile, for as long as the browser lives.
    """

    def __init__(self, directory, width=1920, height=1080):
        for program in PROGRAMS:
            if not shutil.which(program):
                raise Unavailable(f"pictures need the program {program} (Debian: chromium, chromium-driver)")
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = tempfile.mkdtemp(dir=directory)
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self.driver = self.root = self.url = None
        try:
            self._start()
            self._open_window(width, height)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def go(self, url):
        """Load a page; returns when its load event has fired."""
        self._request("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        """Runs a script in the page with these `arguments`; returns its value."""
        return self._request("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def click(self, selector):
        """A real click, mouse and all, on the first element of a CSS selector; LabError when there is none."""
        found = self._request("POST", "/element", {"using": "css selector", "value": selector})
        self._request("POST", f"/element/{next(iter(found.values()))}/click", {})

    def picture(self, path):
        """Save what the window shows as a PNG."""
        data = base64.b64decode(self._request("GET", "/screenshot"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def close(self):
        """End chromedriver and the browser, and forget the profile."""
        if self.driver:
            self._end()
            self.driver = None
        shutil.rmtree(self.directory, ignore_errors=True)

    def _end(self):
        try:
            self.opener.open(f"{self.root}/shutdown", timeout=END_TIMEOUT).close()
            self.driver.wait(timeout=END_TIMEOUT)
        except (OSError, subprocess.TimeoutExpired):
            self.driver.kill()
            self.driver.wait()

    def _start(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        # Chromium wants a home and a run-time directory of its own, and no desktop.
        env = {"PATH": os.environ["PATH"], "HOME": self.directory, "XDG_RUNTIME_DIR": self.directory, "LANG": "C.UTF-8"}
        log = f"--log-path={self.directory}/chromedriver.log"
        self.driver = subprocess.Popen(
            [*ALONE, "chromedriver", f"--port={port}", log],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=env,
            start_new_session=True,
        )
        self.root = self.url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                if self._request("GET", "/status")["ready"]:
                    return
            except OSError:
                pass
            if time.monotonic() > deadline or self.driver.poll() is not None:
                raise LabError("chromedriver did not start")
            time.sleep(0.05)

    def _open_window(self, width, height):
        flags = [*FLAGS, f"--user-data-dir={self.directory}/profile"]
        wanted = {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": {"args": flags}}}
        session = self._request("POST", "/session", {"capabilities": wanted})["sessionId"]
        self.url += f"/session/{session}"
        self.resize(width, height)

    def resize(self, width, height, scale=1):
        """The page, not the window with its bars, is of this size; a picture of it is `scale` times as large."""
        size = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
        self._request("POST", "/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": size})

    def _request(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with self.opener.open(request, timeout=60) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as error:
            said = json.load(error)["value"]
            raise LabError(f"browser: {said['error']}: {said['message'].splitlines()[0]}") from None
