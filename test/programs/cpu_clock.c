/* CPU clocks of process and thread: they never go back, they advance with work wherever it is done, and the ways of
 * asking agree. */
#include "common.h"
#include <sys/resource.h>
#include <sys/times.h>

static int64_t usage_ns(void)
{
    struct rusage r;
    check(getrusage(RUSAGE_SELF, &r) == 0, "getrusage");
    return (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * SECOND + (r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1000L;
}

static int64_t times_ns(void)
{
    struct tms t;
    check(times(&t) != (clock_t)-1, "times");
    return (t.tms_utime + t.tms_stime) * (SECOND / sysconf(_SC_CLK_TCK));
}

static int64_t process_ns(void) { return clock_ns(CLOCK_PROCESS_CPUTIME_ID); }
static int64_t thread_ns(void) { return clock_ns(CLOCK_THREAD_CPUTIME_ID); }

struct source { const char *name; int64_t (*read)(void); int64_t first, last; };

int main(int argc, char **argv)
{
    begin(argc, argv);
    struct source sources[] = { { "CLOCK_PROCESS_CPUTIME_ID", process_ns, 0, 0 }, { "CLOCK_THREAD_CPUTIME_ID", thread_ns, 0, 0 },
                                { "getrusage", usage_ns, 0, 0 }, { "times", times_ns, 0, 0 } };
    int64_t least = INT64_MAX; /* what 20 burns cost at best */
    for (int i = 0; i < 3; i++) {
        int64_t before = thread_ns();
        for (int n = 0; n < 20; n++) burn();
        if (thread_ns() - before < least) least = thread_ns() - before;
    }
    for (int i = 0; i < 4; i++) sources[i].first = sources[i].last = sources[i].read();
    ready();
    long burns = 0;
    for (; working(); burns++) {
        burn();
        for (int i = 0; i < 4; i++) {
            int64_t now = sources[i].read();
            check(now >= sources[i].last, "%s went back by %lld ns", sources[i].name, (long long)(sources[i].last - now));
            sources[i].last = now;
        }
    }
    /* At least half of what the work must have cost; another CPU may be faster, but not twice. */
    int64_t wanted = least / 20 * burns / 2;
    for (int i = 0; i < 4; i++)
        check(sources[i].last - sources[i].first >= wanted - 20 * MILLISECOND, "%s advanced by %lld ms for at least %lld ms of work",
              sources[i].name, (long long)((sources[i].last - sources[i].first) / MILLISECOND), (long long)(wanted / MILLISECOND));
    return finish("CPU clocks went on");
}
