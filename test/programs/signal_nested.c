/* Handlers inside handlers, four deep, with work at every depth: masks add up and are restored, floating-point and
 * local values survive, and siglongjmp leaves from the bottom. */
#include "common.h"
#include <setjmp.h>

#define DEPTH 4
static const int numbers[DEPTH] = { SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM };
static volatile int entered, left;
static volatile bool leap;
static sigjmp_buf back;

static void check_mask(int blocked)
{
    sigset_t now;
    sigprocmask(SIG_SETMASK, NULL, &now);
    for (int i = 0; i < DEPTH; i++)
        check(sigismember(&now, numbers[i]) == (i < blocked), "at depth %d signal %d is %sblocked", blocked, numbers[i], i < blocked ? "not " : "");
    check(sigismember(&now, SIGTERM) == (blocked > 0), "sa_mask at depth %d", blocked);
}

static void on_signal(int n, siginfo_t *info, void *context)
{
    (void)info, (void)context;
    int depth = ++entered;
    check(n == numbers[depth - 1], "signal %d at depth %d", n, depth);
    volatile double local = 1.0 / depth;
    check_mask(depth);
    burn();
    if (depth < DEPTH) raise(numbers[depth]);
    else if (leap) siglongjmp(back, depth);
    check(local == 1.0 / depth, "a local value at depth %d changed", depth);
    check_mask(depth);
    left++;
}

static void round_of_signals(void)
{
    entered = left = 0;
    double value = 3.25 + run_rounds;
    raise(SIGUSR1);
    check(entered == DEPTH && left == DEPTH, "%d handlers entered, %d left", entered, left);
    check(value == 3.25 + run_rounds, "a floating-point value changed");
    check_mask(0);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    for (int i = 0; i < DEPTH; i++) {
        struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO, .sa_mask = set_of(SIGTERM, 0) };
        check(sigaction(numbers[i], &action, NULL) == 0, "sigaction");
    }
    ready();
    while (working()) {
        leap = false;
        round_of_signals();
        leap = true;
        entered = 0;
        int depth = sigsetjmp(back, 1);
        if (depth == 0) raise(SIGUSR1);
        check(entered == DEPTH, "%d handlers entered before the leap", entered);
        check_mask(0);
    }
    return finish("nested handlers return");
}
