"""The plugin of agent 2 beside UserParameters and net.tcp.service: checks a second and CPU of a check, by the number of checks
at once; and memory, threads and descriptors of the plugin over a million requests."""

import json
import os
import socket
import statistics
import struct
import subprocess
import time
from pathlib import Path

import batch
import build
import daemons
import network
import passive
import report
from report import Goal
from runner import ENVIRONMENT, Listener

AT_ONCE = (1, 10, 100, 1000)
COUNT, QUICK_COUNT = 4000, 200
# A UserParameter is a shell and a process: fewer, or it takes minutes.
COUNT_OF_PROCESSES, QUICK_COUNT_OF_PROCESSES = 600, 100
ROUNDS = 5
REQUESTS, QUICK_REQUESTS = 1_000_000, 20_000
# As many as agent 2 of 6.0 has open at most.
OPEN = 100
USER_PARAMETERS = build.REPOSITORY / "zabbix/agentd/zbx-tcp.conf"
BUILT_IN, SHELL, VALUE, DOCUMENT = "net.tcp.service", "UserParameter", "plugin, up", "plugin, json"
KEYS = {
    BUILT_IN: "net.tcp.service[tcp,{},{}]",
    SHELL: "tcp.check[{},{},,json]",
    VALUE: "tcp.check[{},{}]",
    DOCUMENT: "tcp.check[{},{},,json]",
}


def measure(_rounds: int, quick: bool) -> int:
    """Measures, prints and writes the results; returns the number of missed goals."""
    program = batch.program()
    build.floor("listener", static=True)
    if program is None or daemons.found("zabbix_agent2") is None:
        return 0
    return network.isolated(lambda: measure_inside(program, quick))


def measure_inside(program: Path, quick: bool) -> int:
    # One listener answers for all of 127.0.0.0/8.
    listener = Listener(build.OUT / "listener-static", ["0.0.0.0"])
    port = int(listener.targets[0].split(":")[1])
    agents = {BUILT_IN: Agent(""), SHELL: Agent(by_shell(program)), DOCUMENT: Agent(by_plugin(program))}
    agents[VALUE] = agents[DOCUMENT]
    results = {}
    for at_once in AT_ONCE:
        results |= {f"{name}, {at_once}": middle for name, middle in in_turn(agents, port, at_once, quick).items()}
    for agent in set(agents.values()):
        agent.close()
    flat = growth(program, port, QUICK_REQUESTS if quick else REQUESTS)
    listener.close()
    show(results, flat)
    wanted = wanted_of(results, flat)
    missed = report.goals(wanted)
    report.save("plugin", {"quick": quick, "agents": results, "requests": flat}, wanted)
    return missed


def by_shell(program: Path) -> str:
    return USER_PARAMETERS.read_text(encoding="utf-8").replace("/usr/bin/zbx-tcp", str(program))


def by_plugin(program: Path) -> str:
    return f"Plugins.Tcp.System.Path={program}\n"


class Agent:
    """Agent 2 with additional lines of configuration."""

    number = 0

    def __init__(self, lines: str):
        Agent.number += 1
        name, scratch = f"agent2-{Agent.number}", daemons.scratch()
        sockets = f"ControlSocket={scratch}/{name}.sock\nPluginSocket={scratch}/{name}.plugin.sock\n"
        self.port = daemons.AGENT2_PORT + Agent.number
        text = daemons.AGENT.format(directory=scratch, name=name, port=self.port, timeout=3)
        path = scratch / f"{name}.conf"
        path.write_text(f"{text}{sockets}Hostname=bench\nServerActive=\n{lines}", encoding="utf-8")
        words = [daemons.found("zabbix_agent2"), "-f", "-c", str(path)]
        self.daemon = daemons.Daemon(name, words, self.port, lambda *_: "", scratch)

    def cpu_us(self) -> float:
        """With the children that it waited for."""
        stat = Path(f"/proc/{self.daemon.process.pid}/stat").read_text(encoding="ascii")
        of_children = stat.rpartition(")")[2].split()[13:15]
        return self.daemon.cpu_us() + sum(map(int, of_children)) * 1e6 / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        self.daemon.close()


def in_turn(agents: dict[str, Agent], port: int, at_once: int, quick: bool) -> dict[str, dict]:
    """Medians over the rounds; the cases alternate, so that other load of the machine affects all of them."""
    runs = {name: [] for name in KEYS}
    for _ in range(2 if quick else ROUNDS + 1):
        for name in KEYS:
            processes, checks = (QUICK_COUNT_OF_PROCESSES, QUICK_COUNT) if quick else (COUNT_OF_PROCESSES, COUNT)
            keys = keys_of(name, port, processes if name == SHELL else checks)
            runs[name].append(once(agents[name], name, keys, at_once))
    # The first round starts the plugin and is not counted.
    return {name: {what: statistics.median(run[what] for run in of[1:]) for what in of[0]} for name, of in runs.items()}


