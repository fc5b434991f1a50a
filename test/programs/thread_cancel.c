/* pthread_cancel: of a thread that waits, that sleeps, and that computes (asynchronously); clean-up handlers run; a thread
 * that disabled it goes on. Threads from before "ready" are cancelled at the end. */
#include "common.h"

static int never[2];
static volatile int cleaned, reached;
static void clean(void *argument) { __atomic_add_fetch(&cleaned, (int)(intptr_t)argument, __ATOMIC_SEQ_CST); }

static void *in_read(void *argument)
{
    char byte;
    pthread_cleanup_push(clean, (void *)1);
    __atomic_add_fetch(&reached, 1, __ATOMIC_SEQ_CST);
    ssize_t got = read(never[0], &byte, 1);
    check(false, "read returned %zd", got);
    pthread_cleanup_pop(0);
    return argument;
}

static void *in_sleep(void *argument)
{
    pthread_cleanup_push(clean, (void *)1);
    __atomic_add_fetch(&reached, 1, __ATOMIC_SEQ_CST);
    sleep(1000);
    check(false, "the sleep ended");
    pthread_cleanup_pop(0);
    return argument;
}

static void *in_work(void *argument)
{
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    pthread_cleanup_push(clean, (void *)1);
    __atomic_add_fetch(&reached, 1, __ATOMIC_SEQ_CST);
    for (volatile uint64_t x = 0;; x++) {}
    pthread_cleanup_pop(0);
    return argument;
}

static void *disabled(void *argument)
{
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    __atomic_add_fetch(&reached, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 4; i++) burn();
    usleep(1000);
    return argument;
}

static void cancel(pthread_t thread)
{
    check(pthread_cancel(thread) == 0, "pthread_cancel");
    check(thread_result(thread) == PTHREAD_CANCELED, "the thread was not cancelled");
}

static void await_reached(int wanted)
{
    for (int i = 0; reached < wanted && i < 10000; i++) usleep(500);
    check(reached == wanted, "%d of %d threads started", reached, wanted);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(pipe(never) == 0, "pipe");
    pthread_t old[2], fresh[3], stubborn;
    thread_start(&old[0], in_read, NULL);
    thread_start(&old[1], in_sleep, NULL);
    await_reached(2);
    ready();
    int expected = 0;
    while (working()) {
        reached = 0;
        thread_start(&fresh[0], in_read, NULL);
        thread_start(&fresh[1], in_sleep, NULL);
        thread_start(&fresh[2], in_work, NULL);
        thread_start(&stubborn, disabled, &expected);
        await_reached(4);
        burn();
        for (int i = 0; i < 3; i++) cancel(fresh[i]);
        pthread_cancel(stubborn);
        check(thread_result(stubborn) == &expected, "a thread that disabled cancellation was cancelled");
        expected += 3;
        check(cleaned == expected, "%d of %d clean-up handlers ran", cleaned, expected);
    }
    for (int i = 0; i < 2; i++) cancel(old[i]);
    return finish("threads cancelled");
}
