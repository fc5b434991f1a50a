/* work KIND ROUNDS FIRST EVERY COUNT: how long does the same work take?
 *
 * At CLOCK_REALTIME = FIRST, FIRST + EVERY, … (milliseconds) does ROUNDS of the work and prints the nanoseconds it took;
 * COUNT times. KIND: alu (registers only), memory (random steps through 64 MB). With COUNT 0 it prints how many rounds
 * take half a second here. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { WORDS = 64 << 20 >> 2 };
static uint32_t *memory;
static volatile uint64_t sink;

static int64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int64_t work(char kind, long rounds)
{
    uint64_t x = 42;
    int64_t begin = clock_ns(CLOCK_MONOTONIC);
    if (kind == 'a')
        for (long i = 0; i < rounds; i++) x = x * 6364136223846793005u + (x >> 29);
    else
        for (long i = 0; i < rounds; i++) x = x * 6364136223846793005u + 1 + memory[x >> 40]++;
    sink = x;
    return clock_ns(CLOCK_MONOTONIC) - begin;
}

int main(int argc, char **argv)
{
    if (argc != 6) return 2;
    char kind = argv[1][0];
    int64_t first = atoll(argv[3]), every = atoll(argv[4]);
    int count = atoi(argv[5]);
    memory = malloc(WORDS * sizeof *memory);
    for (int i = 0; memory && i < WORDS; i++) memory[i] = i;
    if (!memory) return 1;
    if (count == 0) {
        long rounds = 1 << 16;
        while (work(kind, rounds) < 500000000) rounds *= 1.2;
        printf("%ld\n", rounds);
        return 0;
    }
    for (int i = 0; i < count; i++) {
        int64_t at = first + i * every;
        struct timespec t = { at / 1000, at % 1000 * 1000000 };
        while (clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL)) continue;
        printf("%lld\n", (long long)work(kind, atol(argv[2])));
        fflush(stdout);
    }
    return 0;
}
