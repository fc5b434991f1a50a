/* Timers that count CPU time: ITIMER_VIRTUAL, ITIMER_PROF and timer_create on a CPU clock come after work, wherever it is
 * done, as profilers need it; a sleep does not wind them.
 *
 * Ticks are held against work done, not against a CPU clock: that goes back when the program comes home, where the kernel
 * knows only what was used there. The bounds are wide. Kernels charge whole jiffies (4 ms with CONFIG_HZ=250) to whoever
 * runs at their end, so that on a busy machine a few milliseconds may count as more or as nothing; and another CPU may
 * be faster. */
#include "common.h"

#define EVERY_MS 10
#define ROUND_MS 60
#define FACTOR 3 /* either way */
#define ODD_TICKS 4

static volatile int ticks;
static void on_tick(int n, siginfo_t *info, void *context) { (void)n, (void)info, (void)context; ticks++; }

static int64_t burn_ns; /* CPU time of one burn() */
static long burns;

static void work(void)
{
    burn();
    burns++;
}

/* What one burn costs at best. */
static void calibrate(void)
{
    burn_ns = INT64_MAX;
    for (int i = 0; i < 10; i++) {
        int64_t began = clock_ns(CLOCK_THREAD_CPUTIME_ID);
        burn();
        int64_t cost = clock_ns(CLOCK_THREAD_CPUTIME_ID) - began;
        if (cost > 0 && cost < burn_ns) burn_ns = cost;
    }
    check(burn_ns < SECOND, "a burn took %lld ns", (long long)burn_ns);
}

struct source { const char *name; long ticks, burns; };

/* Works for about 60 ms of CPU time and then until a tick came. */
static void expect_ticks(struct source *source)
{
    long before = burns;
    ticks = 0;
    do work(); while ((burns - before) * burn_ns < ROUND_MS * MILLISECOND);
    while (ticks == 0 && (burns - before) * burn_ns < 2 * SECOND) work();
    check(ticks > 0, "%s: no tick in two seconds of work", source->name);
    source->ticks += ticks;
    source->burns += burns - before;
}

static void check_ticks(const struct source *source)
{
    int64_t wanted = source->burns * burn_ns / (EVERY_MS * MILLISECOND);
    check(source->ticks <= wanted * FACTOR + ODD_TICKS && source->ticks + ODD_TICKS >= wanted / FACTOR,
          "%s: %ld ticks, %lld were due", source->name, source->ticks, (long long)wanted);
}

static void interval(int which, int number, struct source *source)
{
    struct itimerval on = { { 0, EVERY_MS * 1000 }, { 0, EVERY_MS * 1000 } }, off = { 0 };
    handle(number, on_tick, SA_RESTART);
    check(setitimer(which, &on, NULL) == 0, "setitimer");
    expect_ticks(source);
    check(setitimer(which, &off, NULL) == 0, "setitimer to stop");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    timer_t timer, distant;
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 }, none = { .sigev_notify = SIGEV_NONE };
    check(timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer) == 0, "timer_create");
    check(timer_create(CLOCK_PROCESS_CPUTIME_ID, &none, &distant) == 0, "timer_create");
    struct itimerspec far = { .it_value.tv_sec = 1000 }, off = { 0 }, left;
    struct itimerspec on = { { 0, EVERY_MS * MILLISECOND }, { 0, EVERY_MS * MILLISECOND } };
    struct source virtual = { "ITIMER_VIRTUAL", 0, 0 }, prof = { "ITIMER_PROF", 0, 0 }, clock = { "a timer on the CPU clock", 0, 0 };
    calibrate();
    check(timer_settime(distant, 0, &far, NULL) == 0, "timer_settime");
    ready();
    while (working()) {
        interval(ITIMER_VIRTUAL, SIGVTALRM, &virtual);
        interval(ITIMER_PROF, SIGPROF, &prof);
        handle(SIGUSR1, on_tick, SA_RESTART);
        check(timer_settime(timer, 0, &on, NULL) == 0, "timer_settime");
        expect_ticks(&clock);
        check(timer_settime(timer, 0, &off, NULL) == 0, "timer_settime to stop");
    }
    check_ticks(&virtual);
    check_ticks(&prof);
    check_ticks(&clock);
    check(timer_gettime(distant, &left) == 0, "timer_gettime");
    int64_t passed = far.it_value.tv_sec * SECOND - left.it_value.tv_sec * SECOND - left.it_value.tv_nsec, used = burns * burn_ns;
    check(passed > used / FACTOR && passed < used * FACTOR + SECOND, "the distant timer lost %lld ms in %lld ms of work",
          (long long)(passed / MILLISECOND), (long long)(used / MILLISECOND));
    return finish("CPU timers tick");
}
