"""The Zabbix lab: a real Zabbix server, database and frontend in namespaces of their own.

Data flow: `release` says what a Zabbix release needs, `apt` what this machine's package sources are,
`build` makes a chroot of both (once), `init` runs it as process 1 of a PID namespace, `lab` starts and ends that.
`api`, `hosts`, `peers` and `verdict` are for scenarios, which run inside the network namespace.
"""
