"""The template files of the project, by Zabbix release.

    python3 -m zbxlab.templates RELEASE     (imports them; inside the lab's network)
"""

import sys

from .api import Api
from .lab_directory import REPOSITORY

OLDEST = "6.0"


def of(release):
    """The template files for this release."""
    own = sorted((REPOSITORY / "zabbix" / release).glob("*.yaml"))
    return own or sorted((REPOSITORY / "zabbix" / OLDEST).glob("*.yaml"))


def find(release, name):
    """One of them."""
    return next(path for path in of(release) if path.name == name)


def is_written_for(path, release):
    """Only then an export equals the file: 7.0 imports a 6.0 file and exports a 7.0 one."""
    return path.parent.name == release


def main(release):
    """Import every template."""
    api = Api()
    for path in of(release):
        api.import_template(path.read_text())
        print(path.relative_to(REPOSITORY))


if __name__ == "__main__":
    main(sys.argv[1])
