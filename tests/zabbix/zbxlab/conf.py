"""Configuration files of Zabbix's parts in the lab. No package's own file is read."""

import os

from .lab_directory import EXTERNAL_SCRIPTS

SERVER_PORT = 10051
# Also the proxy's name in the API.
PROXY, PROXY_PORT = "proxy", 10061
# By the name of the agent, which is also the name of the host with its active items.
AGENT_PORTS = {"agentd": 10050, "agent2": 10052}
AGENT_DROP_INS = {"agentd": "/etc/zabbix/zabbix_agentd.conf.d", "agent2": "/etc/zabbix/zabbix_agent2.d"}

SERVER = f"""LogType=console
# Empty, not absent: the Unix socket.
DBHost=
DBName=zabbix
DBUser=zabbix
SocketDir=/run/zabbix
PidFile=/run/zabbix/server.pid
ListenPort={SERVER_PORT}
ExternalScripts={EXTERNAL_SCRIPTS}
# The shortest Timeout Zabbix has by default: a check that needs more shows here.
Timeout=3
CacheUpdateFrequency=1
StartPollers=20
StartPingers=0
StartDiscoverers=0
StartHTTPPollers=0
StartTrappers=4
HousekeepingFrequency=0
"""

PROXY_COMMON = f"""LogType=console
Server=127.0.0.1:{SERVER_PORT}
Hostname={PROXY}
ListenPort={PROXY_PORT}
# It makes this file itself.
DBName=/run/zabbix-proxy/proxy.db
SocketDir=/run/zabbix-proxy
PidFile=/run/zabbix-proxy/proxy.pid
ExternalScripts={EXTERNAL_SCRIPTS}
Timeout=3
DataSenderFrequency=1
StartPollers=10
StartPingers=0
StartDiscoverers=0
StartHTTPPollers=0
StartTrappers=2
HousekeepingFrequency=0
"""

FRONTEND = f"""<?php
$DB = ['TYPE' => 'POSTGRESQL', 'SERVER' => '', 'PORT' => '0', 'DATABASE' => 'zabbix', 'USER' => 'zabbix',
    'PASSWORD' => '', 'SCHEMA' => '', 'ENCRYPTION' => false, 'DOUBLE_IEEE754' => true];
$ZBX_SERVER = '127.0.0.1';
$ZBX_SERVER_PORT = '{SERVER_PORT}';
$ZBX_SERVER_NAME = 'zbx-tcp lab';
$IMAGE_FORMAT_DEFAULT = IMAGE_FORMAT_PNG;
"""

PHP = """max_execution_time=300
max_input_time=300
post_max_size=16M
memory_limit=256M
date.timezone=UTC
"""


def server():
    """ZBX_TCP_LAB_SERVER_CONF may hold further lines: of a repeated parameter the server takes the last."""
    return SERVER + os.environ.get("ZBX_TCP_LAB_SERVER_CONF", "")


def proxy(release):
    """An active proxy: it asks the server for its configuration every second."""
    return f"{PROXY_COMMON}{release.proxy_config_frequency}=1\n"


def agent(name, release):
    """The common part of both agents; Timeout and UnsafeUserParameters have their defaults, 3 and 0."""
    return f"""LogType=console
Hostname={name}
Server=127.0.0.1
ServerActive=127.0.0.1:{SERVER_PORT}
ListenIP=127.0.0.1
ListenPort={AGENT_PORTS[name]}
RefreshActiveChecks={release.active_refresh}
BufferSend=1
PidFile=/run/zabbix/{name}.pid
Include={AGENT_DROP_INS[name]}/*.conf
"""


def agent2(name, release):
    """Agent 2 has sockets of its own."""
    sockets = "ControlSocket=/run/zabbix/agent2.sock\nPluginSocket=/run/zabbix/agent2.plugin.sock\n"
    return agent(name, release) + sockets
