/* SIGTRAP belongs to the program: breakpoint instructions, raise, kill from inside and outside; handled, ignored or blocked
 * as argument 2 says. Each is counted, its siginfo is right, and the action stays as it was set. */
#include "common.h"
#include <sys/ucontext.h>

static int requests[2], answers[2];
static pid_t sender;
static __thread volatile int hits;
static __thread siginfo_t last;

static void on_trap(int n, siginfo_t *info, void *context)
{
    (void)n, (void)context;
    last = *info;
    hits++;
}

/* Sends one SIGTRAP to its parent for each byte that it gets, and says so. */
static void send_traps(void)
{
    char byte;
    close(requests[1]);
    while (read(requests[0], &byte, 1) == 1) {
        check(kill(getppid(), SIGTRAP) == 0, "kill of the parent");
        write_all(answers[1], &byte, 1, "the answer");
    }
}

static void from_outside(void)
{
    char byte;
    write_all(requests[1], "x", 1, "the request");
    read_all(answers[0], &byte, 1, "the answer");
}

static void breakpoint(void)
{
    uint64_t kept = 0x123456789abcdef, other = 1;
    asm volatile("int3\n\tadd %1, %0" : "+r"(kept) : "r"(other));
    check(kept == 0x123456789abcdf0, "registers after a breakpoint");
}

static void expect(int code, pid_t pid, const char *what)
{
    for (int i = 0; hits == 0 && i < 10000; i++) usleep(500);
    check(hits == 1, "%s: the handler ran %d times, last for code %d", what, hits, last.si_code);
    check(last.si_signo == SIGTRAP && last.si_code == code, "%s: signal %d, code %d", what, last.si_signo, last.si_code);
    check(pid == 0 || last.si_pid == pid, "%s: sent by %d", what, last.si_pid);
    hits = 0;
}

static void own_traps(void)
{
    breakpoint();
    expect(SI_KERNEL, 0, "a breakpoint");
    raise(SIGTRAP);
    expect(SI_TKILL, getpid(), "raise");
}

static void *other_thread(void *argument)
{
    while (working()) {
        own_traps();
        burn();
    }
    return argument;
}

static void handled(void)
{
    struct sigaction now;
    own_traps();
    sigset_t set = set_of(SIGTRAP, 0), old, pending;
    pthread_sigmask(SIG_BLOCK, &set, &old);
    raise(SIGTRAP);
    for (int i = 0; i < 4; i++) burn();
    check(hits == 0, "a blocked SIGTRAP was delivered");
    check(sigpending(&pending) == 0 && sigismember(&pending, SIGTRAP), "a blocked SIGTRAP does not wait");
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    expect(SI_TKILL, getpid(), "a SIGTRAP that was blocked");
    check(sigaction(SIGTRAP, NULL, &now) == 0 && now.sa_sigaction == on_trap, "the action of SIGTRAP");
}

static void ignored(void)
{
    struct sigaction now;
    raise(SIGTRAP);
    kill(getpid(), SIGTRAP);
    from_outside();
    for (int i = 0; i < 20000; i++) now_ns(); /* it is likely to be stopped in the vDSO */
    check(sigaction(SIGTRAP, NULL, &now) == 0 && now.sa_handler == SIG_IGN, "SIGTRAP is no longer ignored");
}

static void blocked(void)
{
    sigset_t set = set_of(SIGTRAP, 0);
    siginfo_t info;
    from_outside();
    for (int i = 0; i < 10; i++) burn();
    struct timespec enough = { 10, 0 }, none = { 0, 0 };
    check(sigtimedwait(&set, &info, &enough) == SIGTRAP, "a SIGTRAP that was blocked is gone");
    check(info.si_code == SI_USER && info.si_pid == sender, "code %d, sent by %d", info.si_code, info.si_pid);
    check(sigtimedwait(&set, &info, &none) == -1, "a SIGTRAP came twice");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(argc > 2, "needs argument 2");
    check(pipe(requests) == 0 && pipe(answers) == 0, "pipe");
    sender = helper(send_traps);
    if (strcmp(argv[2], "handled") == 0) {
        pthread_t thread;
        handle(SIGTRAP, on_trap, 0);
        ready();
        thread_start(&thread, other_thread, NULL);
        while (working()) {
            handled();
            burn();
        }
        thread_result(thread);
    } else if (strcmp(argv[2], "outside") == 0) {
        handle(SIGTRAP, on_trap, SA_RESTART);
        ready();
        while (working()) {
            from_outside();
            expect(SI_USER, sender, "kill by another process");
            kill(getpid(), SIGTRAP);
            expect(SI_USER, getpid(), "kill of itself");
            own_traps();
            burn();
        }
    } else if (strcmp(argv[2], "ignored") == 0) {
        signal(SIGTRAP, SIG_IGN);
        ready();
        while (working()) ignored();
    } else {
        sigset_t set = set_of(SIGTRAP, 0);
        sigprocmask(SIG_BLOCK, &set, NULL);
        ready();
        while (working()) blocked();
    }
    close(requests[1]);
    helper_ends(sender);
    return finish("SIGTRAP is the program's own");
}
