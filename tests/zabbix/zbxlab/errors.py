"""Errors of the lab: each has a one-line message and an exit status."""


class LabError(Exception):
    """The lab failed."""

    status = 1


class Unavailable(LabError):
    """This machine lacks something that the lab needs: the tests are skipped."""

    status = 77
