"""The cases of ./run: commands, and the peers, files and names that they use.

Each case has a network of its own: nothing but loopback, so every case may use the same ports. 192.0.2.0/24 is
unreachable, 198.51.100.0/24 a blackhole and 203.0.113.0/24 prohibited there; all other networks have no route.
"""

import signal
from dataclasses import dataclass, field

from peers import Full, Prohibits, Scripted, closes, receives, sends, sends_fin, sends_rst, waits

# By name, in the order in which they are run.
CASES = {}


@dataclass
class Case:
    # The arguments after `zbx-tcp`, or a list of them for several commands in sequence; or a line for the shell.
    words: str | list = ""
    shell: str = ""
    stdin: str = ""
    env: dict = field(default_factory=dict)
    # By address and port.
    peers: dict = field(default_factory=dict)
    # The zone of the name server; without it, there is no name server.
    names: dict | None = None
    # Files in /etc/zbx-tcp, the working directory, and in /etc: a text, or a text and its mode.
    files: dict = field(default_factory=dict)
    etc: dict = field(default_factory=dict)
    # Clients of `serve` at 127.0.0.1:2525, one after the other.
    clients: list = field(default_factory=list)
    # A signal, and the lines printed and connections accepted that it waits for.
    signal: int = 0
    after_lines: int = 0
    after_accepted: int = 0
    # Standard output is a terminal.
    terminal: bool = False
    # The output is a time and nothing else.
    time: bool = False
    # The output has ports that the kernel chose.
    ports: bool = False
    # Bars are compared: only where one phase is all there is.
    bars: bool = False
    # What peers and clients received is compared.
    compare_received: bool = True


@dataclass
class Client:
    # Its port, what it does, and how many lines there are in the log when it has left.
    port: int
    script: list
    lines: int = 0


def place(written):
    """An address and a port: `2525` is on 127.0.0.1, `127.0.0.2:2525` and `::1:2525` contain the address."""
    host, _, port = str(written).rpartition(":")
    return host or "127.0.0.1", int(port)


def case(name, words="", peers=None, **rest):
    assert name not in CASES, name
    CASES[name] = Case(words, peers={place(key): peer for key, peer in (peers or {}).items()}, **rest)


def greeting():
    return Scripted([sends(b"220 mail ready\r\n")])


# --- The slowest first, so that the run is short.

case("demo", "demo", ports=True)
case("connect_timeout_two_syns", "check 127.0.0.1 2525 -t 1.5 -o json", {2525: Full()})
case("connect_timeout_text", "check 127.0.0.1 2525 -t 1.5 -o text", {2525: Full()})
case("connect_after_lost_syn", "check 127.0.0.1 2525 -o json", {2525: Full(opens_after=0.7)})
case("connect_after_lost_syn_text", "check 127.0.0.1 2525 -o text", {2525: Full(opens_after=0.7)}, bars=True)
case(
    "serve_overstay",
    "serve 127.0.0.1:2525 --reply bye --once",
    clients=[Client(20001, [sends(b"x"), receives(), waits(1500)])],
)

# --- check: outputs

case("check_up", "check 127.0.0.1 2525", {2525: greeting()})
case("check_up_one_word", "check 127.0.0.1:2525", {2525: greeting()})
case("check_up_ipv6", "check ::1 2525 -o json", {"::1:2525": greeting()})
case("check_up_ipv6_brackets", "check '[::1]:2525' -o text", {"::1:2525": greeting()}, bars=True)
case("check_output_status", "check 127.0.0.1 2525 -o status", {2525: greeting()})
case("check_output_error_up", "check 127.0.0.1 2525 -o error", {2525: greeting()})
case("check_output_error_down", "check 127.0.0.1 2525 -o error")
case("check_output_json", "check 127.0.0.1 2525 -o json", {2525: greeting()})
case("check_output_json_dialogue", "check 127.0.0.1 2525 --expect '220 ' -o json", {2525: greeting()})
case("check_output_text", "check 127.0.0.1 2525 -o text", {2525: greeting()}, bars=True)
case("check_output_text_dialogue", "check inside 2525 --expect '220 ' -o text", {2525: greeting()})
case("check_output_text_count", "check 127.0.0.1 2525 -n 3 -i 20ms -o text", {2525: greeting()})
case("check_output_text_addresses", "check both 2525 --addresses all -o text", {2525: greeting()})
case("check_output_time_connect", "check 127.0.0.1 2525 -o time.connect", {2525: greeting()}, time=True)
case("check_output_time_total", "check 127.0.0.1 2525 -o time.total", {2525: greeting()}, time=True)
case("check_output_response_text", "check 127.0.0.1 2525 -o response.text", {2525: greeting()})
case("check_output_unmeasured_time", "check 127.0.0.1 2525 -o time.connect")
case("check_output_unmeasured_text", "check 127.0.0.1 2525 -o response.text")
case("check_output_unmeasured_reason", "check 127.0.0.1 2525 --expect-regex 'load (?<load>[0-9]+)' -o captures.load")
case("check_output_unmeasured_icmp", "check 127.0.0.1 2525 -o icmp.type", {2525: greeting()})

METRICS = (
    "schema id name host port service up status status_name error step address family source time.total time.resolve "
    "time.connect time.first_byte time.dialogue tcp.rtt tcp.rttvar tcp.syn_retransmits tcp.mss icmp.type icmp.code "
    "icmp.from response.bytes response.text response.hex attempts.sent attempts.ok attempts.loss attempts.min "
    "attempts.avg attempts.max attempts.stddev captures.load"
)


def every_metric(words):
    options = "-n 2 -i 10ms --expect-regex 'load (?<load>[0-9]+)'"
    return f'for metric in {METRICS}; do echo "$metric $(zbx-tcp check {words} {options} -o $metric)"; done'


case(
    "check_every_metric_up",
    shell=every_metric("inside 2525"),
    peers={2525: Scripted([sends(b"\x00 load 17\r\n")])},
    compare_received=False,
)
case("check_every_metric_refused", shell=every_metric("127.0.0.1 2525"))
case(
    "check_every_metric_denied", shell=every_metric("127.0.0.1 2525"), files={"policy.toml": 'deny = ["127.0.0.0/8"]\n'}
)

