/* Signals that arrive while a process sets actions, and does nothing else: they are handled all the same. */
#include "common.h"

static volatile int handled;
static void on_signal(int n, siginfo_t *info, void *context) { (void)n, (void)info, (void)context; handled++; }

static int sender(int told)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    char begun;
    while (read(told, &begun, 1) == 1) kill(getppid(), SIGUSR1);
    return 0;
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    int told[2];
    check(pipe(told) == 0, "pipe");
    handle(SIGUSR1, on_signal, SA_RESTART);
    pid_t child = fork();
    check(child >= 0, "fork");
    if (child == 0) { close(told[1]); _exit(sender(told[0])); }
    close(told[0]);
    ready();
    for (int round = 1; working() || round < 3; round++) {
        alarm(20); /* a lost signal is seen as a death of SIGALRM */
        check(write(told[1], ".", 1) == 1, "write");
        /* The kernel acts by the actions of these signals itself. */
        while (handled < round) {
            check(signal(SIGTTOU, SIG_IGN) != SIG_ERR && signal(SIGTTOU, SIG_DFL) == SIG_IGN, "signal");
            check(signal(SIGCHLD, SIG_DFL) == SIG_DFL, "signal");
        }
        check(handled == round, "%d signals handled in round %d", handled, round);
        burn();
    }
    close(told[1]);
    check(waitpid(child, NULL, 0) == child, "waitpid");
    return finish("each signal was handled");
}
