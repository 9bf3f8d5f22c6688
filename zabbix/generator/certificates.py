"""Items and triggers of TLS, for ports and targets whose service has TLS: their names contain " TLS " or " Certificate ".

The facts change seldom, so unchanged values are stored once an hour. A port that is down has no new ones, and its problems are
suppressed.
"""

from .parts import heartbeat, macro, step, trigger

SERVICES = macro(
    "TCP.TLS.SERVICES",
    "^(tls|docker|dot|etcd|kubernetes|radsec|vault|https(_head)?|rediss|submissions|.+_(tls|starttls)|(amqp|ftp|imap|irc|ldap|mqtt|nntp|"
    "pop3|rtsp|sip|smtp|telnet|xmpp)s)$",
    "Regular expression for the names of services with TLS. Their ports and targets also have items for the certificate.",
)
MACROS = [
    SERVICES,
    macro("TCP.CERT.DAYS.WARN", "30", "A certificate with fewer days left is a warning, if also less than {$TCP.CERT.LIFE.WARN} "
          "of its lifetime is left. Context: as {$TCP.CONNECT.WARN}."),
    macro("TCP.CERT.DAYS.HIGH", "7", "The same as {$TCP.CERT.DAYS.WARN} for severity high, with {$TCP.CERT.LIFE.HIGH}."),
    macro("TCP.CERT.LIFE.WARN", "0.25", "A certificate with a smaller part of its lifetime left is a warning, if it also has fewer than "
          "{$TCP.CERT.DAYS.WARN} days left. Because of this limit, a new certificate that is valid for 6 days is no problem."),
    macro("TCP.CERT.LIFE.HIGH", "0.10", "The same as {$TCP.CERT.LIFE.WARN} for severity high, with {$TCP.CERT.DAYS.HIGH}."),
    macro("TCP.TLS.VERSION.OLD", "^(SSLv[23]|TLSv1([.][01])?)$", "Regular expression for TLS versions that are too old."),
]
PART = ": (Certificate|TLS) "
LIST = step("JAVASCRIPT", "return JSON.parse(value).join(', ');")
DAYS = step("JAVASCRIPT", "return Math.floor(10 * value) / 10;")
LIFE = step("JAVASCRIPT", "return Math.round(1000 * value) / 1000;")


def override(step_number):
    """The override that enables the prototypes of this file: a condition on the service, and the names."""
    kinds = ("ITEM_PROTOTYPE", "TRIGGER_PROTOTYPE")
    return {
        "name": "Services with TLS",
        "step": str(step_number),
        "filter": {"conditions": [{"macro": "{#TCP.SERVICE}", "value": "{$TCP.TLS.SERVICES}", "formulaid": "A"}]},
        "operations": [{"operationobject": kind, "operator": "REGEXP", "value": PART, "discover": "DISCOVER"} for kind in kinds],
    }


def items(results):
    """Ten items, which are not discovered unless the override selects them."""

    def text(name, member, description, *steps):
        return results.item(name, member, member, description, *steps, heartbeat("1h"), value_type="TEXT", component="security")

    return [
        results.item("Certificate days left", "tls.days_left", "tls.days_left", "Days until the certificate expires, negative after "
                     "that.", DAYS, heartbeat("1h"), value_type="FLOAT", component="security"),
        results.item("Certificate lifetime left", "tls.lifetime_left", "tls.lifetime_left", "Part of the certificate's lifetime that "
                     "is left, from 1 to 0.", LIFE, heartbeat("1h"), value_type="FLOAT", component="security"),
        results.item("Certificate end", "tls.not_after", "tls.not_after", "When the certificate expires.", heartbeat("1d"),
                     units="unixtime", component="security"),
        results.item("Certificate verified", "tls.verified", "tls.verified", "1 if the certificate was verified, 0 if a strict client "
                     "would refuse it.", heartbeat("1h"), component="security"),
        text("Certificate verification error", "tls.verify_error", "Why the certificate is not trusted; empty if it is."),
        text("Certificate faults", "tls.faults", "Everything that is wrong with the certificate, the worst first.", LIST),
        text("Certificate issuer", "tls.issuer", "Distinguished name of the issuer."),
        text("Certificate names", "tls.names", "DNS names and addresses for which the certificate is valid.", LIST),
        text("Certificate digest", "tls.sha256", "SHA-256 digest of the certificate: another value is another certificate."),
        text("TLS version", "tls.version", "Version of TLS that the server chose."),
        text("TLS addresses that disagree", "tls.other_addresses", "Addresses of the name that serve another certificate. There are "
             "only values if all addresses are probed.", LIST),
    ]


