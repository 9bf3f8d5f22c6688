"""Builds the measured programs: zbx-tcp in its linkings, the C floors, the accuracy program."""

import json
import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or REPOSITORY / "target").absolute()
OUT = TARGET / "bench"
FLOOR = Path(__file__).resolve().parent / "floor"

# Static, but relocated at start: packaging/build-static without its other flags.
STATIC_PIE = "-C target-feature=+crt-static"
# packaging/build-static without the section order.
STATIC = f"{STATIC_PIE} -C relocation-model=static -C symbol-mangling-version=v0"


# Further binaries of zbx-tcp by name (`--also`), such as one for a target that rustc has no standard library for.
also: dict[str, Path] = {}


def host() -> str:
    """The target triple of this machine's compiler."""
    lines = run(["rustc", "-vV"]).splitlines()
    return next(line.split()[1] for line in lines if line.startswith("host:"))


def has_musl() -> bool:
    """Whether the standard library for musl is installed."""
    triple = host().split("-")[0] + "-unknown-linux-musl"
    return (Path(run(["rustc", "--print", "sysroot"]).strip()) / "lib/rustlib" / triple).is_dir()


def programs() -> dict[str, Path]:
    """zbx-tcp by its linking; each has its own directory, so that none invalidates another."""
    built = {
        "dynamic": cargo_build(TARGET, None, None),
        "static-pie": cargo_build(OUT / "static-pie", host(), STATIC_PIE),
        "static": released("glibc"),
    }
    if has_musl():
        built["musl"] = released("musl")
    return built | also


def released(kind: str) -> Path:
    """The static build as it is released, with its section order."""
    words = [str(REPOSITORY / "packaging" / "build-static"), kind]
    built, path = run(words, dict(os.environ, CARGO_TARGET_DIR=str(TARGET))).split()
    assert built == kind, f"packaging/build-static built {built}"
    return Path(path)


def cargo_build(directory: Path, triple: str | None, flags: str | None) -> Path:
    """One release build. crt-static requires `--target`: procedural macros cannot be linked with it."""
    words = ["cargo", "build", "--release", "--bin", "zbx-tcp"] + (["--target", triple] if triple else [])
    environment = dict(os.environ, CARGO_TARGET_DIR=str(directory))
    if flags:
        environment["RUSTFLAGS"] = flags
    run(words, environment)
    return directory / (triple or "") / "release" / "zbx-tcp"


def with_symbols() -> Path:
    """The release build with symbols, for profiles."""
    environment = dict(os.environ, CARGO_TARGET_DIR=str(OUT / "symbols"), CARGO_PROFILE_RELEASE_STRIP="none")
    run(["cargo", "build", "--release", "--bin", "zbx-tcp"], environment)
    return OUT / "symbols" / "release" / "zbx-tcp"


def accuracy_program() -> Path:
    """The program of accuracy.rs."""
    return bench_program("accuracy")


def bench_program(name: str) -> Path:
    """The program of a [[bench]], at the path that Cargo reports."""
    words = ["cargo", "bench", "--bench", name, "--no-run", "--message-format=json"]
    for line in run(words, dict(os.environ, CARGO_TARGET_DIR=str(TARGET))).splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == name:
            return Path(message["executable"])
    sys.exit(f"tests/bench: cargo built no `{name}`: is it a [[bench]] of Cargo.toml?")


def floor(name: str, *, static: bool, compiler: str = "cc") -> Path:
    """A C program of floor/."""
    OUT.mkdir(parents=True, exist_ok=True)
    program = OUT / (f"{name}-static" if static else name)
    if compiler != "cc":
        program = program.with_name(f"{program.name}-{compiler}")
    words = [compiler, "-O2", "-Wall", "-Wextra", "-o", str(program), str(FLOOR / f"{name}.c")]
    run(words + (["-static"] if static else []))
    return program


def run(words: list[str], environment: dict[str, str] | None = None) -> str:
    """The standard output of a command that must succeed; its standard error is not captured."""
    try:
        return subprocess.run(words, env=environment, cwd=REPOSITORY, check=True, text=True, stdout=subprocess.PIPE).stdout
    except FileNotFoundError:
        sys.exit(f"tests/bench: `{words[0]}` is not installed")
    except subprocess.CalledProcessError as error:
        sys.exit(f"tests/bench: `{' '.join(words)}` ended with status {error.returncode}")
