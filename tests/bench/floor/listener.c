/* The peer of every case: accepts on ports that the kernel chooses, and closes after the client has closed.
 *
 * `listener ADDRESS...`          prints ADDRESS:PORT for each, then serves until standard input is closed
 * `listener --silent ADDRESS...` fills each accept queue itself, so that no further SYN is answered
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST_LISTENERS 64
#define BACKLOG 4096

static int listeners[MOST_LISTENERS], count;

static void die(const char *what)
{
    perror(what);
    exit(2);
}

static struct sockaddr_in listen_on(const char *text, int backlog)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t length = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (inet_pton(AF_INET, text, &at.sin_addr) != 1 || count == MOST_LISTENERS)
        die(text);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, backlog) < 0)
        die("listen");
    if (getsockname(fd, (struct sockaddr *)&at, &length) < 0)
        die("getsockname");
    listeners[count++] = fd;
    printf("%s:%d\n", text, ntohs(at.sin_port));
    return at;
}

/* A backlog of 0 takes one connection; the SYNs after it are dropped (listen(2), net.ipv4.tcp_abort_on_overflow = 0). */
static void fill(struct sockaddr_in at)
{
    for (int i = 0; i < 4; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (connect(fd, (struct sockaddr *)&at, sizeof at) < 0 && errno != EINPROGRESS)
            die("fill the backlog");
    }
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll_ctl");
}

static void accept_all(int epoll, int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        watch(epoll, fd);
}

static int is_listener(int fd)
{
    for (int i = 0; i < count; i++)
        if (listeners[i] == fd)
            return 1;
    return 0;
}

static void serve(void)
{
    static struct epoll_event events[256];
    static char buffer[4096];
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    watch(epoll, STDIN_FILENO);
    for (int i = 0; i < count; i++)
        watch(epoll, listeners[i]);
    for (;;) {
        int ready = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == STDIN_FILENO)
                exit(0);
            if (is_listener(fd)) {
                accept_all(epoll, fd);
                continue;
            }
            ssize_t got = read(fd, buffer, sizeof buffer);
            if (got == 0 || (got < 0 && errno != EAGAIN))
                close(fd);
        }
    }
}

int main(int argc, char **argv)
{
    int silent = argc > 1 && strcmp(argv[1], "--silent") == 0;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    for (int i = 1 + silent; i < argc; i++) {
        struct sockaddr_in at = listen_on(argv[i], silent ? 0 : BACKLOG);
        if (silent)
            fill(at);
    }
    fflush(stdout);
    if (silent)
        while (getchar() != EOF)
            ;
    else
        serve();
    return 0;
}