def keys_of(name: str, port: int, count: int) -> list[str]:
    """Of different addresses, so that ports of closed connections do not run out."""
    return [KEYS[name].format(f"127.1.{number // 250}.{1 + number % 250}", port) for number in range(count)]


def once(agent: Agent, name: str, keys: list[str], at_once: int) -> dict:
    cpu, start = agent.cpu_us(), time.monotonic()
    answers = passive.ask_all(agent.port, keys, at_once)
    seconds = time.monotonic() - start
    good = sum(is_up(name, answer) for answer in answers)
    return {"per_second": len(keys) / seconds, "cpu_us": (agent.cpu_us() - cpu) / len(keys), "bad": len(keys) - good}


def is_up(name: str, answer: str) -> bool:
    return answer.startswith("{") and json.loads(answer)["up"] == 1 if name in (SHELL, DOCUMENT) else answer == "1"


def growth(program: Path, port: int, requests: int) -> dict[str, dict]:
    """Requests of a document, as an agent sends them: what the plugin uses before, after a tenth and after all of them."""
    path = daemons.scratch() / "fake.sock"
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    null = subprocess.DEVNULL
    plugin = subprocess.Popen([program, path, "false"], env=ENVIRONMENT, stdin=null, stdout=null, stderr=null)
    agent, _ = listener.accept()
    stream = agent.makefile("rb", buffering=1 << 16)
    results, sent, received, began = {}, 0, 0, time.monotonic()
    for wanted in (1000, requests // 10, requests):
        while received < wanted:
            more = min(OPEN - (sent - received), wanted - sent)
            if more >= OPEN // 2 or sent == wanted:
                agent.sendall(b"".join(request(number, port) for number in range(sent, sent + more)))
                sent += more
            kind, length = struct.unpack("<II", stream.read(8))
            answer = stream.read(length)
            assert kind == 1 and b'\\"up\\":1' in answer, answer
            received += 1
        # The last connections are closed after their answers.
        time.sleep(0.5)
        results[str(wanted)] = used(plugin.pid)
    results[str(requests)]["per_second"] = requests / (time.monotonic() - began)
    agent.shutdown(socket.SHUT_RDWR)
    assert plugin.wait(5) == 0
    return results


def request(number: int, port: int) -> bytes:
    address = f"127.{1 + number % 200}.{number // 200 % 200}.1"
    body = json.dumps({"id": number + 1, "type": 6, "key": "tcp.check", "timeout": 30, "parameters": [address, str(port), "", "json"]})
    return struct.pack("<II", 1, len(body)) + body.encode("ascii")


def used(pid: int) -> dict:
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines())
    return {
        "rss_kib": int(lines["VmRSS"].split()[0]),
        "threads": int(lines["Threads"]),
        "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
    }


def show(results: dict[str, dict], flat: dict[str, dict]) -> None:
    rows = []
    for name, result in results.items():
        floor = results[f"{BUILT_IN}, {name.rpartition(' ')[2]}"]
        rows.append(
            [name, round(result["cpu_us"]), result["cpu_us"] / floor["cpu_us"], round(result["per_second"]), round(result["bad"])]
        )
    head = ["key, checks at once", "CPU us/check", "x net.tcp.service", "checks/s", "bad"]
    report.table("Agent 2: CPU of the agent and its processes, and checks a second", head, rows)
    rows = [[count, use["rss_kib"], use["threads"], use["descriptors"]] for count, use in flat.items()]
    report.table("Plugin: after this many requests", ["requests", "KiB", "threads", "descriptors"], rows)


def wanted_of(results: dict[str, dict], flat: dict[str, dict]) -> list[Goal]:
    goals = []
    for at_once in AT_ONCE:
        plugin, built_in, shell = (results[f"{name}, {at_once}"] for name in (DOCUMENT, BUILT_IN, SHELL))
        goals.append(Goal(f"CPU, document / net.tcp.service, {at_once} at once", plugin["cpu_us"] / built_in["cpu_us"], 1.2))
        rate = plugin["per_second"] / shell["per_second"]
        goals.append(Goal(f"checks/s, plugin / UserParameter, {at_once} at once", rate, 10, at_least=True))
    first, *_, last = flat.values()
    # The plans of the last minute are kept, 10,000 at most.
    goals.append(Goal("KiB more after all requests", last["rss_kib"] - first["rss_kib"], 16 * 1024))
    goals.append(Goal("threads more after all requests", last["threads"] - first["threads"], 0))
    goals.append(Goal("descriptors more after all requests", last["descriptors"] - first["descriptors"], 0))
    return goals
