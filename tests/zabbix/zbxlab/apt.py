"""The apt sources and transport settings of this machine, which are all that the lab downloads from."""

import re
import subprocess
from pathlib import Path

APT = Path("/etc/apt")

# How the machine reaches its mirror, without index targets, languages and the like.
TRANSPORT = re.compile(r"Acquire::(http|https|Retries|Check-Valid-Until|Check-Date|ForceIPv[46])\b", re.IGNORECASE)


def mirror():
    """URI of the main Debian archive in this machine's sources, or None."""
    for path in source_files():
        entries = deb822(path.read_text()) if path.suffix == ".sources" else one_line(path.read_text())
        for uri, suites, components in entries:
            # "bookworm" is the archive; "bookworm-security", "bookworm-updates" and "./" are not.
            archive = any(re.fullmatch(r"[a-z]+", suite) for suite in suites)
            if archive and "main" in components and re.match(r"https?://", uri):
                return uri.rstrip("/")
    return None


def settings():
    """Proxy, TLS and the like as lines of an apt.conf."""
    dump = apt_config("dump")
    return "".join(line + "\n" for line in dump.splitlines() if TRANSPORT.match(line))


def proxy(scheme):
    """The proxy apt uses for "http" or "https", or None."""
    found = re.search(rf'^Acquire::{scheme}::Proxy "([^"]+)"', apt_config("dump"), re.MULTILINE)
    return found.group(1) if found and found.group(1) != "DIRECT" else None


def files_to_mount():
    """Files that a download may need (logins, certificates), which are mounted into the chroot."""
    named = re.findall(r'::(?:CAInfo|SslCert|SslKey)\s+"(/[^"]+)"', settings(), re.IGNORECASE)
    usual = [APT / "auth.conf", APT / "auth.conf.d", "/etc/ssl/certs/ca-certificates.crt"]
    return [path for path in dict.fromkeys(map(Path, [*usual, *named])) if path.exists()]


def source_files():
    """Source files in the order apt reads them."""
    parts = sorted(p for p in (APT / "sources.list.d").glob("*") if p.suffix in (".list", ".sources"))
    return [p for p in [APT / "sources.list", *parts] if p.is_file()]


def one_line(text):
    """Entries (uri, suites, components) of a sources.list."""
    for line in text.splitlines():
        found = re.match(r"\s*deb\s+(?:\[[^]]*\]\s*)?(\S+)\s+(\S+)\s*([^#]*)", line)
        if found:
            yield found.group(1), [found.group(2)], found.group(3).split()


def deb822(text):
    """Entries (uri, suites, components) of a .sources file."""
    text = re.sub(r"(?m)^#.*\n?", "", text)
    for stanza in re.split(r"\n\s*\n", text):
        unfolded = re.sub(r"\n[ \t]+", " ", stanza)
        fields = {k.lower(): v.split() for k, v in re.findall(r"(?m)^([\w-]+):[ \t]*(.*)$", unfolded)}
        if "deb" in fields.get("types", []) and fields.get("enabled") != ["no"]:
            for uri in fields.get("uris", []):
                yield uri, fields.get("suites", []), fields.get("components", [])


def apt_config(*arguments):
    return subprocess.run(["apt-config", *arguments], capture_output=True, text=True, check=True).stdout
