/* Blocked signals stay pending through a move, with number, order, value and target (process or thread), until they are
 * let in; sigpending tells; sigsuspend, ppoll and pselect let them in for the time of the call. */
#include "common.h"
#include <poll.h>
#include <sys/select.h>

static volatile int runs;
static siginfo_t last;
static void on_signal(int n, siginfo_t *info, void *context) { (void)n, (void)context; last = *info; runs++; }

#define KEPT (SIGRTMIN + 5)
#define KEPT_THREAD (SIGRTMIN + 6)

static void check_pending(int number, bool expected)
{
    sigset_t pending;
    check(sigpending(&pending) == 0, "sigpending");
    check(sigismember(&pending, number) == expected, "signal %d is %spending", number, expected ? "not " : "");
}

static void anew(void)
{
    sigset_t inside;
    sigprocmask(SIG_SETMASK, NULL, &inside);
    sigdelset(&inside, SIGUSR1);
    check_pending(SIGUSR1, false);
    for (int way = 0; way < 4; way++) {
        runs = 0;
        kill(getpid(), SIGUSR1);
        check_pending(SIGUSR1, true);
        burn();
        check(runs == 0, "a blocked signal was delivered");
        struct timespec limit = { .tv_sec = 5 };
        int result = way == 0 ? sigsuspend(&inside)
                   : way == 1 ? ppoll(NULL, 0, &limit, &inside)
                   : way == 2 ? pselect(0, NULL, NULL, NULL, &limit, &inside)
                   : sigprocmask(SIG_SETMASK, &inside, NULL);
        check(way == 3 ? result == 0 : result == -1 && errno == EINTR, "way %d returned %d", way, result);
        check(runs == 1 && last.si_code == SI_USER && last.si_pid == getpid(), "way %d: the handler ran %d times", way, runs);
        check_pending(SIGUSR1, false);
        if (way == 3) {
            sigaddset(&inside, SIGUSR1);
            sigprocmask(SIG_SETMASK, &inside, NULL);
        }
        sigset_t now;
        sigprocmask(SIG_SETMASK, NULL, &now);
        check(sigismember(&now, SIGUSR1) && sigismember(&now, KEPT), "the mask after way %d", way);
    }
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    handle(SIGUSR1, on_signal, 0);
    sigset_t blocked = set_of(SIGUSR1, SIGUSR2, KEPT, KEPT_THREAD, 0);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    for (int i = 0; i < 3; i++) sigqueue(getpid(), KEPT, (union sigval){ .sival_int = 100 + i });
    kill(getpid(), SIGUSR2);
    check(pthread_sigqueue(pthread_self(), KEPT_THREAD, (union sigval){ .sival_int = 7 }) == 0, "pthread_sigqueue");
    ready();
    while (working()) {
        check_pending(KEPT, true);
        check_pending(KEPT_THREAD, true);
        check_pending(SIGUSR2, true);
        anew();
    }
    siginfo_t info;
    struct timespec none = { 0 };
    sigset_t kept = set_of(KEPT, 0), kept_thread = set_of(KEPT_THREAD, 0), user = set_of(SIGUSR2, 0);
    for (int i = 0; i < 3; i++) {
        check(sigtimedwait(&kept, &info, &none) == KEPT, "pending signal %d is lost", i);
        check(info.si_value.sival_int == 100 + i && info.si_code == SI_QUEUE && info.si_pid == getpid(), "siginfo of pending signal %d", i);
    }
    check(sigtimedwait(&kept, &info, &none) == -1 && errno == EAGAIN, "a pending signal came twice");
    check(sigtimedwait(&kept_thread, &info, &none) == KEPT_THREAD && info.si_value.sival_int == 7, "the thread's pending signal");
    check(sigtimedwait(&user, &info, &none) == SIGUSR2 && info.si_code == SI_USER, "pending SIGUSR2");
    return finish("pending signals kept");
}
