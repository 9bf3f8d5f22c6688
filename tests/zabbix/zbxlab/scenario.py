"""How a scenario program starts and ends: options, release, the binary's installation, verdict, exit status."""

import argparse
import os
import sys
import traceback

from . import inside
from .errors import Unavailable
from .release import RELEASES
from .verdict import Verdict


def main(run, doc):
    """`run(release, binary, verdict)` does the checks; returns the exit status: 77 says that something is missing."""
    parser = argparse.ArgumentParser(description=doc.partition("\n")[0])
    parser.add_argument("--binary", required=True, help="the zbx-tcp to install")
    options = parser.parse_args()
    release = RELEASES.get(os.environ.get("ZBX_TCP_LAB"))
    if not release:
        sys.exit("run it inside the lab: tests/zabbix/lab exec 6.0 -- " + sys.argv[0])
    verdict = Verdict()
    try:
        inside.install(release, options.binary)
        run(release, options.binary, verdict)
    except Unavailable as reason:
        print(f"skipped: {reason}", flush=True)
        return verdict.summary() if verdict.failed else reason.status
    except Exception as error:
        traceback.print_exc()
        verdict.check(False, "the scenario runs to its end", error)
    return verdict.summary()
