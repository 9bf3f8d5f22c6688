"""What each Zabbix release of the lab is made of. Zabbix 7.0 (Debian trixie) gets its row here."""

from dataclasses import dataclass

# Raise it when the way a chroot is built changes, so that cached ones are built anew.
RECIPE = 2


@dataclass(frozen=True)
class Release:
    """One Zabbix release as one Debian suite packages it."""

    zabbix: str
    suite: str
    postgresql: str
    packages: tuple

    @property
    def postgresql_bin(self):
        """Directory of the database's programs, inside the chroot."""
        return f"/usr/lib/postgresql/{self.postgresql}/bin"

    @property
    def marker(self):
        """What a finished chroot says of itself; another text means it has to be built anew."""
        return f"recipe {RECIPE}, Zabbix {self.zabbix}, {self.suite}: {' '.join(self.packages)}\n"


RELEASES = {
    "6.0": Release(
        zabbix="6.0",
        suite="bookworm",
        postgresql="15",
        packages=(
            "postgresql-15",
            "zabbix-server-pgsql",
            "zabbix-frontend-php",
            # Named so that the frontend's "php" is satisfied without a web server.
            "php8.2-cli",
            "php-pgsql",
        ),
    ),
}
