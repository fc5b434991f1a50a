/* More threads than can be away (512): while they are made the process comes home. All are really there, and afterwards
 * there are few again. */
#include "common.h"

#define THREADS 700

static pthread_barrier_t barrier;
static volatile int count;

static void *body(void *argument)
{
    pthread_barrier_wait(&barrier);
    __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
    return argument;
}

static void crowd(void)
{
    static pthread_t threads[THREADS];
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 * KB);
    pthread_barrier_init(&barrier, NULL, THREADS + 1);
    count = 0;
    for (uintptr_t i = 0; i < THREADS; i++)
        check(pthread_create(&threads[i], &attributes, body, (void *)i) == 0, "pthread_create of thread %lu", i);
    check(count == 0, "a thread did not wait");
    pthread_barrier_wait(&barrier);
    for (uintptr_t i = 0; i < THREADS; i++) check(thread_result(threads[i]) == (void *)i, "the result of thread %lu", i);
    check(count == THREADS, "%d of %d threads ran", count, THREADS);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    ready();
    /* Away first, and in the middle of the run the crowd. */
    while (nanoseconds_left() > run_seconds * SECOND * 0.55) burn();
    crowd();
    while (working()) burn();
    return finish("seven hundred threads");
}
