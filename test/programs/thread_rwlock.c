/* Read-write locks, semaphores, spin locks and pthread_once: readers see whole writes only. */
#include "common.h"
#include <semaphore.h>

#define READERS 3
#define WORDS 64

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin;
static sem_t empty, full;
static uint64_t words[WORDS], slot;
static volatile long spun;
static volatile bool stop;
static int once_runs;
static void once(void) { once_runs++; }

static void *reader(void *argument)
{
    (void)argument;
    while (!stop) {
        pthread_rwlock_rdlock(&lock);
        uint64_t first = words[0];
        churn(500);
        for (int i = 0; i < WORDS; i++) check(words[i] == first + i, "a half-written state was read");
        pthread_rwlock_unlock(&lock);
        pthread_spin_lock(&spin);
        spun++;
        pthread_spin_unlock(&spin);
        usleep(100);
    }
    return NULL;
}

static void *producer(void *argument)
{
    (void)argument;
    for (uint64_t n = 1; !stop; n++) {
        check(sem_wait(&empty) == 0, "sem_wait");
        slot = n;
        check(sem_post(&full) == 0, "sem_post");
    }
    return NULL;
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    pthread_spin_init(&spin, 0);
    sem_init(&empty, 0, 1);
    sem_init(&full, 0, 0);
    for (int i = 0; i < WORDS; i++) words[i] = i;
    pthread_t readers[READERS], producing;
    for (int i = 0; i < READERS; i++) thread_start(&readers[i], reader, NULL);
    thread_start(&producing, producer, NULL);
    static pthread_once_t control = PTHREAD_ONCE_INIT;
    pthread_once(&control, once);
    uint64_t expected = 1;
    ready();
    while (working()) {
        pthread_rwlock_wrlock(&lock);
        for (int i = 0; i < WORDS; i++) {
            words[i]++;
            churn(50);
        }
        pthread_rwlock_unlock(&lock);
        for (int i = 0; i < 20; i++) {
            check(sem_wait(&full) == 0, "sem_wait");
            check(slot == expected, "got %llu instead of %llu", (unsigned long long)slot, (unsigned long long)expected);
            expected++;
            check(sem_post(&empty) == 0, "sem_post");
        }
        pthread_once(&control, once);
        burn();
    }
    stop = true;
    sem_post(&empty);
    for (int i = 0; i < READERS; i++) thread_result(readers[i]);
    thread_result(producing);
    check(once_runs == 1 && spun > 0, "pthread_once ran %d times", once_runs);
    return finish("locks and semaphores hold");
}