case("check_terminal_up", "check 127.0.0.1 2525", {2525: greeting()}, terminal=True, bars=True)
case("check_terminal_down", "check 127.0.0.1 2525", terminal=True)
case("check_terminal_denied", "check 127.0.0.1 2525", files={"policy.toml": 'deny = ["127.0.0.0/8"]\n'}, terminal=True)
case(
    "check_terminal_no_color",
    "check 127.0.0.1 2525",
    {2525: greeting()},
    env={"NO_COLOR": "1"},
    terminal=True,
    bars=True,
)
case("check_terminal_json", "check 127.0.0.1 2525 -o json", {2525: greeting()}, terminal=True)

# --- check: transcripts

case("transcript_connect", "check 127.0.0.1 2525 -o text -v", {2525: Scripted()}, bars=True)
case(
    "transcript_dialogue",
    "check inside 2525 -o text -v --expect-regex '220 (?<host>[a-z]+)' --send 'HELO ${host}\\r\\n' --expect 250 --quit 'QUIT\\r\\n'",
    {
        2525: Scripted(
            [sends(b"220 mail ready\r\n"), receives(b"HELO mail\r\n"), sends(b"250 hello\r\n"), receives(b"QUIT\r\n")]
        )
    },
)
case("transcript_refused", "check 127.0.0.1 2525 -o text -v")
case(
    "transcript_resolve",
    "check two.example 2525 -o text -v --addresses all",
    names={"two.example": ["127.0.0.1", "127.0.0.2"]},
)
case("transcript_count", "check 127.0.0.1 2525 -o text -v -n 2 -i 200ms --close rst", {2525: Scripted()})
case(
    "transcript_long",
    "check 127.0.0.1 2525 -o text -v --expect end",
    {2525: Scripted([sends(b"0123456789" * 70 + b"end")])},
)

# --- check: statuses

ZONE = {
    "v4.example": ["127.0.0.1"],
    "v6.example": ["::1"],
    "either.example": ["127.0.0.1", "::1"],
    "none.example": [],
    "alias.example": "v4.example",
    "long.example": ["127.0.0.1"],
    "sinkhole.example": ["0.0.0.0"],
    "servfail.example": "SERVFAIL",
    "refused.example": "REFUSED",
    "silent.example": "silent",
    "shop.corp.example": ["127.0.0.1"],
}

case("resolve_hosts_file", "check inside 2525 -o json", {2525: greeting()})
case("resolve_hosts_file_family", "check inside 2525 -6 -o json")
case("resolve_localhost", "check a.localhost 2525 -4 -o json", {2525: greeting()})
case("resolve_prefers_ipv6", "check either 2525 -o json", {"::1:2525": greeting()})
case("resolve_only_ipv4", "check either 2525 -4 -o json", {2525: greeting()})
case("resolve_name_server", "check v4.example 2525 -o json", {2525: greeting()}, names=ZONE)
case("resolve_name_server_both", "check either.example 2525 -o json", {"::1:2525": greeting()}, names=ZONE)
case("resolve_alias", "check alias.example 2525 -o text -v", {2525: Scripted()}, names=ZONE)
case("resolve_over_tcp", "check long.example 2525 -o json", {2525: greeting()}, names=ZONE)
case(
    "resolve_search",
    "check shop 2525 -o json",
    {2525: greeting()},
    names=ZONE,
    etc={"resolv.conf": "nameserver 127.0.0.1\nsearch other.example corp.example\n"},
)
case(
    "resolve_search_failed",
    "check bank 2525 -o error",
    names=ZONE,
    etc={"resolv.conf": "nameserver 127.0.0.1\nsearch other.example corp.example\n"},
)
case("resolve_system", "check inside 2525 --resolver system -o json", {2525: greeting()})
case("resolve_failed", "check absent.example 2525 -o json", names=ZONE)
case("resolve_failed_text", "check absent.example 2525 -o text", names=ZONE)
case("resolve_failed_family", "check v4.example 2525 -6 -o error", names=ZONE)
case("resolve_failed_no_address", "check none.example 2525 -o error", names=ZONE)
case("resolve_failed_servfail", "check servfail.example 2525 -o error", names=ZONE)
case("resolve_failed_refused", "check refused.example 2525 -o error", names=ZONE)
case("resolve_unspecified", "check sinkhole.example 2525 -o error", names=ZONE)
case("resolve_failed_no_server", "check v4.example 2525 -o error")
case("resolve_timeout", "check silent.example 2525 -t 0.5 -o json", names=ZONE)
case("resolve_timeout_text", "check silent.example 2525 -t 0.5 -o text", names=ZONE)
case("refused_json", "check 127.0.0.1 2525 -o json")
case("refused_text", "check 127.0.0.1 2525 -o text")
case("unreachable_no_route", "check 10.1.2.3 2525 -t 0.5 -o json")
case("unreachable_route", "check 192.0.2.1 2525 -t 0.5 -o text")
case("unreachable_blackhole", "check 198.51.100.1 2525 -t 0.5 -o json")
case("unreachable_ipv6", "check 2001:db8::1 2525 -t 0.5 -o text")
case("unreachable_icmp", "check 127.0.0.1 2525 -o json", {2525: Prohibits(13, "127.0.0.50")})
case("unreachable_icmp_text", "check 127.0.0.1 2525 -o text", {2525: Prohibits(1, "127.0.0.50")})
case("unreachable_icmp_from", "check 127.0.0.1 2525 -o icmp.from", {2525: Prohibits(10, "127.0.0.50")})
case("refused_icmp", "check 127.0.0.1 2525 -o json", {2525: Prohibits(3, "127.0.0.50")})
case("connect_timeout_one_syn", "check 127.0.0.1 2525 -t 0.4 -o error", {2525: Full()})
case("reset_json", "check 127.0.0.1 2525 --send x --expect ok -o json", {2525: Scripted([receives(b"x"), sends_rst()])})
case("reset_text", "check 127.0.0.1 2525 --send x --expect ok -o text", {2525: Scripted([receives(b"x"), sends_rst()])})
case("closed_json", "check 127.0.0.1 2525 --expect ok -o json", {2525: Scripted([sends_fin()])})
case("closed_text", "check 127.0.0.1 2525 --expect ok -o text", {2525: Scripted([sends_fin()])})
case("read_timeout_json", "check 127.0.0.1 2525 --expect ok -t 0.5 -o json", {2525: Scripted()})
case("read_timeout_text", "check 127.0.0.1 2525 --send x --expect ok -t 0.5 -o text", {2525: Scripted()})
case("mismatch_deadline", "check 127.0.0.1 2525 --expect SSH-2.0- -t 0.5 -o json", {2525: greeting()})
case("mismatch_text", "check 127.0.0.1 2525 --expect 'mail ready?' -t 0.5 -o text", {2525: greeting()})
case(
    "mismatch_closed",
    "check 127.0.0.1 2525 --expect 250 -o error",
    {2525: Scripted([sends(b"220 mail ready\r\n"), sends_fin()])},
)
case("mismatch_prefix", "check 127.0.0.1 2525 --expect-prefix '250 ' -o error", {2525: greeting()})
case("mismatch_regex_start", "check 127.0.0.1 2525 --expect-regex '\\A250 ' -o error", {2525: greeting()})
case(
    "mismatch_too_much",
    "check 127.0.0.1 2525 --expect end --max-bytes 1000 -o json",
    {2525: Scripted([sends(b"x" * 1000)])},
)
case("rejected_json", "check 127.0.0.1 2525 --reject mail --expect ready -o json", {2525: greeting()})
case("rejected_text", "check 127.0.0.1 2525 --reject-regex 'm[a-z]+l' --expect 250 -o text", {2525: greeting()})
case("rejected_hex", "check 127.0.0.1 2525 --reject-hex '32 ?? 30' --expect 250 -o error", {2525: greeting()})
case(
    "denied_json", "check 127.0.0.1 2525 -o json", {2525: Scripted()}, files={"policy.toml": 'deny = ["127.0.0.0/8"]\n'}
)
case(
    "denied_text", "check 127.0.0.1 2525 -o text", {2525: Scripted()}, files={"policy.toml": 'deny = ["127.0.0.0/8"]\n'}
)
case("local_error_prohibited", "check 203.0.113.1 2525 -t 0.4 -o json")
case("local_error_text", "check 203.0.113.1 2525 -t 0.4 -o text")
case("local_error_descriptors", shell="ulimit -n 4; zbx-tcp check 127.0.0.1 2525 -t 0.4 -o error")
case("unexpectedly_open_json", "check 127.0.0.1 2525 --expect-closed -o json", {2525: greeting()})
case("unexpectedly_open_text", "check 127.0.0.1 2525 --expect-closed -o text", {2525: greeting()}, bars=True)
case("expect_closed_refused", "check 127.0.0.1 2525 --expect-closed -o text")
case("expect_closed_icmp", "check 127.0.0.1 2525 --expect-closed -o json", {2525: Prohibits(13, "127.0.0.50")})
case("expect_closed_no_route", "check 10.1.2.3 2525 --expect-closed -o json")
case("expect_closed_timeout", "check 127.0.0.1 2525 --expect-closed -t 0.4 -o error", {2525: Full()})
case("expect_closed_filtered", "check 127.0.0.1 2525 --expect-closed=filtered -t 0.4 -o json", {2525: Full()})

