/* The four calls that wait with a signal mask of their own, behind one face. */
#ifndef MASKED_WAITS_H
#define MASKED_WAITS_H
#include "common.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

#define CALLS 4
#define FOR_EVER (-1L)
static const char *const call_names[CALLS] = { "ppoll", "pselect", "epoll_pwait", "epoll_pwait2" };

/* Waits until `fd` can be read. What select(2) and poll(2) say of the descriptor must fit the result. */
SHARED int wait_masked(int way, int fd, int epoll, long milliseconds, const sigset_t *mask)
{
    struct timespec time = timespec_of(milliseconds * MILLISECOND), *limit = milliseconds == FOR_EVER ? NULL : &time;
    struct pollfd one = { .fd = fd, .events = POLLIN, .revents = 0x55 };
    struct epoll_event event = { .data.u64 = 0 };
    fd_set readable;
    int result;
    switch (way) {
    case 0:
        result = ppoll(&one, 1, limit, mask);
        if (result >= 0) check(one.revents == (result ? POLLIN : 0), "ppoll gave %d and revents %#x", result, one.revents);
        return result;
    case 1:
        FD_ZERO(&readable);
        FD_SET(fd, &readable);
        result = pselect(fd + 1, &readable, NULL, NULL, limit, mask);
        check(!FD_ISSET(fd, &readable) == (result == 0), "pselect gave %d and %sthe descriptor", result, FD_ISSET(fd, &readable) ? "" : "not ");
        return result;
    case 2:
        result = epoll_pwait(epoll, &event, 1, milliseconds, mask);
        break;
    default:
        result = syscall(SYS_epoll_pwait2, epoll, &event, 1, limit, mask, 8);
    }
    if (result > 0) check(event.data.u64 == 77 && event.events == EPOLLIN, "%s gave an event %#x", call_names[way], event.events);
    return result;
}

SHARED int epoll_of(int fd)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = 77 };
    check(epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll");
    return epoll;
}

/* The first 64 signals of a set as bits. */
SHARED uint64_t bits_of(const sigset_t *set)
{
    uint64_t bits;
    memcpy(&bits, set, sizeof bits);
    return bits;
}

SHARED uint64_t mask_now(void)
{
    sigset_t now;
    check(sigprocmask(SIG_SETMASK, NULL, &now) == 0, "sigprocmask");
    return bits_of(&now);
}

#define BIT(signal_number) (1ull << ((signal_number) - 1))
#endif
