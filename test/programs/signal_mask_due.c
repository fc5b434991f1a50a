/* A signal is due before the wait begins, which has no time-out: it ends the wait, whenever the program moves. A handled
 * one ends them all, an ignored one those of epoll_wait(2)'s kind. A wait that missed it is seen as a death of SIGALRM. */
#include "masked_waits.h"

static volatile int runs;

static void on_signal(int n, siginfo_t *info, void *context) { (void)n, (void)info, (void)context, runs++; }

int main(int argc, char **argv)
{
    begin(argc, argv);
    int ends[2];
    check(pipe2(ends, O_CLOEXEC) == 0, "pipe");
    int epoll = epoll_of(ends[0]);
    handle(SIGUSR1, on_signal, 0);
    sigset_t blocked = set_of(SIGUSR1, SIGWINCH, SIGUSR2, 0), open = set_of(SIGUSR2, 0);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    uint64_t own = mask_now();
    ready();
    for (unsigned round = 0; working(); round++) {
        int way = round % CALLS, handled = way < 2 || round / CALLS % 2;
        if (round % 64 == 0) alarm(20);
        runs = 0;
        check(kill(getpid(), handled ? SIGUSR1 : SIGWINCH) == 0, "kill");
        int result = wait_masked(way, ends[0], epoll, FOR_EVER, &open);
        check(result == -1 && errno == EINTR, "%s gave %d", call_names[way], result);
        check(runs == handled, "the handler ran %d times and not %d", runs, handled);
        check(mask_now() == own, "the mask is %#lx after %s", (unsigned long)mask_now(), call_names[way]);
    }
    return finish("each signal ended its wait");
}