# --- check: dialogues and other options

case(
    "dialogue_steps",
    "check 127.0.0.1 2525 --send a --expect 'aone\\n' --send 'b\\x00' --expect 'b\\0two\\n' -o json",
    {2525: Scripted([receives(b"a"), sends(b"aone\n"), receives(b"b\0"), sends(b"b\0two\n")])},
)
case(
    "dialogue_capture",
    "check 127.0.0.1 2525 --expect-regex 'load (?<load>[0-9]+)' -o captures.load",
    {2525: Scripted([sends(b"220 mx1 ready, load 17\r\n")])},
)
case(
    "dialogue_capture_sent",
    "check 127.0.0.1 2525 --expect-regex 'id (?<id>[a-z]+)\\n' --send 'login ${id}\\n' --expect welcome -o json",
    {2525: Scripted([sends(b"id abc\n"), receives(b"login abc\n"), sends(b"welcome\n")])},
)
case(
    "dialogue_split",
    "check 127.0.0.1 2525 --expect-prefix '220 ' --expect-regex 'r(?<rest>[a-z]+)y' -o json",
    {2525: Scripted([sends(b"22"), waits(30), sends(b"0 mail r"), waits(30), sends(b"eady\r\n")])},
)
case(
    "dialogue_quiet",
    "check 127.0.0.1 2525 --expect-regex 'load (?<load>[0-9]+)' -o json",
    {2525: Scripted([sends(b"load 17")])},
)
case(
    "dialogue_hex",
    "check 127.0.0.1 2525 --send-hex '16 03:01' --expect-hex '16 ?? 02' -o json",
    {2525: Scripted([receives(b"\x16\x03\x01"), sends(b"\x16\x03\x02\xff")])},
)
case(
    "dialogue_crlf",
    "check 127.0.0.1 2525 --crlf --expect '220 ' --send NOOP --expect 250 --quit QUIT",
    {
        2525: Scripted(
            [sends(b"220 mail ready\r\n"), receives(b"NOOP\r\n"), sends(b"250 ok\r\n"), receives(b"QUIT\r\n")]
        )
    },
)
case(
    "dialogue_gbk",
    "check 127.0.0.1 2525 --encoding gbk --send '你好服务端,我是客户端小黑!' --expect 'ok,' -o response.text",
    {2525: Scripted([receives(b"!"), sends("ok, 问题正在处理中…".encode("gbk")), sends_fin()])},
)
case(
    "dialogue_gbk_json",
    "check 127.0.0.1 2525 --encoding gbk --send '你好' --expect-regex '问(?<what>.+)题' -o json",
    {2525: Scripted([receives(), sends("请问什么题\n".encode("gbk"))])},
)
case(
    "dialogue_send_alone",
    "check 127.0.0.1 2525 --send hi -o response.text",
    {2525: Scripted([receives(b"hi"), sends(b"thanks\n"), sends_fin()])},
)
case(
    "dialogue_quit_after_mismatch",
    "check 127.0.0.1 2525 --expect-prefix 250 --quit 'QUIT\\r\\n' -o status",
    {2525: greeting()},
)
case(
    "dialogue_quit_at_deadline",
    "check 127.0.0.1 2525 --expect 250 --quit 'QUIT\\r\\n' -t 0.5 -o status",
    {2525: greeting()},
)
case(
    "dialogue_escapes",
    "check 127.0.0.1 2525 --expect end -o json",
    {2525: Scripted([sends('tab\t quote" \\ nul\0 esc\x1b bidi\u202e zero\u200b 你 end\r\n\r\n'.encode())])},
)
case(
    "dialogue_bytes",
    "check 127.0.0.1 2525 --expect-hex ff -o json",
    {2525: Scripted([sends(bytes(range(256)) + b"\xff")])},
)
case(
    "dialogue_long",
    "check 127.0.0.1 2525 --expect end -o response.text",
    {2525: Scripted([sends(b"0123456789" * 300 + b"end\n")])},
)
case("option_count", "check 127.0.0.1 2525 --count 4 --interval 50ms -o json", {2525: greeting()})
case("option_count_refused", "check 127.0.0.1 2525 --count 3 --interval 10ms -o json")
case(
    "option_count_require",
    "check 127.0.0.1 2525 --count 3 --interval 100ms --require 3 --expect-prefix 220 -o json",
    {2525: Scripted([sends(b"554 no\r\n")], [sends(b"220 yes\r\n")])},
)
case(
    "option_count_one_of_three",
    "check 127.0.0.1 2525 --count 3 --interval 100ms --expect-prefix 220 -o json",
    {2525: Scripted([sends(b"554 no\r\n")], [sends(b"220 yes\r\n")], [sends(b"554 no\r\n")])},
)
case(
    "option_addresses_all", "check both 2525 --addresses all -o json", {2525: greeting(), "127.0.0.2:2525": greeting()}
)
case("option_addresses_all_one_refused", "check both 2525 --addresses all -o json", {2525: greeting()})
case("option_addresses_first", "check both 2525 --addresses first -o json", {2525: greeting()})
case("option_source", "check 127.0.0.1 2525 --source 127.0.0.9 -o json", {2525: greeting()})
case("option_interface", "check 127.0.0.1 2525 --interface lo -o json", {2525: greeting()})
case("option_close_rst", "check 127.0.0.1 2525 --expect 220 --close rst", {2525: greeting()})
case("option_close_fin", "check 127.0.0.1 2525 --close fin", {2525: greeting()})
case(
    "option_empty_values",
    "check 127.0.0.1:2525 '' -o '' --timeout= --count '' --source= --send '' --expect= --close '' --service= --expect-closed=",
    {2525: greeting()},
)
case("output_closed", shell='zbx-tcp check 127.0.0.1 2525 >&-; echo "exit status $?"', peers={2525: Scripted()})
case(
    "output_full",
    shell='zbx-tcp check 127.0.0.1 2525 -o json >/dev/full; echo "exit status $?"',
    peers={2525: Scripted()},
)

