/* Children forked before "ready" end while their parent is anywhere: SIGCHLD with its siginfo, waitpid and waitid with
 * exit status or deadly signal; later SIGCHLD is ignored, and then nothing is left to wait for. */
#include "common.h"

#define CHILDREN 24

static int gates[CHILDREN][2];
static pid_t pids[CHILDREN];
static volatile int notices;
static siginfo_t last;
static void on_child(int n, siginfo_t *info, void *context) { (void)n, (void)context; last = *info; notices++; }

/* Even ones exit with their number; odd ones die of SIGTERM. */
static void child(int i)
{
    char letter;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int j = 0; j <= i; j++) close(gates[j][1]);
    if (read(gates[i][0], &letter, 1) != 1) _exit(100);
    if (i % 2) raise(SIGTERM);
    _exit(i);
}

static void release(int i) { write_all(gates[i][1], "x", 1, "the pipe"); }

static void reap(int i)
{
    bool dies = i % 2;
    notices = 0;
    release(i);
    for (int n = 0; notices == 0 && n < 2000; n++) burn();
    check(notices == 1, "SIGCHLD came %d times", notices);
    check(last.si_pid == pids[i] && last.si_code == (dies ? CLD_KILLED : CLD_EXITED), "siginfo of SIGCHLD: code %d", last.si_code);
    check(last.si_status == (dies ? SIGTERM : i), "si_status is %d", last.si_status);
    siginfo_t info;
    check(waitid(P_PID, pids[i], &info, WEXITED | WNOWAIT) == 0 && info.si_pid == pids[i], "waitid");
    int status;
    check(waitpid(i % 4 < 2 ? -1 : pids[i], &status, 0) == pids[i], "waitpid");
    check(dies ? WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM : WIFEXITED(status) && WEXITSTATUS(status) == i,
          "wait status %#x", status);
    check(waitpid(pids[i], &status, WNOHANG) == -1 && errno == ECHILD, "a child could be awaited twice");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    handle(SIGCHLD, on_child, SA_RESTART);
    for (int i = 0; i < CHILDREN; i++) {
        check(pipe(gates[i]) == 0, "pipe");
        pids[i] = fork();
        check(pids[i] >= 0, "fork");
        if (pids[i] == 0) child(i);
        close(gates[i][0]);
    }
    ready();
    int next = 0;
    while (working()) {
        int status;
        check(waitpid(-1, &status, WNOHANG) == 0, "a child ended by itself");
        /* The first 20 are spread over the time. */
        if (next < 20 && milliseconds_left() < run_seconds * 1000 * (20 - next) / 20) reap(next++);
        for (int i = 0; i < 5; i++) burn();
    }
    while (next < 20) reap(next++);
    notices = 0;
    signal(SIGCHLD, SIG_IGN);
    while (next < CHILDREN) release(next++);
    check(waitpid(-1, NULL, 0) == -1 && errno == ECHILD, "an ignored child could be awaited");
    check(notices == 0, "an ignored SIGCHLD was delivered");
    return finish("children awaited");
}
