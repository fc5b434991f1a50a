/* Children that have ended and are not awaited yet are there, with their ids, until they are awaited, in any order and
 * by group; with SIGCHLD ignored they vanish by themselves. */
#include "common.h"

#define CHILDREN 6

static bool is_zombie(pid_t pid)
{
    char path[40], line[200];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY);
    if (fd < 0) return false;
    ssize_t n = read(fd, line, sizeof line - 1);
    close(fd);
    if (n <= 0) return false;
    line[n] = 0;
    char *end = strrchr(line, ')');
    return end && end[2] == 'Z';
}

static pid_t start(int status)
{
    pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid == 0) {
        burn();
        _exit(status);
    }
    return pid;
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    ready();
    while (working()) {
        pid_t pids[CHILDREN];
        int status;
        for (int i = 0; i < CHILDREN; i++) {
            pids[i] = start(10 + i);
            if (i % 2) check(setpgid(pids[i], pids[1]) == 0, "setpgid");
        }
        for (int i = 0; i < CHILDREN; i++) {
            siginfo_t info;
            check(waitid(P_PID, pids[i], &info, WEXITED | WNOWAIT) == 0, "waitid");
            check(info.si_status == 10 + i, "si_status is %d", info.si_status);
        }
        for (int i = 0; i < CHILDREN; i++) {
            check(kill(pids[i], 0) == 0, "a zombie has no id any more");
            check(is_zombie(pids[i]), "child %d is no zombie", i);
        }
        check(waitpid(pids[4], &status, 0) == pids[4] && status == 14 << 8, "waitpid of one");
        for (int left = 3; left > 0; left--) {
            pid_t got = waitpid(-pids[1], &status, 0);
            check(got == pids[1] || got == pids[3] || got == pids[5], "waitpid of the group");
        }
        check(waitpid(-pids[1], &status, WNOHANG) == -1 && errno == ECHILD, "the group has more");
        check(waitpid(0, &status, 0) > 0 && waitpid(-1, &status, 0) > 0, "waitpid of any");
        check(waitpid(-1, &status, WNOHANG) == -1 && errno == ECHILD, "there is another child");
        for (int i = 0; i < CHILDREN; i++) check(kill(pids[i], 0) == -1 && errno == ESRCH, "an awaited child is there");
        signal(SIGCHLD, SIG_IGN);
        pid_t gone = start(1);
        check(waitpid(gone, &status, 0) == -1 && errno == ECHILD, "an ignored child could be awaited");
        signal(SIGCHLD, SIG_DFL);
    }
    return finish("zombies awaited");
}