# --- Named services

case(
    "service_ssh",
    "check 127.0.0.1 --service ssh -o json",
    {22: Scripted([sends(b"hello\r\nSSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"), receives(b"\r\n")])},
)
case(
    "service_ssh_busy",
    "check 127.0.0.1 --service ssh -o error",
    {22: Scripted([sends(b"Exceeded MaxStartups\r\n"), sends_fin()])},
)
case(
    "service_smtp",
    "check 127.0.0.1 -s smtp -o json",
    {25: Scripted([sends(b"220-mx1 hello\r\n220 mx1 ready\r\n"), receives(b"QUIT\r\n")])},
)
case("service_smtp_rejected", "check 127.0.0.1 -s smtp -o error", {25: Scripted([sends(b"554 go away\r\n")])})
case("service_smtp_text", "check 127.0.0.1 -s smtp -t 0.5 -o text", {25: Scripted([sends(b"SSH-2.0-x\r\n")])})
case(
    "service_redis",
    "check 127.0.0.1 -s redis -o captures.reply",
    {6379: Scripted([receives(b"PING\r\n"), sends(b"-NOAUTH no\r\n")])},
)
case(
    "service_http_head",
    "check 127.0.0.1 8080 -s http_head -o json",
    {
        8080: Scripted(
            [receives(b"\r\n\r\n"), sends(b"HTTP/1.0 404 Not Found\r\nServer: nginx\r\nX: y\r\n\r\n"), sends_fin()]
        )
    },
)
case(
    "service_zabbix_agent",
    "check 127.0.0.1 -s zabbix_agent -o json",
    {10050: Scripted([receives(b"version"), sends(b"ZBXD\x01\x06\0\0\0\0\0\0\x006.0.14"), sends_fin()])},
)
case(
    "service_mysql",
    "check 127.0.0.1 -s mysql -o json",
    {
        3306: Scripted(
            [
                sends(
                    b"\x5f\0\0\0\x0a5.5.5-10.11.6-MariaDB\0\x08\0\0\0abcdefgh\0\xfe\xf7\x2d\x02\0\xff\x81\x15\0\0\0\0\0\0\0\0\0\0"
                    b"ijklmnopqrst\0mysql_native_password\0"
                ),
                receives(b"mysql_native_password\0"),
                sends(b"\x0a\0\0\x02\xff\x15\x04#28000no"),
            ]
        )
    },
)
case("service_option_over_it", "check 127.0.0.1 2525 -s smtp --expect mail -o json", {2525: greeting()})
case(
    "service_transcript",
    "check 127.0.0.1 -s smtp -o text -v",
    {25: Scripted([sends(b"220 mx1 ready\r\n"), receives(b"QUIT\r\n")])},
)
case("service_tcp", "check 127.0.0.1 2525 -s tcp -o json", {2525: greeting()})
case("services", "services")
case("services_json", "services -o json")
case("services_each", shell='zbx-tcp services | while read name rest; do zbx-tcp services "$name"; done')
case("services_each_json", shell='zbx-tcp services | while read name rest; do zbx-tcp services "$name" -o json; done')

