/* The floor of many probes in one process: `epoll [OPTION]... COUNT TARGET...`
 *
 * One non-blocking connect per turn, epoll_wait(0) after each; once connected SO_ERROR and TCP_INFO, then close. The
 * clock of a probe starts before socket(2) and stops after the epoll_wait that reported the result, like the engine's.
 *
 * TARGET          ADDRESS:PORT, used in turn; or ADDRESS+:PORT, where probe N goes to the address plus N
 * --fin           close by FIN instead of RST (SO_LINGER)
 * --reuse         no close: connect(AF_UNSPEC) sends the RST and the socket connects again
 * --threads N     each with its own epoll and its share of the probes [1]
 * --in-flight N   maximum of probes in flight in each thread [all]
 * --timeout MS    timeout of a probe [2500]
 * --json          print a record of each probe, as `zbx-tcp batch` does
 *
 * The last line printed is a summary in the units of accuracy.rs.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST_TARGETS 64
#define MOST_THREADS 16

enum { FIN = 'f', REUSE = 'r', THREADS = 't', IN_FLIGHT = 'i', TIMEOUT = 'm', JSON = 'j' };

struct probe {
    long started;
    unsigned number;
    int fd;
};

struct worker {
    long first, started, done, failed, with_rtt, next_look;
    struct probe *probes;
    unsigned *free, free_count;
    int epoll;
    long *clocks, *excess;
};

static struct sockaddr_in targets[MOST_TARGETS];
static int target_count, fin, reuse, json, counting;
static long count, threads = 1, in_flight, timeout = 2500 * 1000000L;

static long nanos(clockid_t clock)
{
    struct timespec at;
    clock_gettime(clock, &at);
    return at.tv_sec * 1000000000L + at.tv_nsec;
}

static void add_target(char *text)
{
    char *colon = strchr(text, ':');
    struct sockaddr_in *to = &targets[target_count++];
    if (!colon || target_count == MOST_TARGETS)
        exit(2);
    *colon = 0;
    if (colon > text && colon[-1] == '+') {
        colon[-1] = 0;
        counting = 1;
    }
    to->sin_family = AF_INET;
    to->sin_port = htons((unsigned short)atoi(colon + 1));
    if (inet_pton(AF_INET, text, &to->sin_addr) != 1)
        exit(2);
}

static struct sockaddr_in target_of(unsigned number)
{
    struct sockaddr_in to = targets[counting ? 0 : number % (unsigned)target_count];
    if (counting)
        to.sin_addr.s_addr = htonl(ntohl(to.sin_addr.s_addr) + number);
    return to;
}

static void start(struct worker *own, long now)
{
    struct probe *probe = &own->probes[own->free[--own->free_count]];
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = probe};

    probe->started = now;
    probe->number = (unsigned)(own->first + own->started++ * threads);
    struct sockaddr_in to = target_of(probe->number);
    int fresh = probe->fd < 0;
    if (fresh)
        probe->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    connect(probe->fd, (struct sockaddr *)&to, sizeof to);
    if (fresh)
        epoll_ctl(own->epoll, EPOLL_CTL_ADD, probe->fd, &event);
}

static void print_record(const struct probe *probe, int error, long clock, const struct tcp_info *info)
{
    char address[INET_ADDRSTRLEN], source[INET_ADDRSTRLEN];
    struct sockaddr_in to = target_of(probe->number), from = {0};
    socklen_t length = sizeof from;

    getsockname(probe->fd, (struct sockaddr *)&from, &length);
    inet_ntop(AF_INET, &to.sin_addr, address, sizeof address);
    inet_ntop(AF_INET, &from.sin_addr, source, sizeof source);
    int port = ntohs(to.sin_port);
    printf("{\"schema\":1,\"id\":\"%s:%d\",\"host\":\"%s\",\"port\":%d,\"up\":%d,\"status\":%d,\"status_name\":\"%s\",",
           address, port, address, port, !error, error ? 3 : 0, error ? "refused" : "ok");
    printf("\"error\":\"%s\",\"address\":\"%s\",\"family\":4,\"source\":\"%s\",", error ? strerror(error) : "", address,
           source);
    printf("\"time\":{\"total\":%.6f,\"connect\":%.6f},", clock / 1e9, clock / 1e9);
    printf("\"tcp\":{\"rtt\":%.6f,\"rttvar\":%.6f,\"syn_retransmits\":%u,\"mss\":%u}}\n", info->tcpi_rtt / 1e6,
           info->tcpi_rttvar / 1e6, info->tcpi_total_retrans, info->tcpi_snd_mss);
}

static void leave(struct worker *own, struct probe *probe)
{
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    struct linger reset = {.l_onoff = 1, .l_linger = 0};

    own->free[own->free_count++] = (unsigned)(probe - own->probes);
    probe->started = 0;
    if (reuse) {
        connect(probe->fd, &none, sizeof none);
        return;
    }
    if (!fin)
        setsockopt(probe->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(probe->fd);
    probe->fd = -1;
}

static void finish(struct worker *own, struct probe *probe, long now)
{
    int error = 0;
    struct tcp_info info;
    socklen_t length = sizeof error, info_length = sizeof info;

    /* A socket that has left by connect(AF_UNSPEC) still tells that it hung up. */
    if (probe->started == 0)
        return;
    getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    getsockopt(probe->fd, IPPROTO_TCP, TCP_INFO, &info, &info_length);
    long clock = now - probe->started;
    if (error != 0)
        own->failed++;
    else if (info.tcpi_total_retrans == 0 && info.tcpi_rtt > 0 && info.tcpi_rtt * 1000L <= clock)
        own->excess[own->with_rtt++] = clock - info.tcpi_rtt * 1000L;
    own->clocks[own->done++] = clock;
    if (json)
        print_record(probe, error, clock, &info);
    leave(own, probe);
}

