/* signalfd: blocked signals are read as records, those from before "ready" too. */
#include "common.h"
#include <poll.h>
#include <sys/signalfd.h>

static void next(int fd, int number, int value)
{
    struct signalfd_siginfo info;
    check(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 5000) == 1, "poll of the signalfd");
    check(read(fd, &info, sizeof info) == sizeof info, "read of the signalfd");
    check((int)info.ssi_signo == number && info.ssi_int == value, "signal %u with value %d", info.ssi_signo, info.ssi_int);
    check(info.ssi_pid == (uint32_t)getpid() && info.ssi_code == SI_QUEUE, "sender of signal %u", info.ssi_signo);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    sigset_t set = set_of(SIGUSR1, SIGRTMIN, 0);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    check(fd >= 0, "signalfd");
    sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 4711 });
    ready();
    int waiting = 4711;
    for (int round = 1; working(); round++) {
        next(fd, SIGRTMIN, waiting);
        struct signalfd_siginfo info;
        check(read(fd, &info, sizeof info) == -1 && errno == EAGAIN, "read of an empty signalfd");
        sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = round });
        next(fd, SIGUSR1, round);
        waiting = -round;
        sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = waiting });
        for (int i = 0; i < 4; i++) burn();
    }
    return finish("signalfd delivers");
}
