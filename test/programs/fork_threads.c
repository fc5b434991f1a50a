/* fork in a program with threads: the child has the calling thread only, and its memory at one moment, while the
 * others go on in the parent. Threads are made in the child, too. */
#include "common.h"

#define WORKERS 3

static volatile bool over;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long left_side, right_side;

/* Both sides are equal whenever the lock is free. */
static void *worker(void *unused)
{
    (void)unused;
    while (!over) {
        pthread_mutex_lock(&lock);
        left_side++;
        churn(2000);
        right_side++;
        pthread_mutex_unlock(&lock);
        churn(20000);
    }
    return NULL;
}

static void *answer(void *number) { burn(); return number; }

static void child(void)
{
    check(left_side == right_side, "the child's memory is torn: %ld, %ld", left_side, right_side);
    long before = left_side;
    burn();
    check(left_side == before, "somebody works in the child");
    check(getpid() == (pid_t)syscall(SYS_gettid), "the child's thread is not its first");
    pthread_t thread;
    thread_start(&thread, answer, &left_side);
    check(thread_result(thread) == &left_side, "a thread of the child");
    _exit(21);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    pthread_t threads[WORKERS];
    for (int i = 0; i < WORKERS; i++) thread_start(&threads[i], worker, NULL);
    ready();
    while (working()) {
        pthread_mutex_lock(&lock);
        pid_t pid = fork();
        pthread_mutex_unlock(&lock);
        check(pid >= 0, "fork");
        if (pid == 0) child();
        int status;
        check(waitpid(pid, &status, 0) == pid && status == 21 << 8, "the child's status %#x", status);
    }
    over = true;
    for (int i = 0; i < WORKERS; i++) thread_result(threads[i]);
    check(left_side == right_side, "the parent's memory is torn");
    return finish("one thread each");
}
