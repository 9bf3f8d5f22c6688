# Inside the chroot: fetch and install the packages, then make a database with the Zabbix schema.
# Arguments: download | install, directory of PostgreSQL's programs, package that is only unpacked, SQL that makes the
# proxy known, packages.

step=$1 postgresql_bin=$2 unpacked=$3 proxy_sql=$4
shift 4

if [ "$step" = download ]; then
    apt-get update
    apt-get install --yes --download-only "$@"
    cd /var/cache/apt/archives
    apt-get download "$unpacked"
    exit
fi

apt-get install --yes --no-download "$@"
# Its libraries are those of the server and of agent 2.
dpkg-deb --extract /var/cache/apt/archives/"$unpacked"_*.deb "/opt/$unpacked"
apt-get clean
rm -rf /var/lib/apt/lists/*

# The frontend wants its default language to be known to the system; the language itself is English like C.
ln -s C.utf8 /usr/lib/locale/en_US.utf8
ln -s C.utf8 /usr/lib/locale/en_GB.utf8

# Nobody is asked beyond the lab: names that do not resolve fail at once.
echo 'nameserver 127.0.0.1' >/etc/resolv.conf
printf '127.0.0.1 localhost\n::1 localhost\n' >/etc/hosts
echo zabbix-lab >/etc/hostname

data=/var/lib/zbx-tcp-lab/postgresql
install -d -o postgres -g postgres -m 700 "$data" /run/postgresql
as_postgres() { setpriv --reuid postgres --regid postgres --clear-groups "$@"; }
sql() { as_postgres psql --quiet --set ON_ERROR_STOP=1 "$@" >/dev/null; }

as_postgres "$postgresql_bin/initdb" --auth trust --encoding UTF8 --no-locale --no-sync --pgdata "$data"
cat >>"$data/postgresql.conf" <<'CONF'
# A database that is thrown away: fast, not durable.
listen_addresses = ''
unix_socket_directories = '/run/postgresql'
fsync = off
synchronous_commit = off
full_page_writes = off
shared_buffers = 32MB
max_wal_size = 128MB
autovacuum = off
CONF
as_postgres "$postgresql_bin/pg_ctl" --pgdata "$data" --wait start

sql --command 'CREATE ROLE zabbix LOGIN'
sql --command 'CREATE DATABASE zabbix OWNER zabbix TEMPLATE template0 ENCODING UTF8'
for part in schema images data; do
    zcat "/usr/share/zabbix-server-pgsql/$part.sql.gz" | sql --username zabbix --dbname zabbix
done
# The host "Zabbix server" has an agent that is not here.
sql --username zabbix --dbname zabbix --command "UPDATE hosts SET status = 1 WHERE host = 'Zabbix server'"
sql --username zabbix --dbname zabbix --command "$proxy_sql"
# A server that has never deleted anything makes this row at its first deletion. When two of its processes do so at once,
# the second fails, and what discovery has lost stays until the next list arrives.
housekeeper="INSERT INTO ids (table_name, field_name, nextid) VALUES ('housekeeper', 'housekeeperid', 0)"
sql --username zabbix --dbname zabbix --command "$housekeeper"

# Without statistics the frontend's queries take seconds, and autovacuum is off.
sql --username postgres --dbname zabbix --command 'VACUUM ANALYZE'

as_postgres "$postgresql_bin/pg_ctl" --pgdata "$data" --wait --mode fast stop
