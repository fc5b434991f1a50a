/* Scheduling as a program sees it: policies, priorities, affinity, limits of the classes, by the old calls and the new. */
#include "common.h"
#include <sched.h>
#include <sys/resource.h>

static cpu_set_t all;

/* linux/sched/types.h, which cannot be mixed with libc's headers everywhere. */
struct sched_attr {
    uint32_t size, sched_policy;
    uint64_t sched_flags;
    int32_t sched_nice;
    uint32_t sched_priority;
    uint64_t sched_runtime, sched_deadline, sched_period;
    uint32_t sched_util_min, sched_util_max;
};


static int get_attributes(struct sched_attr *attributes, unsigned size) { return syscall(SYS_sched_getattr, 0, attributes, size, 0); }
static int set_attributes(struct sched_attr *attributes) { return syscall(SYS_sched_setattr, 0, attributes, 0); }

static void policies(unsigned seed)
{
    struct sched_param none = { 0 }, got = { .sched_priority = 77 };
    check(sched_setscheduler(0, SCHED_BATCH, &none) == 0 && sched_getscheduler(0) == SCHED_BATCH, "SCHED_BATCH");
    check(sched_getparam(0, &got) == 0 && got.sched_priority == 0 && sched_setparam(0, &none) == 0, "sched_getparam");
    struct sched_attr attributes;
    memset(&attributes, 0xcc, sizeof attributes);
    check(get_attributes(&attributes, sizeof attributes) == 0 && attributes.sched_policy == SCHED_BATCH, "sched_getattr");
    attributes = (struct sched_attr){ .size = sizeof attributes, .sched_policy = SCHED_OTHER, .sched_nice = 5 + (int)(seed % 3) };
    check(set_attributes(&attributes) == 0 && sched_getscheduler(0) == SCHED_OTHER, "sched_setattr");
    check(getpriority(PRIO_PROCESS, 0) == 5 + (int)(seed % 3), "nice value %d", getpriority(PRIO_PROCESS, 0));
    attributes.size = 5000;
    check(set_attributes(&attributes) < 0 && errno == E2BIG && attributes.size < 5000, "an absurd structure of attributes");
    attributes.size = 10;
    check(set_attributes(&attributes) < 0 && errno == E2BIG, "too short a structure of attributes");
    check(get_attributes(&attributes, 20) < 0 && errno == EINVAL, "too little room for attributes");
    check(sched_get_priority_max(SCHED_FIFO) == 99 && sched_get_priority_min(SCHED_OTHER) == 0 && sched_get_priority_max(1234) < 0, "priorities");
    check(sched_setscheduler(0, 1234, &none) < 0 && errno == EINVAL, "a policy that is none");
    struct timespec slice;
    check(sched_rr_get_interval(0, &slice) == 0, "sched_rr_get_interval");
}

static void priorities(unsigned seed)
{
    int wanted = 9 + (int)(seed % 4);
    check(setpriority(PRIO_PROCESS, 0, wanted) == 0 && getpriority(PRIO_PROCESS, getpid()) == wanted, "setpriority");
    check(getpriority(PRIO_PGRP, 0) <= wanted, "the group's priority");
    check(syscall(SYS_ioprio_set, 1, 0, (2 << 13) | 6) == 0 && syscall(SYS_ioprio_get, 1, 0) == ((2 << 13) | 6), "ioprio_set");
    check(getpriority(99, 0) < 0 && errno == EINVAL, "getpriority of nothing");
}

static void affinity(unsigned seed)
{
    cpu_set_t one, got;
    CPU_ZERO(&one);
    int chosen = -1, skip = (int)seed % CPU_COUNT(&all);
    for (int i = 0; i < CPU_SETSIZE && chosen < 0; i++)
        if (CPU_ISSET(i, &all) && skip-- == 0) chosen = i;
    CPU_SET(chosen, &one);
    check(sched_setaffinity(0, sizeof one, &one) == 0 && sched_getaffinity(0, sizeof got, &got) == 0 && CPU_EQUAL(&one, &got), "affinity to CPU %d", chosen);
    check(sched_setaffinity(0, sizeof all, &all) == 0 && sched_getaffinity(0, sizeof got, &got) == 0 && CPU_EQUAL(&all, &got), "affinity to all");
    CPU_ZERO(&one);
    check(sched_setaffinity(0, sizeof one, &one) < 0 && errno == EINVAL, "affinity to no CPU");
    check(sched_getaffinity(0, 3, &got) < 0 && errno == EINVAL, "too little room for a set of CPUs");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(setpriority(PRIO_PROCESS, 0, 5) == 0, "setpriority");
    check(sched_getaffinity(0, sizeof all, &all) == 0, "sched_getaffinity");
    ready();
    for (unsigned round = 0; working(); round++) {
        policies(round);
        priorities(round);
        affinity(round);
        check(sched_yield() == 0, "sched_yield");
        burn();
    }
    return finish("scheduling is what it was asked to be");
}
