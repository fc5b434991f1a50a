/* Waits with a signal mask of their own (argument 2 says which call): the mask holds for the wait and for the handler that
 * ends it, the old one comes back with the handler's return; what is ready comes before a signal that waits; signals that
 * nobody handles end nothing, and take nothing of the time. */
#include "masked_waits.h"

static volatile int runs;
static volatile uint64_t inside, outside;

static void on_signal(int n, siginfo_t *info, void *context)
{
    (void)n, (void)info;
    runs++;
    inside = mask_now();
    outside = bits_of(&((ucontext_t *)context)->uc_sigmask);
}

static int way, input, epoll, output;
static uint64_t own;

static int wait_for(long milliseconds, uint64_t mask)
{
    sigset_t set;
    sigemptyset(&set);
    memcpy(&set, &mask, sizeof mask);
    int result = wait_masked(way, input, epoll, milliseconds, &set);
    int error = errno;
    check(mask_now() == own, "the mask is %#lx after %s and was %#lx", (unsigned long)mask_now(), call_names[way], (unsigned long)own);
    errno = error;
    return result;
}

static void set_own(uint64_t mask)
{
    sigset_t set;
    sigemptyset(&set);
    memcpy(&set, &mask, sizeof mask);
    check(sigprocmask(SIG_SETMASK, &set, NULL) == 0, "sigprocmask");
    own = mask;
}

static void check_handled(int count, uint64_t mask, const char *when)
{
    check(runs == count, "%s: the handler ran %d times and not %d", when, runs, count);
    if (count == 0) return;
    check(inside == (mask | BIT(SIGUSR1)), "%s: the handler's mask is %#lx", when, (unsigned long)inside);
    check(outside == own, "%s: the mask of the frame is %#lx", when, (unsigned long)outside);
    runs = 0;
}

static void take(void) { char byte; read_all(input, &byte, 1, "the pipe"); }
static void give(void) { write_all(output, "x", 1, "the pipe"); }

/* A child that sends signals, and then makes the descriptor ready if it is told to. */
static pid_t sender(int signal_number, long first_ms, bool writes)
{
    pid_t parent = getpid(), child = fork();
    check(child >= 0, "fork");
    if (child) return child;
    struct timespec pause = timespec_of(first_ms * MILLISECOND), more = timespec_of(60 * MILLISECOND);
    nanosleep(&pause, NULL);
    if (signal_number) kill(parent, signal_number);
    if (writes) {
        nanosleep(&more, NULL);
        give();
    }
    _exit(0);
}

static void reap(pid_t child) { check(waitpid(child, NULL, 0) == child, "waitpid"); }

static void anew(unsigned round)
{
    const uint64_t kept = BIT(SIGUSR2) | BIT(SIGTERM), open = kept;
    set_own(kept | BIT(SIGUSR1));

    /* It waits before the call. */
    kill(getpid(), SIGUSR1);
    check(wait_for(FOR_EVER, open) == -1 && errno == EINTR, "a signal that waited did not end the call");
    check_handled(1, open, "a signal that waited");

    /* Ready and a signal: ready first, and the signal waits on. */
    kill(getpid(), SIGUSR1);
    give();
    check(wait_for(FOR_EVER, open) == 1, "what was ready did not come first");
    check_handled(0, open, "ready");
    check(wait_for(0, open) == 1, "what was ready did not come first, asked for a look");
    take();
    /* epoll_wait(2), asked for a look only, does not see a signal. */
    int looked = wait_for(0, open);
    check(way < 2 ? looked == -1 && errno == EINTR : looked == 0, "a look gave %d", looked);
    if (way >= 2) check(wait_for(1000, open) == -1 && errno == EINTR, "the signal was lost");
    check_handled(1, open, "a signal after what was ready");
    check(wait_for(0, open) == 0, "nothing is ready");

    /* It comes during the wait, and is blocked outside. */
    pid_t child = sender(SIGUSR1, 20 + round % 3 * 40, false);
    check(wait_for(FOR_EVER, open) == -1 && errno == EINTR, "a signal did not end the call");
    check_handled(1, open, "a signal");
    reap(child);

    /* Open outside, too: on a slow machine it may come before the call. Then its handler has run with the mask outside. */
    set_own(kept | BIT(SIGHUP));
    child = sender(SIGUSR1, 100, false);
    int result = wait_for(3000, open);
    if (result == 0) check_handled(1, own, "a signal that came before the call");
    else {
        check(result == -1 && errno == EINTR, "a signal that is open outside did not end the call");
        check_handled(1, open, "a signal that is open outside");
    }
    reap(child);

    /* The mask of the wait blocks what is open outside: it comes with the return. */
    set_own(kept);
    child = sender(SIGUSR1, 20, true);
    check(wait_for(FOR_EVER, kept | BIT(SIGUSR1)) == 1, "a signal that the mask blocks ended the call");
    check(runs == 1 && outside == kept, "the signal came %d times after the call", runs);
    runs = 0;
    take();
    reap(child);

    /* Ignored: the wait goes on, for the rest of its time; but epoll_wait(2) is ended by any signal that it lets in. */
    set_own(kept | BIT(SIGWINCH));
    kill(getpid(), SIGWINCH);
    if (way >= 2) check(wait_for(FOR_EVER, kept) == -1 && errno == EINTR, "a signal that is ignored did not end the call");
    /* If this process stood still for so long that the signal came before the call, it ends that rightly. */
    for (int tries = 1; ; tries++) {
        child = sender(SIGWINCH, 50, false);
        int64_t began = now_ns();
        result = wait_for(150, kept);
        int error = errno;
        if (result == 0) check_duration(began, 150, call_names[way]);
        reap(child);
        if (result == 0) break;
        check(way >= 2 && error == EINTR && tries < 3, "a signal that is ignored ended the call with %d, %d", result, error);
    }
    check_handled(0, open, "in the end");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    while (way < CALLS - 1 && strcmp(call_names[way], argv[2]) != 0) way++;
    int ends[2];
    check(pipe2(ends, O_CLOEXEC) == 0, "pipe");
    input = ends[0], output = ends[1];
    epoll = epoll_of(input);
    handle(SIGUSR1, on_signal, 0);
    ready();
    for (unsigned round = 0; working(); round++) {
        anew(round);
        for (int i = 0; i < 10; i++) burn();
    }
    sigset_t none;
    sigemptyset(&none);
    check(ppoll(NULL, 0, NULL, (void *)1) == -1 && errno == EFAULT, "a mask that is nowhere");
    check(syscall(SYS_ppoll, NULL, 0, NULL, &none, 4) == -1 && errno == EINVAL, "a mask of four bytes");
    return finish("each wait had its mask");
}
