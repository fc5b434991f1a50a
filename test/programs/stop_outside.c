/* The runner stops and continues the program (SIGSTOP, SIGTSTP, SIGCONT): nothing is lost, the handler of SIGCONT runs, and a
 * stopped program uses no CPU time. */
#include "common.h"

static volatile int continued;
static void on_continue(int n, siginfo_t *info, void *context) { (void)n, (void)info, (void)context; continued++; }

static void *companion(void *stop)
{
    uint64_t *rounds = calloc(1, sizeof *rounds);
    while (!*(volatile bool *)stop) burn(), ++*rounds;
    return rounds;
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    bool stop = false;
    pthread_t thread;
    handle(SIGCONT, on_continue, SA_RESTART);
    thread_start(&thread, companion, &stop);
    ready();
    while (working()) {
        double value = 0.1 * run_rounds;
        burn();
        check(value == 0.1 * run_rounds, "a value changed");
    }
    for (int64_t began = now_ns(); continued < 3 && now_ns() - began < 2 * SECOND;) burn();
    stop = true;
    check(*(uint64_t *)thread_result(thread) > 0, "the other thread did nothing");
    check(continued == 3, "the handler of SIGCONT ran %d times for 3", continued);
    return finish("stopped and continued from outside");
}