/* Looks for probes that had their time, at most once a millisecond, since it looks at all. */
static void expire(struct worker *own, long now)
{
    long oldest = now;

    if (now < own->next_look)
        return;
    for (long i = 0; i < in_flight; i++) {
        struct probe *probe = &own->probes[i];
        if (probe->started == 0)
            continue;
        if (now - probe->started >= timeout) {
            own->failed++;
            own->done++;
            leave(own, probe);
        } else if (probe->started < oldest) {
            oldest = probe->started;
        }
    }
    own->next_look = oldest + timeout > now + 1000000 ? oldest + timeout : now + 1000000;
}

static void *work(void *argument)
{
    struct worker *own = argument;
    struct epoll_event *events = calloc(1024, sizeof *events);
    long share = (count - own->first + threads - 1) / threads;

    own->probes = calloc((size_t)in_flight, sizeof *own->probes);
    own->free = calloc((size_t)in_flight, sizeof *own->free);
    own->clocks = calloc((size_t)share, sizeof *own->clocks);
    own->excess = calloc((size_t)share, sizeof *own->excess);
    own->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (long i = in_flight; i > 0; i--) {
        own->probes[i - 1].fd = -1;
        own->free[own->free_count++] = (unsigned)(i - 1);
    }
    long now = nanos(CLOCK_MONOTONIC);
    own->next_look = now + timeout;
    while (own->done < share) {
        int more = own->started < share && own->free_count > 0;
        if (more)
            start(own, nanos(CLOCK_MONOTONIC));
        long left = own->next_look - now;
        int ready = epoll_wait(own->epoll, events, 1024, more ? 0 : left > 0 ? (int)(left / 1000000 + 1) : 0);
        now = nanos(CLOCK_MONOTONIC);
        for (int i = 0; i < ready; i++)
            finish(own, events[i].data.ptr, now);
        expire(own, now);
    }
    free(events);
    return NULL;
}

static int ascending(const void *a, const void *b)
{
    long x = *(const long *)a, y = *(const long *)b;
    return (x > y) - (x < y);
}

static void print_spread(const char *name, long *values, long many)
{
    qsort(values, (size_t)many, sizeof *values, ascending);
    long most = many ? values[many - 1] : 0;
    printf("\"%s\":{\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f}", name, many ? values[many / 2] / 1e3 : 0,
           many ? values[many * 99 / 100] / 1e3 : 0, most / 1e3);
}

static void parse(int argc, char **argv)
{
    static const struct option known[] = {
        {"fin", no_argument, NULL, FIN},
        {"reuse", no_argument, NULL, REUSE},
        {"threads", required_argument, NULL, THREADS},
        {"in-flight", required_argument, NULL, IN_FLIGHT},
        {"timeout", required_argument, NULL, TIMEOUT},
        {"json", no_argument, NULL, JSON},
        {0},
    };
    for (int option; (option = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        switch (option) {
        case FIN: fin = 1; break;
        case REUSE: reuse = 1; break;
        case THREADS: threads = atol(optarg); break;
        case IN_FLIGHT: in_flight = atol(optarg); break;
        case TIMEOUT: timeout = atol(optarg) * 1000000; break;
        case JSON: json = 1; break;
        default: exit(2);
        }
    }
    if (argc - optind < 2 || threads < 1 || threads > MOST_THREADS)
        exit(2);
    count = atol(argv[optind]);
    for (int i = optind + 1; i < argc; i++)
        add_target(argv[i]);
    if (in_flight == 0 || in_flight > count)
        in_flight = count;
}

int main(int argc, char **argv)
{
    static struct worker workers[MOST_THREADS];
    static char buffer[1 << 16];
    pthread_t ids[MOST_THREADS];
    struct rlimit limit;

    parse(argc, argv);
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    long wall = nanos(CLOCK_MONOTONIC), cpu = nanos(CLOCK_PROCESS_CPUTIME_ID);
    for (long i = 0; i < threads; i++)
        workers[i].first = i;
    for (long i = 1; i < threads; i++)
        pthread_create(&ids[i], NULL, work, &workers[i]);
    work(&workers[0]);
    for (long i = 1; i < threads; i++)
        pthread_join(ids[i], NULL);
    cpu = nanos(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    wall = nanos(CLOCK_MONOTONIC) - wall;

    /* Only the first thread's probes are in the spread; the threads are alike. */
    long failed = 0, with_rtt = 0;
    for (long i = 0; i < threads; i++) {
        failed += workers[i].failed;
        with_rtt += workers[i].with_rtt;
    }
    printf("{\"probes\":%ld,\"down\":%ld,\"with_rtt\":%ld,\"cpu_us\":%.3f,\"per_second\":%.0f,\"wall_us\":%.0f,", count,
           failed, with_rtt, cpu / 1e3 / count, count * 1e9 / wall, wall / 1e3);
    print_spread("connect_us", workers[0].clocks, workers[0].done);
    printf(",");
    print_spread("excess_us", workers[0].excess, workers[0].with_rtt);
    printf("}\n");
    return 0;
}
