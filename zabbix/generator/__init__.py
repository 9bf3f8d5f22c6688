"""Makes the template files of every Zabbix release, and their README pages, from one description."""
