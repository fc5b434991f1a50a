/* clock_gettime in a tight loop (through the vDSO): the clocks that count from boot never go back, advance, make no
 * leap, and keep their distances to each other, although the hosts' own clocks differ. */
#include "common.h"

#define LARGEST_GAP (2 * SECOND)

static const clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_MONOTONIC_RAW, CLOCK_MONOTONIC_COARSE };
#define CLOCKS 4

int main(int argc, char **argv)
{
    begin(argc, argv);
    int64_t last[CLOCKS], first[CLOCKS];
    for (int i = 0; i < CLOCKS; i++) first[i] = last[i] = clock_ns(clocks[i]);
    ready();
    while (working()) {
        for (int spin = 0; spin < 50000; spin++)
            for (int i = 0; i < CLOCKS; i++) {
                int64_t now = clock_ns(clocks[i]);
                check(now >= last[i], "clock %d went back by %lld ns", (int)clocks[i], (long long)(last[i] - now));
                check(now - last[i] < LARGEST_GAP, "clock %d leapt by %lld ns", (int)clocks[i], (long long)(now - last[i]));
                last[i] = now;
            }
        for (int i = 1; i < CLOCKS; i++) {
            int64_t drift = (last[i] - first[i]) - (last[0] - first[0]);
            check(drift < SECOND && drift > -SECOND, "clock %d ran %lld ns away from CLOCK_MONOTONIC", (int)clocks[i], (long long)drift);
        }
        struct timespec direct;
        check(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &direct) == 0, "clock_gettime as a system call");
        int64_t difference = direct.tv_sec * SECOND + direct.tv_nsec - last[0];
        check(difference >= 0 && difference < LARGEST_GAP, "the call and the vDSO differ by %lld ns", (long long)difference);
        last[0] += difference;
    }
    check(now_ns() - first[0] >= (int64_t)(run_seconds * SECOND), "the clock did not advance");
    return finish("clocks went on");
}
