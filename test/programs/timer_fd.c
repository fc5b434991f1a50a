/* timerfd: plain reads block until the expiry and return the number of expiries. */
#include "common.h"
#include <sys/timerfd.h>

static void arm(int fd, long first_ms, long interval_ms)
{
    struct itimerspec when = { .it_value = timespec_of(first_ms * MILLISECOND), .it_interval = timespec_of(interval_ms * MILLISECOND) };
    check(timerfd_settime(fd, 0, &when, NULL) == 0, "timerfd_settime");
}

static uint64_t expiries(int fd)
{
    uint64_t n;
    check(read(fd, &n, sizeof n) == sizeof n, "read of the timerfd");
    return n;
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    int ticking = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), single = timerfd_create(CLOCK_BOOTTIME, 0);
    check(ticking >= 0 && single >= 0, "timerfd_create");
    int64_t began = now_ns();
    arm(ticking, 10, 10);
    uint64_t total = 0;
    ready();
    while (working()) {
        total += expiries(ticking);
        int64_t most = (now_ns() - began) / (10 * MILLISECOND);
        check((int64_t)total <= most, "%llu expiries in the time of %lld", (unsigned long long)total, (long long)most);
        check((int64_t)total >= most - tolerance_ms / 10, "%llu expiries in the time of %lld", (unsigned long long)total, (long long)most);
        int64_t start = now_ns();
        arm(single, 25, 0);
        check(expiries(single) == 1, "a single expiry");
        check_duration(start, 25, "the timerfd");
        struct itimerspec left;
        check(timerfd_gettime(single, &left) == 0 && left.it_value.tv_nsec == 0 && left.it_value.tv_sec == 0, "timerfd_gettime");
        for (int i = 0; i < 8; i++) burn();
    }
    return finish("timer descriptors tick");
}
