/* pace START COUNT RATE PHASE: what does a system call cost a program that makes RATE of them a second?
 *
 * Waits until CLOCK_REALTIME has reached START seconds and PHASE microseconds, then makes getppid COUNT times, at even
 * distances, and prints the nanoseconds of each call. Between them it waits for a futex that nobody wakes, as a program
 * does with pthread_cond_timedwait: clock_nanosleep would be a forwarded call itself. */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Calls that do not count: until then the engines' code is compiled. */
enum { WARM_UP = 1000 };

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void wait_until(clockid_t clock, int64_t ns)
{
    static uint32_t word;
    struct timespec t = { ns / 1000000000, ns % 1000000000 };
    int operation = FUTEX_WAIT_BITSET_PRIVATE | (clock == CLOCK_REALTIME ? FUTEX_CLOCK_REALTIME : 0);
    while (clock_ns(clock) < ns) syscall(SYS_futex, &word, operation, 0, &t, NULL, FUTEX_BITSET_MATCH_ANY);
}

int main(int argc, char **argv)
{
    if (argc != 5) return 2;
    int64_t start = atoll(argv[1]) * 1000000000LL + atoll(argv[4]) * 1000;
    int count = atoi(argv[2]);
    int64_t pause = 1000000000LL / atoi(argv[3]);
    int64_t *took = calloc(count, sizeof *took);
    if (!took) return 1;
    puts("ready");
    fflush(stdout);
    wait_until(CLOCK_REALTIME, start);
    int64_t next = clock_ns(CLOCK_MONOTONIC);
    for (int i = -WARM_UP; i < count; i++) {
        wait_until(CLOCK_MONOTONIC, next += pause);
        int64_t begin = clock_ns(CLOCK_MONOTONIC);
        syscall(SYS_getppid);
        int64_t end = clock_ns(CLOCK_MONOTONIC);
        if (i >= 0) took[i] = end - begin;
    }
    for (int i = 0; i < count; i++) printf("%lld\n", (long long)took[i]);
    return 0;
}
