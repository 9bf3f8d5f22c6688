"""TLS: the cost of a verified check as a process and in a batch, of a plain hello, of a probe in flight; and of a check
without TLS, whose cost must not be higher than before TLS was built in."""

import random
import shlex
import shutil
import subprocess
from pathlib import Path
from statistics import median

import batch
import build
import cases
import counts
import daemons
import network
import report
import tls_servers
from cases import Case
from report import Goal
from runner import Cost, Spawner
from tls_servers import KEYS, NAME, OLD_PORT, PORTS, SILENT_PORT

# A batch has 2,000 targets, each with an address of its own, so that the limit of probes per address has no effect.
FIRST = "127.1.0.1"
COUNT, QUICK_COUNT = 2_000, 200
BATCH_ROUNDS, QUICK_BATCH_ROUNDS = 7, 1
IN_FLIGHT = 100
SILENT_COUNTS, QUICK_SILENT_COUNTS, FEW_IN_FLIGHT = (500, 2_000), (500,), 100
SILENCE = 1.0
FLOOR = "bare rustls + ring"
HELLO = "plain hello"


def measure(rounds: int, quick: bool) -> int:
    """Measures, prints and writes the results; returns the number of missed goals."""
    programs = build.also or {"zbx-tcp": batch.program()}
    floor = build.bench_program("tls_floor")
    for name in ("spawn", "connect"):
        build.floor(name, static=True)
    return network.isolated(lambda: measure_inside(programs, floor, rounds, quick))


def measure_inside(programs: dict[str, Path], floor: Path, rounds: int, quick: bool) -> int:
    directory = build.OUT / "tls"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    # The workers of nginx are another user.
    directory.chmod(0o755)
    made = tls_servers.certificates(directory)
    server = tls_servers.Nginx(directory)
    with_tls = {name: path for name, path in programs.items() if speaks_tls(path)}
    ours = next(iter(with_tls))
    spawner = Spawner(build.OUT / "spawn-static")

    starts = plain_starts(programs, spawner, rounds)
    one_shot = in_turn(one_shot_cases(with_tls, floor, made), spawner, rounds)
    count, batch_rounds = (QUICK_COUNT, QUICK_BATCH_ROUNDS) if quick else (COUNT, BATCH_ROUNDS)
    many = batches(spawner, with_tls, floor, made, count, batch_rounds)
    if asked := blackbox(made, count):
        many |= asked
    flights = {
        f"{name}, {number}": in_flight(spawner, path, made, number)
        for name, path in with_tls.items()
        for number in (QUICK_SILENT_COUNTS if quick else SILENT_COUNTS)
    }
    spawner.close()
    server.close()

    show(starts, one_shot, many, flights, (rounds, batch_rounds, count, made.roots))
    wanted = wanted_of(ours, starts, one_shot, many)
    missed = report.goals(wanted)
    results = {"starts": starts, "one_shot": one_shot, "batch": many, "in_flight": flights, "roots": made.roots}
    report.save("tls", {"rounds": rounds, "quick": quick} | results, wanted)
    return missed


def speaks_tls(program: Path) -> bool:
    said = subprocess.run([program, "check", "--help"], capture_output=True, text=True, check=False).stdout
    return "--tls" in said


# One check as a process.


def plain_starts(programs: dict[str, Path], spawner: Spawner, rounds: int) -> dict[str, dict]:
    """A check without TLS, of each program."""
    words = ["check", "127.0.0.1", str(PORTS["P-256"]), "--close", "rst"]
    known = [Case(name, path, words, "1") for name, path in programs.items()]
    results = in_turn(known, spawner, rounds)
    for case in known:
        results[case.name]["instructions"] = counts.instructions(case.command())
        results[case.name]["bytes"] = case.program.stat().st_size
    return results


def one_shot_cases(programs: dict[str, Path], floor: Path, made: tls_servers.Certificates) -> list[Case]:
    connect = build.OUT / "connect-static"
    found = [Case("C static glibc, poll: connect only", connect, ["poll", "127.0.0.1", str(OLD_PORT)], "1")]
    for name, path in programs.items():
        found.append(Case(f"{name}: connect only", path, ["check", "127.0.0.1", str(OLD_PORT)], "1"))
        found += hello_cases(name, path, made)
    for key, port in PORTS.items():
        target = ["127.0.0.1", str(port), "--tls", "--sni", NAME]
        for name, path in programs.items():
            check = ["check", *target]
            verified = [*check, "--ca-file", str(made.bundle)]
            found.append(Case(f"{name} --tls, {key}", path, verified, "1"))
            found.append(Case(f"{name} --tls -o json, {key}", path, [*verified, "-o", "json"], '{"schema":1,'))
            found.append(Case(f"{name} --tls, pin instead of roots, {key}", path, [*check, "--pin-sha256", made.pin(key)], "1"))
        found.append(Case(f"{FLOOR}, {key}", floor, ["fin", str(made.bundle), NAME, f"127.0.0.1:{port}"], '{"down":0'))
        found += peers(key, str(port), str(made.bundle))
    return with_copies(found)


