/* Timers that count CPU time: ITIMER_VIRTUAL, ITIMER_PROF and timer_create on a CPU clock come after work, wherever it is
 * done, as profilers need it; a sleep does not wind them. */
#include "common.h"

static volatile int ticks;
static void on_tick(int n, siginfo_t *info, void *context) { (void)n, (void)info, (void)context; ticks++; }

static int64_t used(void) { return clock_ns(CLOCK_PROCESS_CPUTIME_ID); }

/* Works for 60 ms of CPU time and then until a tick came. */
static void expect_ticks(const char *what)
{
    int64_t began = used();
    ticks = 0;
    while (used() - began < 60 * MILLISECOND) burn();
    while (ticks == 0 && used() - began < 2 * SECOND) burn();
    check(ticks > 0, "%s: no tick in two seconds of work", what);
    /* 10 ms each; a tick of the kernel may be 10 ms, too. */
    check(ticks <= (used() - began) / (10 * MILLISECOND) + 2, "%s: %d ticks in %lld ms", what, ticks, (long long)((used() - began) / MILLISECOND));
}

static void interval(int which, int number, const char *what)
{
    struct itimerval on = { { 0, 10000 }, { 0, 10000 } }, off = { 0 };
    handle(number, on_tick, SA_RESTART);
    check(setitimer(which, &on, NULL) == 0, "setitimer");
    expect_ticks(what);
    check(setitimer(which, &off, NULL) == 0, "setitimer to stop");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    timer_t timer, distant;
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 }, none = { .sigev_notify = SIGEV_NONE };
    check(timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer) == 0, "timer_create");
    check(timer_create(CLOCK_PROCESS_CPUTIME_ID, &none, &distant) == 0, "timer_create");
    struct itimerspec far = { .it_value.tv_sec = 1000 }, on = { { 0, 10000000 }, { 0, 10000000 } }, off = { 0 }, left;
    check(timer_settime(distant, 0, &far, NULL) == 0, "timer_settime");
    int64_t began = used();
    ready();
    while (working()) {
        interval(ITIMER_VIRTUAL, SIGVTALRM, "ITIMER_VIRTUAL");
        interval(ITIMER_PROF, SIGPROF, "ITIMER_PROF");
        handle(SIGUSR1, on_tick, SA_RESTART);
        check(timer_settime(timer, 0, &on, NULL) == 0, "timer_settime");
        expect_ticks("a timer on the CPU clock");
        check(timer_settime(timer, 0, &off, NULL) == 0, "timer_settime to stop");
    }
    check(timer_gettime(distant, &left) == 0, "timer_gettime");
    int64_t passed = far.it_value.tv_sec * SECOND - left.it_value.tv_sec * SECOND - left.it_value.tv_nsec, work = used() - began;
    check(passed > work / 2 && passed < work * 2 + SECOND, "the distant timer lost %lld ms in %lld ms of work",
          (long long)(passed / MILLISECOND), (long long)(work / MILLISECOND));
    return finish("CPU timers tick");
}
