/* time, gettimeofday and CLOCK_REALTIME agree with each other, and keep their distance to CLOCK_MONOTONIC. */
#include "common.h"

#define APART (50 * MILLISECOND)

static int64_t difference(void) /* the closest of some readings, so that being descheduled in between does not count */
{
    int64_t best_gap = INT64_MAX, best = 0;
    for (int i = 0; i < 20; i++) {
        int64_t before = now_ns(), real = clock_ns(CLOCK_REALTIME), gap = now_ns() - before;
        if (gap < best_gap) best_gap = gap, best = real - before;
    }
    return best;
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    int64_t at_start = difference();
    int64_t last = clock_ns(CLOCK_REALTIME);
    ready();
    while (working()) {
        int64_t drift = difference() - at_start;
        check(drift < APART && drift > -APART, "CLOCK_REALTIME moved by %lld ns against CLOCK_MONOTONIC", (long long)drift);
        int64_t before = clock_ns(CLOCK_REALTIME);
        struct timeval tv;
        check(gettimeofday(&tv, NULL) == 0, "gettimeofday");
        time_t seconds = time(NULL);
        int64_t after = clock_ns(CLOCK_REALTIME);
        int64_t micros = tv.tv_sec * 1000000LL + tv.tv_usec;
        check(before >= last - APART, "CLOCK_REALTIME went back");
        check(micros >= (before - APART) / 1000 && micros <= (after + APART) / 1000, "gettimeofday is outside of CLOCK_REALTIME");
        /* time() may lag by a tick. */
        check(seconds >= (before - APART) / SECOND && seconds <= (after + APART) / SECOND, "time() is outside of CLOCK_REALTIME");
        last = after;
        burn();
    }
    return finish("the time of day is right");
}
