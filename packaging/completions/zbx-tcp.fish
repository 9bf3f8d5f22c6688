# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_zbx_tcp_global_optspecs
    string join \n h/help V/version
end

function __fish_zbx_tcp_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_zbx_tcp_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_zbx_tcp_using_subcommand
    set -l cmd (__fish_zbx_tcp_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c zbx-tcp -n "__fish_zbx_tcp_needs_command" -s h -l help -d 'Print help'
complete -c zbx-tcp -n "__fish_zbx_tcp_needs_command" -s V -l version -d 'Print version'
complete -c zbx-tcp -n "__fish_zbx_tcp_needs_command" -f -a "check" -d 'Probe one target and print a value, a document or a report'
complete -c zbx-tcp -n "__fish_zbx_tcp_needs_command" -f -a "batch" -d 'Probe many targets in one run and print a document, lines or a table'
complete -c zbx-tcp -n "__fish_zbx_tcp_needs_command" -f -a "discover" -d 'Print rows for Zabbix low-level discovery, as one line of JSON'
complete -c zbx-tcp -n "__fish_zbx_tcp_needs_command" -f -a "watch" -d 'Probe one or a few targets again and again, and show outages, loss and times'
complete -c zbx-tcp -n "__fish_zbx_tcp_needs_command" -f -a "path" -d 'Show where on the way to a port the packets end, hop by hop'
complete -c zbx-tcp -n "__fish_zbx_tcp_needs_command" -f -a "serve" -d 'Run a small TCP server, to test a network path or a check'
complete -c zbx-tcp -n "__fish_zbx_tcp_needs_command" -f -a "services" -d 'List named services, validate the configuration (--check), or check a target against the policy (--policy)'
complete -c zbx-tcp -n "__fish_zbx_tcp_needs_command" -f -a "doctor" -d 'Check how zbx-tcp is set up on this machine. Nothing is changed, and nothing is sent'
complete -c zbx-tcp -n "__fish_zbx_tcp_needs_command" -f -a "demo" -d 'Show each kind of result with test servers on loopback'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -s o -l output -d 'What to print: `up`, `status`, `error` or another metric, `json`, or `text` [default: text on a terminal, otherwise up]' -r -f -a "text\t''
json\t''
schema\t''
id\t''
name\t''
host\t''
port\t''
service\t''
up\t''
state\t''
status\t''
status_name\t''
error\t''
step\t''
address\t''
family\t''
source\t''
addresses_total\t''
addresses_failed\t''
addresses_error\t''
time.total\t''
time.resolve\t''
time.connect\t''
time.tls\t''
time.first_byte\t''
time.dialogue\t''
tcp.rtt\t''
tcp.rttvar\t''
tcp.syn_retransmits\t''
tcp.mss\t''
tcp.bytes_acked\t''
tcp.retransmits\t''
tls.how\t''
tls.proved\t''
tls.version\t''
tls.cipher\t''
tls.group\t''
tls.alpn\t''
tls.verified\t''
tls.verify_error\t''
tls.faults\t''
tls.subject\t''
tls.issuer\t''
tls.names\t''
tls.names_omitted\t''
tls.serial\t''
tls.sha256\t''
tls.spki_sha256\t''
tls.key\t''
tls.signature\t''
tls.not_before\t''
tls.not_after\t''
tls.days_left\t''
tls.lifetime_left\t''
tls.chain_days_left\t''
tls.chain\t''
tls.chain_omitted\t''
tls.client_cert\t''
tls.staple\t''
tls.roots\t''
tls.oldest\t''
tls.pq\t''
tls.other_addresses\t''
icmp.type\t''
icmp.code\t''
icmp.from\t''
path.hops\t''
path.last_hop\t''
path.last\t''
path.reached\t''
response.bytes\t''
response.text\t''
response.hex\t''
attempts.sent\t''
attempts.ok\t''
attempts.loss\t''
attempts.min\t''
attempts.avg\t''
attempts.max\t''
attempts.stddev\t''"
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -s t -l timeout -d 'Deadline of the probe: `2.5s`, `800ms` or a number of seconds [default: 2.5s]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l family -d 'Use only this address family, `4` or `6`: the same as -4 or -6, but the value can be empty' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l source -d 'Connect from this local address' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l source-port -d 'Connect from this local port. After the check, the kernel blocks the port for this target for a minute, except with --close rst' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l interface -d 'Connect through this network interface' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l resolver -d 'Resolver: `stub` (built-in), or `system` (nsswitch; not available in static builds) [default: stub]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l config -d 'Configuration file [default: $ZBX_TCP_CONFIG, otherwise /etc/zbx-tcp/config.toml and conf.d/*.toml]' -r -F
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -s s -l service -d 'Use the port and the dialogue of this named service; `zbx-tcp services` lists all services' -r -f -a "amqp\t''
amqps\t''
dns\t''
docker\t''
dot\t''
elasticsearch\t''
elasticsearch_tls\t''
etcd\t''
finger\t''
ftp\t''
ftp_starttls\t''
ftps\t''
http\t''
http_head\t''
https\t''
https_head\t''
imap\t''
imap_starttls\t''
imaps\t''
irc\t''
irc_starttls\t''
ircs\t''
kafka\t''
kafka_tls\t''
kubernetes\t''
ldap\t''
ldap_starttls\t''
ldaps\t''
lmtp\t''
lmtp_starttls\t''
memcached\t''
memcached_tls\t''
mongodb\t''
mongodb_tls\t''
mqtt\t''
mqtts\t''
mysql\t''
mysql_login\t''
mysql_starttls\t''
mysql_tls\t''
nntp\t''
nntp_starttls\t''
nntps\t''
pop\t''
pop3\t''
pop3_starttls\t''
pop3s\t''
pop_starttls\t''
postgres\t''
postgres_starttls\t''
postgres_startup\t''
postgres_tls\t''
radsec\t''
rdp\t''
rdp_starttls\t''
rdp_tls\t''
redis\t''
rediss\t''
rtsp\t''
rtsps\t''
sieve\t''
sieve_starttls\t''
sip\t''
sips\t''
smtp\t''
smtp_starttls\t''
smtps\t''
ssh\t''
submission\t''
submission_starttls\t''
submissions\t''
syslog_tls\t''
tcp\t''
telnet\t''
telnet_starttls\t''
telnets\t''
tls\t''
vault\t''
vnc\t''
whois\t''
xmpp\t''
xmpp-server\t''
xmpp-server_starttls\t''
xmpp_starttls\t''
xmpps\t''
zabbix_agent\t''
zabbix_agent_tls\t''
zabbix_server\t''
zabbix_server_tls\t''
zookeeper\t''
zookeeper_tls\t''"
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l addresses -d 'Which addresses of a name must be up: `any` (tried in order), `first` or `all` [default: any]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -s n -l count -d 'Connect N times within the deadline to measure loss and connect times' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -s i -l interval -d 'Time between the starts of consecutive attempts; requires --count [default: 0.2s]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l require -d 'Number of attempts that must succeed; requires --count [default: 1]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l starttls -d 'Start TLS by the STARTTLS dialogue of this protocol, such as smtp, imap, ldap or postgres, and verify the certificate' -r -f -a "ftp\t''
imap\t''
irc\t''
ldap\t''
lmtp\t''
mysql\t''
nntp\t''
pop3\t''
pop\t''
postgres\t''
rdp\t''
sieve\t''
smtp\t''
submission\t''
telnet\t''
xmpp-server\t''
xmpp\t''"
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l sni -d 'Host name that is sent to the server (SNI) and that the certificate must match [default: the host]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l alpn -d 'Offer these application protocols, such as `h2,http/1.1`' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l ca-file -d 'Trust only the certificates of this PEM file [default: the trust store of the system]' -r -F
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l client-cert -d 'PEM file with the client certificate and its chain' -r -F
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l client-key -d 'PEM file with the private key of the client certificate [default: the file of --client-cert]' -r -F
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l pin-sha256 -d 'Trust a certificate by the SHA-256 digest of its public key, in base64 or hex, instead of its issuer; can be repeated' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l tls-min -d 'Oldest version that is accepted: `1.2` or `1.3`; `1.0` and `1.1` require --tls-legacy [default: 1.2]' -r -f -a "1.0\t''
1.1\t''
1.2\t''
1.3\t''"
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l send -d 'Send this text; escapes: \\r \\n \\t \\0 \\\\ \\xHH; ${name} inserts a capture; ${host}, ${port} and ${address} insert parts of the target' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l send-hex -d 'Send these bytes, in hex: `16 03:01`' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l expect -d 'Expect this text, anywhere in the received data' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l expect-prefix -d 'Expect this text at the start of the received data' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l expect-regex -d 'Expect a match of this regular expression; (?<name>...) is a capture' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l expect-hex -d 'Expect these bytes, in hex; ?? matches any byte' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l reject -d 'Fail the --expect options after this one if this text is received' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l reject-regex -d 'Fail the --expect options after this one if this regular expression matches' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l reject-hex -d 'Fail the --expect options after this one if these bytes are received' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l expect-silence -d 'Expect that the peer sends nothing and does not close the connection for this time' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l quit -d 'Send this text before closing the connection, if it is the client\'s turn' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l encoding -d 'Encoding of sent and received text: a WHATWG label such as gbk [default: utf-8]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l max-bytes -d 'Fail if N bytes are received without a match [default: 262144]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l close -d 'How to close the connection: `fin` (gracefully) or `rst` (reset) [default: fin]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l expect-closed -d 'Expect a closed port: up if it refuses connections; with `=filtered`, also if it does not answer' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l path -d 'If the target does not answer, find out how far the packets get: `on` or `off` [default: on for a report on a terminal]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -s 4 -d 'Use IPv4 only'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -s 6 -d 'Use IPv6 only'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l tls -d 'Start TLS directly after the connect, and verify the certificate'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l tls-report-only -d 'Report an untrusted certificate, but do not fail because of it'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l tls-legacy -d 'Accept servers that are too old to prove that they have the key of their certificate, such as appliances with TLS 1.0; dates, name and trust are still verified'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l expect-client-cert -d 'Fail unless the server requires a client certificate'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l tls-scan -d 'Also find the oldest version that the server supports, and whether it prefers a post-quantum group, with at most four more connections'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l crlf -d 'Append CR LF to every text that is sent'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -s v -l verbose -d 'Print each step on standard error; requires -o text'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -s g -l group -d 'Probe the targets of this group of the configuration; can be repeated' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -s o -l output -d 'Output format: `json`, `ndjson` (one line when a probe ends), `sender` (for zabbix_sender -T -N -i -) or `text` [default: json]' -r -f -a "text\t''
json\t''
schema\t''
id\t''
name\t''
host\t''
port\t''
service\t''
up\t''
state\t''
status\t''
status_name\t''
error\t''
step\t''
address\t''
family\t''
source\t''
addresses_total\t''
addresses_failed\t''
addresses_error\t''
time.total\t''
time.resolve\t''
time.connect\t''
time.tls\t''
time.first_byte\t''
time.dialogue\t''
tcp.rtt\t''
tcp.rttvar\t''
tcp.syn_retransmits\t''
tcp.mss\t''
tcp.bytes_acked\t''
tcp.retransmits\t''
tls.how\t''
tls.proved\t''
tls.version\t''
tls.cipher\t''
tls.group\t''
tls.alpn\t''
tls.verified\t''
tls.verify_error\t''
tls.faults\t''
tls.subject\t''
tls.issuer\t''
tls.names\t''
tls.names_omitted\t''
tls.serial\t''
tls.sha256\t''
tls.spki_sha256\t''
tls.key\t''
tls.signature\t''
tls.not_before\t''
tls.not_after\t''
tls.days_left\t''
tls.lifetime_left\t''
tls.chain_days_left\t''
tls.chain\t''
tls.chain_omitted\t''
tls.client_cert\t''
tls.staple\t''
tls.roots\t''
tls.oldest\t''
tls.pq\t''
tls.other_addresses\t''
icmp.type\t''
icmp.code\t''
icmp.from\t''
path.hops\t''
path.last_hop\t''
path.last\t''
path.reached\t''
response.bytes\t''
response.text\t''
response.hex\t''
attempts.sent\t''
attempts.ok\t''
attempts.loss\t''
attempts.min\t''
attempts.avg\t''
attempts.max\t''
attempts.stddev\t''"
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l metrics -d 'Metrics for -o sender, separated by commas; `captures.NAME` is allowed [default: up,status,time.connect,time.total,tcp.rtt,tcp.syn_retransmits]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l zabbix-host -d 'Zabbix host for targets without one, for -o sender [default: -]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l sender-key -d 'Item key for -o sender; ID and METRIC are replaced [default: `tcp.target[ID,METRIC]`]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l max-output -d 'Print fewer details if the document would not be shorter than SIZE, such as `512K` for Zabbix 6.0 or `16M` for 7.0; `summary.shortened` lists what was left out [default: `max_output` of the configuration, otherwise no limit]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l deadline -d 'Deadline of the run; unfinished targets have the status `not_tried` [default: 2.5s]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l concurrency -d 'Maximum number of probes in flight [default: as many as descriptors and ports allow]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l rate -d 'Maximum number of connects per second [default: no limit]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l per-host -d 'Maximum number of probes in flight per address; 0 means no limit [default: 16]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l threads -d 'Number of threads, each with its own descriptor table [default: 1, and more if descriptors run out]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l seed -d 'Seed of the randomized start order [default: different in each run]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l shard -d 'Probe only shard I of N; a target always belongs to the same shard' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l max-targets -d 'Maximum number of targets; a value above 65536 is allowed only up to `max_targets` of the configuration [default: `max_targets`, otherwise 65536]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l family -d 'Use only this address family, `4` or `6`: the same as -4 or -6, but the value can be empty' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l source -d 'Connect from this local address' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l source-port -d 'Connect from this local port. After the check, the kernel blocks the port for this target for a minute, except with --close rst' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l interface -d 'Connect through this network interface' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l resolver -d 'Resolver: `stub` (built-in), or `system` (nsswitch; not available in static builds) [default: stub]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l config -d 'Configuration file [default: $ZBX_TCP_CONFIG, otherwise /etc/zbx-tcp/config.toml and conf.d/*.toml]' -r -F
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l addresses -d 'Which addresses of a name must be up: `any` (tried in order), `first` or `all` [default: any]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -s n -l count -d 'Connect N times within the deadline to measure loss and connect times' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -s i -l interval -d 'Time between the starts of consecutive attempts; requires --count [default: 0.2s]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l require -d 'Number of attempts that must succeed; requires --count [default: 1]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l starttls -d 'Start TLS by the STARTTLS dialogue of this protocol, such as smtp, imap, ldap or postgres, and verify the certificate' -r -f -a "ftp\t''
imap\t''
irc\t''
ldap\t''
lmtp\t''
mysql\t''
nntp\t''
pop3\t''
pop\t''
postgres\t''
rdp\t''
sieve\t''
smtp\t''
submission\t''
telnet\t''
xmpp-server\t''
xmpp\t''"
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l sni -d 'Host name that is sent to the server (SNI) and that the certificate must match [default: the host]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l alpn -d 'Offer these application protocols, such as `h2,http/1.1`' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l ca-file -d 'Trust only the certificates of this PEM file [default: the trust store of the system]' -r -F
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l client-cert -d 'PEM file with the client certificate and its chain' -r -F
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l client-key -d 'PEM file with the private key of the client certificate [default: the file of --client-cert]' -r -F
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l pin-sha256 -d 'Trust a certificate by the SHA-256 digest of its public key, in base64 or hex, instead of its issuer; can be repeated' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l tls-min -d 'Oldest version that is accepted: `1.2` or `1.3`; `1.0` and `1.1` require --tls-legacy [default: 1.2]' -r -f -a "1.0\t''
1.1\t''
1.2\t''
1.3\t''"
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l send -d 'Send this text; escapes: \\r \\n \\t \\0 \\\\ \\xHH; ${name} inserts a capture; ${host}, ${port} and ${address} insert parts of the target' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l send-hex -d 'Send these bytes, in hex: `16 03:01`' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l expect -d 'Expect this text, anywhere in the received data' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l expect-prefix -d 'Expect this text at the start of the received data' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l expect-regex -d 'Expect a match of this regular expression; (?<name>...) is a capture' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l expect-hex -d 'Expect these bytes, in hex; ?? matches any byte' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l reject -d 'Fail the --expect options after this one if this text is received' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l reject-regex -d 'Fail the --expect options after this one if this regular expression matches' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l reject-hex -d 'Fail the --expect options after this one if these bytes are received' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l expect-silence -d 'Expect that the peer sends nothing and does not close the connection for this time' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l quit -d 'Send this text before closing the connection, if it is the client\'s turn' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l encoding -d 'Encoding of sent and received text: a WHATWG label such as gbk [default: utf-8]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l max-bytes -d 'Fail if N bytes are received without a match [default: 262144]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l close -d 'How to close the connection: `fin` (gracefully) or `rst` (reset) [default: fin]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l expect-closed -d 'Expect a closed port: up if it refuses connections; with `=filtered`, also if it does not answer' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l path -d 'If the target does not answer, find out how far the packets get: `on` or `off` [default: on for a report on a terminal]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -s t -l timeout -d 'Deadline of each target: `2s`, `800ms` or a number of seconds [default: 2s]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -s s -l service -d 'Service for targets without one; `zbx-tcp services` lists all services' -r -f -a "amqp\t''
amqps\t''
dns\t''
docker\t''
dot\t''
elasticsearch\t''
elasticsearch_tls\t''
etcd\t''
finger\t''
ftp\t''
ftp_starttls\t''
ftps\t''
http\t''
http_head\t''
https\t''
https_head\t''
imap\t''
imap_starttls\t''
imaps\t''
irc\t''
irc_starttls\t''
ircs\t''
kafka\t''
kafka_tls\t''
kubernetes\t''
ldap\t''
ldap_starttls\t''
ldaps\t''
lmtp\t''
lmtp_starttls\t''
memcached\t''
memcached_tls\t''
mongodb\t''
mongodb_tls\t''
mqtt\t''
mqtts\t''
mysql\t''
mysql_login\t''
mysql_starttls\t''
mysql_tls\t''
nntp\t''
nntp_starttls\t''
nntps\t''
pop\t''
pop3\t''
pop3_starttls\t''
pop3s\t''
pop_starttls\t''
postgres\t''
postgres_starttls\t''
postgres_startup\t''
postgres_tls\t''
radsec\t''
rdp\t''
rdp_starttls\t''
rdp_tls\t''
redis\t''
rediss\t''
rtsp\t''
rtsps\t''
sieve\t''
sieve_starttls\t''
sip\t''
sips\t''
smtp\t''
smtp_starttls\t''
smtps\t''
ssh\t''
submission\t''
submission_starttls\t''
submissions\t''
syslog_tls\t''
tcp\t''
telnet\t''
telnet_starttls\t''
telnets\t''
tls\t''
vault\t''
vnc\t''
whois\t''
xmpp\t''
xmpp-server\t''
xmpp-server_starttls\t''
xmpp_starttls\t''
xmpps\t''
zabbix_agent\t''
zabbix_agent_tls\t''
zabbix_server\t''
zabbix_server_tls\t''
zookeeper\t''
zookeeper_tls\t''"
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l compact -d 'Omit redundant fields, and fields that have their default value'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l keep-going -d 'Skip and count invalid targets'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -s 4 -d 'Use IPv4 only'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -s 6 -d 'Use IPv6 only'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l tls -d 'Start TLS directly after the connect, and verify the certificate'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l tls-report-only -d 'Report an untrusted certificate, but do not fail because of it'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l tls-legacy -d 'Accept servers that are too old to prove that they have the key of their certificate, such as appliances with TLS 1.0; dates, name and trust are still verified'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l expect-client-cert -d 'Fail unless the server requires a client certificate'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l tls-scan -d 'Also find the oldest version that the server supports, and whether it prefers a post-quantum group, with at most four more connections'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l crlf -d 'Append CR LF to every text that is sent'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -s v -l verbose -d 'Print the limits in use and the skipped targets on standard error'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and not __fish_seen_subcommand_from ports open targets listeners" -s h -l help -d 'Print help'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and not __fish_seen_subcommand_from ports open targets listeners" -f -a "ports" -d 'Print a row for each port of a list, without network traffic'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and not __fish_seen_subcommand_from ports open targets listeners" -f -a "open" -d 'Print a row for each port of a list that accepts connections now'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and not __fish_seen_subcommand_from ports open targets listeners" -f -a "targets" -d 'Print a row for each target of the configuration'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and not __fish_seen_subcommand_from ports open targets listeners" -f -a "listeners" -d 'Print a row for each address and port on which this machine listens'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from ports" -l config -d 'Configuration file [default: $ZBX_TCP_CONFIG, otherwise /etc/zbx-tcp/config.toml and conf.d/*.toml]' -r -F
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from ports" -s h -l help -d 'Print help'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l deadline -d 'Deadline of the run [default: 2.5s]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l concurrency -d 'Maximum number of probes in flight [default: as many as descriptors and ports allow]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l rate -d 'Maximum number of connects per second [default: no limit]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l threads -d 'Number of threads, each with its own descriptor table [default: 1, and more if descriptors run out]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l seed -d 'Seed of the randomized start order [default: different in each run]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l family -d 'Use only this address family, `4` or `6`: the same as -4 or -6, but the value can be empty' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l source -d 'Connect from this local address' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l source-port -d 'Connect from this local port. After the check, the kernel blocks the port for this target for a minute, except with --close rst' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l interface -d 'Connect through this network interface' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l resolver -d 'Resolver: `stub` (built-in), or `system` (nsswitch; not available in static builds) [default: stub]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l config -d 'Configuration file [default: $ZBX_TCP_CONFIG, otherwise /etc/zbx-tcp/config.toml and conf.d/*.toml]' -r -F
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l starttls -d 'Start TLS by the STARTTLS dialogue of this protocol, such as smtp, imap, ldap or postgres, and verify the certificate' -r -f -a "ftp\t''
imap\t''
irc\t''
ldap\t''
lmtp\t''
mysql\t''
nntp\t''
pop3\t''
pop\t''
postgres\t''
rdp\t''
sieve\t''
smtp\t''
submission\t''
telnet\t''
xmpp-server\t''
xmpp\t''"
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l sni -d 'Host name that is sent to the server (SNI) and that the certificate must match [default: the host]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l alpn -d 'Offer these application protocols, such as `h2,http/1.1`' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l ca-file -d 'Trust only the certificates of this PEM file [default: the trust store of the system]' -r -F
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l client-cert -d 'PEM file with the client certificate and its chain' -r -F
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l client-key -d 'PEM file with the private key of the client certificate [default: the file of --client-cert]' -r -F
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l pin-sha256 -d 'Trust a certificate by the SHA-256 digest of its public key, in base64 or hex, instead of its issuer; can be repeated' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l tls-min -d 'Oldest version that is accepted: `1.2` or `1.3`; `1.0` and `1.1` require --tls-legacy [default: 1.2]' -r -f -a "1.0\t''
1.1\t''
1.2\t''
1.3\t''"
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -s t -l timeout -d 'Deadline of each port: `2s`, `800ms` or a number of seconds [default: 2s]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l per-host -d 'Maximum number of probes in flight per address; 0 means no limit [default: 0]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -s 4 -d 'Use IPv4 only'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -s 6 -d 'Use IPv6 only'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l tls -d 'Start TLS directly after the connect, and verify the certificate'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l tls-report-only -d 'Report an untrusted certificate, but do not fail because of it'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l tls-legacy -d 'Accept servers that are too old to prove that they have the key of their certificate, such as appliances with TLS 1.0; dates, name and trust are still verified'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l expect-client-cert -d 'Fail unless the server requires a client certificate'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l tls-scan -d 'Also find the oldest version that the server supports, and whether it prefers a post-quantum group, with at most four more connections'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from targets" -s g -l group -d 'Print only the targets of this group; can be repeated' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from targets" -l config -d 'Configuration file [default: $ZBX_TCP_CONFIG, otherwise /etc/zbx-tcp/config.toml and conf.d/*.toml]' -r -F
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from targets" -s h -l help -d 'Print help'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from listeners" -s o -l output -d '`rows` for a discovery rule, or `json` for a document with the rows and, for each listener, its accept queue and dropped connections [default: rows]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from listeners" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -s o -l output -d 'Output: `live`, `text` (a line for each probe) or `ndjson` (a line of JSON for each probe and each event) [default: live on a terminal, otherwise text]' -r -f -a "text\t''
json\t''
schema\t''
id\t''
name\t''
host\t''
port\t''
service\t''
up\t''
state\t''
status\t''
status_name\t''
error\t''
step\t''
address\t''
family\t''
source\t''
addresses_total\t''
addresses_failed\t''
addresses_error\t''
time.total\t''
time.resolve\t''
time.connect\t''
time.tls\t''
time.first_byte\t''
time.dialogue\t''
tcp.rtt\t''
tcp.rttvar\t''
tcp.syn_retransmits\t''
tcp.mss\t''
tcp.bytes_acked\t''
tcp.retransmits\t''
tls.how\t''
tls.proved\t''
tls.version\t''
tls.cipher\t''
tls.group\t''
tls.alpn\t''
tls.verified\t''
tls.verify_error\t''
tls.faults\t''
tls.subject\t''
tls.issuer\t''
tls.names\t''
tls.names_omitted\t''
tls.serial\t''
tls.sha256\t''
tls.spki_sha256\t''
tls.key\t''
tls.signature\t''
tls.not_before\t''
tls.not_after\t''
tls.days_left\t''
tls.lifetime_left\t''
tls.chain_days_left\t''
tls.chain\t''
tls.chain_omitted\t''
tls.client_cert\t''
tls.staple\t''
tls.roots\t''
tls.oldest\t''
tls.pq\t''
tls.other_addresses\t''
icmp.type\t''
icmp.code\t''
icmp.from\t''
path.hops\t''
path.last_hop\t''
path.last\t''
path.reached\t''
response.bytes\t''
response.text\t''
response.hex\t''
attempts.sent\t''
attempts.ok\t''
attempts.loss\t''
attempts.min\t''
attempts.avg\t''
attempts.max\t''
attempts.stddev\t''"
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -s w -l deadline -d 'End after this time: `10m`, `8h` or a number of seconds [default: no end]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l idle -d 'Instead of probing, hold connections open without traffic for up to this time, to find out after how long an idle connection is dropped on the path or closed by the server' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -s t -l timeout -d 'Deadline of the probe: `2.5s`, `800ms` or a number of seconds [default: 2.5s]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l family -d 'Use only this address family, `4` or `6`: the same as -4 or -6, but the value can be empty' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l source -d 'Connect from this local address' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l source-port -d 'Connect from this local port. After the check, the kernel blocks the port for this target for a minute, except with --close rst' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l interface -d 'Connect through this network interface' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l resolver -d 'Resolver: `stub` (built-in), or `system` (nsswitch; not available in static builds) [default: stub]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l config -d 'Configuration file [default: $ZBX_TCP_CONFIG, otherwise /etc/zbx-tcp/config.toml and conf.d/*.toml]' -r -F
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -s s -l service -d 'Use the port and the dialogue of this named service; `zbx-tcp services` lists all services' -r -f -a "amqp\t''
amqps\t''
dns\t''
docker\t''
dot\t''
elasticsearch\t''
elasticsearch_tls\t''
etcd\t''
finger\t''
ftp\t''
ftp_starttls\t''
ftps\t''
http\t''
http_head\t''
https\t''
https_head\t''
imap\t''
imap_starttls\t''
imaps\t''
irc\t''
irc_starttls\t''
ircs\t''
kafka\t''
kafka_tls\t''
kubernetes\t''
ldap\t''
ldap_starttls\t''
ldaps\t''
lmtp\t''
lmtp_starttls\t''
memcached\t''
memcached_tls\t''
mongodb\t''
mongodb_tls\t''
mqtt\t''
mqtts\t''
mysql\t''
mysql_login\t''
mysql_starttls\t''
mysql_tls\t''
nntp\t''
nntp_starttls\t''
nntps\t''
pop\t''
pop3\t''
pop3_starttls\t''
pop3s\t''
pop_starttls\t''
postgres\t''
postgres_starttls\t''
postgres_startup\t''
postgres_tls\t''
radsec\t''
rdp\t''
rdp_starttls\t''
rdp_tls\t''
redis\t''
rediss\t''
rtsp\t''
rtsps\t''
sieve\t''
sieve_starttls\t''
sip\t''
sips\t''
smtp\t''
smtp_starttls\t''
smtps\t''
ssh\t''
submission\t''
submission_starttls\t''
submissions\t''
syslog_tls\t''
tcp\t''
telnet\t''
telnet_starttls\t''
telnets\t''
tls\t''
vault\t''
vnc\t''
whois\t''
xmpp\t''
xmpp-server\t''
xmpp-server_starttls\t''
xmpp_starttls\t''
xmpps\t''
zabbix_agent\t''
zabbix_agent_tls\t''
zabbix_server\t''
zabbix_server_tls\t''
zookeeper\t''
zookeeper_tls\t''"
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l addresses -d 'Which addresses of a name must be up: `any` (tried in order), `first` or `all` [default: any]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l starttls -d 'Start TLS by the STARTTLS dialogue of this protocol, such as smtp, imap, ldap or postgres, and verify the certificate' -r -f -a "ftp\t''
imap\t''
irc\t''
ldap\t''
lmtp\t''
mysql\t''
nntp\t''
pop3\t''
pop\t''
postgres\t''
rdp\t''
sieve\t''
smtp\t''
submission\t''
telnet\t''
xmpp-server\t''
xmpp\t''"
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l sni -d 'Host name that is sent to the server (SNI) and that the certificate must match [default: the host]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l alpn -d 'Offer these application protocols, such as `h2,http/1.1`' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l ca-file -d 'Trust only the certificates of this PEM file [default: the trust store of the system]' -r -F
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l client-cert -d 'PEM file with the client certificate and its chain' -r -F
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l client-key -d 'PEM file with the private key of the client certificate [default: the file of --client-cert]' -r -F
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l pin-sha256 -d 'Trust a certificate by the SHA-256 digest of its public key, in base64 or hex, instead of its issuer; can be repeated' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l tls-min -d 'Oldest version that is accepted: `1.2` or `1.3`; `1.0` and `1.1` require --tls-legacy [default: 1.2]' -r -f -a "1.0\t''
1.1\t''
1.2\t''
1.3\t''"
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l send -d 'Send this text; escapes: \\r \\n \\t \\0 \\\\ \\xHH; ${name} inserts a capture; ${host}, ${port} and ${address} insert parts of the target' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l send-hex -d 'Send these bytes, in hex: `16 03:01`' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l expect -d 'Expect this text, anywhere in the received data' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l expect-prefix -d 'Expect this text at the start of the received data' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l expect-regex -d 'Expect a match of this regular expression; (?<name>...) is a capture' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l expect-hex -d 'Expect these bytes, in hex; ?? matches any byte' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l reject -d 'Fail the --expect options after this one if this text is received' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l reject-regex -d 'Fail the --expect options after this one if this regular expression matches' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l reject-hex -d 'Fail the --expect options after this one if these bytes are received' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l expect-silence -d 'Expect that the peer sends nothing and does not close the connection for this time' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l quit -d 'Send this text before closing the connection, if it is the client\'s turn' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l encoding -d 'Encoding of sent and received text: a WHATWG label such as gbk [default: utf-8]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l max-bytes -d 'Fail if N bytes are received without a match [default: 262144]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l close -d 'How to close the connection: `fin` (gracefully) or `rst` (reset) [default: fin]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l expect-closed -d 'Expect a closed port: up if it refuses connections; with `=filtered`, also if it does not answer' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l path -d 'If the target does not answer, find out how far the packets get: `on` or `off` [default: on for a report on a terminal]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -s c -l count -d 'End after N probes of each target [default: no end]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -s i -l interval -d 'Time between the starts of two probes of a target [default: 1s]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l require -d 'Number of attempts that must succeed; requires --count [default: 1]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -s 4 -d 'Use IPv4 only'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -s 6 -d 'Use IPv6 only'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l tls -d 'Start TLS directly after the connect, and verify the certificate'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l tls-report-only -d 'Report an untrusted certificate, but do not fail because of it'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l tls-legacy -d 'Accept servers that are too old to prove that they have the key of their certificate, such as appliances with TLS 1.0; dates, name and trust are still verified'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l expect-client-cert -d 'Fail unless the server requires a client certificate'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l tls-scan -d 'Also find the oldest version that the server supports, and whether it prefers a post-quantum group, with at most four more connections'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -l crlf -d 'Append CR LF to every text that is sent'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand watch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand path" -l against -d 'Trace another port of the host, too, and compare the two paths' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand path" -l rounds -d 'Number of rounds, each with one SYN to every hop, 1 to 100 [default: 3]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand path" -s o -l output -d 'What to print: `text` or `json` [default: text]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand path" -l family -d 'Use only this address family, `4` or `6`: the same as -4 or -6, but the value can be empty' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand path" -l source -d 'Connect from this local address' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand path" -l interface -d 'Connect through this network interface' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand path" -l resolver -d 'Resolver: `stub` (built-in), or `system` (nsswitch; not available in static builds) [default: stub]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand path" -l config -d 'Configuration file [default: $ZBX_TCP_CONFIG, otherwise /etc/zbx-tcp/config.toml and conf.d/*.toml]' -r -F
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand path" -s t -l timeout -d 'Deadline of the trace of one port: `5s` or a number of seconds [default: 4 seconds, and 1 more for each round]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand path" -l source-port -d 'Connect from this local port. After the check, the kernel blocks the port for this target for a minute, except with --close rst' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand path" -l names -d 'Look up the names of the routers'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand path" -s 4 -d 'Use IPv4 only'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand path" -s 6 -d 'Use IPv6 only'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand path" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand serve" -l greeting -d 'Send this text to each client first; escapes: \\r \\n \\t \\0 \\\\ \\xHH' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand serve" -l reply -d 'After the first data of a client (up to 1024 bytes), send this text and close the connection' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand serve" -l encoding -d 'Encoding of sent and logged text: a WHATWG label such as gbk [default: utf-8]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand serve" -l delay -d 'Wait before the greeting and before each reply: `2s`, `800ms` or a number of seconds [default: 0]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand serve" -l backlog -d 'Length of the accept queue [default: 128]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand serve" -l close -d 'How to close connections: `fin`, `rst`, `hold` (when the client closes) or `never-accept` (do not accept them) [default: fin]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand serve" -l echo -d 'Send received data back until the client closes the connection; cannot be combined with --reply'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand serve" -l once -d 'Serve one client, then exit'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand serve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand services" -s o -l output -d 'Output: `text` or `json` [default: text]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand services" -l policy -d 'Print whether the policy allows this target, and the rule that applies' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand services" -l config -d 'Configuration file [default: $ZBX_TCP_CONFIG, otherwise /etc/zbx-tcp/config.toml and conf.d/*.toml]' -r -F
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand services" -l check -d 'Validate the configuration: print all errors with file, line and key'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand services" -s h -l help -d 'Print help'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand doctor" -s o -l output -d 'Output: `text` or `json` [default: text]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand demo" -s h -l help -d 'Print help'
