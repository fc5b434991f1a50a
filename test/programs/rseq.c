/* Restartable sequences and the CPU number: registered for every thread, old or new, here or there; the number is one that
 * the kernel confirms and that the affinity mask allows. */
#include "common.h"
#include <sched.h>
#include <sys/rseq.h>

static volatile bool stop;

static struct rseq *area(void) { return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset); }

static void verify(const char *who)
{
    check(__rseq_size > 0, "the C library did not register rseq");
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    check(sched_getaffinity(0, sizeof allowed, &allowed) == 0, "sched_getaffinity");
    int number = sched_getcpu();
    check(number >= 0 && number < CPU_SETSIZE, "%s: sched_getcpu says %d", who, number);
    check(CPU_ISSET(number, &allowed), "%s: CPU %d is outside of the affinity mask", who, number);
    check((int)((volatile struct rseq *)area())->cpu_id >= 0, "%s: rseq is not registered", who);
    /* The kernel keeps the word up to date: it agrees with getcpu unless the thread was just moved. */
    for (int attempt = 0;; attempt++) {
        unsigned before = 0, after = 0;
        syscall(SYS_getcpu, &before, NULL, NULL);
        unsigned word = ((volatile struct rseq *)area())->cpu_id;
        syscall(SYS_getcpu, &after, NULL, NULL);
        if (word == before || word == after) break;
        check(attempt < 1000, "%s: rseq says CPU %u, getcpu says %u", who, word, after);
    }
}

static void *old_thread(void *argument)
{
    while (!stop) {
        verify("old thread");
        burn();
    }
    verify("old thread at the end");
    return argument;
}

static void *new_thread(void *argument)
{
    verify("new thread");
    return argument;
}

/* Lives from the middle to the end: born away, it is still here after coming home. */
static void *middle_thread(void *argument)
{
    old_thread(argument);
    return argument;
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    pthread_t old, middle, fresh;
    bool has_middle = false;
    thread_start(&old, old_thread, NULL);
    ready();
    while (working()) {
        verify("main thread");
        thread_start(&fresh, new_thread, NULL);
        thread_result(fresh);
        if (!has_middle && milliseconds_left() < run_seconds * 500) {
            thread_start(&middle, middle_thread, NULL);
            has_middle = true;
        }
        burn();
    }
    stop = true;
    thread_result(old);
    if (has_middle) thread_result(middle);
    return finish("CPU numbers are sane");
}
