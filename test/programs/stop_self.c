/* The program stops itself with SIGSTOP and is continued by a process that sees it stopped in /proc; everything goes on
 * where it was, and the handler of SIGCONT runs. */
#include "common.h"

static int announce[2];
static volatile int continued;
static void on_continue(int n, siginfo_t *info, void *context) { (void)n, (void)info, (void)context; continued++; }

static bool stopped(pid_t pid)
{
    char name[40], text[200] = "";
    snprintf(name, sizeof name, "/proc/%d/stat", pid);
    int fd = open(name, O_RDONLY);
    if (fd < 0) return false;
    if (read(fd, text, sizeof text - 1) < 0) text[0] = 0;
    close(fd);
    const char *end = strrchr(text, ')');
    return end && (end[2] == 'T' || end[2] == 't');
}

/* For each announcement 's' lets SIGCONT follow once the stop is seen, again and again until the announcement 'c'. */
static void watch(void)
{
    char letter;
    close(announce[1]);
    while (read(announce[0], &letter, 1) == 1) {
        check(letter == 's', "announcement %c", letter);
        fcntl(announce[0], F_SETFL, O_NONBLOCK);
        for (ssize_t got = -1; got != 1;) {
            usleep(5000);
            if (stopped(getppid())) {
                usleep(20000);
                kill(getppid(), SIGCONT);
            }
            got = read(announce[0], &letter, 1);
            if (got == 0) return;
        }
        fcntl(announce[0], F_SETFL, 0);
    }
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(pipe(announce) == 0, "pipe");
    handle(SIGCONT, on_continue, 0);
    pid_t watcher = helper(watch);
    close(announce[0]);
    ready();
    while (working()) {
        continued = 0;
        double value = 1.5 * run_rounds;
        write_all(announce[1], "s", 1, "the pipe");
        check(raise(SIGSTOP) == 0, "raise");
        check(continued > 0, "the handler of SIGCONT did not run");
        check(value == 1.5 * run_rounds, "a value changed while stopped");
        write_all(announce[1], "c", 1, "the pipe");
        for (int i = 0; i < 20; i++) burn();
    }
    close(announce[1]);
    helper_ends(watcher);
    return finish("stopped by itself and continued");
}
