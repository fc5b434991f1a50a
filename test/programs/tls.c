/* Thread-local variables of the main thread and of threads, old and new; errno; keys with destructors. */
#include "common.h"

#define THREADS 4

static __thread char buffer[3 * PAGE];
static __thread uint64_t word = 0x0123456789abcdef;
static pthread_key_t key;
static int destroyed;
static volatile bool stop;

static void destroy(void *value) { __atomic_add_fetch(&destroyed, (int)(intptr_t)value, __ATOMIC_SEQ_CST); }

static void verify(unsigned id)
{
    check(word == id * 1000003ULL, "the thread-local word of thread %u changed", id);
    pattern_check(buffer, sizeof buffer, id, "thread-local buffer");
    check(pthread_getspecific(key) == (void *)1, "pthread_getspecific");
    errno = 0;
    check(close(-1) == -1 && errno == EBADF, "errno");
}

static void set(unsigned id)
{
    check(word == 0x0123456789abcdef, "the initial value of a thread-local word");
    zero_check(buffer, sizeof buffer, "new thread-local buffer");
    word = id * 1000003ULL;
    pattern_fill(buffer, sizeof buffer, id);
    check(pthread_setspecific(key, (void *)1) == 0, "pthread_setspecific");
}

static void *long_lived(void *argument)
{
    unsigned id = (unsigned)(uintptr_t)argument;
    set(id);
    while (!stop) {
        verify(id);
        burn();
    }
    return NULL;
}

static void *short_lived(void *argument)
{
    set((unsigned)(uintptr_t)argument);
    verify((unsigned)(uintptr_t)argument);
    return NULL;
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(pthread_key_create(&key, destroy) == 0, "pthread_key_create");
    set(99);
    pthread_t threads[THREADS], fresh;
    for (unsigned i = 0; i < THREADS; i++) thread_start(&threads[i], long_lived, (void *)(uintptr_t)(i + 1));
    ready();
    int made = 0;
    for (unsigned round = 0; working(); round++) {
        verify(99);
        thread_start(&fresh, short_lived, (void *)(uintptr_t)(100 + round));
        thread_result(fresh);
        made++;
        burn();
    }
    stop = true;
    for (int i = 0; i < THREADS; i++) thread_result(threads[i]);
    check(destroyed == made + THREADS, "%d destructors ran for %d threads", destroyed, made + THREADS);
    return finish("thread-local storage kept");
}
