/* Condition variables: a number goes round in a ring of threads, each woken by its neighbour; timed waits on both clocks
 * end in time; broadcast wakes all. */
#include "common.h"

#define THREADS 4

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_changed[THREADS];
static pthread_cond_t never, never_monotonic;
static uint64_t number, turns[THREADS];
static bool stop;

static void *member(void *argument)
{
    long id = (long)argument;
    pthread_mutex_lock(&lock);
    for (;;) {
        while (!stop && (long)(number % THREADS) != id) pthread_cond_wait(&turn_changed[id], &lock);
        if (stop) break;
        number++;
        turns[id]++;
        churn(2000);
        pthread_cond_signal(&turn_changed[number % THREADS]);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

static void timed(pthread_cond_t *condition, clockid_t clock)
{
    static pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
    int64_t began = now_ns();
    struct timespec until = timespec_of(clock_ns(clock) + 20 * MILLISECOND);
    pthread_mutex_lock(&own);
    int error = pthread_cond_timedwait(condition, &own, &until);
    pthread_mutex_unlock(&own);
    check(error == ETIMEDOUT, "pthread_cond_timedwait returned %d", error);
    check_duration(began, 20, "pthread_cond_timedwait");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    check(pthread_cond_init(&never, NULL) == 0 && pthread_cond_init(&never_monotonic, &monotonic) == 0, "pthread_cond_init");
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) pthread_cond_init(&turn_changed[i], NULL);
    for (long i = 0; i < THREADS; i++) thread_start(&threads[i], member, (void *)i);
    ready();
    while (working()) {
        int64_t began = now_ns();
        pthread_mutex_lock(&lock);
        uint64_t before = number;
        pthread_mutex_unlock(&lock);
        timed(&never, CLOCK_REALTIME);
        timed(&never_monotonic, CLOCK_MONOTONIC);
        burn();
        /* On a busy machine none of the members may have had its turn yet. */
        for (bool moved = false; !moved;) {
            pthread_mutex_lock(&lock);
            moved = number > before;
            pthread_mutex_unlock(&lock);
            check(moved || now_ns() - began < 20 * SECOND, "the number does not go round");
            if (!moved) usleep(1000);
        }
    }
    pthread_mutex_lock(&lock);
    stop = true;
    for (int i = 0; i < THREADS; i++) pthread_cond_broadcast(&turn_changed[i]);
    pthread_mutex_unlock(&lock);
    uint64_t sum = 0;
    for (int i = 0; i < THREADS; i++) thread_result(threads[i]), sum += turns[i];
    check(sum == number, "the turns do not add up");
    for (int i = 1; i < THREADS; i++) check(turns[0] - turns[i] <= 1, "turns are uneven");
    return finish("conditions wake");
}
