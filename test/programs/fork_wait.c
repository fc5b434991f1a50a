/* fork: the child has the parent's memory, which both then change each for itself, its own id and the right parent;
 * its exit status or deadly signal comes out of waitpid, waitid and SIGCHLD's default, also when it outlives a move. */
#include "common.h"

#define WORDS 4096

static uint32_t words[WORDS];

static void fill(uint32_t seed) { for (int i = 0; i < WORDS; i++) words[i] = seed * 2654435761u + i; }

static void verify(uint32_t seed, const char *whose)
{
    for (int i = 0; i < WORDS; i++) check(words[i] == seed * 2654435761u + i, "%s memory: word %d", whose, i);
}

static void child(pid_t parent, uint32_t seed, int way)
{
    check(getppid() == parent, "getppid() in the child");
    check(getpid() != parent && getpid() == (pid_t)syscall(SYS_gettid), "getpid() in the child");
    verify(seed, "the child's");
    fill(seed + 1);
    for (int i = 0; i < 4; i++) burn();
    verify(seed + 1, "the child's changed");
    if (way == 0) _exit(seed & 127);
    if (way == 1) raise(SIGTERM);
    if (way == 2) abort();
    for (;;) pause();
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    pid_t self = getpid();
    ready();
    for (uint32_t seed = 1; working(); seed++) {
        int way = seed % 4;
        fill(seed);
        pid_t pid = fork();
        check(pid >= 0, "fork");
        if (pid == 0) child(self, seed, way);
        burn();
        verify(seed, "the parent's");
        fill(seed + 7);
        if (way == 3) check(kill(pid, SIGKILL) == 0, "kill");
        siginfo_t info;
        check(waitid(P_PID, pid, &info, WEXITED | WNOWAIT) == 0 && info.si_pid == pid, "waitid");
        check(info.si_code == (way == 0 ? CLD_EXITED : info.si_code == CLD_DUMPED ? CLD_DUMPED : CLD_KILLED),
              "waitid: code %d", info.si_code);
        int status;
        check(waitpid(-1, &status, 0) == pid, "waitpid");
        int deadly = way == 1 ? SIGTERM : way == 2 ? SIGABRT : SIGKILL;
        check(way ? WIFSIGNALED(status) && WTERMSIG(status) == deadly : WIFEXITED(status) && WEXITSTATUS(status) == (int)(seed & 127),
              "way %d: wait status %#x", way, status);
        check(waitpid(-1, &status, WNOHANG) == -1 && errno == ECHILD, "there is another child");
        verify(seed + 7, "the parent's changed");
    }
    return finish("forked and awaited");
}
