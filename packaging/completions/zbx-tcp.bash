_zbx__tcp() {
    local i cur prev opts cmd
    COMPREPLY=()
    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
        cur="$2"
    else
        cur="${COMP_WORDS[COMP_CWORD]}"
    fi
    prev="$3"
    cmd=""
    opts=""

    for i in "${COMP_WORDS[@]:0:COMP_CWORD}"
    do
        case "${cmd},${i}" in
            ",$1")
                cmd="zbx__tcp"
                ;;
            zbx__tcp,batch)
                cmd="zbx__tcp__subcmd__batch"
                ;;
            zbx__tcp,check)
                cmd="zbx__tcp__subcmd__check"
                ;;
            zbx__tcp,demo)
                cmd="zbx__tcp__subcmd__demo"
                ;;
            zbx__tcp,discover)
                cmd="zbx__tcp__subcmd__discover"
                ;;
            zbx__tcp,doctor)
                cmd="zbx__tcp__subcmd__doctor"
                ;;
            zbx__tcp,path)
                cmd="zbx__tcp__subcmd__path"
                ;;
            zbx__tcp,serve)
                cmd="zbx__tcp__subcmd__serve"
                ;;
            zbx__tcp,services)
                cmd="zbx__tcp__subcmd__services"
                ;;
            zbx__tcp,watch)
                cmd="zbx__tcp__subcmd__watch"
                ;;
            zbx__tcp__subcmd__discover,listeners)
                cmd="zbx__tcp__subcmd__discover__subcmd__listeners"
                ;;
            zbx__tcp__subcmd__discover,open)
                cmd="zbx__tcp__subcmd__discover__subcmd__open"
                ;;
            zbx__tcp__subcmd__discover,ports)
                cmd="zbx__tcp__subcmd__discover__subcmd__ports"
                ;;
            zbx__tcp__subcmd__discover,targets)
                cmd="zbx__tcp__subcmd__discover__subcmd__targets"
                ;;
            *)
                ;;
        esac
    done

    case "${cmd}" in
        zbx__tcp)
            opts="-h -V --help --version check batch discover watch path serve services doctor demo"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 1 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        zbx__tcp__subcmd__batch)
            opts="-g -o -4 -6 -n -i -v -t -s -h --group --output --metrics --zabbix-host --sender-key --compact --max-output --deadline --concurrency --rate --per-host --threads --seed --shard --max-targets --keep-going --family --source --source-port --interface --resolver --config --addresses --count --interval --require --tls --starttls --sni --alpn --ca-file --client-cert --client-key --pin-sha256 --tls-min --tls-report-only --tls-legacy --expect-client-cert --tls-scan --send --send-hex --expect --expect-prefix --expect-regex --expect-hex --reject --reject-regex --reject-hex --expect-silence --quit --encoding --crlf --max-bytes --close --expect-closed --path --verbose --timeout --service --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --group)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -g)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --output)
                    COMPREPLY=($(compgen -W "text json schema id name host port service up state status status_name error step address family source addresses_total addresses_failed addresses_error time.total time.resolve time.connect time.tls time.first_byte time.dialogue tcp.rtt tcp.rttvar tcp.syn_retransmits tcp.mss tcp.bytes_acked tcp.retransmits tls.how tls.proved tls.version tls.cipher tls.group tls.alpn tls.verified tls.verify_error tls.faults tls.subject tls.issuer tls.names tls.names_omitted tls.serial tls.sha256 tls.spki_sha256 tls.key tls.signature tls.not_before tls.not_after tls.days_left tls.lifetime_left tls.chain_days_left tls.chain tls.chain_omitted tls.client_cert tls.staple tls.roots tls.oldest tls.pq tls.other_addresses icmp.type icmp.code icmp.from path.hops path.last_hop path.last path.reached response.bytes response.text response.hex attempts.sent attempts.ok attempts.loss attempts.min attempts.avg attempts.max attempts.stddev" -- "${cur}"))
                    return 0
                    ;;
                -o)
                    COMPREPLY=($(compgen -W "text json schema id name host port service up state status status_name error step address family source addresses_total addresses_failed addresses_error time.total time.resolve time.connect time.tls time.first_byte time.dialogue tcp.rtt tcp.rttvar tcp.syn_retransmits tcp.mss tcp.bytes_acked tcp.retransmits tls.how tls.proved tls.version tls.cipher tls.group tls.alpn tls.verified tls.verify_error tls.faults tls.subject tls.issuer tls.names tls.names_omitted tls.serial tls.sha256 tls.spki_sha256 tls.key tls.signature tls.not_before tls.not_after tls.days_left tls.lifetime_left tls.chain_days_left tls.chain tls.chain_omitted tls.client_cert tls.staple tls.roots tls.oldest tls.pq tls.other_addresses icmp.type icmp.code icmp.from path.hops path.last_hop path.last path.reached response.bytes response.text response.hex attempts.sent attempts.ok attempts.loss attempts.min attempts.avg attempts.max attempts.stddev" -- "${cur}"))
                    return 0
                    ;;
                --metrics)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --zabbix-host)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --sender-key)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --max-output)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --deadline)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --concurrency)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --rate)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --per-host)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --threads)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --seed)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --shard)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --max-targets)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --family)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --source)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --source-port)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --interface)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --resolver)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --config)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --addresses)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --count)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -n)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --interval)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -i)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --require)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --starttls)
                    COMPREPLY=($(compgen -W "ftp imap irc ldap lmtp mysql nntp pop3 pop postgres rdp sieve smtp submission telnet xmpp-server xmpp" -- "${cur}"))
                    return 0
                    ;;
                --sni)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --alpn)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --ca-file)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --client-cert)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --client-key)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --pin-sha256)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --tls-min)
                    COMPREPLY=($(compgen -W "1.0 1.1 1.2 1.3" -- "${cur}"))
                    return 0
                    ;;
                --send)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --send-hex)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --expect)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --expect-prefix)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --expect-regex)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --expect-hex)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --reject)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --reject-regex)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --reject-hex)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --expect-silence)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --quit)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --encoding)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --max-bytes)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --close)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --expect-closed)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --path)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --timeout)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -t)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --service)
                    COMPREPLY=($(compgen -W "amqp amqps dns docker dot elasticsearch elasticsearch_tls etcd finger ftp ftp_starttls ftps http http_head https https_head imap imap_starttls imaps irc irc_starttls ircs kafka kafka_tls kubernetes ldap ldap_starttls ldaps lmtp lmtp_starttls memcached memcached_tls mongodb mongodb_tls mqtt mqtts mysql mysql_login mysql_starttls mysql_tls nntp nntp_starttls nntps pop pop3 pop3_starttls pop3s pop_starttls postgres postgres_starttls postgres_startup postgres_tls radsec rdp rdp_starttls rdp_tls redis rediss rtsp rtsps sieve sieve_starttls sip sips smtp smtp_starttls smtps ssh submission submission_starttls submissions syslog_tls tcp telnet telnet_starttls telnets tls vault vnc whois xmpp xmpp-server xmpp-server_starttls xmpp_starttls xmpps zabbix_agent zabbix_agent_tls zabbix_server zabbix_server_tls zookeeper zookeeper_tls" -- "${cur}"))
                    return 0
                    ;;
                -s)
                    COMPREPLY=($(compgen -W "amqp amqps dns docker dot elasticsearch elasticsearch_tls etcd finger ftp ftp_starttls ftps http http_head https https_head imap imap_starttls imaps irc irc_starttls ircs kafka kafka_tls kubernetes ldap ldap_starttls ldaps lmtp lmtp_starttls memcached memcached_tls mongodb mongodb_tls mqtt mqtts mysql mysql_login mysql_starttls mysql_tls nntp nntp_starttls nntps pop pop3 pop3_starttls pop3s pop_starttls postgres postgres_starttls postgres_startup postgres_tls radsec rdp rdp_starttls rdp_tls redis rediss rtsp rtsps sieve sieve_starttls sip sips smtp smtp_starttls smtps ssh submission submission_starttls submissions syslog_tls tcp telnet telnet_starttls telnets tls vault vnc whois xmpp xmpp-server xmpp-server_starttls xmpp_starttls xmpps zabbix_agent zabbix_agent_tls zabbix_server zabbix_server_tls zookeeper zookeeper_tls" -- "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        zbx__tcp__subcmd__check)
            opts="-o -t -4 -6 -s -n -i -v -h --output --timeout --family --source --source-port --interface --resolver --config --service --addresses --count --interval --require --tls --starttls --sni --alpn --ca-file --client-cert --client-key --pin-sha256 --tls-min --tls-report-only --tls-legacy --expect-client-cert --tls-scan --send --send-hex --expect --expect-prefix --expect-regex --expect-hex --reject --reject-regex --reject-hex --expect-silence --quit --encoding --crlf --max-bytes --close --expect-closed --path --verbose --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --output)
                    COMPREPLY=($(compgen -W "text json schema id name host port service up state status status_name error step address family source addresses_total addresses_failed addresses_error time.total time.resolve time.connect time.tls time.first_byte time.dialogue tcp.rtt tcp.rttvar tcp.syn_retransmits tcp.mss tcp.bytes_acked tcp.retransmits tls.how tls.proved tls.version tls.cipher tls.group tls.alpn tls.verified tls.verify_error tls.faults tls.subject tls.issuer tls.names tls.names_omitted tls.serial tls.sha256 tls.spki_sha256 tls.key tls.signature tls.not_before tls.not_after tls.days_left tls.lifetime_left tls.chain_days_left tls.chain tls.chain_omitted tls.client_cert tls.staple tls.roots tls.oldest tls.pq tls.other_addresses icmp.type icmp.code icmp.from path.hops path.last_hop path.last path.reached response.bytes response.text response.hex attempts.sent attempts.ok attempts.loss attempts.min attempts.avg attempts.max attempts.stddev" -- "${cur}"))
                    return 0
                    ;;
                -o)
                    COMPREPLY=($(compgen -W "text json schema id name host port service up state status status_name error step address family source addresses_total addresses_failed addresses_error time.total time.resolve time.connect time.tls time.first_byte time.dialogue tcp.rtt tcp.rttvar tcp.syn_retransmits tcp.mss tcp.bytes_acked tcp.retransmits tls.how tls.proved tls.version tls.cipher tls.group tls.alpn tls.verified tls.verify_error tls.faults tls.subject tls.issuer tls.names tls.names_omitted tls.serial tls.sha256 tls.spki_sha256 tls.key tls.signature tls.not_before tls.not_after tls.days_left tls.lifetime_left tls.chain_days_left tls.chain tls.chain_omitted tls.client_cert tls.staple tls.roots tls.oldest tls.pq tls.other_addresses icmp.type icmp.code icmp.from path.hops path.last_hop path.last path.reached response.bytes response.text response.hex attempts.sent attempts.ok attempts.loss attempts.min attempts.avg attempts.max attempts.stddev" -- "${cur}"))
                    return 0
                    ;;
                --timeout)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -t)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --family)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --source)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --source-port)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --interface)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --resolver)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --config)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --service)
                    COMPREPLY=($(compgen -W "amqp amqps dns docker dot elasticsearch elasticsearch_tls etcd finger ftp ftp_starttls ftps http http_head https https_head imap imap_starttls imaps irc irc_starttls ircs kafka kafka_tls kubernetes ldap ldap_starttls ldaps lmtp lmtp_starttls memcached memcached_tls mongodb mongodb_tls mqtt mqtts mysql mysql_login mysql_starttls mysql_tls nntp nntp_starttls nntps pop pop3 pop3_starttls pop3s pop_starttls postgres postgres_starttls postgres_startup postgres_tls radsec rdp rdp_starttls rdp_tls redis rediss rtsp rtsps sieve sieve_starttls sip sips smtp smtp_starttls smtps ssh submission submission_starttls submissions syslog_tls tcp telnet telnet_starttls telnets tls vault vnc whois xmpp xmpp-server xmpp-server_starttls xmpp_starttls xmpps zabbix_agent zabbix_agent_tls zabbix_server zabbix_server_tls zookeeper zookeeper_tls" -- "${cur}"))
                    return 0
                    ;;
                -s)
                    COMPREPLY=($(compgen -W "amqp amqps dns docker dot elasticsearch elasticsearch_tls etcd finger ftp ftp_starttls ftps http http_head https https_head imap imap_starttls imaps irc irc_starttls ircs kafka kafka_tls kubernetes ldap ldap_starttls ldaps lmtp lmtp_starttls memcached memcached_tls mongodb mongodb_tls mqtt mqtts mysql mysql_login mysql_starttls mysql_tls nntp nntp_starttls nntps pop pop3 pop3_starttls pop3s pop_starttls postgres postgres_starttls postgres_startup postgres_tls radsec rdp rdp_starttls rdp_tls redis rediss rtsp rtsps sieve sieve_starttls sip sips smtp smtp_starttls smtps ssh submission submission_starttls submissions syslog_tls tcp telnet telnet_starttls telnets tls vault vnc whois xmpp xmpp-server xmpp-server_starttls xmpp_starttls xmpps zabbix_agent zabbix_agent_tls zabbix_server zabbix_server_tls zookeeper zookeeper_tls" -- "${cur}"))
                    return 0
                    ;;
                --addresses)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --count)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -n)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --interval)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -i)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --require)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --starttls)
                    COMPREPLY=($(compgen -W "ftp imap irc ldap lmtp mysql nntp pop3 pop postgres rdp sieve smtp submission telnet xmpp-server xmpp" -- "${cur}"))
                    return 0
                    ;;
                --sni)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --alpn)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --ca-file)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --client-cert)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --client-key)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --pin-sha256)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --tls-min)
                    COMPREPLY=($(compgen -W "1.0 1.1 1.2 1.3" -- "${cur}"))
                    return 0
                    ;;
                --send)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --send-hex)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --expect)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --expect-prefix)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --expect-regex)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --expect-hex)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --reject)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --reject-regex)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --reject-hex)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --expect-silence)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --quit)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --encoding)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --max-bytes)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --close)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --expect-closed)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --path)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        zbx__tcp__subcmd__demo)
            opts="-h --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        zbx__tcp__subcmd__discover)
            opts="-h --help ports open targets listeners"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        zbx__tcp__subcmd__discover__subcmd__listeners)
            opts="-o -h --output --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --output)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -o)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        zbx__tcp__subcmd__discover__subcmd__open)
            opts="-4 -6 -t -h --deadline --concurrency --rate --threads --seed --family --source --source-port --interface --resolver --config --tls --starttls --sni --alpn --ca-file --client-cert --client-key --pin-sha256 --tls-min --tls-report-only --tls-legacy --expect-client-cert --tls-scan --timeout --per-host --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --deadline)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --concurrency)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --rate)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --threads)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --seed)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --family)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --source)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --source-port)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --interface)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --resolver)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --config)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --starttls)
                    COMPREPLY=($(compgen -W "ftp imap irc ldap lmtp mysql nntp pop3 pop postgres rdp sieve smtp submission telnet xmpp-server xmpp" -- "${cur}"))
                    return 0
                    ;;
                --sni)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --alpn)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --ca-file)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --client-cert)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --client-key)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --pin-sha256)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --tls-min)
                    COMPREPLY=($(compgen -W "1.0 1.1 1.2 1.3" -- "${cur}"))
                    return 0
                    ;;
                --timeout)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -t)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --per-host)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        zbx__tcp__subcmd__discover__subcmd__ports)
            opts="-h --config --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --config)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        zbx__tcp__subcmd__discover__subcmd__targets)
            opts="-g -h --group --config --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 3 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --group)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -g)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --config)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        zbx__tcp__subcmd__doctor)
            opts="-o -h --output --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --output)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -o)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        zbx__tcp__subcmd__path)
            opts="-o -4 -6 -t -h --against --rounds --names --output --family --source --interface --resolver --config --timeout --source-port --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --against)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --rounds)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --output)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -o)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --family)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --source)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --interface)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --resolver)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --config)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --timeout)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -t)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --source-port)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        zbx__tcp__subcmd__serve)
            opts="-h --greeting --reply --echo --encoding --delay --backlog --close --once --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --greeting)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --reply)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --encoding)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --delay)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --backlog)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --close)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        zbx__tcp__subcmd__services)
            opts="-o -h --output --check --policy --config --help amqp amqps dns docker dot elasticsearch elasticsearch_tls etcd finger ftp ftp_starttls ftps http http_head https https_head imap imap_starttls imaps irc irc_starttls ircs kafka kafka_tls kubernetes ldap ldap_starttls ldaps lmtp lmtp_starttls memcached memcached_tls mongodb mongodb_tls mqtt mqtts mysql mysql_login mysql_starttls mysql_tls nntp nntp_starttls nntps pop pop3 pop3_starttls pop3s pop_starttls postgres postgres_starttls postgres_startup postgres_tls radsec rdp rdp_starttls rdp_tls redis rediss rtsp rtsps sieve sieve_starttls sip sips smtp smtp_starttls smtps ssh submission submission_starttls submissions syslog_tls tcp telnet telnet_starttls telnets tls vault vnc whois xmpp xmpp-server xmpp-server_starttls xmpp_starttls xmpps zabbix_agent zabbix_agent_tls zabbix_server zabbix_server_tls zookeeper zookeeper_tls"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --output)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -o)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --policy)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --config)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
        zbx__tcp__subcmd__watch)
            opts="-o -w -t -4 -6 -s -c -i -h --output --deadline --idle --timeout --family --source --source-port --interface --resolver --config --service --addresses --tls --starttls --sni --alpn --ca-file --client-cert --client-key --pin-sha256 --tls-min --tls-report-only --tls-legacy --expect-client-cert --tls-scan --send --send-hex --expect --expect-prefix --expect-regex --expect-hex --reject --reject-regex --reject-hex --expect-silence --quit --encoding --crlf --max-bytes --close --expect-closed --path --count --interval --require --help"
            if [[ ${cur} == -* || ${COMP_CWORD} -eq 2 ]] ; then
                COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
                return 0
            fi
            case "${prev}" in
                --output)
                    COMPREPLY=($(compgen -W "text json schema id name host port service up state status status_name error step address family source addresses_total addresses_failed addresses_error time.total time.resolve time.connect time.tls time.first_byte time.dialogue tcp.rtt tcp.rttvar tcp.syn_retransmits tcp.mss tcp.bytes_acked tcp.retransmits tls.how tls.proved tls.version tls.cipher tls.group tls.alpn tls.verified tls.verify_error tls.faults tls.subject tls.issuer tls.names tls.names_omitted tls.serial tls.sha256 tls.spki_sha256 tls.key tls.signature tls.not_before tls.not_after tls.days_left tls.lifetime_left tls.chain_days_left tls.chain tls.chain_omitted tls.client_cert tls.staple tls.roots tls.oldest tls.pq tls.other_addresses icmp.type icmp.code icmp.from path.hops path.last_hop path.last path.reached response.bytes response.text response.hex attempts.sent attempts.ok attempts.loss attempts.min attempts.avg attempts.max attempts.stddev" -- "${cur}"))
                    return 0
                    ;;
                -o)
                    COMPREPLY=($(compgen -W "text json schema id name host port service up state status status_name error step address family source addresses_total addresses_failed addresses_error time.total time.resolve time.connect time.tls time.first_byte time.dialogue tcp.rtt tcp.rttvar tcp.syn_retransmits tcp.mss tcp.bytes_acked tcp.retransmits tls.how tls.proved tls.version tls.cipher tls.group tls.alpn tls.verified tls.verify_error tls.faults tls.subject tls.issuer tls.names tls.names_omitted tls.serial tls.sha256 tls.spki_sha256 tls.key tls.signature tls.not_before tls.not_after tls.days_left tls.lifetime_left tls.chain_days_left tls.chain tls.chain_omitted tls.client_cert tls.staple tls.roots tls.oldest tls.pq tls.other_addresses icmp.type icmp.code icmp.from path.hops path.last_hop path.last path.reached response.bytes response.text response.hex attempts.sent attempts.ok attempts.loss attempts.min attempts.avg attempts.max attempts.stddev" -- "${cur}"))
                    return 0
                    ;;
                --deadline)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -w)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --idle)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --timeout)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -t)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --family)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --source)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --source-port)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --interface)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --resolver)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --config)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --service)
                    COMPREPLY=($(compgen -W "amqp amqps dns docker dot elasticsearch elasticsearch_tls etcd finger ftp ftp_starttls ftps http http_head https https_head imap imap_starttls imaps irc irc_starttls ircs kafka kafka_tls kubernetes ldap ldap_starttls ldaps lmtp lmtp_starttls memcached memcached_tls mongodb mongodb_tls mqtt mqtts mysql mysql_login mysql_starttls mysql_tls nntp nntp_starttls nntps pop pop3 pop3_starttls pop3s pop_starttls postgres postgres_starttls postgres_startup postgres_tls radsec rdp rdp_starttls rdp_tls redis rediss rtsp rtsps sieve sieve_starttls sip sips smtp smtp_starttls smtps ssh submission submission_starttls submissions syslog_tls tcp telnet telnet_starttls telnets tls vault vnc whois xmpp xmpp-server xmpp-server_starttls xmpp_starttls xmpps zabbix_agent zabbix_agent_tls zabbix_server zabbix_server_tls zookeeper zookeeper_tls" -- "${cur}"))
                    return 0
                    ;;
                -s)
                    COMPREPLY=($(compgen -W "amqp amqps dns docker dot elasticsearch elasticsearch_tls etcd finger ftp ftp_starttls ftps http http_head https https_head imap imap_starttls imaps irc irc_starttls ircs kafka kafka_tls kubernetes ldap ldap_starttls ldaps lmtp lmtp_starttls memcached memcached_tls mongodb mongodb_tls mqtt mqtts mysql mysql_login mysql_starttls mysql_tls nntp nntp_starttls nntps pop pop3 pop3_starttls pop3s pop_starttls postgres postgres_starttls postgres_startup postgres_tls radsec rdp rdp_starttls rdp_tls redis rediss rtsp rtsps sieve sieve_starttls sip sips smtp smtp_starttls smtps ssh submission submission_starttls submissions syslog_tls tcp telnet telnet_starttls telnets tls vault vnc whois xmpp xmpp-server xmpp-server_starttls xmpp_starttls xmpps zabbix_agent zabbix_agent_tls zabbix_server zabbix_server_tls zookeeper zookeeper_tls" -- "${cur}"))
                    return 0
                    ;;
                --addresses)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --starttls)
                    COMPREPLY=($(compgen -W "ftp imap irc ldap lmtp mysql nntp pop3 pop postgres rdp sieve smtp submission telnet xmpp-server xmpp" -- "${cur}"))
                    return 0
                    ;;
                --sni)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --alpn)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --ca-file)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --client-cert)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --client-key)
                    local oldifs
                    if [ -n "${IFS+x}" ]; then
                        oldifs="$IFS"
                    fi
                    IFS=$'\n'
                    COMPREPLY=($(compgen -f "${cur}"))
                    if [ -n "${oldifs+x}" ]; then
                        IFS="$oldifs"
                    fi
                    if [[ "${BASH_VERSINFO[0]}" -ge 4 ]]; then
                        compopt -o filenames
                    fi
                    return 0
                    ;;
                --pin-sha256)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --tls-min)
                    COMPREPLY=($(compgen -W "1.0 1.1 1.2 1.3" -- "${cur}"))
                    return 0
                    ;;
                --send)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --send-hex)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --expect)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --expect-prefix)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --expect-regex)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --expect-hex)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --reject)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --reject-regex)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --reject-hex)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --expect-silence)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --quit)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --encoding)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --max-bytes)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --close)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --expect-closed)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --path)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --count)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -c)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --interval)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                -i)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                --require)
                    COMPREPLY=($(compgen -f "${cur}"))
                    return 0
                    ;;
                *)
                    COMPREPLY=()
                    ;;
            esac
            COMPREPLY=( $(compgen -W "${opts}" -- "${cur}") )
            return 0
            ;;
    esac
}

if [[ "${BASH_VERSINFO[0]}" -eq 4 && "${BASH_VERSINFO[1]}" -ge 4 || "${BASH_VERSINFO[0]}" -gt 4 ]]; then
    complete -F _zbx__tcp -o nosort -o bashdefault -o default zbx-tcp
else
    complete -F _zbx__tcp -o bashdefault -o default zbx-tcp
fi