# --- Configuration

TILL = """\
[defaults]
timeout = "2s"

[services.till]
description = "The tills in our shops"
port = 2529
encoding = "gbk"
crlf = true
hosts = ["192.0.2.0/29", "127.0.0.1"]
secrets = { password = "correct horse", pin = { file = "/etc/zbx-tcp/till.pin" } }
steps = [
    { expect_regex = '\\Atill (?<version>[0-9.]+)\\r\\n', reject = ["busy", "忙"] },
    { send = "login ${version} ${password} ${pin}" },
    { expect_any = ["welcome", "你好"], timeout = "1s" },
]
quit = "bye"

[services.steps]
port = 2530
quit_hex = "e0 00"
steps = [
    { expect_all = ["b", { hex = "78 ?? 7a" }], min_bytes = 5 },
    { send_hex = "01 02" },
    { expect_prefix = "ok", reject_regex = "^[45]", reject_hex = "ff" },
]

[services.slow]
port = 2531
steps = [{ expect = "never", timeout = "0.3s" }]

[[targets]]
host = "127.0.0.0/30"
port = "2529-2530,22"
service = "till"
group = ["shops", "tills"]

[[targets]]
id = "door"
name = "The till at the door"
host = "inside"
service = "steps"
group = "shops"
zabbix_host = "shop1"
count = 2
interval = 0.05
"""
TILL_FILES = {"config.toml": TILL, "till.pin": "4711\n"}
TILL_SCRIPT = [sends(b"till 4.2\r\n"), receives(b"\r\n"), sends("你好 horse 4711".encode("gbk")), receives(b"bye\r\n")]

case("config_check", "services --check", files=TILL_FILES)
case("config_services", "services", files=TILL_FILES)
case("config_service", "services till", files=TILL_FILES)
case("config_service_json", "services steps -o json", files=TILL_FILES)
case("config_till", "check 127.0.0.1 -s till -o json", {2529: Scripted(TILL_SCRIPT)}, files=TILL_FILES)
case(
    "config_till_capture",
    "check 127.0.0.1 -s till -o captures.version",
    {2529: Scripted(TILL_SCRIPT)},
    files=TILL_FILES,
)
case(
    "config_till_transcript",
    "check 127.0.0.1 -s till -o text -v",
    {
        2529: Scripted(
            [
                sends(b"till 4.2\r\n"),
                receives(b"\r\n"),
                sends(b"correct horse 4711 "),
                waits(30),
                sends("你好".encode("gbk")),
                receives(b"bye\r\n"),
            ]
        )
    },
    files=TILL_FILES,
)
case(
    "config_till_rejected",
    "check 127.0.0.1 -s till -o error",
    {2529: Scripted([sends("忙\r\n".encode("gbk"))])},
    files=TILL_FILES,
)
case(
    "config_till_elsewhere",
    "check 127.0.0.2 -s till --send x -o error",
    {"127.0.0.2:2529": Scripted(TILL_SCRIPT)},
    files=TILL_FILES,
)
case(
    "config_steps",
    "check 127.0.0.1 -s steps -o json",
    {
        2530: Scripted(
            [sends(b"ba"), waits(30), sends(b"xyz"), receives(b"\x01\x02"), sends(b"ok"), receives(b"\xe0\0")]
        )
    },
    files=TILL_FILES,
)
case(
    "config_steps_rejected",
    "check 127.0.0.1 -s steps -o error",
    {2530: Scripted([sends(b"baxyz"), receives(b"\x01\x02"), sends(b"550")])},
    files=TILL_FILES,
)
case("config_step_timeout", "check 127.0.0.1 -s slow -o json", {2531: Scripted()}, files=TILL_FILES)
case(
    "config_directory",
    ["check 127.0.0.1 -s a -o json", "services --check", "batch -o text"],
    {2525: greeting()},
    files={
        "config.toml": '[defaults]\nclose = "rst"\ntimeout = "1s"\n[services.b]\nport = 1\n',
        "conf.d/10-a.toml": '[defaults]\nclose = "fin"\n[[targets]]\nhost = "127.0.0.1"\nservice = "b"\n',
        "conf.d/20-a.toml": '[services.a]\nport = 2525\nsteps = [{ expect = "220 " }]\n[[targets]]\nhost = "127.0.0.1"\nservice = "a"\n',
        "conf.d/not-read.conf": "broken",
    },
)
case(
    "config_other_file",
    "services --check --config my.toml",
    files={"my.toml": "[services.a]\nport = 2525\n[services.b]\nport = 1\n", "config.toml": "broken"},
)
case(
    "config_environment",
    "check 127.0.0.1 -s a",
    {2525: greeting()},
    env={"ZBX_TCP_CONFIG": "my.toml"},
    files={"my.toml": "[services.a]\nport = 2525\n"},
)
case(
    "config_defaults",
    "check 127.0.0.1 2525 -o json",
    {2525: greeting()},
    files={"config.toml": '[defaults]\nsource = "127.0.0.7"\ncount = 2\ninterval = "20ms"\n'},
)

# --- Policy

POLICY = """\
allow = ["127.0.0.0/8", "192.0.2.7:22,443", "[2001:db8::]/32:8000-8010"]
deny = [
    "127.0.66.0/24",
    "0.0.0.0/0:3306",
]
"""


def explained(*targets):
    return [f"services --policy {target}" for target in targets]


