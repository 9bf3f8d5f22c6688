"""What each Zabbix release of the lab is made of."""

from dataclasses import dataclass

# Raise it when the way a chroot is built changes, so that cached ones are built anew.
RECIPE = 7

# Its package conflicts with the server's, so it is unpacked into a directory of its own.
PROXY_PACKAGE = "zabbix-proxy-sqlite3"


@dataclass(frozen=True)
class Release:
    """One Zabbix release as one Debian suite packages it."""

    zabbix: str
    suite: str
    postgresql: str
    php: str
    # How its zabbix_proxy.conf calls the interval at which the proxy asks for its configuration.
    proxy_config_frequency: str
    # The shortest RefreshActiveChecks of its agents, in seconds.
    active_refresh: int
    # Makes the active proxy known under its name. At build time: one that is unknown at first waits a minute.
    proxy_sql: str
    # Where zabbix_sender is, if not with the agent.
    more_packages: tuple = ()

    @property
    def postgresql_bin(self):
        """Directory of the database's programs, inside the chroot."""
        return f"/usr/lib/postgresql/{self.postgresql}/bin"

    @property
    def packages(self):
        """What apt installs into the chroot."""
        return (
            f"postgresql-{self.postgresql}",
            # It has zabbix_get, too.
            "zabbix-server-pgsql",
            "zabbix-agent",
            "zabbix-agent2",
            "zabbix-frontend-php",
            # Named so that the frontend's "php" is satisfied without a web server.
            f"php{self.php}-cli",
            "php-pgsql",
            *self.more_packages,
        )

    @property
    def marker(self):
        """What a finished chroot says of itself; another text means it has to be built anew."""
        return f"recipe {RECIPE}, Zabbix {self.zabbix}, {self.suite}: {' '.join(self.packages)}\n"

    def __str__(self):
        return f"Zabbix {self.zabbix}"


RELEASES = {
    release.zabbix: release
    for release in (
        Release(
            "6.0",
            "bookworm",
            postgresql="15",
            php="8.2",
            proxy_config_frequency="ConfigFrequency",
            active_refresh=60,
            proxy_sql="INSERT INTO hosts (hostid, host, status) SELECT max(hostid) + 1, 'proxy', 5 FROM hosts",
        ),
        Release(
            "7.0",
            "trixie",
            postgresql="17",
            php="8.4",
            proxy_config_frequency="ProxyConfigFrequency",
            active_refresh=1,
            proxy_sql="INSERT INTO proxy (proxyid, name, operating_mode) VALUES (1, 'proxy', 0);"
            " INSERT INTO proxy_rtdata (proxyid) VALUES (1)",
            more_packages=("zabbix-sender",),
        ),
    )
}
