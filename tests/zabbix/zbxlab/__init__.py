"""The Zabbix lab: a real Zabbix server, proxy, both agents, database and frontend in namespaces of their own.

Data flow: `release` says what a Zabbix release needs, `apt` what this machine's package sources are,
`build` makes a chroot of both (once), `init` runs it as process 1 of a PID namespace (`services` says what is in
it, `conf` how it is configured), `lab` starts and ends that, `inside` reaches into it.

For scenarios, which run inside the network namespace: `scenario`, `verdict` and `expect` frame one; `api`, `hosts`,
`status` and `templates` are Zabbix's side; `peers`, `scripted`, `firewall` and `names` are what is probed; `frontend`
and `page` are what a person sees, in a browser driven by `webdriver`.
"""