case(
    "policy_explained",
    explained("127.0.0.1 22", "127.0.66.9 22", "127.0.0.1 3306", "192.0.2.7 443", "192.0.2.7 80"),
    files={"policy.toml": POLICY},
)
case(
    "policy_explained_ipv6",
    explained("2001:db8::1 8001", "::ffff:127.0.0.1 22", "64:ff9b::127.0.0.1 22", ":: 22"),
    files={"policy.toml": POLICY},
)
case("policy_explained_name", "services --policy both 22", files={"policy.toml": 'deny = ["127.0.0.2"]\n'})
case("policy_explained_no_file", "services --policy 127.0.0.1 22")
case("policy_no_lists", "services --policy 127.0.0.1 22", files={"policy.toml": "# nothing\n"})
case("policy_allowed", "check 127.0.0.1 2525", {2525: greeting()}, files={"policy.toml": POLICY})
case("policy_denied_rule", "check 127.0.66.9 22 -o error", files={"policy.toml": POLICY})
case("policy_denied_not_listed", "check 192.0.2.7 80 -o error", files={"policy.toml": POLICY})
case(
    "policy_denied_name",
    "check both 2525 --addresses all -o json",
    {2525: greeting()},
    files={"policy.toml": 'deny = ["127.0.0.2"]\n'},
)
case(
    "policy_invalid",
    "check 127.0.0.1 2525 -o error",
    {2525: Scripted()},
    files={"policy.toml": '\n\nalow = ["10.0.0.0/8"]\n'},
)
case(
    "policy_invalid_entries",
    "check 127.0.0.1 2525 -o error",
    {2525: Scripted()},
    files={"policy.toml": 'deny = ["10.0.0.1/8", 5]\n'},
)
case("policy_invalid_explained", "services --policy 127.0.0.1 22", files={"policy.toml": "deny = [\n"})

# --- batch

TARGETS = """\
[[targets]]
id = "till"
name = "The till at the door"
host = "127.0.0.1"
port = 2525
group = "shops"
zabbix_host = "shop1"

[[targets]]
host = "127.0.0.1"
port = "2526,2527"
group = ["shops", "closed"]
close = "rst"

[[targets]]
host = "127.0.0.1"
port = 2528
service = "ssh"
timeout = "0.5s"
zabbix_host = "shop2"
"""


def two_peers():
    return {2525: Scripted([sends(b"till 4.2\r\n")]), 2528: Scripted([sends(b"SSH-2.0-x\r\n"), receives(b"\r\n")])}


case("batch_json", "batch", two_peers(), files={"config.toml": TARGETS})
case("batch_compact", "batch --compact", two_peers(), files={"config.toml": TARGETS})
case("batch_text", "batch -o text", two_peers(), files={"config.toml": TARGETS})
case("batch_ndjson", "batch -o ndjson --concurrency 1 --seed 7", two_peers(), files={"config.toml": TARGETS})
case(
    "batch_ndjson_compact",
    "batch -o ndjson --compact --concurrency 1 --seed 7",
    two_peers(),
    files={"config.toml": TARGETS},
)
case("batch_sender", "batch -o sender", two_peers(), files={"config.toml": TARGETS})
case(
    "batch_sender_metrics",
    "batch -o sender --metrics up,status_name,error,response.text,response.bytes,time.first_byte --zabbix-host 'the \"ninth\" shop'",
    two_peers(),
    files={"config.toml": TARGETS},
)
case(
    "batch_sender_key",
    "batch -o sender --metrics up --sender-key 'tcp[METRIC,\"ID\"]' -g shops",
    two_peers(),
    files={"config.toml": TARGETS},
)
case("batch_group", "batch --group closed", files={"config.toml": TARGETS})
case("batch_groups", "batch --group closed --group shops -o text", two_peers(), files={"config.toml": TARGETS})
case("batch_config_groups", "batch --group tills --compact -t 0.5", {2529: Scripted(TILL_SCRIPT)}, files=TILL_FILES)
case(
    "batch_config_count",
    "batch --group shops -o text -t 0.5",
    {
        2529: Scripted(TILL_SCRIPT),
        2530: Scripted([sends(b"baxyz"), receives(b"\x01\x02"), sends(b"ok"), receives(b"\xe0\0")]),
    },
    files=TILL_FILES,
)
case(
    "batch_words",
    "batch 127.0.0.1:2525,2526/ssh,2527-2528 127.0.0.2:2525 '[::1]:2525'",
    {2525: greeting(), 2526: greeting()},
)
case("batch_network", "batch 127.0.0.0/29:2525 -o text --per-host 2", {"127.0.0.2:2525": greeting()})
case(
    "batch_stdin",
    "batch -",
    two_peers(),
    stdin="# targets\n\n127.0.0.1 2525\n127.0.0.1:2526  # closed\n127.0.0.1 2528 ssh\n",
)
case(
    "batch_stdin_json",
    "batch -",
    two_peers(),
    stdin='{"host":"127.0.0.1","port":2525,"id":"named","name":"A \\"name\\"","group":["a","b"],"steps":[{"expect":"till"}]}\n'
    '{"host":"127.0.0.1","service":"ssh","port":2528,"timeout":0.5}\n{"host":"127.0.0.1","port":"2526-2527","expect_closed":"answered"}\n',
)
case(
    "batch_stdin_sender",
    "batch - -o sender --metrics up,error --zabbix-host shop9",
    stdin="127.0.0.1 2525\n127.0.0.1:2526\n",
)
case(
    "batch_stdin_duplicates",
    "batch - -o text",
    two_peers(),
    stdin="127.0.0.1 2525\n127.0.0.1:2525\n127.0.0.1 2525 tcp\n",
)
case(
    "batch_keep_going",
    "batch - --keep-going -o text -v",
    two_peers(),
    stdin='127.0.0.1 2525\nhost:99999\n127.0.0.1\n{"host":\n',
)
case("batch_keep_going_json", "batch - --keep-going --compact", two_peers(), stdin="127.0.0.1 2525\nhost:99999\n")
case("batch_shards", [f"batch 127.0.0.1:2001-2012 --shard {part}/3 -o text" for part in (1, 2, 3)])
case(
    "batch_expect",
    "batch 127.0.0.1:2525-2526 --expect 'till' --quit bye --close fin -n 2 -i 50ms",
    {2525: Scripted([sends(b"till 4.2\r\n")])},
)
case("batch_verbose", "batch 127.0.0.1:2525 -v", {2525: greeting()})
case(
    "batch_verbose_bounds",
    "batch 127.0.0.1:2001-2010 -v -o sender --metrics up --concurrency 5 --seed 7 --threads 2 --rate 5000 --per-host 0",
)
case("batch_verbose_many", shell="zbx-tcp batch 127.0.0.0/21:2001 -v | tr , '\\n' | grep -c '\"status\":3'")
case("batch_terminal", "batch -o text", two_peers(), files={"config.toml": TARGETS}, terminal=True)
case(
    "batch_not_tried",
    "batch 127.0.0.1:2525,2526,2527 --concurrency 1 --seed 7 --deadline 0.5 --expect x",
    {port: Scripted() for port in (2525, 2526, 2527)},
)
case(
    "batch_not_tried_text",
    "batch 127.0.0.1:2525-2526 --concurrency 1 --seed 7 --deadline 0.5 -o text",
    {2525: Full(), 2526: Full()},
)
case(
    "batch_stopped",
    "batch 127.0.0.1:2525,2526 --per-host 1 --seed 7 --expect x --deadline 10 -t 10",
    {2525: Scripted(), 2526: Scripted()},
    signal=signal.SIGTERM,
    after_accepted=1,
)
case(
    "batch_statuses",
    "batch - -o text -t 0.8",
    {
        2525: greeting(),
        2526: Scripted([receives(), sends_rst()]),
        2527: Scripted([sends_fin()]),
        2528: Scripted(),
        2529: Full(),
        2530: Scripted([sends(b"554 busy\r\n")]),
        2531: Prohibits(13, "127.0.0.50"),
    },
    names=ZONE,
    files={"policy.toml": 'deny = ["127.0.66.0/24"]\n'},
    stdin='127.0.0.1 2525\n{"host":"127.0.0.1","port":2525,"id":"open","expect_closed":"answered"}\n'
    '{"host":"127.0.0.1","port":2526,"steps":[{"send":"x"},{"expect":"ok"}]}\n{"host":"127.0.0.1","port":2527,"steps":[{"expect":"ok"}]}\n'
    '{"host":"127.0.0.1","port":2528,"steps":[{"expect":"ok"}]}\n127.0.0.1 2529\n127.0.0.1 2530 smtp\n127.0.0.1 2531\n127.0.0.1 2532\n'
    "192.0.2.1 22\n203.0.113.1 22\n127.0.66.1 22\nabsent.example 22\nsilent.example 22\nv4.example 2525\n"
    '{"host":"127.0.0.1","port":2525,"id":"wrong","steps":[{"expect_prefix":"250 "}]}\n',
)

