"""The value maps. A test compares the statuses with the program's table."""

from .parts import STATE, STATUS

STATUSES = (
    "ok resolve_failed resolve_timeout refused unreachable connect_timeout reset closed read_timeout mismatch "
    "rejected tls_failed tls_untrusted tls_refused denied local_error unexpectedly_open not_tried"
).split()


def value_maps():
    """Both, by name."""
    return {STATE: mappings(["Down", "Up", "Unknown"]), STATUS: mappings(STATUSES)}


def mappings(names):
    return [{"value": str(number), "newvalue": name} for number, name in enumerate(names)]
