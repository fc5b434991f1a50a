/* Signals that a program sends to itself: siginfo of kill, tgkill and sigqueue, order and merging of blocked ones,
 * SA_RESETHAND, SA_NODEFER, sa_mask, and dispositions that stay as they were set. */
#include "common.h"

static volatile int count, depth, deepest;
static siginfo_t seen[16];

static void record(int n, siginfo_t *info, void *context)
{
    (void)n, (void)context;
    if (count < 16) seen[count] = *info;
    count++;
}

static void recurse(int n, siginfo_t *info, void *context)
{
    (void)info, (void)context;
    if (++depth > deepest) deepest = depth;
    if (++count < 3) raise(n);
    depth--;
}

static void expect(int number, int code, const char *what)
{
    check(count == 1, "%s: the handler ran %d times", what, count);
    check(seen[0].si_signo == number && seen[0].si_code == code, "%s: signal %d, code %d", what, seen[0].si_signo, seen[0].si_code);
    check(seen[0].si_pid == getpid() && seen[0].si_uid == getuid(), "%s: sender", what);
    count = 0;
}

static void by_kind(void)
{
    kill(getpid(), SIGUSR1);
    expect(SIGUSR1, SI_USER, "kill");
    syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1);
    expect(SIGUSR1, SI_TKILL, "tgkill");
    sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_ptr = (void *)0x123456789abcdef });
    check(seen[0].si_value.sival_ptr == (void *)0x123456789abcdef, "sigqueue: value");
    expect(SIGUSR1, SI_QUEUE, "sigqueue");
}

static void while_blocked(void)
{
    sigset_t set = set_of(SIGUSR1, SIGRTMIN, SIGRTMIN + 3, 0), old;
    sigprocmask(SIG_BLOCK, &set, &old);
    for (int i = 0; i < 3; i++) kill(getpid(), SIGUSR1); /* these merge into one */
    for (int i = 0; i < 4; i++) sigqueue(getpid(), SIGRTMIN + 3, (union sigval){ .sival_int = 10 + i });
    for (int i = 0; i < 4; i++) sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i });
    check(count == 0, "a blocked signal was delivered");
    sigprocmask(SIG_SETMASK, &old, NULL);
    check(count == 9, "%d of 9 signals were delivered", count);
    /* Handlers that are all due at once nest: the last one set up runs first, so look at each number by itself. */
    int next[2] = { 0, 10 };
    for (int i = 0; i < 9; i++) {
        if (seen[i].si_signo == SIGUSR1) continue;
        int *expected = &next[seen[i].si_signo == SIGRTMIN ? 0 : 1];
        check(seen[i].si_value.sival_int == *expected, "value %d instead of %d", seen[i].si_value.sival_int, *expected);
        ++*expected;
    }
    check(next[0] == 4 && next[1] == 14, "queued signals were lost");
    count = 0;
}

static void flags(void)
{
    struct sigaction now;
    handle(SIGUSR2, record, SA_RESETHAND);
    raise(SIGUSR2);
    expect(SIGUSR2, SI_TKILL, "SA_RESETHAND");
    check(sigaction(SIGUSR2, NULL, &now) == 0 && now.sa_handler == SIG_DFL, "SA_RESETHAND did not reset");
    handle(SIGUSR2, recurse, SA_NODEFER);
    deepest = 0;
    raise(SIGUSR2);
    check(count == 3 && deepest == 3, "SA_NODEFER: %d runs, %d deep", count, deepest);
    count = 0;
    handle(SIGUSR2, recurse, 0);
    deepest = 0;
    raise(SIGUSR2);
    check(count == 3 && deepest == 1, "without SA_NODEFER: %d runs, %d deep", count, deepest);
    count = 0;
    signal(SIGUSR2, SIG_IGN);
    raise(SIGUSR2);
    check(count == 0, "an ignored signal was delivered");
}

static void dispositions(void)
{
    struct sigaction now;
    check(sigaction(SIGHUP, NULL, &now) == 0 && now.sa_handler == SIG_IGN, "SIGHUP is no longer ignored");
    check(sigaction(SIGQUIT, NULL, &now) == 0 && now.sa_handler == SIG_DFL, "SIGQUIT is no longer default");
    check(sigaction(SIGRTMAX, NULL, &now) == 0 && now.sa_sigaction == record, "the handler of SIGRTMAX");
    /* The C library adds SA_RESTORER. */
    check((now.sa_flags & ~0x04000000) == (SA_SIGINFO | SA_RESTART | SA_ONSTACK), "flags of SIGRTMAX are %#x", (unsigned)now.sa_flags);
    check(sigismember(&now.sa_mask, SIGTERM) == 0, "mask of SIGRTMAX");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    signal(SIGHUP, SIG_IGN);
    signal(SIGQUIT, SIG_DFL);
    handle(SIGRTMAX, record, SA_RESTART | SA_ONSTACK);
    handle(SIGUSR1, record, 0);
    handle(SIGRTMIN, record, 0);
    handle(SIGRTMIN + 3, record, 0);
    ready();
    while (working()) {
        by_kind();
        while_blocked();
        flags();
        dispositions();
        burn();
    }
    return finish("own signals arrive");
}
