/* eventfd: counter and semaphore, to itself and between threads. */
#include "common.h"
#include <sys/eventfd.h>

static int there, back;

static void *echo(void *argument)
{
    for (uint64_t n;;) {
        check(read(there, &n, sizeof n) == sizeof n, "read");
        if (n == 1) return argument;
        n *= 3;
        check(write(back, &n, sizeof n) == sizeof n, "write");
    }
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    int kept = eventfd(4711, EFD_SEMAPHORE | EFD_NONBLOCK);
    there = eventfd(0, 0), back = eventfd(0, EFD_CLOEXEC);
    check(kept >= 0 && there >= 0 && back >= 0, "eventfd");
    pthread_t thread;
    thread_start(&thread, echo, NULL);
    uint64_t n, taken = 0;
    ready();
    for (uint64_t round = 2; working(); round++) {
        if (taken < 4711) {
            check(read(kept, &n, sizeof n) == sizeof n && n == 1, "the semaphore from before");
            taken++;
        }
        check(write(there, &round, sizeof round) == sizeof round && read(back, &n, sizeof n) == sizeof n, "there and back");
        check(n == round * 3, "the thread answered %llu", (unsigned long long)n);
        int fresh = eventfd(5, EFD_NONBLOCK);
        n = 10;
        check(write(fresh, &n, sizeof n) == sizeof n && read(fresh, &n, sizeof n) == sizeof n && n == 15, "a new counter");
        check(read(fresh, &n, sizeof n) == -1 && errno == EAGAIN, "an empty counter");
        close(fresh);
        burn();
    }
    for (; taken < 4711; taken++) check(read(kept, &n, sizeof n) == sizeof n, "the rest of the semaphore");
    check(read(kept, &n, sizeof n) == -1 && errno == EAGAIN, "the semaphore is not used up");
    n = 1;
    check(write(there, &n, sizeof n) == sizeof n, "write");
    thread_result(thread);
    return finish("event counters are right");
}
