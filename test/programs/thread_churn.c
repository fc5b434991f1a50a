/* Threads made and ended all the time, joined or detached, by the main thread and by other threads: results arrive, stacks
 * are clean, thread ids are what the kernel says. */
#include "common.h"

static volatile int detached_runs;

static void *leaf(void *argument)
{
    uint64_t steps = (uintptr_t)argument;
    check(gettid() == syscall(SYS_gettid), "gettid");
    check(gettid() != getpid(), "a thread has the id of the process");
    check(syscall(SYS_tgkill, getpid(), gettid(), 0) == 0, "the thread's id is not known");
    return (void *)(uintptr_t)churn(steps);
}

static void *branch(void *argument)
{
    pthread_t threads[4];
    uint64_t sum = 0;
    for (uintptr_t i = 0; i < 4; i++) thread_start(&threads[i], leaf, (void *)(1000 * (i + 1)));
    for (int i = 0; i < 4; i++) sum += (uintptr_t)thread_result(threads[i]);
    check(sum == *(uint64_t *)argument, "results of threads");
    return argument;
}

static void *detached(void *argument)
{
    leaf((void *)100);
    __atomic_add_fetch(&detached_runs, 1, __ATOMIC_SEQ_CST);
    return argument;
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    uint64_t sum = churn(1000) + churn(2000) + churn(3000) + churn(4000);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    ready();
    int made = 0;
    while (working()) {
        pthread_t threads[3], alone;
        for (int i = 0; i < 3; i++) thread_start(&threads[i], branch, &sum);
        check(pthread_create(&alone, &attributes, detached, NULL) == 0, "pthread_create detached");
        made++;
        for (int i = 0; i < 3; i++) check(thread_result(threads[i]) == &sum, "the result of a thread");
        burn();
    }
    for (int i = 0; detached_runs < made && i < 5000; i++) usleep(1000);
    check(detached_runs == made, "%d of %d detached threads ran", detached_runs, made);
    return finish("threads come and go");
}
