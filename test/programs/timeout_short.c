/* Short waits of every kind, one after the other, with work in between: each ends in time with the right result. */
#include "common.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

static int64_t began;
static void start(void) { began = now_ns(); }
static void ended(const char *what, long result)
{
    check(result == 0, "%s returned %ld", what, result);
    check_duration(began, 20, what);
    burn();
    burn();
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    int ends[2], epoll_fd = epoll_create1(0);
    check(pipe(ends) == 0, "pipe");
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = 0x1234567890abcdef };
    check(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, ends[0], &event) == 0, "epoll_ctl");
    struct timespec t = { .tv_nsec = 20 * MILLISECOND };
    ready();
    while (working()) {
        struct pollfd p = { .fd = ends[0], .events = POLLIN };
        start(), ended("poll", poll(&p, 1, 20));
        check(p.revents == 0, "poll: revents");
        start(), ended("ppoll", ppoll(&p, 1, &t, NULL));
        fd_set fds;
        FD_ZERO(&fds);
        FD_SET(ends[0], &fds);
        struct timeval v = { .tv_usec = 20000 };
        start(), ended("select", select(ends[0] + 1, &fds, NULL, NULL, &v));
        check(!FD_ISSET(ends[0], &fds) && v.tv_sec == 0 && v.tv_usec == 0, "select: what is left");
        start(), ended("epoll_wait", epoll_wait(epoll_fd, &event, 1, 20));
        start(), ended("nanosleep", nanosleep(&t, NULL));
        start(), ended("clock_nanosleep", clock_nanosleep(CLOCK_BOOTTIME, 0, &t, NULL));
        struct timespec until = timespec_of(now_ns() + 20 * MILLISECOND);
        start(), ended("clock_nanosleep until", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL));
        until = timespec_of(now_ns() - SECOND);
        check(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == 0, "a time that is over");
    }
    return finish("short waits are right");
}
