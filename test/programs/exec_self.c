/* execve: the program becomes itself again and again, with arguments and environment of many kinds; what must survive
 * does (pid, parent, children, descriptors without close-on-exec, mask, ignored signals, a signal that waits, directory,
 * time left on an alarm), what must not does not (handlers, threads, memory, close-on-exec). A failure changes nothing. */
#include "common.h"
#include <sys/auxv.h>

extern char **environ;

static void handler(int n, siginfo_t *info, void *context) { (void)n, (void)info, (void)context; }
static void *sleeper(void *unused) { (void)unused; for (;;) pause(); return NULL; }

static char *number(long n)
{
    char *text;
    check(asprintf(&text, "%ld", n) > 0, "asprintf");
    return text;
}

static struct sigaction action_of(int n)
{
    struct sigaction action;
    check(sigaction(n, NULL, &action) == 0, "sigaction");
    return action;
}

static void before(int kept)
{
    check(action_of(SIGUSR1).sa_handler == SIG_DFL, "a handler is left");
    check(action_of(SIGUSR2).sa_handler == SIG_IGN, "an ignored signal is not ignored");
    check(action_of(SIGHUP).sa_handler == SIG_DFL, "a signal is ignored that was not");
    sigset_t mask;
    check(sigprocmask(SIG_SETMASK, NULL, &mask) == 0, "sigprocmask");
    for (int n = 1; n < 32; n++) check(sigismember(&mask, n) == (n == SIGTERM || n == SIGWINCH), "signal %d in the mask", n);
    char line[6] = "";
    check(pread(kept, line, 5, 0) == 5 && !strcmp(line, "kept\n"), "the descriptor that was kept");
    check(fcntl(kept + 1, F_GETFD) == -1 && errno == EBADF, "a descriptor that was to be closed");
}

/* What the next one must find. */
static void prepare(int kept)
{
    handle(SIGUSR1, handler, 0);
    handle(SIGHUP, handler, 0);
    signal(SIGUSR2, SIG_IGN);
    sigset_t mask = set_of(SIGTERM, SIGWINCH, 0);
    check(sigprocmask(SIG_SETMASK, &mask, NULL) == 0, "sigprocmask");
    check(dup3(kept, kept + 1, O_CLOEXEC) == kept + 1, "dup3");
    pthread_t thread;
    thread_start(&thread, sleeper, NULL);
}

static void failures(void)
{
    char *none[] = { NULL }, *one[] = { "x", NULL };
    char *huge = malloc(200 * KB);
    memset(huge, 'h', 200 * KB - 1);
    huge[200 * KB - 1] = 0;
    char *long_one[] = { "x", huge, NULL };
    check(execve("/no/such/program", one, none) == -1 && errno == ENOENT, "execve of nothing");
    check(execve("/", one, none) == -1 && errno == EACCES, "execve of a directory");
    check(execve("kept", one, none) == -1 && errno == EACCES, "execve of a plain file");
    check(execve("/proc/self/exe", long_one, none) == -1 && errno == E2BIG, "execve with a huge argument");
    free(huge);
}

int main(int argc, char **argv)
{
    bool again = argc > 2 && !strcmp(argv[2], "again");
    begin(argc, argv);
    if (!again) {
        /* argv: name, seconds, "again", end of the time, pid, parent, child, descriptor, count, then odd ones */
        int kept = open("kept", O_RDWR | O_CREAT | O_TRUNC, 0600);
        check(kept >= 0 && dup2(kept, 20) == 20, "open");
        write_all(20, "kept\n", 5, "the file");
        close(kept);
        pid_t child = fork();
        check(child >= 0, "fork");
        if (child == 0) for (;;) pause();
        ready();
        prepare(20);
        char *end = number((run_started + (int64_t)(run_seconds * SECOND)) / MILLISECOND);
        char *next[] = { argv[0], argv[1], "again", end, number(getpid()), number(getppid()), number(child), "20", "0", "", "a b\n\tc", NULL };
        char *environment[] = { "EMPTY=", "PROGRAM_MARK=\xff\xfe=1", NULL };
        execve("/proc/self/exe", next, environment);
        check(false, "execve");
    }
    check(argc == 11 && argv[9][0] == 0 && !strcmp(argv[10], "a b\n\tc"), "the arguments");
    check(!strcmp(getenv("PROGRAM_MARK"), "\xff\xfe=1") && getenv("EMPTY")[0] == 0 && environ[2] == NULL, "the environment");
    check(getauxval(AT_SECURE) == 0, "it runs in secure mode");
    int kept = atoi(argv[7]), count = atoi(argv[8]);
    pid_t child = atoi(argv[6]);
    check(getpid() == atoi(argv[4]) && getppid() == atoi(argv[5]), "the ids");
    check((pid_t)syscall(SYS_gettid) == getpid(), "the thread's id");
    before(kept);
    check(waitpid(child, NULL, WNOHANG) == 0, "the child has gone");
    if (count > 0) {
        /* It was sent before the last execve, and waits. */
        sigset_t waiting;
        check(sigpending(&waiting) == 0 && sigismember(&waiting, SIGTERM) == (count % 2), "the signal that waits");
        if (count % 2) {
            sigset_t term = set_of(SIGTERM, 0);
            check(sigwaitinfo(&term, NULL) == SIGTERM, "sigwaitinfo");
        }
    }
    failures();
    before(kept);
    for (int i = 0; i < 25; i++) burn();
    int64_t end = atoll(argv[3]) * MILLISECOND;
    if (count >= 4 && now_ns() > end) {
        check(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child, "the child's end");
        return finish("always itself");
    }
    prepare(kept);
    argv[8] = number(++count);
    if (count % 2) check(kill(getpid(), SIGTERM) == 0, "kill");
    if (count % 3 == 0) execv("/proc/self/exe", argv);
    else syscall(SYS_execveat, open(argv[0], O_PATH | O_CLOEXEC), "", argv, environ, AT_EMPTY_PATH);
    check(false, "execve again");
}
