/* A barrier that many threads meet at, round after round, with work in between: nobody is ever a round ahead. */
#include "common.h"

#define THREADS 6

static pthread_barrier_t barrier;
static volatile long rounds[THREADS];
static volatile bool stop;

static bool meet(void)
{
    int result = pthread_barrier_wait(&barrier);
    check(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD, "pthread_barrier_wait: %d", result);
    return result == PTHREAD_BARRIER_SERIAL_THREAD;
}

static void *member(void *argument)
{
    long id = (long)argument, serial = 0;
    for (long round = 0;; round++) {
        rounds[id] = round;
        churn(100000 + 20000 * id);
        serial += meet();
        for (int i = 0; i < THREADS; i++) check(rounds[i] == round, "thread %d is in round %ld and not %ld", i, rounds[i], round);
        bool last = stop;
        meet();
        /* `stop` may change between two threads' readings: the leader's word decides. */
        static volatile bool verdict;
        if (id == 0) verdict = last;
        meet();
        if (verdict) return (void *)serial;
    }
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(pthread_barrier_init(&barrier, NULL, THREADS) == 0, "pthread_barrier_init");
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++) thread_start(&threads[i], member, (void *)i);
    ready();
    while (working()) {
        long before = rounds[0];
        for (int i = 0; rounds[0] == before && i < 1000; i++) burn();
        check(rounds[0] > before, "the threads do not get round");
    }
    stop = true;
    long serial = 0;
    for (int i = 0; i < THREADS; i++) serial += (long)thread_result(threads[i]);
    check(serial == rounds[0] + 1, "%ld serial threads in %ld rounds", serial, rounds[0] + 1);
    return finish("all meet at the barrier");
}
