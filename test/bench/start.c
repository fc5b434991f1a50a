/* start COUNT LAUNCHER: how long does a program take from start to end, alone and by LAUNCHER?
 *
 * Runs /bin/true and "LAUNCHER -h /bin/true" in turns, COUNT times, and prints the nanoseconds of both, a line each turn. */
#define _GNU_SOURCE
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

enum { WARM_UP = 3 };
extern char **environ;

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int64_t run(char *const argv[])
{
    pid_t pid;
    int status;
    int64_t begin = now();
    if (posix_spawn(&pid, argv[0], NULL, NULL, argv, environ) != 0 || waitpid(pid, &status, 0) != pid || status != 0) {
        fprintf(stderr, "%s failed\n", argv[0]);
        exit(1);
    }
    return now() - begin;
}

int main(int argc, char **argv)
{
    if (argc != 3) return 2;
    char *alone[] = { "/bin/true", NULL };
    char *launched[] = { argv[2], "-h", "/bin/true", NULL };
    int count = atoi(argv[1]);
    for (int i = -WARM_UP; i < count; i++) {
        int64_t plain = run(alone), with = run(launched);
        if (i >= 0) printf("%lld %lld\n", (long long)plain, (long long)with);
    }
    return 0;
}
