"""The main function of a scenario: options, release, installation of the binary, checks, exit status."""

import argparse
import os
import sys
import traceback

from . import inside
from .errors import Unavailable
from .release import RELEASES
from .checks import Checks


def main(run, doc):
    """`run(release, binary, checks)` does the checks; returns the exit status, 77 if something is missing."""
    parser = argparse.ArgumentParser(description=doc.partition("\n")[0])
    parser.add_argument("--binary", required=True, help="the zbx-tcp to install")
    options = parser.parse_args()
    release = RELEASES.get(os.environ.get("ZBX_TCP_LAB"))
    if not release:
        sys.exit("run it inside the lab: tests/zabbix/lab exec 6.0 -- " + sys.argv[0])
    checks = Checks()
    try:
        inside.install(release, options.binary)
        run(release, options.binary, checks)
    except Unavailable as reason:
        print(f"skipped: {reason}", flush=True)
        return checks.summary() if checks.failed else reason.status
    except Exception as error:
        traceback.print_exc()
        checks.check(False, "the scenario runs to its end", error)
    return checks.summary()
