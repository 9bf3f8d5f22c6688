"""Certificates for scenarios, and services that speak TLS with them.

    authority = Authority(); authority.is_trusted(release)
    service = Service(over(authority.context("fresh", 30, 60)))     # began 30 days ago, ends in 60
"""

import datetime
import ipaddress
import ssl
import tempfile
from pathlib import Path

from . import inside
from .errors import Unavailable
from .scripted import answering

ROOTS = "/etc/ssl/certs/ca-certificates.crt"
ANSWER = b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"


class Authority:
    """A certificate authority of the scenario, and certificates of any age. Needs Python's cryptography."""

    def __init__(self):
        try:
            from cryptography import x509
            from cryptography.hazmat.primitives import hashes, serialization
            from cryptography.hazmat.primitives.asymmetric import ec
        except ImportError:
            raise Unavailable("the scenario needs Python's cryptography (Debian: python3-cryptography)") from None
        self.x509, self.hashes, self.ser, self.ec = x509, hashes, serialization, ec
        self.directory = Path(tempfile.mkdtemp(prefix="zbx-tcp-certificates-"))
        self.key, self.root = self.new_key(), None
        self.root = self.made("Lab root", self.key.public_key(), -365, 365, authority=True)

    def new_key(self):
        return self.ec.generate_private_key(self.ec.SECP256R1())

    def name(self, text):
        return self.x509.Name([self.x509.NameAttribute(self.x509.NameOID.COMMON_NAME, text)])

    def made(self, subject, public, begin, end, authority=False, key=None):
        now = datetime.datetime.now(datetime.timezone.utc)
        issuer = self.name("Lab root") if key is None else self.name(subject)
        builder = self.x509.CertificateBuilder().subject_name(self.name(subject)).issuer_name(issuer).public_key(public)
        builder = builder.serial_number(self.x509.random_serial_number())
        builder = builder.not_valid_before(now + datetime.timedelta(days=begin)).not_valid_after(now + datetime.timedelta(days=end))
        builder = builder.add_extension(self.x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        if not authority:
            address = self.x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
            builder = builder.add_extension(self.x509.SubjectAlternativeName([address]), critical=False)
        return builder.sign(key or self.key, self.hashes.SHA256())

    def context(self, name, begin, end, trusted=True):
        """A server's TLS with a certificate that began and ends this number of days from now."""
        key = self.new_key()
        certificate = self.made(name, key.public_key(), -begin, end, key=None if trusted else key)
        path = self.directory / f"{name}.pem"
        form = (self.ser.Encoding.PEM, self.ser.PrivateFormat.PKCS8, self.ser.NoEncryption())
        path.write_bytes(key.private_bytes(*form) + certificate.public_bytes(self.ser.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def is_trusted(self, release):
        """Adds the root to those of the lab's machine."""
        roots = inside.seen(release, ROOTS)
        known = roots.read_text() if roots.exists() else ""
        roots.write_text(known + self.root.public_bytes(self.ser.Encoding.PEM).decode())


def over(context):
    """Answers a request over TLS."""

    def behave(client):
        with context.wrap_socket(client, server_side=True) as encrypted:
            answering(ANSWER)(encrypted)

    return behave
