/* A vfork child that takes its time in its parent's memory: both may be moved meanwhile, or a call of the child may
 * bring them home; the parent still waits until the child executes a program or ends, and finds what it left. */
#include "common.h"

static volatile int stage;
static volatile uint64_t result;

static int awaited(pid_t pid)
{
    int status;
    check(waitpid(pid, &status, 0) == pid, "waitpid");
    return status;
}

/* Between vfork and exec for about `bursts` times 5 ms. */
static void lend(char *self, int bursts, bool rare_call, bool execute)
{
    char *arguments[] = { self, "0", "other", NULL };
    char *environment[] = { NULL };
    stage = 0;
    pid_t pid = vfork();
    check(pid >= 0, "vfork");
    if (pid == 0) {
        stage = 1;
        if (rare_call) syscall(SYS_get_mempolicy, NULL, NULL, 0, NULL, 0);
        uint64_t sum = 0;
        for (int i = 0; i < bursts; i++) sum += churn(BURN_STEPS) == burn_expected;
        result = sum;
        stage = 2;
        if (getpid() == getppid()) _exit(99);
        if (execute) execve(self, arguments, environment);
        _exit(execute ? 98 : 33);
    }
    check(stage == 2, "the parent went on at stage %d", stage);
    check(result == (uint64_t)bursts, "the child computed %d right", (int)result);
    check(awaited(pid) == (execute ? 44 : 33) << 8, "status of the child");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    if (argc > 2) return 44;
    ready();
    for (int round = 0; working(); round++) {
        lend(argv[0], 60, false, round % 2);
        /* Only in the last part, since it does not leave again by itself. */
        if (milliseconds_left() < run_seconds * 1000 * 0.4) lend(argv[0], 10, true, round % 2);
    }
    return finish("never too early");
}
