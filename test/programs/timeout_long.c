/* One wait with a time-out as long as the whole run: a migration in the midst neither cuts it short nor starts it again,
 * and never shows as EINTR. Argument 2 names the call. */
#include "common.h"
#include <linux/futex.h>
#include <poll.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>

static const char *call;
static bool is(const char *name) { return strcmp(call, name) == 0; }

/* Absolute time on a clock, `ms` from now. */
static struct timespec deadline(clockid_t clock, long ms) { return timespec_of(clock_ns(clock) + ms * MILLISECOND); }

static int poll_fd;  /* never readable */
static int epoll_fd; /* watches it */

static void wait_for(long ms)
{
    struct timespec t = timespec_of(ms * MILLISECOND);
    struct timeval v = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
    struct pollfd p = { .fd = poll_fd, .events = POLLIN };
    struct epoll_event event;
    fd_set fds;
    FD_ZERO(&fds);
    FD_SET(poll_fd, &fds);
    sigset_t set = set_of(SIGUSR1, 0);
    char byte;
    int result, wanted = 0, wanted_errno = 0;
    errno = 0;
    if (is("poll")) result = poll(&p, 1, (int)ms);
    else if (is("ppoll")) result = ppoll(&p, 1, &t, &set);
    else if (is("select")) result = select(poll_fd + 1, &fds, NULL, NULL, &v);
    else if (is("pselect")) result = pselect(poll_fd + 1, &fds, NULL, NULL, &t, &set);
    else if (is("epoll_wait")) result = epoll_wait(epoll_fd, &event, 1, (int)ms);
    else if (is("epoll_pwait")) result = epoll_pwait(epoll_fd, &event, 1, (int)ms, &set);
    else if (is("epoll_pwait2")) result = epoll_pwait2(epoll_fd, &event, 1, &t, &set);
    else if (is("nanosleep")) result = nanosleep(&t, NULL);
    else if (is("clock_nanosleep")) result = clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
    else if (is("clock_nanosleep_absolute")) t = deadline(CLOCK_MONOTONIC, ms), result = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
    else if (is("clock_nanosleep_boottime")) t = deadline(CLOCK_BOOTTIME, ms), result = clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &t, NULL);
    else if (is("clock_nanosleep_realtime")) t = deadline(CLOCK_REALTIME, ms), result = clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL);
    else if (is("sigtimedwait")) wanted = -1, wanted_errno = EAGAIN, result = sigtimedwait(&set, NULL, &t);
    else if (is("futex")) wanted = -1, wanted_errno = ETIMEDOUT, result = (int)syscall(SYS_futex, &(int){ 0 }, FUTEX_WAIT, 0, &t, NULL, 0);
    else if (is("futex_absolute")) {
        wanted = -1, wanted_errno = ETIMEDOUT, t = deadline(CLOCK_MONOTONIC, ms);
        result = (int)syscall(SYS_futex, &(int){ 0 }, FUTEX_WAIT_BITSET, 0, &t, NULL, FUTEX_BITSET_MATCH_ANY);
    } else if (is("sem_timedwait")) {
        sem_t semaphore;
        sem_init(&semaphore, 0, 0);
        wanted = -1, wanted_errno = ETIMEDOUT, t = deadline(CLOCK_REALTIME, ms), result = sem_timedwait(&semaphore, &t);
    } else if (is("recv")) {
        int pair[2];
        check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
        check(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &v, sizeof v) == 0, "SO_RCVTIMEO");
        wanted = -1, wanted_errno = EAGAIN, result = (int)recv(pair[0], &byte, 1, 0);
        close(pair[0]), close(pair[1]);
    } else if (is("semtimedop")) {
        int id = semget(IPC_PRIVATE, 1, 0600);
        check(id >= 0, "semget");
        wanted = -1, wanted_errno = EAGAIN, result = semtimedop(id, &(struct sembuf){ .sem_op = -1 }, 1, &t);
        int error = errno;
        semctl(id, 0, IPC_RMID);
        errno = error;
    } else fail(__FILE_NAME__, __LINE__, "argument 2", "unknown call %s", call);
    check(result == wanted, "%s returned %d instead of %d", call, result, wanted);
    check(errno == wanted_errno, "%s: errno is not %d", call, wanted_errno);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(argc > 2, "needs argument 2: the call");
    call = argv[2];
    int ends[2];
    check(pipe(ends) == 0, "pipe");
    poll_fd = ends[0];
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    check(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, poll_fd, &(struct epoll_event){ .events = EPOLLIN }) == 0, "epoll_ctl");
    sigset_t set = set_of(SIGUSR1, 0);
    sigprocmask(SIG_BLOCK, &set, NULL);
    ready();
    long ms = (long)(run_seconds * 1000);
    int64_t began = now_ns();
    wait_for(ms);
    check_duration(began, ms, call);
    began = now_ns();
    wait_for(30);
    check_duration(began, 30, call);
    return finish(call);
}
