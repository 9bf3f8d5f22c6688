"""The services of a lab: command, user, port and files of each."""

from dataclasses import dataclass, field

from . import conf
from .release import PROXY_PACKAGE

FRONTEND_PORT = 8080
DATABASE = "/var/lib/zbx-tcp-lab/postgresql"
CONF = "/etc/zabbix/lab"


@dataclass(frozen=True)
class Service:
    """A program of the chroot that stays in the foreground. `files`: text by path, written before it starts."""

    name: str
    user: str
    command: tuple
    port: int | None = None
    files: dict = field(default_factory=dict)
    env: dict = field(default_factory=dict)
    # Whether it may end and is started again: so an agent is restarted.
    restarts: bool = False


def database(release):
    """PostgreSQL, on a Unix socket only."""
    return Service("database", "postgres", (f"{release.postgresql_bin}/postgres", "-D", DATABASE))


def zabbix(release):
    """The services that need the database; each stage is started when the one before it listens."""
    first = (
        daemon("server", ("zabbix_server", "--foreground"), conf.SERVER_PORT, conf.server()),
        frontend(),
    )
    # These get their configuration from the server; if it does not answer at once, they retry after a minute.
    proxy = f"/opt/{PROXY_PACKAGE}/usr/sbin/zabbix_proxy"
    second = (
        daemon("proxy", (proxy, "--foreground"), conf.PROXY_PORT, conf.proxy(release)),
        agent("agentd", ("zabbix_agentd", "--foreground"), conf.agent("agentd", release)),
        agent("agent2", ("zabbix_agent2",), conf.agent2("agent2", release)),
    )
    return first, second


def daemon(name, command, port, text, restarts=False):
    path = f"{CONF}/{name}.conf"
    return Service(name, "zabbix", (*command, "--config", path), port, {path: text}, restarts=restarts)


def agent(name, command, text):
    return daemon(name, command, conf.AGENT_PORTS[name], text, restarts=True)


def frontend():
    """PHP's own web server; the frontend reads its database settings from a fixed path."""
    ini = f"{CONF}/php.ini"
    listen = f"127.0.0.1:{FRONTEND_PORT}"
    command = ("php", "-d", "log_errors=1", "-c", ini, "-S", listen, "-t", "/usr/share/zabbix")
    files = {ini: conf.PHP, "/etc/zabbix/zabbix.conf.php": conf.FRONTEND}
    return Service("frontend", "www-data", command, FRONTEND_PORT, files, {"PHP_CLI_SERVER_WORKERS": "4"})


def names(release):
    """The names of all services, and of their logs."""
    return [service.name for stage in ([database(release)], *zabbix(release)) for service in stage]
