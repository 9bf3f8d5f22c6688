/* A remote machine behind a tun device of this namespace: all addresses of 10.79.0.0/16 except 10.79.0.1, TCP over IPv4.
 *
 * `delayer MICROSECONDS`  creates the device `far0`, prints `ready`, answers until standard input is closed
 *
 * Each SYN-ACK and FIN-ACK is sent that many microseconds after the segment it answers. Ports 1000 to 1009: the last digit
 * is the number of SYNs to an address that are lost before one is answered. All other packets are dropped. The delay need
 * not be exact: the reference is a packet capture on the device.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define MOST_WAITING (1 << 16)

struct packet {
    struct iphdr ip;
    struct tcphdr tcp;
    unsigned char mss[4];
} __attribute__((packed));

struct waiting {
    long due;
    unsigned length;
    struct packet packet;
};

static struct waiting queue[MOST_WAITING];
static unsigned head, tail;
static unsigned char lost[1 << 16];

static long now(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000000L + at.tv_nsec;
}

static unsigned add(unsigned sum, const void *data, unsigned length)
{
    const unsigned char *bytes = data;
    for (unsigned i = 0; i < length; i += 2)
        sum += (unsigned)(bytes[i] << 8 | bytes[i + 1]);
    return sum;
}

static unsigned short checksum(unsigned sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return htons((unsigned short)~sum);
}

/* Turns the head of what came into its answer; the sums are those of RFC 791 and RFC 9293. */
static unsigned answer(struct packet *out, const struct packet *in)
{
    unsigned options = in->tcp.syn ? 4 : 0, length = sizeof out->tcp + options;

    memset(out, 0, sizeof *out);
    out->ip = (struct iphdr){.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP};
    out->ip.tot_len = htons((unsigned short)(sizeof out->ip + length));
    out->ip.saddr = in->ip.daddr;
    out->ip.daddr = in->ip.saddr;
    out->ip.check = checksum(add(0, &out->ip, sizeof out->ip));
    out->tcp.source = in->tcp.dest;
    out->tcp.dest = in->tcp.source;
    out->tcp.seq = in->tcp.ack_seq;
    out->tcp.ack_seq = htonl(ntohl(in->tcp.seq) + 1);
    out->tcp.doff = (length / 4) & 15;
    out->tcp.syn = in->tcp.syn;
    out->tcp.fin = in->tcp.fin;
    out->tcp.ack = 1;
    out->tcp.window = htons(65535);
    memcpy(out->mss, "\x02\x04\x05\x78", sizeof out->mss);
    out->tcp.check = checksum(add(add(IPPROTO_TCP + length, &out->ip.saddr, 8), &out->tcp, length));
    return (unsigned)sizeof out->ip + length;
}

/* Whether this SYN is one of those that are lost. */
static int is_lost(const struct packet *in)
{
    unsigned port = ntohs(in->tcp.dest);
    unsigned char *seen = &lost[ntohl(in->ip.daddr) & 0xffff];

    if (!in->tcp.syn || port < 1000 || port > 1009)
        return 0;
    if (++*seen <= port % 10)
        return 1;
    *seen = 0;
    return 0;
}

static void take(int tun, long delay)
{
    char buffer[2048];
    const struct packet *in = (struct packet *)buffer;

    while (read(tun, buffer, sizeof buffer) >= (ssize_t)(sizeof in->ip + sizeof in->tcp)) {
        if (in->ip.version != 4 || in->ip.protocol != IPPROTO_TCP || in->tcp.rst)
            continue;
        if (!(in->tcp.syn || in->tcp.fin) || is_lost(in))
            continue;
        struct waiting *place = &queue[tail % MOST_WAITING];
        if (tail - head == MOST_WAITING)
            exit(3);
        place->due = now() + delay;
        place->length = answer(&place->packet, in);
        tail++;
    }
}

static int device(void)
{
    struct ifreq wanted = {.ifr_name = "far0", .ifr_flags = IFF_TUN | IFF_NO_PI};
    int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

    if (tun < 0 || ioctl(tun, TUNSETIFF, &wanted) < 0) {
        perror("delayer: /dev/net/tun");
        exit(2);
    }
    if (system("ip addr add 10.79.0.1/16 dev far0 && ip link set far0 up txqueuelen 20000") != 0)
        exit(2);
    return tun;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    long delay = atol(argv[1]) * 1000;
    int tun = device();
    struct pollfd watched[] = {{.fd = tun, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};

    prctl(PR_SET_TIMERSLACK, 1);
    printf("ready\n");
    fflush(stdout);
    while (!(watched[1].revents & (POLLIN | POLLHUP))) {
        long left = head == tail ? 1000000000L : queue[head % MOST_WAITING].due - now();
        struct timespec wait = {left > 0 ? left / 1000000000L : 0, left > 0 ? left % 1000000000L : 0};
        ppoll(watched, 2, &wait, NULL);
        take(tun, delay);
        for (; head != tail && queue[head % MOST_WAITING].due <= now(); head++) {
            struct waiting *next = &queue[head % MOST_WAITING];
            if (write(tun, &next->packet, next->length) < 0)
                perror("delayer: write");
        }
    }
    return 0;
}