# --- discover

case("discover_ports", "discover ports 192.0.2.7 22/ssh,25/smtp,8000-8003")
case("discover_ports_ipv6", "discover ports ::1 22,22/ssh,22/smtp")
case("discover_open", "discover open 127.0.0.1 2520-2530,2525/ssh", {2525: greeting(), 2527: Scripted()})
case("discover_open_none", "discover open 127.0.0.1 2520-2530")
case("discover_targets", "discover targets", files={"config.toml": TARGETS})
case("discover_targets_group", "discover targets --group closed", files={"config.toml": TARGETS})
case("discover_targets_none", "discover targets")

# --- serve

case(
    "serve_greeting",
    "serve 127.0.0.1:2525 --greeting '220 mail ready\\r\\n' --once",
    clients=[Client(20001, [receives(b"\n"), sends(b"QUIT\r\n"), sends_fin()])],
)
case(
    "serve_reply_gbk",
    "serve 127.0.0.1:2525 --encoding gbk --reply 'ok, 问题正在处理中…' --once",
    clients=[
        Client(20001, [sends("你好服务端,我是客户端小黑!".encode("gbk")), receives("…".encode("gbk")), sends_fin()])
    ],
)
case(
    "serve_echo",
    "serve 127.0.0.1:2525 --echo --once",
    clients=[Client(20001, [sends(b"one"), receives(b"one"), sends(b"two\xff"), receives(b"two\xff"), sends_fin()])],
)
case(
    "serve_two_clients",
    "serve 127.0.0.1:2525 --greeting hi --reply bye --delay 50ms",
    clients=[
        Client(20001, [receives(b"hi"), sends(b"a"), receives(b"bye"), sends_fin()], 6),
        Client(20002, [receives(b"hi"), sends_fin()], 9),
    ],
    signal=signal.SIGTERM,
)
# The RST may take away the reply before it is read.
case(
    "serve_close_rst",
    "serve 127.0.0.1:2525 --reply bye --close rst --once",
    clients=[Client(20001, [sends(b"x")])],
    compare_received=False,
)
case("serve_close_rst_silent", "serve 127.0.0.1:2525 --close rst --once", clients=[Client(20001, [])])
case(
    "serve_close_hold",
    "serve 127.0.0.1:2525 --reply bye --close hold --once",
    clients=[Client(20001, [sends(b"x"), receives(b"bye"), sends(b"y"), waits(50), sends_fin()])],
)
case(
    "serve_client_resets",
    "serve 127.0.0.1:2525 --greeting hi --once",
    clients=[Client(20001, [receives(b"hi"), sends_rst()])],
)
case(
    "serve_never_accept",
    "serve 127.0.0.1:2525 --close never-accept --backlog 5",
    clients=[Client(20001, [closes()])],
    signal=signal.SIGINT,
    after_lines=1,
)
case("serve_everywhere", "serve 2525 --once", clients=[Client(20001, [sends_fin()])])
case("serve_port_0", "serve 127.0.0.1:0", signal=signal.SIGTERM, after_lines=1, ports=True)

# --- Help

case("help", "--help")
case("help_version", "--version")
case("help_check", "check --help")
case("help_check_short", "check -h")
case("help_batch", "batch --help")
case("help_discover", "discover --help")
case("help_discover_ports", "discover ports --help")
case("help_discover_open", "discover open --help")
case("help_discover_targets", "discover targets --help")
case("help_discover_listeners", "discover listeners --help")
case("help_serve", "serve --help")
case("help_services", "services --help")
case("help_demo", "demo --help")

# --- Errors of the caller, whose texts may change on purpose

