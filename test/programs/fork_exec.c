/* Children execute another program, as a shell has them do it: with descriptors, group and environment of their own; the
 * parent reads what they write, and their status is that of the program, or 127 where there was none. */
#include "common.h"

/* The other program: says its arguments on descriptor 1 and what it computes on 25. */
static int other(int argc, char **argv)
{
    char line[200];
    int n = snprintf(line, sizeof line, "%d %s %s\n", argc, argv[3], getenv("MARK"));
    for (int i = 0; i < 5; i++) burn();
    check(getpgrp() == getpid(), "the group of the program");
    write_all(1, line, n, "the first pipe");
    uint64_t value = churn(1000);
    write_all(25, &value, sizeof value, "the second pipe");
    check(fcntl(26, F_GETFD) == -1, "a descriptor is open");
    return atoi(argv[3]);
}

static void child(char *self, int out, int second, int status, bool missing)
{
    char text[20];
    snprintf(text, sizeof text, "%d", status);
    char *arguments[] = { self, "0", "other", text, NULL };
    char *environment[] = { "MARK=a mark", NULL };
    check(setpgid(0, 0) == 0, "setpgid");
    check(dup2(out, 1) == 1 && dup2(second, 25) == 25 && dup3(second, 26, O_CLOEXEC) == 26, "dup2");
    execve(missing ? "/no/such/program" : self, arguments, environment);
    _exit(errno == ENOENT ? 127 : 1);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    if (argc > 2 && !strcmp(argv[2], "other")) return other(argc, argv);
    ready();
    for (int round = 0; working(); round++) {
        bool missing = round % 4 == 3;
        int first[2], second[2], status;
        char text[100] = "", wanted[100];
        uint64_t value;
        check(pipe2(first, O_CLOEXEC) == 0 && pipe2(second, O_CLOEXEC) == 0, "pipe");
        pid_t pid = fork();
        check(pid >= 0, "fork");
        if (pid == 0) child(argv[0], first[1], second[1], round & 63, missing);
        close(first[1]);
        close(second[1]);
        int n = snprintf(wanted, sizeof wanted, "4 %d a mark\n", round & 63);
        if (!missing) {
            read_all(first[0], text, n, "the first pipe");
            check(!strcmp(text, wanted), "the program said: %s", text);
            read_all(second[0], &value, sizeof value, "the second pipe");
            check(value == churn(1000), "the program computed something else");
        }
        check(read(first[0], text, 1) == 0 && read(second[0], text, 1) == 0, "the pipes do not end");
        check(waitpid(pid, &status, 0) == pid, "waitpid");
        check(WIFEXITED(status) && WEXITSTATUS(status) == (missing ? 127 : (round & 63)), "round %d: status %#x", round, status);
        close(first[0]);
        close(second[0]);
        burn();
    }
    return finish("programs executed");
}
