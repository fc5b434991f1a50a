/* A sleep that is interrupted by handlers tells what is left; going on with the rest gives the whole time. A sleep until a
 * time of day goes on with the same time. */
#include "common.h"

static volatile int handled;
static void on_signal(int n, siginfo_t *info, void *context) { (void)n, (void)info, (void)context; handled++; }

static void rain(void)
{
    for (;;) {
        usleep(30000);
        kill(getppid(), SIGUSR1);
    }
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    handle(SIGUSR1, on_signal, SA_RESTART); /* sleeps are not restarted even so */
    helper(rain);
    ready();
    while (working()) {
        struct timespec left = { .tv_nsec = 200 * MILLISECOND };
        int64_t began = now_ns();
        int before = handled;
        while (nanosleep(&left, &left) != 0) {
            check(errno == EINTR, "nanosleep");
            check(handled > before, "nanosleep said EINTR and no handler ran");
            before = handled;
            /* The kernel counts to the end of the timer's slack. */
            check(left.tv_sec == 0 && left.tv_nsec <= 201 * MILLISECOND, "what is left of the sleep: %ld ns", left.tv_nsec);
        }
        /* Each interruption may add a little. */
        check_duration(began, 200, "nanosleep in parts");
        began = now_ns();
        struct timespec until = timespec_of(began + 100 * MILLISECOND);
        int error;
        while ((error = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL)) != 0) check(error == EINTR, "clock_nanosleep: %d", error);
        check_duration(began, 100, "clock_nanosleep in parts");
        for (int i = 0; i < 10; i++) burn();
    }
    return finish("interrupted sleeps are right");
}
