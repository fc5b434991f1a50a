/* Robust mutexes of threads that die with them locked: the next one is told (EOWNERDEAD), makes it consistent, and goes on.
 * The kernel finds them by the list that each thread registered, also of threads born away. */
#include "common.h"

#define OLD 3

static pthread_mutex_t mutexes[OLD], fresh;
static pthread_barrier_t locked;
static int gates[2];

static void make(pthread_mutex_t *mutex, int protocol)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setprotocol(&attributes, protocol);
    check(pthread_mutex_init(mutex, &attributes) == 0, "pthread_mutex_init");
}

static void *dies_at_once(void *mutex)
{
    check(pthread_mutex_lock(mutex) == 0, "lock");
    return NULL;
}

static void *dies_later(void *mutex)
{
    char byte;
    check(pthread_mutex_lock(mutex) == 0, "lock");
    pthread_barrier_wait(&locked);
    check(read(gates[0], &byte, 1) == 1, "read");
    return NULL;
}

static void inherit(pthread_mutex_t *mutex)
{
    check(pthread_mutex_trylock(mutex) == EOWNERDEAD, "nobody is told that the owner died");
    check(pthread_mutex_consistent(mutex) == 0, "pthread_mutex_consistent");
    check(pthread_mutex_unlock(mutex) == 0, "unlock");
    check(pthread_mutex_lock(mutex) == 0 && pthread_mutex_unlock(mutex) == 0, "lock of a mended mutex");
}

static void *waits(void *mutex)
{
    int error = pthread_mutex_lock(mutex);
    check(error == EOWNERDEAD, "the waiting thread got %d", error);
    check(pthread_mutex_consistent(mutex) == 0 && pthread_mutex_unlock(mutex) == 0, "mend");
    return NULL;
}

static void *dies_under_a_waiter(void *mutex)
{
    pthread_t waiter;
    check(pthread_mutex_lock(mutex) == 0, "lock");
    thread_start(&waiter, waits, mutex);
    burn();
    usleep(2000);
    return (void *)(uintptr_t)waiter;
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(pipe(gates) == 0, "pipe");
    pthread_t old[OLD], thread;
    pthread_barrier_init(&locked, NULL, OLD + 1);
    for (int i = 0; i < OLD; i++) {
        make(&mutexes[i], PTHREAD_PRIO_NONE);
        thread_start(&old[i], dies_later, &mutexes[i]);
    }
    pthread_barrier_wait(&locked);
    ready();
    for (int round = 0; working(); round++) {
        make(&fresh, round % 2 ? PTHREAD_PRIO_NONE : PTHREAD_PRIO_INHERIT);
        thread_start(&thread, dies_at_once, &fresh);
        thread_result(thread);
        inherit(&fresh);
        thread_start(&thread, dies_under_a_waiter, &fresh);
        thread_result((pthread_t)(uintptr_t)thread_result(thread));
        for (int i = 0; i < OLD; i++) check(pthread_mutex_trylock(&mutexes[i]) == EBUSY, "a lock from before is lost");
        burn();
    }
    for (int i = 0; i < OLD; i++) write_all(gates[1], "x", 1, "the pipe");
    for (int i = 0; i < OLD; i++) {
        thread_result(old[i]);
        inherit(&mutexes[i]);
    }
    return finish("robust mutexes inherited");
}
