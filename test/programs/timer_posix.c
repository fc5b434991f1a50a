/* timer_create: a signal with a value to the process or to one thread, what is left, overruns while blocked; timers from
 * before "ready" go on. */
#include "common.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static volatile int ticks, others;
static pid_t expected_thread;

static void on_tick(int n, siginfo_t *info, void *context)
{
    (void)n, (void)context;
    check(info->si_code == SI_TIMER && info->si_value.sival_int == 77, "code %d, value %d", info->si_code, info->si_value.sival_int);
    ticks++;
}

static void on_thread_tick(int n, siginfo_t *info, void *context)
{
    (void)n, (void)context;
    check(info->si_value.sival_int == 88 && gettid() == expected_thread, "a thread's timer");
    others++;
}

static void *idle(void *stop)
{
    expected_thread = gettid();
    while (!*(volatile bool *)stop) burn();
    return NULL;
}

static timer_t make(int number, int value, int notify, pid_t thread)
{
    timer_t timer;
    struct sigevent event = { .sigev_notify = notify, .sigev_signo = number, .sigev_value.sival_int = value };
    if (notify == SIGEV_THREAD_ID) event.sigev_notify_thread_id = thread;
    check(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0, "timer_create");
    return timer;
}

static void arm(timer_t timer, long first_ms, long interval_ms)
{
    struct itimerspec when = { .it_value = timespec_of(first_ms * MILLISECOND), .it_interval = timespec_of(interval_ms * MILLISECOND) };
    check(timer_settime(timer, 0, &when, NULL) == 0, "timer_settime");
}

/* The other timer's handler may interrupt the wait. */
static void await(const sigset_t *set, siginfo_t *info)
{
    int got;
    do {
        int before = ticks;
        got = sigwaitinfo(set, info);
        check(got >= 0 || (errno == EINTR && ticks > before), "sigwaitinfo");
    } while (got < 0);
    check(got == SIGRTMIN + 4 && info->si_code == SI_TIMER && info->si_value.sival_int == 99, "siginfo of the timer");
}

static void anew(void)
{
    sigset_t set = set_of(SIGRTMIN + 4, 0);
    siginfo_t info;
    timer_t timer = make(SIGRTMIN + 4, 99, SIGEV_SIGNAL, 0);
    int64_t began = now_ns();
    arm(timer, 30, 0);
    await(&set, &info);
    check(info.si_overrun == 0, "%d overruns of a one-shot timer", info.si_overrun);
    check_duration(began, 30, "a one-shot timer");
    /* Blocked for many intervals: one signal, the rest are overruns. */
    began = now_ns();
    arm(timer, 2, 2);
    while (now_ns() - began < 30 * MILLISECOND) burn();
    await(&set, &info);
    long most = (now_ns() - began) / (2 * MILLISECOND);
    check(info.si_overrun >= 10 && info.si_overrun <= most, "%d overruns", info.si_overrun);
    check(timer_delete(timer) == 0, "timer_delete");
    while (sigtimedwait(&set, &info, &(struct timespec){ 0 }) > 0) {}
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    bool stop = false;
    pthread_t thread;
    /* The first is blocked in both threads, the second in the idle one: it must not take what wakes the main thread. */
    sigset_t awaited = set_of(SIGRTMIN + 4, SIGRTMIN + 1, 0), tick = set_of(SIGRTMIN + 1, 0);
    sigprocmask(SIG_BLOCK, &awaited, NULL);
    handle(SIGRTMIN + 1, on_tick, SA_RESTART);
    handle(SIGRTMIN + 2, on_thread_tick, SA_RESTART);
    thread_start(&thread, idle, &stop);
    sigprocmask(SIG_UNBLOCK, &tick, NULL);
    while (!*(volatile pid_t *)&expected_thread) usleep(1000);
    timer_t ticking = make(SIGRTMIN + 1, 77, SIGEV_SIGNAL, 0);
    timer_t threads = make(SIGRTMIN + 2, 88, SIGEV_THREAD_ID, expected_thread);
    timer_t distant = make(SIGRTMIN + 3, 0, SIGEV_NONE, 0);
    arm(ticking, 20, 20);
    arm(threads, 25, 25);
    arm(distant, 1000000, 0);
    int64_t began = now_ns();
    ready();
    while (working()) {
        int before = ticks, before_others = others;
        anew();
        for (int i = 0; (ticks == before || others == before_others) && i < 1000; i++) burn();
        check(ticks > before && others > before_others, "a timer from before does not tick");
        struct itimerspec left;
        check(timer_gettime(distant, &left) == 0, "timer_gettime");
        int64_t sum = left.it_value.tv_sec * SECOND + left.it_value.tv_nsec + (now_ns() - began);
        check(sum > 1000 * SECOND - SECOND && sum < 1000 * SECOND + SECOND, "what is left of the distant timer");
    }
    stop = true;
    thread_result(thread);
    timer_delete(ticking);
    timer_delete(threads);
    return finish("timers tick");
}
