/* The main stack grows beyond 8 MB under a raised limit: it is deep at "ready", grows deeper in every round,
 * and every frame keeps its canary. The hosting node's own limit must not count. */
#include "common.h"
#include <sys/resource.h>

#define FRAME (32 * KB)
#define DEPTH_AT_READY 400  /* 12.5 MB */
#define DEPTH_OF_ROUND 500  /* 15.6 MB more */

__attribute__((noinline)) static uint64_t descend(int depth, void (*at_bottom)(void))
{
    volatile uint8_t frame[FRAME];
    frame[0] = (uint8_t)depth;
    frame[FRAME / 2] = (uint8_t)(depth * 7);
    frame[FRAME - 1] = (uint8_t)(depth * 13);
    uint64_t sum = depth == 0 ? (at_bottom(), 0) : descend(depth - 1, at_bottom);
    check(frame[0] == (uint8_t)depth && frame[FRAME / 2] == (uint8_t)(depth * 7) && frame[FRAME - 1] == (uint8_t)(depth * 13),
          "the frame at depth %d changed", depth);
    return sum * 31 + frame[FRAME / 2];
}

static void nothing(void) {}

static void rounds(void)
{
    uint64_t expected = descend(DEPTH_OF_ROUND, nothing);
    ready();
    while (working()) {
        check(descend(DEPTH_OF_ROUND, nothing) == expected, "the descent gave another sum");
        burn();
    }
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    struct rlimit limit;
    check(getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur >= 48 * MB, "needs a stack limit of 48 MB");
    descend(DEPTH_AT_READY, rounds);
    return finish("stack of 28 MB");
}
