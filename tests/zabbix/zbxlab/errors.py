"""Why the lab stops. Each is one line for a person and one exit status for a script."""


class LabError(Exception):
    """The lab does not work, though it should."""

    status = 1


class Unavailable(LabError):
    """This machine lacks something the lab needs: a test runner counts a skip."""

    status = 77
