/* posix_spawn with all it can do: actions on descriptors, signals set to default, mask, process group, search in PATH; a
 * program that is not there is told by its result, and then there is no child. system() and popen() beside it. */
#include "common.h"
#include <spawn.h>

static int other(char **argv)
{
    char line[100];
    ssize_t n = read(0, line, sizeof line - 1);
    check(n > 0, "nothing to read");
    line[n] = 0;
    sigset_t mask;
    check(sigprocmask(SIG_SETMASK, NULL, &mask) == 0 && sigismember(&mask, SIGALRM) == 1 && !sigismember(&mask, SIGHUP), "the mask");
    struct sigaction action;
    check(sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL, "SIGPIPE is not default");
    check(sigaction(SIGUSR2, NULL, &action) == 0 && action.sa_handler == SIG_IGN, "SIGUSR2 is not ignored");
    check(getpgrp() == getpid(), "its group");
    check(fcntl(35, F_GETFD) == -1, "a descriptor that was to be closed");
    for (int i = 0; i < 3; i++) burn();
    printf("%s and %s", line, argv[3]);
    return 17;
}

static void spawn(char *self)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t set = set_of(SIGPIPE, 0), mask = set_of(SIGALRM, 0);
    char *arguments[] = { "name", "0", "other", "argument", NULL };
    char text[100] = "";
    int pipes[2], status;
    pid_t pid;
    check(pipe2(pipes, O_CLOEXEC) == 0, "pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "input", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, pipes[1], 1);
    posix_spawn_file_actions_addclose(&actions, 35);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setsigdefault(&attributes, &set);
    posix_spawnattr_setsigmask(&attributes, &mask);
    posix_spawnattr_setpgroup(&attributes, 0);
    check(dup2(pipes[0], 35) == 35, "dup2");
    check(posix_spawn(&pid, self, &actions, &attributes, arguments, environ) == 0, "posix_spawn");
    close(pipes[1]);
    read_all(pipes[0], text, strlen("input and argument"), "the pipe");
    check(!strcmp(text, "input and argument"), "the program said: %s", text);
    check(waitpid(pid, &status, 0) == pid && status == 17 << 8, "status %#x", status);
    close(pipes[0]);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "no-such-input", O_RDONLY, 0);
    check(posix_spawn(&pid, self, &actions, NULL, arguments, environ) == ENOENT, "posix_spawn without its input");
    check(posix_spawn(&pid, "/no/such/program", NULL, NULL, arguments, environ) == ENOENT, "posix_spawn of nothing");
    check(posix_spawn(&pid, "input", NULL, NULL, arguments, environ) == EACCES, "posix_spawn of a plain file");
    check(waitpid(-1, &status, WNOHANG) == -1 && errno == ECHILD, "a child is left");
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
}

static void shells(void)
{
    check(system("exit 13") == 13 << 8, "system");
    int status = system("kill -TERM $$");
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM, "system of a shell that dies: %#x", status);
    char text[40] = "";
    FILE *pipe = popen("read x < input; echo $x-$((6 * 7)) | tr a-z A-Z", "r");
    check(pipe && fgets(text, sizeof text, pipe), "popen");
    check(!strcmp(text, "INPUT-42\n"), "the shell said: %s", text);
    check(pclose(pipe) == 0, "pclose");
    pid_t pid;
    char *arguments[] = { "true", NULL };
    check(posix_spawnp(&pid, "true", NULL, NULL, arguments, environ) == 0, "posix_spawnp");
    check(waitpid(pid, &status, 0) == pid && status == 0, "status of true: %#x", status);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    if (argc > 2) return other(argv);
    int fd = open("input", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    check(fd >= 0, "open");
    write_all(fd, "input", 5, "the file");
    close(fd);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    ready();
    while (working()) {
        spawn(argv[0]);
        shells();
        burn();
    }
    return finish("programs spawned");
}
