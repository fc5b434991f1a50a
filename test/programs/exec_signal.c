/* A signal at the moment of an execve is never lost: either the handler of the program before runs, or the signal ends the
 * program after it. */
#include "common.h"

static void on_signal(int n, siginfo_t *info, void *context) { (void)n, (void)info, (void)context; _exit(3); }

static void executes(char *self, int told)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    handle(SIGTERM, on_signal, 0);
    check(write(told, ".", 1) == 1, "write");
    char *argv[] = { self, "0", "wait", NULL };
    execv("/proc/self/exe", argv);
    fail(__FILE_NAME__, __LINE__, "execv", "execv");
}

int main(int argc, char **argv)
{
    if (argc > 2) {
        alarm(30);
        for (;;) pause();
    }
    begin(argc, argv);
    int told[2];
    check(pipe2(told, O_CLOEXEC) == 0, "pipe2");
    ready();
    for (unsigned round = 0; working() || round < 3; round++) {
        pid_t child = fork();
        check(child >= 0, "fork");
        if (child == 0) executes(argv[0], told[1]);
        char begun;
        check(read(told[0], &begun, 1) == 1, "read");
        for (int64_t until = now_ns() + round % 20 * MILLISECOND / 4; now_ns() < until;) {}
        check(kill(child, SIGTERM) == 0, "kill");
        int status;
        alarm(20); /* a lost signal is seen as a death of SIGALRM */
        check(waitpid(child, &status, 0) == child, "waitpid");
        check((WIFEXITED(status) && WEXITSTATUS(status) == 3) || (WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM),
              "status %x", status);
        alarm(0);
        burn();
    }
    return finish("no signal was lost on an execve");
}
