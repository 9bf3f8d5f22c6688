"""Certificates, and the servers of the TLS part: nginx, and sockets that accept without an answer."""

import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import network
from runner import ENVIRONMENT

NAME, WILDCARD = "www.bench.example", "*.bench.example"
SYSTEM_ROOTS = Path("/etc/ssl/certs/ca-certificates.crt")
KEYS = {"RSA-2048": ["rsa:2048"], "P-256": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]}
PORTS = {"RSA-2048": 4431, "P-256": 4432}
# This server speaks TLS 1.0 only.
OLD_PORT, SILENT_PORT = 4433, 4434
NGINX = """
daemon off;
worker_processes 2;
pid {directory}/nginx.pid;
error_log {directory}/nginx.log crit;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  ssl_session_cache off;
  {servers}
}}
"""
SERVER = """
  server {{
    listen 0.0.0.0:{port} ssl backlog=4096;
    ssl_certificate {directory}/{key}.chain.pem;
    ssl_certificate_key {directory}/{key}.key;
    ssl_protocols {versions};
    {more}
    location / {{ return 200 "ok\\n"; }}
  }}
"""


@dataclass(frozen=True)
class Certificates:
    """Root, intermediate and server certificate of each key type; `bundle` has the system's roots and ours."""

    directory: Path
    bundle: Path
    roots: int

    def pin(self, key: str) -> str:
        """The digest of the server's public key, as `--pin-sha256` takes it."""
        words = ["openssl", "pkey", "-in", str(self.directory / f"{key}.key"), "-pubout", "-outform", "DER"]
        public = subprocess.run(words, check=True, capture_output=True).stdout
        words = ["openssl", "dgst", "-sha256", "-r"]
        return subprocess.run(words, input=public, check=True, capture_output=True).stdout.split()[0].decode("ascii")


def certificates(directory: Path) -> Certificates:
    """Makes them anew, so that none is expired."""
    if not shutil.which("openssl"):
        raise network.CannotRun("`openssl`")
    if not SYSTEM_ROOTS.exists():
        raise network.CannotRun(f"{SYSTEM_ROOTS} (package ca-certificates)")
    bundle = SYSTEM_ROOTS.read_text(encoding="ascii")
    for key, kind in KEYS.items():
        root, middle, leaf = (directory / f"{key}.{what}" for what in ("root", "middle", "leaf"))
        issue(root, kind, f"/CN=bench root {key}", None, "CA:TRUE")
        issue(middle, kind, f"/CN=bench issuer {key}", root, "CA:TRUE,pathlen:0")
        issue(leaf, kind, f"/CN={NAME}", middle, "CA:FALSE")
        text = {path: Path(f"{path}.pem").read_text(encoding="ascii") for path in (root, middle, leaf)}
        (directory / f"{key}.chain.pem").write_text(text[leaf] + text[middle], encoding="ascii")
        shutil.copy(f"{leaf}.key", directory / f"{key}.key")
        bundle += text[root]
    path = directory / "bundle.pem"
    path.write_text(bundle, encoding="ascii")
    return Certificates(directory, path, bundle.count("BEGIN CERTIFICATE"))


def issue(path: Path, kind: list[str], subject: str, issuer: Path | None, basic: str) -> None:
    """PATH.pem and PATH.key; signed by itself if there is no issuer."""
    words = ["openssl", "req", "-x509", "-newkey", *kind, "-nodes", "-days", "30", "-subj", subject]
    words += ["-keyout", f"{path}.key", "-out", f"{path}.pem", "-addext", f"basicConstraints=critical,{basic}"]
    if basic == "CA:FALSE":
        words += ["-addext", f"subjectAltName=DNS:{NAME},DNS:{WILDCARD}", "-addext", "extendedKeyUsage=serverAuth"]
    else:
        words += ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    if issuer:
        words += ["-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key"]
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise SystemExit(f"tests/bench: `{' '.join(words)}`: {ran.stderr}")


class Nginx:
    """A server for each key type, and one for TLS 1.0."""

    def __init__(self, directory: Path):
        program = shutil.which("nginx", path=ENVIRONMENT["PATH"] + ":/usr/sbin")
        if not program:
            raise network.CannotRun("`nginx`")
        both = {"directory": directory, "versions": "TLSv1.2 TLSv1.3", "more": ""}
        servers = "".join(SERVER.format(port=port, key=key, **both) for key, port in PORTS.items())
        old = {"versions": "TLSv1", "more": "ssl_ciphers ALL:@SECLEVEL=0;"}
        servers += SERVER.format(directory=directory, port=OLD_PORT, key="RSA-2048", **old)
        config = directory / "nginx.conf"
        config.write_text(NGINX.format(directory=directory, servers=servers), encoding="ascii")
        words = [program, "-c", str(config), "-p", str(directory), "-e", str(directory / "nginx.log")]
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, preexec_fn=network.dies_with_us)
        for port in (*PORTS.values(), OLD_PORT):
            wait_for(port)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()


def wait_for(port: int) -> None:
    until = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError as error:
            if time.monotonic() > until:
                raise SystemExit(f"tests/bench: nothing listens on port {port}: {error}") from error
            time.sleep(0.05)


def silent() -> socket.socket:
    """A socket that the kernel accepts connections for; nobody reads them."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", SILENT_PORT))
    listener.listen(4096)
    return listener
