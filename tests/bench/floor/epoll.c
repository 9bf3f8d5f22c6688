/* The floor of many probes in one process: `epoll COUNT ADDRESS:PORT...`
 *
 * One non-blocking connect per turn, epoll_wait(0) after each; once connected SO_ERROR and TCP_INFO, close by RST. The
 * clock of a probe starts before socket(2) and stops after the epoll_wait that told of it, as the engine's does.
 * Prints one line of JSON in the units that accuracy.rs prints.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct probe {
    long started;
    int fd;
};

static struct sockaddr_in targets[64];
static int target_count;
static long *clocks, *excess;
static long done, failed, with_rtt;

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
    if (!colon || target_count == 64)
        exit(2);
    *colon = 0;
    to->sin_family = AF_INET;
    to->sin_port = htons((unsigned short)atoi(colon + 1));
    if (inet_pton(AF_INET, text, &to->sin_addr) != 1)
        exit(2);
}

static void start(struct probe *probe, long number, int epoll, long now)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = probe};

    probe->started = now;
    probe->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    connect(probe->fd, (struct sockaddr *)&targets[number % target_count], sizeof targets[0]);
    epoll_ctl(epoll, EPOLL_CTL_ADD, probe->fd, &event);
}

static void finish(struct probe *probe, long now)
{
    int error = 0;
    struct tcp_info info;
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    socklen_t length = sizeof error, info_length = sizeof info;

    getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    getsockopt(probe->fd, IPPROTO_TCP, TCP_INFO, &info, &info_length);
    long clock = now - probe->started;
    if (error != 0)
        failed++;
    else if (info.tcpi_total_retrans == 0 && info.tcpi_rtt > 0 && info.tcpi_rtt * 1000L <= clock)
        excess[with_rtt++] = clock - info.tcpi_rtt * 1000L;
    clocks[done++] = clock;
    setsockopt(probe->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(probe->fd);
}

static int ascending(const void *a, const void *b)
{
    long x = *(const long *)a, y = *(const long *)b;
    return (x > y) - (x < y);
}

static void print_spread(const char *name, long *values, long count)
{
    qsort(values, (size_t)count, sizeof *values, ascending);
    long most = count ? values[count - 1] : 0;
    printf("\"%s\":{\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f}", name, count ? values[count / 2] / 1e3 : 0,
           count ? values[count * 99 / 100] / 1e3 : 0, most / 1e3);
}

int main(int argc, char **argv)
{
    static struct epoll_event events[1024];
    struct rlimit limit;
    long started = 0;

    if (argc < 3)
        return 2;
    long count = atol(argv[1]);
    for (int i = 2; i < argc; i++)
        add_target(argv[i]);
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    struct probe *probes = calloc((size_t)count, sizeof *probes);
    clocks = calloc((size_t)count, sizeof *clocks);
    excess = calloc((size_t)count, sizeof *excess);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    long wall = nanos(CLOCK_MONOTONIC), cpu = nanos(CLOCK_PROCESS_CPUTIME_ID);

    while (done < count) {
        if (started < count) {
            start(&probes[started], started, epoll, nanos(CLOCK_MONOTONIC));
            started++;
        }
        int ready = epoll_wait(epoll, events, 1024, started < count ? 0 : 2500);
        long now = nanos(CLOCK_MONOTONIC);
        if (ready <= 0 && started == count)
            break;
        for (int i = 0; i < ready; i++)
            finish(events[i].data.ptr, now);
    }
    cpu = nanos(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    wall = nanos(CLOCK_MONOTONIC) - wall;
    printf("{\"probes\":%ld,\"down\":%ld,\"with_rtt\":%ld,\"cpu_us\":%.3f,\"per_second\":%.0f,", done,
           failed + count - done, with_rtt, cpu / 1e3 / count, count * 1e9 / wall);
    print_spread("connect_us", clocks, done);
    printf(",");
    print_spread("excess_us", excess, with_rtt);
    printf("}\n");
    return 0;
}
