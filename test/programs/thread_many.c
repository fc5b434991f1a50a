/* Two hundred threads alive at once, each in a different state when the process moves: computing, asleep, in a call that
 * waits, waiting for a futex, and all with stacks, names and thread-local values of their own. A new generation each
 * round. */
#include "common.h"

#define THREADS 200

static __thread volatile uint64_t mine;
static pthread_barrier_t start, end;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t over_now = PTHREAD_COND_INITIALIZER;
static volatile bool over;
static int ends[2];
static volatile int done[4];

static void work(uintptr_t number)
{
    char byte;
    switch (number % 4) {
    case 0:
        while (!over) check(churn(1000) != 0, "churn");
        break;
    case 1:
        while (!over) usleep(20000);
        break;
    case 2:
        check(read(ends[0], &byte, 1) == 1 && byte == 'x', "read from the pipe");
        break;
    default:
        pthread_mutex_lock(&mutex);
        while (!over) pthread_cond_wait(&over_now, &mutex);
        pthread_mutex_unlock(&mutex);
    }
}

static void *body(void *argument)
{
    uintptr_t number = (uintptr_t)argument;
    uint8_t stack[2000];
    pid_t id = gettid();
    mine = number;
    pattern_fill(stack, sizeof stack, number);
    pthread_barrier_wait(&start);
    work(number);
    pattern_check(stack, sizeof stack, number, "the stack of a thread");
    check(mine == number && gettid() == id, "a thread has another's values");
    __atomic_add_fetch(&done[number % 4], 1, __ATOMIC_SEQ_CST);
    pthread_barrier_wait(&end);
    return argument;
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    pthread_t threads[THREADS];
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 * KB);
    pthread_barrier_init(&start, NULL, THREADS + 1);
    pthread_barrier_init(&end, NULL, THREADS + 1);
    check(pipe(ends) == 0, "pipe");
    ready();
    while (working()) {
        over = false;
        memset((void *)done, 0, sizeof done);
        for (uintptr_t i = 0; i < THREADS; i++)
            check(pthread_create(&threads[i], &attributes, body, (void *)i) == 0, "pthread_create of thread %lu", i);
        pthread_barrier_wait(&start);
        for (int i = 0; i < 20 && nanoseconds_left() > 0; i++) burn();
        pthread_mutex_lock(&mutex);
        over = true;
        pthread_cond_broadcast(&over_now);
        pthread_mutex_unlock(&mutex);
        for (int i = 0; i < THREADS / 4; i++) write_all(ends[1], "x", 1, "the pipe");
        pthread_barrier_wait(&end);
        for (uintptr_t i = 0; i < THREADS; i++)
            check(thread_result(threads[i]) == (void *)i, "the result of thread %lu", i);
        for (int i = 0; i < 4; i++) check(done[i] == THREADS / 4, "%d of %d threads of kind %d", done[i], THREADS / 4, i);
    }
    return finish("two hundred threads");
}
