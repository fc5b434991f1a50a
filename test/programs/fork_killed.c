/* Children that get several signals at once, each of which ends them: the first one does, and the parent hears of each end. */
#include "common.h"

#define CHILDREN 4

static const int deadly[] = { SIGTERM, SIGALRM, SIGUSR1, SIGUSR2 };

/* Busy, asleep, or waiting for what does not come. */
static void live(int how, int never)
{
    char byte;
    for (;;) {
        if (how % 3 == 0) burn();
        else if (how % 3 == 1) usleep(1000);
        else check(read(never, &byte, 1) == 1, "read");
    }
}

int main(int argc, char **argv)
{
    int never[2];
    begin(argc, argv);
    check(pipe(never) == 0, "pipe");
    ready();
    for (int round = 0; working(); round++) {
        pid_t pids[CHILDREN];
        for (int i = 0; i < CHILDREN; i++) {
            pids[i] = fork();
            check(pids[i] >= 0, "fork");
            if (pids[i] == 0) live(i + round, never[0]);
        }
        burn();
        for (int i = 0; i < CHILDREN; i++)
            for (int k = 0; k < 4; k++) check(kill(pids[i], deadly[(k + round) % 4]) == 0, "kill");
        for (int i = 0; i < CHILDREN; i++) {
            int status;
            check(waitpid(pids[i], &status, 0) == pids[i], "waitpid");
            check(WIFSIGNALED(status), "a child ended with status %#x", status);
            int by = WTERMSIG(status);
            check(by == SIGTERM || by == SIGALRM || by == SIGUSR1 || by == SIGUSR2, "a child was ended by signal %d", by);
        }
    }
    return finish("all ends were heard of");
}
