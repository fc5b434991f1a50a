/* Mutexes under contention: plain, recursive, error-checking, priority-inheriting (whose futex holds thread ids), and
 * pthread_mutex_timedlock; a mutex locked before "ready" is still owned. */
#include "common.h"

#define THREADS 4
#define KINDS 4

static pthread_mutex_t mutexes[KINDS], held;
static volatile long counters[KINDS];
static long added[THREADS];
static volatile bool stop;

static void make(pthread_mutex_t *mutex, int kind)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    static const int types[KINDS] = { PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_NORMAL };
    pthread_mutexattr_settype(&attributes, types[kind]);
    if (kind == 3) check(pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT) == 0, "PTHREAD_PRIO_INHERIT");
    check(pthread_mutex_init(mutex, &attributes) == 0, "pthread_mutex_init");
}

static void locked(int kind)
{
    pthread_mutex_t *mutex = &mutexes[kind];
    check(pthread_mutex_lock(mutex) == 0, "lock of kind %d", kind);
    if (kind == 1) check(pthread_mutex_lock(mutex) == 0, "recursive lock");
    if (kind == 2) check(pthread_mutex_lock(mutex) == EDEADLK, "a second lock is an error");
    long value = counters[kind];
    churn(300);
    counters[kind] = value + 1;
    if (kind == 1) check(pthread_mutex_unlock(mutex) == 0, "recursive unlock");
    check(pthread_mutex_unlock(mutex) == 0, "unlock of kind %d", kind);
}

static void *work(void *argument)
{
    long mine = 0;
    for (; !stop; mine++) {
        for (int kind = 0; kind < KINDS; kind++) locked(kind);
        if (mine % 4000 == 0) {
            check(pthread_mutex_trylock(&held) == EBUSY, "a lock from before is free");
            struct timespec until = timespec_of(clock_ns(CLOCK_REALTIME) + 3 * MILLISECOND);
            check(pthread_mutex_timedlock(&held, &until) == ETIMEDOUT, "pthread_mutex_timedlock");
        }
    }
    *(long *)argument = mine;
    return NULL;
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    for (int kind = 0; kind < KINDS; kind++) make(&mutexes[kind], kind);
    make(&held, 2);
    pthread_mutex_lock(&held);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) thread_start(&threads[i], work, &added[i]);
    ready();
    while (working()) {
        burn();
        check(pthread_mutex_lock(&held) == EDEADLK, "the owner of the lock from before is lost");
    }
    stop = true;
    long sum = 0;
    for (int i = 0; i < THREADS; i++) {
        thread_result(threads[i]);
        check(added[i] > 0, "thread %d never had the locks", i);
        sum += added[i];
    }
    for (int kind = 0; kind < KINDS; kind++) check(counters[kind] == sum, "kind %d: counted %ld of %ld", kind, counters[kind], sum);
    check(pthread_mutex_unlock(&held) == 0, "unlock of the lock from before");
    return finish("mutual exclusion holds");
}
