"""The packages and settings of each Zabbix release of the lab."""

from dataclasses import dataclass

# Increase it when the build of a chroot changes, so that cached ones are rebuilt.
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
    # The name of the configuration interval in its zabbix_proxy.conf.
    proxy_config_frequency: str
    # The shortest RefreshActiveChecks of its agents, in seconds.
    active_refresh: int
    # Registers the active proxy at build time: an unknown one waits a minute before it retries.
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
        """The marker of a finished chroot; if it differs, the chroot is rebuilt."""
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
