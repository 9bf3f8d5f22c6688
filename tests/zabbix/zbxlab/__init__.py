"""The Zabbix lab: a real Zabbix server, proxy, both agents, database and frontend in namespaces of their own.

Data flow: `release` describes a Zabbix release and `apt` the package sources of this machine; `build` makes a
chroot of both (once); `init` runs it as process 1 of a PID namespace, with the processes of `services` and their
configuration from `conf`; `lab` starts and stops that; `inside` accesses it; `lab_directory` is where it is.

For scenarios, which run inside the network namespace: `scenario`, `checks` and `expect` are the frame; `api`,
`hosts`, `status` and `templates` use Zabbix; `peers`, `scripted`, `firewall` and `names` are probed; `frontend` and
`page` show the frontend in a browser that `webdriver` drives.
"""
