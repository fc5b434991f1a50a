/* What a process has written to a file that it maps shared is there when it has ended, also when a signal ended it. */
#include "common.h"

#define SIZE (3 * PAGE + 100)

static const int ways[] = { SIGTERM, SIGVTALRM, SIGUSR1, SIGVTALRM, 0 };

static void end_after_writing(unsigned seed, int by)
{
    int fd = open("written", O_RDWR);
    check(fd >= 0, "open");
    char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    check(memory != MAP_FAILED, "mmap");
    /* Its own CPU time is up some time after it has written; until then it makes no call. */
    struct itimerval soon = { .it_value.tv_usec = 30000 };
    if (by == SIGVTALRM) check(setitimer(ITIMER_VIRTUAL, &soon, NULL) == 0, "setitimer");
    pattern_fill(memory, SIZE, seed);
    if (seed % 2) check(munmap(memory, SIZE) == 0, "munmap");
    if (by == 0) _exit(0);
    while (by == SIGVTALRM) churn(1000);
    raise(by);
    _exit(1);
}

int main(int argc, char **argv)
{
    static char copy[SIZE];
    begin(argc, argv);
    int fd = open("written", O_RDWR | O_CREAT | O_EXCL, 0600);
    check(fd >= 0 && ftruncate(fd, SIZE) == 0 && close(fd) == 0, "make a file");
    ready();
    for (unsigned round = 0; working(); round++) {
        int by = ways[round % 5], status;
        pid_t pid = fork();
        check(pid >= 0, "fork");
        if (pid == 0) end_after_writing(round, by);
        check(waitpid(pid, &status, 0) == pid, "waitpid");
        check(by == 0 ? status == 0 : WIFSIGNALED(status) && WTERMSIG(status) == by, "it ended with status %#x", status);
        /* Not before: whoever has it open keeps its writer at home. */
        fd = open("written", O_RDONLY);
        check(fd >= 0 && pread(fd, copy, SIZE, 0) == SIZE && close(fd) == 0, "read");
        pattern_check(copy, SIZE, round, "the file");
        burn();
    }
    unlink("written");
    return finish("all that was written is there");
}
