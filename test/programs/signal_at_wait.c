/* A signal with a handler ends a wait that has lasted for a while, also when the process is just being moved: a wait that
 * is made again elsewhere is still the same wait. If the handler ran before it, the signal would be lost on it. */
#include "common.h"
#include <sys/select.h>

static volatile int handled;
static void on_signal(int n, siginfo_t *info, void *context) { (void)n, (void)info, (void)context; handled++; }

/* Sends a signal when the parent has waited for long enough to be surely in its wait. */
static int sender(int told)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    char begun;
    for (unsigned round = 0; read(told, &begun, 1) == 1; round++) {
        struct timespec pause = timespec_of((300 + round * 37 % 150) * MILLISECOND);
        nanosleep(&pause, NULL);
        kill(getppid(), SIGUSR1);
    }
    return 0;
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    int told[2], empty[2];
    check(pipe(told) == 0 && pipe(empty) == 0, "pipe");
    pid_t child = fork();
    check(child >= 0, "fork");
    if (child == 0) { close(told[1]); _exit(sender(told[0])); }
    close(told[0]);
    ready();
    for (int round = 1; working() || round < 3; round++) {
        /* select(2) and its like end with EINTR even if the handler says SA_RESTART; read(2) does not. */
        handle(SIGUSR1, on_signal, round % 2 ? SA_RESTART : 0);
        alarm(20); /* nobody handles it: a lost signal is seen as a death of SIGALRM */
        check(write(told[1], ".", 1) == 1, "write");
        if (round % 2) {
            fd_set readable;
            FD_ZERO(&readable);
            FD_SET(empty[0], &readable);
            check(pselect(empty[0] + 1, &readable, NULL, NULL, NULL, NULL) == -1 && errno == EINTR, "pselect");
        } else {
            char nothing;
            check(read(empty[0], &nothing, 1) == -1 && errno == EINTR, "read");
        }
        check(handled == round, "%d signals handled in round %d", handled, round);
        burn();
    }
    close(told[1]);
    check(waitpid(child, NULL, 0) == child, "waitpid");
    return finish("each signal ended its wait");
}
