/* setitimer and alarm: an interval timer goes on ticking through a move, tells what is left, and alarm comes once. */
#include "common.h"

#define INTERVAL_MS 20

static volatile int ticks, alarms;
static void on_signal(int n, siginfo_t *info, void *context)
{
    (void)n, (void)context;
    check(info->si_code == SI_KERNEL, "si_code is %d", info->si_code);
    ticks++;
}
static void on_alarm(int n, siginfo_t *info, void *context) { (void)n, (void)info, (void)context; alarms++; }

static void tick_for(long ms)
{
    struct itimerval interval = { .it_interval.tv_usec = INTERVAL_MS * 1000, .it_value.tv_usec = INTERVAL_MS * 1000 }, left;
    handle(SIGALRM, on_signal, SA_RESTART);
    int before = ticks;
    int64_t began = now_ns();
    check(setitimer(ITIMER_REAL, &interval, NULL) == 0, "setitimer");
    while (now_ns() - began < ms * MILLISECOND) {
        burn();
        check(getitimer(ITIMER_REAL, &left) == 0 && left.it_interval.tv_usec == INTERVAL_MS * 1000, "the interval");
        check(left.it_value.tv_sec == 0 && left.it_value.tv_usec <= INTERVAL_MS * 1000, "what is left");
    }
    check(setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, &left) == 0, "setitimer to stop");
    long took = (now_ns() - began) / MILLISECOND;
    check(ticks - before <= took / INTERVAL_MS, "%d ticks in %ld ms", ticks - before, took);
    /* Ticks merge while the program is frozen or not scheduled. */
    check(ticks - before >= (ms - tolerance_ms) / INTERVAL_MS / 10, "only %d ticks in %ld ms", ticks - before, took);
    check(ticks > before, "no tick");
}

static void one_shot(long ms)
{
    alarms = 0;
    handle(SIGALRM, on_alarm, 0);
    int64_t began = now_ns();
    setitimer(ITIMER_REAL, &(struct itimerval){ .it_value.tv_usec = ms * 1000 }, NULL);
    while (alarms == 0 && now_ns() - began < 10 * SECOND) burn();
    check(alarms == 1, "the timer came %d times", alarms);
    check_duration(began, ms, "a one-shot timer");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    ready();
    /* One interval over the whole time, moves included. */
    tick_for((long)(run_seconds * 800));
    one_shot(100);
    tick_for(100);
    check(alarm(100) == 0 && alarm(50) == 100 && alarm(0) == 50, "alarm tells what was left");
    alarms = 0;
    handle(SIGALRM, on_alarm, 0);
    int64_t began = now_ns();
    alarm(1);
    while (alarms == 0 && now_ns() - began < 10 * SECOND) burn();
    check_duration(began, 1000, "alarm");
    return finish("interval timers tick");
}
