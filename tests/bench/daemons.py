"""Daemons that are compared: blackbox_exporter and both Zabbix agents, queried over loopback by a small client."""

import concurrent.futures
import os
import shutil
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import build
import network
from runner import ENVIRONMENT

BLACKBOX_PORT, AGENTD_PORT, AGENT2_PORT = 19115, 19050, 19051
TIMEOUT = 2
# A daemon with a timeout of 2 s that has not answered by then is counted as `never`.
PATIENCE = 11
MODULES = f"""
modules:
  connect: {{prober: tcp, timeout: {TIMEOUT}s, tcp: {{preferred_ip_protocol: ip4}}}}
  expect: {{prober: tcp, timeout: {TIMEOUT}s, tcp: {{preferred_ip_protocol: ip4, query_response: [{{expect: "^xyz"}}]}}}}
"""
# For str.format: the name of the server, and a file of trusted certificates.
MODULES_TLS = """
modules:
  tls:
    {{prober: tcp, timeout: 20s, tcp: {{preferred_ip_protocol: ip4, tls: true, tls_config: {{server_name: {name}}}}}}}
  tls_file:
    prober: tcp
    timeout: 20s
    tcp: {{preferred_ip_protocol: ip4, tls: true, tls_config: {{server_name: {name}, ca_file: {file}}}}}
"""
AGENT = """
LogType=file
LogFile={directory}/{name}.log
PidFile={directory}/{name}.pid
ListenPort={port}
ListenIP=127.0.0.1
Server=127.0.0.1
Timeout={timeout}
"""


class Daemon:
    """A process with its children, and a function that queries it for ADDRESS, PORT."""

    def __init__(
        self,
        name: str,
        words: list[str],
        port: int,
        ask: Callable[[str, str, str], str],
        scratch: Path,
        environment: dict[str, str] = ENVIRONMENT,
    ):
        self.name, self.ask = name, ask
        with open(scratch / f"{name}.out", "wb") as log:
            streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            self.process = subprocess.Popen(
                words, env=environment, start_new_session=True, preexec_fn=network.dies_with_us, **streams
            )
        until = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError as error:
                if time.monotonic() > until or self.process.poll() is not None:
                    self.close()
                    raise SystemExit(
                        f"tests/bench: {name} does not listen ({error}); {scratch}/{name}.out may say why"
                    ) from error
                time.sleep(0.05)

    def ask_all(self, targets: Iterable[tuple[str, str]], at_once: int, what: str = "connect") -> list[str]:
        with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
            return list(pool.map(lambda target: self.ask(what, *target), targets))

    def cpu_us(self) -> float:
        """CPU time of all its processes: the first number of schedstat, in ns (sched-stats.rst of Linux)."""
        total = 0
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if os.getsid(int(process.name)) == self.process.pid:
                    total += sum(int(task.read_text().split()[0]) for task in process.glob("task/*/schedstat"))
            except (ProcessLookupError, FileNotFoundError):
                continue
        return total / 1000

    def peak_kib(self) -> int:
        """The peak memory of its largest process."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait()


def blackbox(scratch: Path) -> Daemon | None:
    return blackbox_with(scratch, MODULES, ENVIRONMENT)


def blackbox_tls(scratch: Path, roots: Path, name: str) -> Daemon | None:
    """Its modules verify this name, with these roots as those of the system (`tls`) or as a file (`tls_file`)."""
    modules = MODULES_TLS.format(name=name, file=roots)
    return blackbox_with(scratch, modules, ENVIRONMENT | {"SSL_CERT_FILE": str(roots), "SSL_CERT_DIR": "/nonexistent"})


def blackbox_with(scratch: Path, modules: str, environment: dict[str, str]) -> Daemon | None:
    config = scratch / "blackbox.yml"
    config.write_text(modules, encoding="ascii")
    program = found("prometheus-blackbox-exporter")
    words = [f"--config.file={config}", f"--web.listen-address=127.0.0.1:{BLACKBOX_PORT}", "--log.level=error"]
    return program and Daemon("blackbox", [program, *words], BLACKBOX_PORT, ask_blackbox, scratch, environment)


def agentd(scratch: Path, children: int = 10) -> Daemon | None:
    return agent(scratch, "agentd", AGENTD_PORT, f"StartAgents={children}\nAllowRoot=1\n")


def agent2(scratch: Path) -> Daemon | None:
    return agent(scratch, "agent2", AGENT2_PORT, f"ControlSocket={scratch}/agent2.sock\nHostname=bench\nServerActive=\n")


def agent(scratch: Path, name: str, port: int, own: str) -> Daemon | None:
    """The agent of this name with additional lines of configuration; None if it is not installed."""
    text = AGENT.format(directory=scratch, name=name, port=port, timeout=TIMEOUT) + own
    path = scratch / f"{name}.conf"
    path.write_text(text, encoding="ascii")
    program = found(f"zabbix_{name}")
    return program and Daemon(name, [program, "-f", "-c", str(path)], port, agent_client(port), scratch)


def found(program: str) -> str | None:
    path = shutil.which(program, path=ENVIRONMENT["PATH"] + ":/usr/sbin:/sbin")
    if path is None:
        print(f"not measured: `{program}` is not installed")
    return path


def ask_blackbox(module: str, address: str, port: str) -> str:
    request = f"GET /probe?module={module}&target={address}:{port} HTTP/1.0\r\n\r\n"
    return exchange(BLACKBOX_PORT, request.encode("ascii")).decode("utf-8", "replace")


KEYS = {"connect": "net.tcp.port[{},{}]", "perf": "net.tcp.service.perf[tcp,{},{}]", "expect": "net.tcp.service[ssh,{},{}]"}


def agent_client(own: int) -> Callable[[str, str, str], str]:
    """The Zabbix protocol: `ZBXD`, flags, the length of the data in eight bytes."""

    def ask(what: str, address: str, port: str) -> str:
        key = KEYS[what].format(address, port).encode("ascii")
        return exchange(own, b"ZBXD\1" + struct.pack("<Q", len(key)) + key)[13:].decode("utf-8", "replace")

    return ask


def exchange(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as peer:
        peer.sendall(request)
        answer = b""
        while part := peer.recv(65536):
            answer += part
        return answer


def scratch() -> Path:
    """The directory of the daemons' files."""
    path = build.OUT / "scratch"
    path.mkdir(parents=True, exist_ok=True)
    return path