def triggers(problems, down):
    """`down`: what suppresses all but one."""
    return [
        soon := expires(problems, "High", "HIGH", [down]),
        expires(problems, "Warn", "WARNING", [soon, down]),
        untrusted(problems, [down]),
        older(problems, [down]),
        disagree(problems, [down]),
        old_version(problems, [down]),
        vanished(problems),
    ]


def expires(problems, level, severity, before):
    name = f"{problems.subject}: Certificate expires {'soon' if level == 'Warn' else 'very soon'}"
    days, life = problems.limit(f"TCP.CERT.DAYS.{level.upper()}"), f"{{$TCP.CERT.LIFE.{level.upper()}}}"
    return trigger(
        f"certificate {level.lower()}", name, severity,
        # An expired certificate is not trusted: another problem.
        f"last({problems.item('tls.days_left')})>=0\nand last({problems.item('tls.days_left')})<{days}\nand last({problems.item('tls.lifetime_left')})<{life}",
        "The certificate must be renewed. Both limits apply: days, and the part of its lifetime, since certificates are valid for six "
        "days or for ten years. Resolved when a renewed certificate is served.",
        event=f"{name} (in {problems.last('tls.days_left')} days)", opdata="Days left: {ITEM.LASTVALUE1}", after=before,
        scope="security",
    )


def untrusted(problems, before):
    name = f"{problems.subject}: Certificate is not trusted"
    return trigger(
        "certificate untrusted", name, "HIGH", f"max({problems.item('tls.verified')},#1)=0",
        "Clients that verify certificates refuse this one, for example because it expired. The name of the problem contains the reason.",
        event=f"{name}: {problems.last('tls.verify_error')}", opdata="Verified: {ITEM.LASTVALUE1}", manual=True, after=before,
        scope="security",
    )


def older(problems, before):
    name, end = f"{problems.subject}: Certificate is older than before", problems.item("tls.not_after")
    return trigger(
        "certificate older", name, "WARNING", f"count({end},#2)=2\nand last({end})<last({end},#2)",
        "The server served a certificate that expires earlier than the one before: a backend of a load balancer that was not renewed, "
        "or an old configuration. Resolved a day later, or when a newer certificate is served.",
        opdata="Expires: {ITEM.LASTVALUE1}", manual=True, after=before, scope="security",
    )


def disagree(problems, before):
    name = f"{problems.subject}: TLS addresses serve different certificates"
    return trigger(
        "certificate differs", name, "WARNING", f"length(last({problems.item('tls.other_addresses')}))>0",
        "Not all addresses of the name serve the same certificate.",
        event=f"{name}: {problems.last('tls.other_addresses')}", opdata="Others: {ITEM.LASTVALUE1}", manual=True, after=before,
        scope="security",
    )


def old_version(problems, before):
    name = f"{problems.subject}: TLS version is too old"
    return trigger(
        "tls old", name, "WARNING",
        f'find({problems.item("tls.version")},,"regexp","{{$TCP.TLS.VERSION.OLD}}")=1',
        "The server chose a version of TLS that matches {$TCP.TLS.VERSION.OLD}.",
        event=f"{name}: {problems.last('tls.version')}", opdata="Version: {ITEM.LASTVALUE1}", manual=True, after=before,
        scope="security",
    )


def vanished(problems):
    name = f"{problems.subject}: TLS is no longer offered"
    return trigger(
        "tls vanished", name, "HIGH",
        f'{problems.enough("status")}\nand {problems.of_the_last("status", "eq", "13")}={problems.all("status")}',
        "The server does not offer STARTTLS, or refuses it: clients that do not require TLS send their data, and passwords, "
        "without encryption. An attacker on the path may have removed the offer.",
        event=f"{name}: {problems.last('error')}", opdata="Current status: {ITEM.LASTVALUE1}", scope="security",
    )