def hello_cases(name: str, path: Path, made: tls_servers.Certificates) -> list[Case]:
    """A server with TLS 1.0 only: a handshake that it refuses, and the plain hello."""
    words = ["check", "127.0.0.1", str(OLD_PORT), "--tls", "--tls-legacy", "--sni", NAME]
    return [
        Case(f"{name}: {HELLO}, pin", path, [*words, "--pin-sha256", made.pin("RSA-2048")], "1"),
        Case(f"{name}: {HELLO}, roots", path, [*words, "--ca-file", str(made.bundle)], "1"),
    ]


def peers(key: str, port: str, bundle: str) -> list[Case]:
    connect = ["-connect", f"127.0.0.1:{port}", "-servername", NAME, "-CAfile", bundle]
    verify = ["-verify_hostname", NAME, "-verify_return_error"]
    client = shlex.join(["openssl", "s_client", *connect])
    pair = f"{client} 2>/dev/null </dev/null | openssl x509 -noout -enddate"
    wanted = [
        ("openssl s_client", "openssl", ["s_client", *connect, *verify, "-brief"]),
        ("s_client, x509 -enddate (not verified)", "/bin/sh", ["-c", pair]),
        ("curl", "curl", ["-s", "--cacert", bundle, "--resolve", f"{NAME}:{port}:127.0.0.1", f"https://{NAME}:{port}/"]),
        ("check_http -S (not verified)", "/usr/lib/nagios/plugins/check_http",
         ["-S", "--sni", "-H", NAME, "-I", "127.0.0.1", "-p", port]),
        ("check_tcp -S (not verified)", "/usr/lib/nagios/plugins/check_tcp", ["-S", "-H", "127.0.0.1", "-p", port]),
    ]  # fmt: skip
    found = []
    for name, program, words in wanted:
        if path := shutil.which(program):
            found.append(Case(f"{name}, {key}", Path(path).resolve(), words))
        else:
            print(f"not measured: {name} (`{program}` is not installed)")
    return found


def with_copies(known: list[Case]) -> list[Case]:
    copied = {case.program: cases.copies_of(case) for case in known if case.program.name not in ("dash", "bash")}
    for case in known:
        case.copies = copied.get(case.program, [])
    return known


def in_turn(known: list[Case], spawner: Spawner, rounds: int) -> dict[str, dict]:
    """Each case once a round, in a new order each round; the medians."""
    for case in known:
        case.verify()
    order, dice = list(known), random.Random(1)
    costs: dict[str, list[Cost]] = {case.name: [] for case in known}
    for number in range(rounds):
        dice.shuffle(order)
        for case in order:
            costs[case.name].append(spawner.run(case.command(number)))
    return {name: middle(of) for name, of in costs.items()}


