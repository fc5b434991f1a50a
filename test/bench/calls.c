/* calls KIND FILE START COUNT: what does one system call cost?
 *
 * Waits (computing, so that it stays where it was put) until CLOCK_REALTIME has reached START seconds, then makes the
 * call COUNT times and prints the nanoseconds of each. KIND: getppid, pread (4 KB of FILE), write (64 KB to FILE). */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { WARM_UP = 200 };
static char buffer[64 << 10];

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static long call(char kind, int fd)
{
    switch (kind) {
    case 'g': return syscall(SYS_getppid);
    case 'p': return pread(fd, buffer, 4096, 0);
    default: return pwrite(fd, buffer, sizeof buffer, 0);
    }
}

int main(int argc, char **argv)
{
    if (argc != 5) return 2;
    char kind = argv[1][0];
    int fd = open(argv[2], O_RDWR | O_CREAT, 0600);
    int64_t start = atoll(argv[3]) * 1000000000LL;
    int count = atoi(argv[4]);
    int64_t *took = calloc(count, sizeof *took);
    long wanted = kind == 'p' ? 4096 : sizeof buffer;
    memset(buffer, 'x', sizeof buffer);
    if (fd < 0 || !took || write(fd, buffer, sizeof buffer) != sizeof buffer) return 1;
    while (clock_ns(CLOCK_REALTIME) < start) continue;
    for (int i = -WARM_UP; i < count; i++) {
        int64_t begin = clock_ns(CLOCK_MONOTONIC);
        long result = call(kind, fd);
        int64_t end = clock_ns(CLOCK_MONOTONIC);
        if (kind != 'g' && result != wanted) return 1;
        if (i >= 0) took[i] = end - begin;
    }
    for (int i = 0; i < count; i++) printf("%lld\n", (long long)took[i]);
    return 0;
}
