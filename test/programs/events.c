/* Waiting for what another process writes: poll, select and epoll report the right descriptor at the right time, edge
 * triggered and level triggered, with the data given; what was registered before "ready" stays registered. */
#include "common.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

#define PIPES 4

static int asks[2], pipes[PIPES][2];

/* Writes one byte into the pipe asked for, 10 ms later. */
static void write_later(void)
{
    close(asks[1]);
    for (int which; read(asks[0], &which, sizeof which) == sizeof which;) {
        usleep(10000);
        write_all(pipes[which][1], "x", 1, "a pipe");
    }
}

static void take(int which)
{
    char byte = 0;
    check(read(pipes[which][0], &byte, 1) == 1 && byte == 'x', "the byte");
    burn();
}

static int wait_epoll(int epoll, int timeout, uint64_t expected)
{
    struct epoll_event events[8];
    int n = epoll_wait(epoll, events, 8, timeout);
    for (int i = 0; i < n; i++) check(events[i].data.u64 == expected && events[i].events == EPOLLIN, "event data or kind");
    return n;
}

static uint64_t data_of(int which) { return 0xfeedfacecafe0000u + which; }

static int new_epoll(uint32_t flags)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    check(epoll >= 0, "epoll_create1");
    for (int i = 0; i < PIPES; i++) {
        struct epoll_event event = { .events = EPOLLIN | flags, .data.u64 = data_of(i) };
        check(epoll_ctl(epoll, EPOLL_CTL_ADD, pipes[i][0], &event) == 0, "epoll_ctl");
    }
    return epoll;
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(pipe(asks) == 0, "pipe");
    for (int i = 0; i < PIPES; i++) check(pipe(pipes[i]) == 0, "pipe");
    pid_t writer = helper(write_later);
    int level = new_epoll(0), edge = new_epoll(EPOLLET);
    ready();
    for (int round = 0; working(); round++) {
        int which = round % PIPES;
        struct pollfd polled[PIPES];
        for (int i = 0; i < PIPES; i++) polled[i] = (struct pollfd){ .fd = pipes[i][0], .events = POLLIN };
        write_all(asks[1], &which, sizeof which, "the pipe");
        check(poll(polled, PIPES, 5000) == 1 && polled[which].revents == POLLIN, "poll");
        take(which);

        fd_set fds;
        FD_ZERO(&fds);
        for (int i = 0; i < PIPES; i++) FD_SET(pipes[i][0], &fds);
        write_all(asks[1], &which, sizeof which, "the pipe");
        check(select(pipes[PIPES - 1][0] + 1, &fds, NULL, NULL, &(struct timeval){ .tv_sec = 5 }) == 1, "select");
        check(FD_ISSET(pipes[which][0], &fds), "select: which");
        take(which);

        while (wait_epoll(edge, 0, data_of(which)) > 0) {} /* the edges of what poll and select took */
        write_all(asks[1], &which, sizeof which, "the pipe");
        check(wait_epoll(level, 5000, data_of(which)) == 1, "epoll_wait");
        check(wait_epoll(level, 0, data_of(which)) == 1, "level triggered: again");
        check(wait_epoll(edge, 0, data_of(which)) == 1, "edge triggered: once");
        check(wait_epoll(edge, 0, data_of(which)) == 0, "edge triggered: not again");
        take(which);
        check(wait_epoll(level, 0, 0) == 0, "level triggered: nothing left");

        int fresh = new_epoll(0);
        write_all(asks[1], &which, sizeof which, "the pipe");
        check(wait_epoll(fresh, -1, data_of(which)) == 1, "new epoll without a time-out");
        take(which);
        close(fresh);
    }
    close(asks[1]);
    helper_ends(writer);
    return finish("events arrive");
}