def middle(costs: list[Cost]) -> dict:
    ordered = sorted(cost.cpu_us for cost in costs)
    return {
        "cpu_us": median(ordered),
        "cpu_quartiles_us": [ordered[len(ordered) // 4], ordered[len(ordered) * 3 // 4]],
        "wall_us": median(cost.wall_us for cost in costs),
        "rss_kib": median(cost.rss_kib for cost in costs),
        "faults": median(cost.faults for cost in costs),
    }


# Many.


def batches(
    spawner: Spawner, programs: dict[str, Path], floor: Path, made: tls_servers.Certificates, count: int, rounds: int
) -> dict[str, dict]:
    """Each row once a round; the CPU time is that of the client alone."""
    rows = {}
    for key, port in PORTS.items():
        of = batch.targets(count, port, FIRST)
        named = names_of_their_own(count, port)
        for close in ("rst", "fin"):
            words = [str(floor), close, str(made.bundle), NAME, f"@{of}"]
            rows[f"{FLOOR}, {close}, {key}"] = floor_row(spawner, words)
            for name, path in programs.items():
                options = ["--ca-file", str(made.bundle), "--close", close]
                rows[f"{name}, {close}, {key}"] = batch_row(spawner, path, of, [*options, "--tls", "--sni", NAME])
                if close == "rst":
                    rows[f"{name}, {close}, names of their own, {key}"] = batch_row(spawner, path, named, options)
    old, legacy = batch.targets(count, OLD_PORT, FIRST), ["--close", "rst"]
    hello = ["--tls", "--tls-legacy", "--sni", NAME, "--pin-sha256", made.pin("RSA-2048")]
    for name, path in programs.items():
        rows[f"{name}: connect only, rst"] = batch_row(spawner, path, old, legacy)
        rows[f"{name}: {HELLO}, rst"] = batch_row(spawner, path, old, [*legacy, *hello])
    runs = [{name: row() for name, row in rows.items()} for _ in range(rounds)]
    return {name: {"cpu_us": median(run[name].cpu_us for run in runs) / count,
                   "cpu_us_all": [run[name].cpu_us / count for run in runs],
                   "per_second": count * 1e6 / median(run[name].wall_us for run in runs),
                   "rss_kib": median(run[name].rss_kib for run in runs)} for name in rows}  # fmt: skip


def names_of_their_own(count: int, port: int) -> Path:
    """Targets that ask for a different name each; the certificate has a wildcard."""
    path = build.OUT / f"targets-names-{port}-{count}"
    lines = (
        f'{{"host":"{address}","port":{port},"tls":true,"sni":"h{number}.bench.example"}}\n'
        for number, address in enumerate(network.addresses(count, FIRST))
    )
    path.write_text("".join(lines), encoding="ascii")
    return path


def floor_row(spawner: Spawner, words: list[str]):
    output = build.OUT / "floor-output"

    def run() -> Cost:
        cost = spawner.run(words, writes=output)
        if down := report.last_json(output)["down"]:
            raise SystemExit(f"tests/bench: `{' '.join(words)}`: {down} are down")
        return cost

    return run


def batch_row(spawner: Spawner, program: Path, of: Path, words: list[str]):
    options = ["--concurrency", str(IN_FLIGHT), "--timeout", "20s", *batch.PATIENT, *words]

    def run() -> Cost:
        ran = batch.run(spawner, program, of, *options)
        if ran.cost.status != 0:
            found = [target for target in ran.document()["targets"].values() if not target["up"]]
            raise SystemExit(f"tests/bench: batch {' '.join(options)}: {len(found)} are down: {found[0].get('error')}")
        return ran.cost

    return run


def blackbox(made: tls_servers.Certificates, count: int) -> dict[str, dict]:
    """blackbox_exporter, with the same trust store; it reads the system's once, and a `ca_file` in each probe."""
    daemon = daemons.blackbox_tls(daemons.scratch(), made.bundle, NAME)
    if daemon is None:
        return {}
    results = {}
    for module, what in (("tls", "system's roots"), ("tls_file", "ca_file")):
        for key, port in PORTS.items():
            targets = [(address, str(port)) for address in network.addresses(count, FIRST)]
            daemon.ask_all(targets[:IN_FLIGHT], IN_FLIGHT, module)
            cpu = daemon.cpu_us()
            answers = daemon.ask_all(targets, IN_FLIGHT, module)
            cpu = (daemon.cpu_us() - cpu) / count
            if wrong := [answer for answer in answers if "\nprobe_success 1\n" not in answer]:
                raise SystemExit(f"tests/bench: blackbox: {len(wrong)} of {count} are not up, as {wrong[0]!r}")
            results[f"blackbox_exporter, {what}, {key}"] = {"cpu_us": cpu, "rss_kib": daemon.peak_kib(), "per_second": None}
    daemon.close()
    return results


def in_flight(spawner: Spawner, program: Path, made: tls_servers.Certificates, count: int) -> dict:
    """Servers that accept and never answer: all in flight, and few in flight, for the difference in memory."""
    of = batch.targets(count, SILENT_PORT, FIRST)
    tls = ["--tls", "--sni", NAME, "--ca-file", str(made.bundle)]
    result = {}
    for kind, more in (("tls", tls), ("connected", ["--expect", "x"])):
        words = ["--timeout", f"{SILENCE}s", "--close", "rst", "-o", "ndjson", *more]
        # A new socket for each run: connections that nobody accepts stay in its queue.
        with tls_servers.silent():
            ran = batch.run(spawner, program, of, *words, "--concurrency", str(count), *batch.PATIENT)
        statuses = sorted({line["status_name"] for line in ran.lines()})
        few = ["--concurrency", str(FEW_IN_FLIGHT), "--deadline", f"{SILENCE + 0.5}s"]
        with tls_servers.silent():
            cost = batch.run(spawner, program, of, *words, *few).cost
        result[kind] = {
            "statuses": statuses,
            "rss_kib": ran.cost.rss_kib,
            "few_rss_kib": cost.rss_kib,
            "bytes_in_flight": (ran.cost.rss_kib - cost.rss_kib) * 1024 / (count - FEW_IN_FLIGHT),
        }
    return result


# Output.


def show(starts: dict, one_shot: dict, many: dict, flights: dict, numbers: tuple[int, int, int, int]) -> None:
    rounds, batch_rounds, count, roots = numbers
    head = ["program", "CPU us", "RSS KiB", "faults", "instructions", "size of the binary"]
    rows = [
        [name, round(of["cpu_us"]), round(of["rss_kib"]), round(of["faults"]), of["instructions"], of["bytes"]]
        for name, of in starts.items()
    ]
    report.table(f"A check without TLS, {rounds} rounds, medians", head, rows)
    head = ["program", "CPU us", "quartiles", "wall us", "RSS KiB", "faults"]
    rows = [
        [name, round(of["cpu_us"]), "{}-{}".format(*of["cpu_quartiles_us"]), round(of["wall_us"]), round(of["rss_kib"]),
         round(of["faults"])] for name, of in one_shot.items()
    ]  # fmt: skip
    report.table(f"One check with TLS, {rounds} rounds, medians; {roots} trusted roots", head, rows)
    rows = []
    for name, of in many.items():
        least = many.get(f"{FLOOR}, {'fin' if ', fin' in name else 'rst'}, {name.rpartition(', ')[2]}")
        speed = of["per_second"] and round(of["per_second"])
        rows.append([name, of["cpu_us"], of["cpu_us"] / least["cpu_us"] if least else None, speed, round(of["rss_kib"])])
    title = f"{count} targets, {IN_FLIGHT} in flight, {batch_rounds} rounds, medians"
    report.table(title, ["program", "CPU us/target", f"x {FLOOR}", "targets/s", "RSS KiB"], rows)
    head = ["silent servers", "kind", "statuses", "RSS KiB", f"RSS KiB, {FEW_IN_FLIGHT} in flight", "bytes in flight"]
    rows = [
        [name, kind, ",".join(of["statuses"]), of["rss_kib"], of["few_rss_kib"], round(of["bytes_in_flight"])]
        for name, kinds in flights.items()
        for kind, of in kinds.items()
    ]
    report.table("Servers that accept and never answer", head, rows)


def wanted_of(ours: str, starts: dict, one_shot: dict, many: dict) -> list[Goal]:
    """The goals are those of the first binary that speaks TLS; `before NAME` is the one that it is compared with."""
    wanted = []
    for key in KEYS:
        wanted.append(Goal(f"verified check as a process, {key}, CPU ms", one_shot[f"{ours} --tls, {key}"]["cpu_us"] / 1000, 3))
    for key in KEYS:
        for close in ("rst", "fin"):
            ratio = many[f"{ours}, {close}, {key}"]["cpu_us"] / many[f"{FLOOR}, {close}, {key}"]["cpu_us"]
            wanted.append(Goal(f"CPU of a target / {FLOOR}, {key}, {close}", ratio, 1.15))
    for key in KEYS:
        peer = many.get(f"blackbox_exporter, system's roots, {key}")
        ratio = peer and many[f"{ours}, fin, {key}"]["cpu_us"] / peer["cpu_us"]
        wanted.append(Goal(f"CPU of a target / blackbox_exporter, {key}", ratio, 0.2))
    hello, connect = one_shot[f"{ours}: {HELLO}, pin"], one_shot[f"{ours}: connect only"]
    wanted.append(Goal(f"CPU of a {HELLO} / connect only, a process", hello["cpu_us"] / connect["cpu_us"], 1.3))
    hello, connect = many[f"{ours}: {HELLO}, rst"], many[f"{ours}: connect only, rst"]
    wanted.append(Goal(f"CPU of a {HELLO} / connect only, in a batch", hello["cpu_us"] / connect["cpu_us"], 1.3))
    if before := starts.get(f"before {ours}"):
        now = starts[ours]
        wanted.append(Goal("instructions of a check without TLS / before", now["instructions"] / before["instructions"], 1.0))
        wanted.append(Goal("page faults of a check without TLS / before", now["faults"] / before["faults"], 1.0))
        wanted.append(Goal("binary: more than before, MB", (now["bytes"] - before["bytes"]) / 1e6, 1.7))
    return wanted