case("error_command", ["", "probe", "serv", "check", "/run/x.sock true"])
case(
    "error_target",
    [
        "check 127.0.0.1",
        "check 127.0.0.1 70000",
        "check 127.0.0.1:22 23",
        "check 127.1 22",
        "check ::1",
        "check '[::1' 22",
        "check '*UNKNOWN*' 22",
        "check 例子.测试 22",
        "check -6 127.0.0.1 22",
        "check '' 22",
    ],
)
case(
    "error_option",
    [
        "check 127.0.0.1 22 --colour",
        "check 127.0.0.1 22 -o time.conect",
        "check 127.0.0.1 22 -t abc",
        "check 127.0.0.1 22 -t 0",
        "check 127.0.0.1 22 -t 1s -t 2s",
        "check 127.0.0.1 22 --close later",
        "check 127.0.0.1 22 --count 0",
        "check 127.0.0.1 22 --count 2 --require 3",
        "check 127.0.0.1 22 --interval 1s",
        "check 127.0.0.1 22 --source 192.0.2.9",
        "check 127.0.0.1 22 --interface eth9",
        "check 127.0.0.1 22 --resolver dns",
        "check 127.0.0.1 22 -o json -v",
        "check 127.0.0.1 22 --proxy-protocol v1",
    ],
)
case(
    "error_dialogue",
    [
        "check 127.0.0.1 22 --send 'a\\q'",
        "check 127.0.0.1 22 --send '${x}'",
        "check 127.0.0.1 22 --send-hex '1'",
        "check 127.0.0.1 22 --send-hex '??'",
        "check 127.0.0.1 22 --expect-regex '('",
        "check 127.0.0.1 22 --expect-hex 'zz'",
        "check 127.0.0.1 22 --reject x",
        "check 127.0.0.1 22 --quit x --expect y",
        "check 127.0.0.1 22 --encoding klingon",
        "check 127.0.0.1 22 --expect-closed --expect x",
        "check 127.0.0.1 22 --max-bytes 0",
        "check 127.0.0.1 22 --encoding gbk --send '😀'",
    ],
)
case(
    "error_service",
    [
        "check 127.0.0.1 -s shh",
        "check 127.0.0.1 443 -s redis --starttls smtp",
        "check 127.0.0.1 -s tcp",
        "services smpt",
        "services -o xml",
    ],
)
case(
    "error_batch",
    [
        "batch",
        "batch 127.0.0.1",
        "batch 127.0.0.1:22 -o xml",
        "batch 127.0.0.1:22 --shard 3/2",
        "batch 127.0.0.1:22 -o sender --metrics up,speed",
        "batch 127.0.0.1:22,23 -o sender --sender-key tcp.up",
        "batch 127.0.0.0/16:22 --max-targets 5",
        "batch 127.0.0.1:22 --rate x",
        "batch -",
        "batch --group shosp --config targets.toml",
    ],
    files={"targets.toml": TARGETS},
)
case("error_batch_stdin", "batch -", stdin="127.0.0.1 2525\n127.0.0.1 99999\n")
case(
    "error_batch_stdin_json",
    shell='for key in prot timeout id; do echo "{\\"host\\":\\"127.0.0.1\\",\\"port\\":22,\\"$key\\":\\" \\"}" | zbx-tcp batch -; done',
)
case(
    "error_discover",
    [
        "discover",
        "discover ports",
        "discover ports 192.0.2.7 ''",
        "discover ports 192.0.2.7 22/ssh,8010-8000",
        "discover ports 192.0.2.7 22/smpt",
        "discover ports 192.0.2.7 1-65535",
        "discover open absent.localdomain 22",
        "discover targets --group shops",
    ],
)
case("error_discover_open_deadline", "discover open 127.0.0.1 2525 --deadline 0.3", {2525: Full()})
case(
    "error_serve",
    [
        "serve",
        "serve host:25",
        "serve 127.0.0.1:70000",
        "serve 192.0.2.1:2525",
        "serve 2525 --echo --reply x",
        "serve 2525 --close later",
        "serve 2525 --backlog -1",
        "serve 2525 --delay x",
        "serve 2525 --encoding klingon",
    ],
)
case(
    "error_config_absent",
    ["services --check --config absent.toml", "check 127.0.0.1 22 --config .", "services --check --config ''"],
)
case(
    "error_config",
    "services --check",
    files={"config.toml": """\
[defaults]
timeot = 1

[services.a]
prot = 22
steps = [{ expect_regex = "(" }]
[services.b]
crlf = "yes"
encoding = "klingon"
steps = [
  { send = '\\q' },
  {},
  { send = "${nobody}" },
  { expect_any = [] },
  { expect = "x", timeout = "soon" },
]
[services."c d"]
[services.d]
port = 0
hosts = ["10.0.0.1/8"]
quit = "a"
quit_hex = "00"
secrets = { password = "" }
[[targets]]
host = "192.0.2.1"
[[targets]]
host = "192.0.2.0/33"
port = "1-"
[[targets]]
id = "a b"
host = "192.0.2.0/30"
port = 22
"""},
)
case(
    "error_config_two_files",
    "check 127.0.0.1 22",
    files={"config.toml": "[services.a]\nport = 1\n", "conf.d/a.toml": "[services.a]\nport = 2\n"},
)
case("error_config_syntax", "check 127.0.0.1 22", files={"config.toml": "[services.a\nport = 22\n"})
case(
    "error_config_public_secret",
    "services --check",
    files={"config.toml": ('[services.a]\nsecrets = { password = "x" }\n', 0o644)},
)
case(
    "error_config_secret_file",
    "services --check",
    files={"config.toml": '[services.a]\nsecrets = { p = { file = "none" }, q = 5 }\n'},
)
case(
    "error_config_same_id",
    "batch",
    files={
        "config.toml": '[[targets]]\nid = "a"\nhost = "127.0.0.1"\nport = 1\n' * 2
        + '[[targets]]\nid = "a"\nhost = "127.0.0.1"\nport = 2\n'
    },
)
case("error_policy_name", "services --policy absent.example 22", names=ZONE)
