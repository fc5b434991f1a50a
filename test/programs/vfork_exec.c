/* vfork: the child runs in the parent's memory while the parent waits, and what it leaves there the parent sees; then
 * it executes a program, or ends, or dies. The parent's handlers and descriptors are untouched by what the child does
 * with its own. */
#include "common.h"

static volatile int left_by_child, hits;
static void handler(int n, siginfo_t *info, void *context) { (void)n, (void)info, (void)context; hits++; }

static int awaited(pid_t pid)
{
    int status;
    check(waitpid(pid, &status, 0) == pid, "waitpid");
    return status;
}

static void no_program(void)
{
    volatile int error = 0;
    char *arguments[] = { "x", NULL };
    pid_t pid = vfork();
    check(pid >= 0, "vfork");
    if (pid == 0) {
        execve("/no/such/program", arguments, NULL);
        error = errno;
        _exit(9);
    }
    check(error == ENOENT, "the child left errno %d", error);
    check(awaited(pid) == 9 << 8, "status");
}

static void program(char *self, int fd)
{
    volatile pid_t child = 0;
    char *arguments[] = { self, "0", "other", NULL };
    char *environment[] = { NULL };
    pid_t parent = getpid();
    sigset_t block = set_of(SIGUSR2, 0), old;
    check(sigprocmask(SIG_BLOCK, &block, &old) == 0, "sigprocmask");
    pid_t pid = vfork();
    check(pid >= 0, "vfork");
    if (pid == 0) {
        child = getpid();
        signal(SIGUSR1, SIG_IGN);
        if (getppid() != parent || dup2(fd, 30) != 30 || close(fd) != 0) _exit(100);
        execve(self, arguments, environment);
        _exit(101);
    }
    check(child == pid, "getpid() in the child was %d", (int)child);
    check(sigprocmask(SIG_SETMASK, &old, NULL) == 0, "sigprocmask");
    hits = 0;
    check(raise(SIGUSR1) == 0 && hits == 1, "the parent's handler was changed");
    check(fcntl(30, F_GETFD) == -1 && fcntl(fd, F_GETFD) >= 0, "the parent's descriptors were changed");
    check(awaited(pid) == 55 << 8, "status of the program");
}

static int other(void)
{
    struct sigaction action;
    sigset_t mask;
    check(sigaction(SIGUSR1, NULL, &action) == 0 && action.sa_handler == SIG_IGN, "SIGUSR1 is not ignored");
    check(sigaction(SIGUSR2, NULL, &action) == 0 && action.sa_handler == SIG_DFL, "SIGUSR2 is not default");
    check(sigprocmask(SIG_SETMASK, NULL, &mask) == 0 && sigismember(&mask, SIGUSR2) == 1, "the mask");
    for (int i = 0; i < 4; i++) burn();
    write_all(30, "said", 4, "the pipe");
    return 55;
}

static void ends(int way)
{
    left_by_child = 0;
    pid_t pid = vfork();
    check(pid >= 0, "vfork");
    if (pid == 0) {
        left_by_child = 40 + way;
        if (way == 1) kill(getpid(), SIGKILL);
        if (way == 2) syscall(SYS_tgkill, getpid(), getpid(), SIGTERM);
        if (way == 3) syscall(SYS_exit, 3);
        _exit(3);
    }
    check(left_by_child == 40 + way, "the child left %d", left_by_child);
    int status = awaited(pid);
    int deadly = way == 1 ? SIGKILL : way == 2 ? SIGTERM : 0;
    check(deadly ? WIFSIGNALED(status) && WTERMSIG(status) == deadly : status == 3 << 8, "way %d: status %#x", way, status);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    if (argc > 2) return other();
    handle(SIGUSR1, handler, 0);
    handle(SIGUSR2, handler, 0);
    ready();
    while (working()) {
        int pipes[2];
        char text[5] = "";
        check(pipe(pipes) == 0, "pipe");
        no_program();
        program(argv[0], pipes[1]);
        read_all(pipes[0], text, 4, "the pipe");
        check(!strcmp(text, "said"), "the program said %s", text);
        for (int way = 0; way < 4; way++) ends(way);
        close(pipes[0]);
        close(pipes[1]);
        burn();
    }
    return finish("memory was lent");
}
