"""zabbix_sender in the lab: values of a batch, or given lines."""

import os
import subprocess
import sys

from zbxlab import conf, inside

SENDER = ("zabbix_sender", "-z", "127.0.0.1", "-p", str(conf.SERVER_PORT))


def batch(release, words: list[str], values: int) -> dict:
    """zbx-tcp batch -o sender | zabbix_sender: CPU seconds of each."""
    enter, pipe = inside.chroot(release), subprocess.PIPE
    probing = subprocess.Popen([*enter, "zbx-tcp", *words], stdout=pipe)
    sending = subprocess.Popen([*enter, *SENDER, "-T", "-N", "-i", "-"], stdin=probing.stdout, stdout=pipe, text=True)
    probing.stdout.close()
    said = sending.stdout.read()
    if f"total: {values}" not in said.rpartition("sent:")[2]:
        print(said, file=sys.stderr)
    return {"zbx-tcp": waited(probing), "zabbix_sender": waited(sending)}


def value(release, host: str, key: str, text: str) -> None:
    """One value with the current time."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    words = [*inside.chroot(release), *SENDER, "-i", "-"]
    subprocess.run(words, input=f'{host} {key} "{escaped}"\n', text=True, stdout=subprocess.PIPE, check=False)


def waited(process: subprocess.Popen) -> float:
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime
