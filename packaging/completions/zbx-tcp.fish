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
complete -c zbx-tcp -n "__fish_zbx_tcp_needs_command" -f -a "check" -d 'Probe one target: print one value, one document, or a report'
complete -c zbx-tcp -n "__fish_zbx_tcp_needs_command" -f -a "batch" -d 'Probe many targets at once: print one document, lines, or a table'
complete -c zbx-tcp -n "__fish_zbx_tcp_needs_command" -f -a "discover" -d 'Rows for Zabbix\'s low-level discovery, as one line of JSON'
complete -c zbx-tcp -n "__fish_zbx_tcp_needs_command" -f -a "serve" -d 'A small TCP responder, to test a path or a check before the real service exists'
complete -c zbx-tcp -n "__fish_zbx_tcp_needs_command" -f -a "services" -d 'What named services exist, and what each says and expects'
complete -c zbx-tcp -n "__fish_zbx_tcp_needs_command" -f -a "demo" -d 'See every kind of result on loopback, in two seconds, without root'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -s o -l output -d 'What to print: `up`, `status`, `error`, `json`, `text`, or a metric\'s path [default: text on a terminal, else up]' -r -f -a "text\t''
json\t''
schema\t''
id\t''
name\t''
host\t''
port\t''
service\t''
up\t''
status\t''
status_name\t''
error\t''
step\t''
address\t''
family\t''
source\t''
time.total\t''
time.resolve\t''
time.connect\t''
time.first_byte\t''
time.dialogue\t''
tcp.rtt\t''
tcp.rttvar\t''
tcp.syn_retransmits\t''
tcp.mss\t''
icmp.type\t''
icmp.code\t''
icmp.from\t''
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
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -s t -l timeout -d 'The total deadline, name resolution and closing included: `2.5s`, `800ms`, or seconds [default: 2.5s]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l source -d 'Connect from this address of this host' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l interface -d 'Connect through this interface' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l resolver -d 'How names are resolved: `stub`, or `system` for what only nsswitch knows (not in static builds) [default: stub]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l config -d 'The configuration file [default: /etc/zbx-tcp/config.toml and conf.d, or $ZBX_TCP_CONFIG]' -r -F
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -s s -l service -d 'A named service: its port, what it says and expects; `zbx-tcp services` lists them' -r -f -a "amqp\t''
dns\t''
elasticsearch\t''
finger\t''
ftp\t''
http\t''
http_head\t''
imap\t''
irc\t''
kafka\t''
ldap\t''
lmtp\t''
memcached\t''
mongodb\t''
mqtt\t''
mysql\t''
mysql_login\t''
nntp\t''
pop\t''
pop3\t''
postgres\t''
postgres_startup\t''
rdp\t''
redis\t''
rtsp\t''
sip\t''
smtp\t''
ssh\t''
submission\t''
tcp\t''
telnet\t''
vnc\t''
whois\t''
xmpp\t''
zabbix_agent\t''
zabbix_server\t''
zookeeper\t''"
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l addresses -d 'Try the `first` address of a name, or `all`: up only if all are [default: first]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -s n -l count -d 'Connect this many times inside the deadline: loss, min, avg, max, stddev' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -s i -l interval -d 'From the start of one connect to the next, with --count [default: 0.2s]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l require -d 'How many of --count must succeed [default: 1]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l send -d 'Send this text; escapes \\r \\n \\t \\0 \\\\ \\xHH, ${name} inserts a capture' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l send-hex -d 'Send these bytes, such as `16 03:01`' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l expect -d 'Wait for this text, anywhere in what comes' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l expect-prefix -d 'Wait for this text at the start of what comes' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l expect-regex -d 'Wait for a match; (?<name>...) is captured' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l expect-hex -d 'Wait for these bytes; ?? is any byte' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l reject -d 'Fail the expectations after it when this text comes' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l reject-regex -d 'Fail them when this matches' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l reject-hex -d 'Fail them when these bytes come' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l quit -d 'Say goodbye with this text after the verdict' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l encoding -d 'The encoding of sent and received text, by its WHATWG label such as gbk [default: utf-8]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l max-bytes -d 'The most bytes to read without a match [default: 262144]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l close -d 'How to leave: `fin` reads what the peer has to say first, `rst` leaves at once [default: fin]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l expect-closed -d 'Up means: nothing accepts here; a timeout counts only with `=filtered`' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -s 4 -d 'IPv4 only'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -s 6 -d 'IPv6 only'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -l crlf -d 'Append CR LF to each text that is sent'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -s v -l verbose -d 'Explain each step on standard error, with -o text'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -s g -l group -d 'The configuration\'s targets of this group; may be given more than once' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -s o -l output -d 'What to print: `json`, `ndjson` (each as it ends), `sender` (for zabbix_sender -T -N -i -), `text` [default: json]' -r -f -a "text\t''
json\t''
schema\t''
id\t''
name\t''
host\t''
port\t''
service\t''
up\t''
status\t''
status_name\t''
error\t''
step\t''
address\t''
family\t''
source\t''
time.total\t''
time.resolve\t''
time.connect\t''
time.first_byte\t''
time.dialogue\t''
tcp.rtt\t''
tcp.rttvar\t''
tcp.syn_retransmits\t''
tcp.mss\t''
icmp.type\t''
icmp.code\t''
icmp.from\t''
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
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l metrics -d 'The metrics of -o sender [default: up,status,time.connect,time.total,tcp.rtt,tcp.syn_retransmits]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l zabbix-host -d 'The host in Zabbix of targets that name none, with -o sender [default: -]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l sender-key -d 'The item key of -o sender [default: `tcp.target[ID,METRIC]`]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l deadline -d 'The time of the whole run: what was not reached by then is `not_tried` [default: 2.5s]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l concurrency -d 'Probes in flight at once [default: what descriptors and ports allow]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l rate -d 'Connects started in a second [default: no limit]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l per-host -d 'Probes in flight at once to one address; 0 is no limit [default: 16]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l threads -d 'Threads that probe, each with descriptors of its own [default: 1, and others when it has none left]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l seed -d 'What the order of starts is made from; the same seed gives the same order [default: 0]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l shard -d 'Only the targets of the I-th of N parts; a target stays in its part' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l max-targets -d 'The most targets [default: 65536]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l source -d 'Connect from this address of this host' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l interface -d 'Connect through this interface' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l resolver -d 'How names are resolved: `stub`, or `system` for what only nsswitch knows (not in static builds) [default: stub]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l config -d 'The configuration file [default: /etc/zbx-tcp/config.toml and conf.d, or $ZBX_TCP_CONFIG]' -r -F
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l addresses -d 'Try the `first` address of a name, or `all`: up only if all are [default: first]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -s n -l count -d 'Connect this many times inside the deadline: loss, min, avg, max, stddev' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -s i -l interval -d 'From the start of one connect to the next, with --count [default: 0.2s]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l require -d 'How many of --count must succeed [default: 1]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l send -d 'Send this text; escapes \\r \\n \\t \\0 \\\\ \\xHH, ${name} inserts a capture' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l send-hex -d 'Send these bytes, such as `16 03:01`' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l expect -d 'Wait for this text, anywhere in what comes' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l expect-prefix -d 'Wait for this text at the start of what comes' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l expect-regex -d 'Wait for a match; (?<name>...) is captured' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l expect-hex -d 'Wait for these bytes; ?? is any byte' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l reject -d 'Fail the expectations after it when this text comes' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l reject-regex -d 'Fail them when this matches' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l reject-hex -d 'Fail them when these bytes come' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l quit -d 'Say goodbye with this text after the verdict' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l encoding -d 'The encoding of sent and received text, by its WHATWG label such as gbk [default: utf-8]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l max-bytes -d 'The most bytes to read without a match [default: 262144]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l close -d 'How to leave: `fin` reads what the peer has to say first, `rst` leaves at once [default: fin]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l expect-closed -d 'Up means: nothing accepts here; a timeout counts only with `=filtered`' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -s t -l timeout -d 'The deadline of each target: `2s`, `800ms`, or seconds [default: 2s]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -s s -l service -d 'The service of targets that name none; `zbx-tcp services` lists them' -r -f -a "amqp\t''
dns\t''
elasticsearch\t''
finger\t''
ftp\t''
http\t''
http_head\t''
imap\t''
irc\t''
kafka\t''
ldap\t''
lmtp\t''
memcached\t''
mongodb\t''
mqtt\t''
mysql\t''
mysql_login\t''
nntp\t''
pop\t''
pop3\t''
postgres\t''
postgres_startup\t''
rdp\t''
redis\t''
rtsp\t''
sip\t''
smtp\t''
ssh\t''
submission\t''
tcp\t''
telnet\t''
vnc\t''
whois\t''
xmpp\t''
zabbix_agent\t''
zabbix_server\t''
zookeeper\t''"
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l compact -d 'Leave out what is at its default'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l keep-going -d 'Leave out targets with a mistake in them, and count them'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -s 4 -d 'IPv4 only'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -s 6 -d 'IPv6 only'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -l crlf -d 'Append CR LF to each text that is sent'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -s v -l verbose -d 'Explain the choices made on standard error'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand batch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and not __fish_seen_subcommand_from ports open targets" -s h -l help -d 'Print help'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and not __fish_seen_subcommand_from ports open targets" -f -a "ports" -d 'A row for each port of a list, without touching the network'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and not __fish_seen_subcommand_from ports open targets" -f -a "open" -d 'A row for each port of a list that accepts now'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and not __fish_seen_subcommand_from ports open targets" -f -a "targets" -d 'A row for each target of the configuration'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from ports" -l config -d 'The configuration file [default: /etc/zbx-tcp/config.toml and conf.d, or $ZBX_TCP_CONFIG]' -r -F
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from ports" -s h -l help -d 'Print help'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l deadline -d 'The time of the whole run [default: 2.5s]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l concurrency -d 'Probes in flight at once [default: what descriptors and ports allow]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l rate -d 'Connects started in a second [default: no limit]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l threads -d 'Threads that probe, each with descriptors of its own [default: 1, and others when it has none left]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l seed -d 'What the order of starts is made from; the same seed gives the same order [default: 0]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l source -d 'Connect from this address of this host' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l interface -d 'Connect through this interface' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l resolver -d 'How names are resolved: `stub`, or `system` for what only nsswitch knows (not in static builds) [default: stub]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l config -d 'The configuration file [default: /etc/zbx-tcp/config.toml and conf.d, or $ZBX_TCP_CONFIG]' -r -F
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -s t -l timeout -d 'The deadline of each port: `2s`, `800ms`, or seconds [default: 2s]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -l per-host -d 'Probes in flight at once to one address; 0 is no limit [default: 0]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -s 4 -d 'IPv4 only'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -s 6 -d 'IPv6 only'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from open" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from targets" -s g -l group -d 'Only those of this group; may be given more than once' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from targets" -l config -d 'The configuration file [default: /etc/zbx-tcp/config.toml and conf.d, or $ZBX_TCP_CONFIG]' -r -F
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand discover; and __fish_seen_subcommand_from targets" -s h -l help -d 'Print help'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand serve" -l greeting -d 'Say TEXT to each client first (escapes: \\r \\n \\t \\0 \\\\ \\xHH)' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand serve" -l reply -d 'Answer the first thing a client says (up to 1024 bytes) with TEXT, then close' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand serve" -l encoding -d 'Encoding of the texts sent and shown: a WHATWG label such as gbk [default: utf-8]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand serve" -l delay -d 'Wait before the greeting and before each answer: 0.25, 800ms, 2s [default: 0]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand serve" -l backlog -d 'Clients that the kernel keeps waiting for accept [default: 128]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand serve" -l close -d 'How to end: fin, rst, hold (stay open until the client leaves), never-accept [default: fin]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand serve" -l echo -d 'Send back what a client says until it closes; not with --reply'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand serve" -l once -d 'Serve one client to its end, then stop'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand serve" -s h -l help -d 'Print help'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand services" -s o -l output -d '`text` or `json` [default: text]' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand services" -l policy -d 'Explain what the policy says of this target' -r
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand services" -l config -d 'The configuration file [default: /etc/zbx-tcp/config.toml and conf.d, or $ZBX_TCP_CONFIG]' -r -F
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand services" -l check -d 'Validate the configuration: every mistake, with file, line and key'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand services" -s h -l help -d 'Print help'
complete -c zbx-tcp -n "__fish_zbx_tcp_using_subcommand demo" -s h -l help -d 'Print help'
