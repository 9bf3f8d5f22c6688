# Sourced by the cases. shellcheck shell=bash

# is WHAT EXPECTED ACTUAL
is() {
    [ "$2" = "$3" ] && return
    echo "$1: expected"
    echo "$2"
    echo "actual"
    echo "$3"
    exit 1
}

# has WHAT PART TEXT
has() {
    [[ $3 == *"$2"* ]] && return
    echo "$1: no \`$2\` in: $3"
    exit 1
}

skipped() { echo "SKIPPED $1"; }

# All files except the state of dpkg and apt, and those of the case itself.
everything() {
    find / -xdev \( -path /proc -o -path /tmp -o -path /var/lib/dpkg -o -path /var/log -o -path /var/cache \) -prune \
        -o -printf '%M %u:%g %p %l\n' | grep -v ' /var/lib$' | sort
}

# as USER COMMAND...: runs it with the groups of the user and a clean environment, like a daemon.
as() {
    local user=$1
    shift
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups "$@"
}

# serve: starts a server on loopback that sends a greeting, and sets $port.
serve() {
    zbx-tcp serve 127.0.0.1:0 --greeting '220 ready\r\n' >/tmp/serve.log &
    wait_for grep -q '^listening on' /tmp/serve.log
    port=$(sed -n 's/^listening on 127.0.0.1://p' /tmp/serve.log)
}

# wait_for COMMAND...: repeats it until it succeeds, for at most 10 seconds.
wait_for() {
    local tries=0
    until "$@" >/tmp/wait_for 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || { echo "timed out: $*"; cat /tmp/wait_for; exit 1; }
        sleep 0.1
    done
}

DEB=$(echo /tmp/packages/*.deb)
TARBALL=$(echo /tmp/packages/*.tar.gz)
SAMPLE=/etc/zbx-tcp/config.toml.sample
owner() { stat -c %U:%G:%a "$1"; }
