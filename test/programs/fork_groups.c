/* Process groups and sessions of children: made by the parent or the child itself, seen by both, and signals to a group
 * reach its members and nobody else. */
#include "common.h"

static void wait_for(int fd)
{
    char letter;
    read_all(fd, &letter, 1, "the pipe");
}

static pid_t member(int gate, int tell, bool leads)
{
    pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid) return pid;
    if (leads) check(setpgid(0, 0) == 0 && getpgrp() == getpid(), "setpgid of oneself");
    write_all(tell, "m", 1, "the pipe");
    wait_for(gate); /* until a signal comes */
    _exit(1);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    ready();
    while (working()) {
        int gate[2], tell[2], status;
        check(pipe(gate) == 0 && pipe(tell) == 0, "pipe");
        pid_t leader = member(gate[0], tell[1], true);
        wait_for(tell[0]);
        check(getpgid(leader) == leader, "the leader's group is %d", (int)getpgid(leader));
        pid_t second = member(gate[0], tell[1], false);
        check(setpgid(second, leader) == 0 && getpgid(second) == leader, "setpgid of a child");
        wait_for(tell[0]);
        check(getsid(second) == getsid(0), "the session of a child");
        check(kill(-leader, SIGTERM) == 0, "kill of the group");
        for (int i = 0; i < 2; i++) {
            pid_t got = waitpid(-leader, &status, 0);
            check(got == leader || got == second, "waitpid of the group");
            check(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM, "a member's status %#x", status);
        }
        pid_t session = fork();
        check(session >= 0, "fork");
        if (session == 0) {
            check(setsid() == getpid() && getsid(0) == getpid() && getpgrp() == getpid(), "setsid");
            check(setsid() == -1 && errno == EPERM, "setsid of a leader");
            write_all(tell[1], "s", 1, "the pipe");
            wait_for(gate[0]);
            _exit(9);
        }
        wait_for(tell[0]);
        check(getsid(session) == session, "the child's session is %d", (int)getsid(session));
        check(setpgid(session, 0) == -1 && errno == EPERM, "setpgid of a session's leader");
        write_all(gate[1], "g", 1, "the pipe");
        check(waitpid(session, &status, 0) == session && status == 9 << 8, "the leader's status %#x", status);
        for (int i = 0; i < 2; i++) close(gate[i]), close(tell[i]);
        burn();
    }
    return finish("groups and sessions");
}
