/* Threads with masks of their own: pthread_kill and tgkill hit exactly the thread meant, a signal to the process goes to a
 * thread that lets it in, each thread's mask stays its own, and a signal interrupts the call of its thread only. */
#include "common.h"

#define THREADS 3

static pthread_t threads[THREADS];
static volatile pid_t ids[THREADS];
static volatile int hits[THREADS], process_hits;
static __thread long me = -1;
static int never[2];
static volatile bool stop;

static void on_thread(int n, siginfo_t *info, void *context)
{
    (void)n, (void)context;
    check(me >= 0, "the signal of a thread came to the main thread");
    check(info->si_code == SI_TKILL && info->si_pid == getpid(), "si_code is %d", info->si_code);
    hits[me]++;
}

/* Only thread 1 lets SIGUSR2 in. */
static void on_process(int n, siginfo_t *info, void *context)
{
    (void)n, (void)info, (void)context;
    check(me == 1, "a signal came to thread %ld, which blocks it", me);
    process_hits++;
}

static void check_mask(void)
{
    sigset_t now;
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    check(sigismember(&now, SIGUSR2) == (me != 1), "the mask of SIGUSR2 in thread %ld", me);
    check(sigismember(&now, SIGUSR1) == 0, "the mask of SIGUSR1 in thread %ld", me);
    for (int i = 0; i < THREADS; i++)
        check(sigismember(&now, SIGRTMIN + 5 + i) == (me == i), "the mask of a real-time signal in thread %ld", me);
}

static void *body(void *argument)
{
    me = (long)argument;
    sigset_t own = set_of(SIGRTMIN + 5 + (int)me, 0), second = set_of(SIGUSR2, 0);
    pthread_sigmask(SIG_BLOCK, &own, NULL);
    if (me == 1) pthread_sigmask(SIG_UNBLOCK, &second, NULL);
    ids[me] = gettid();
    while (!stop) {
        check_mask();
        if (me == 2) { /* this one waits, and its signal ends the call */
            char byte;
            int before = hits[me];
            ssize_t got = read(never[0], &byte, 1);
            if (got == 1) break;
            check(got == -1 && errno == EINTR && hits[me] > before, "read returned %zd", got);
        } else burn();
    }
    return NULL;
}

static void await(volatile int *counter, int before, const char *what)
{
    for (int i = 0; *counter == before && i < 2000; i++) burn();
    check(*counter == before + 1, "%s: %d handlers ran", what, *counter - before);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(pipe(never) == 0, "pipe");
    handle(SIGUSR1, on_thread, 0);
    handle(SIGUSR2, on_process, SA_RESTART);
    sigset_t second = set_of(SIGUSR2, 0);
    pthread_sigmask(SIG_BLOCK, &second, NULL);
    for (long i = 0; i < THREADS; i++) thread_start(&threads[i], body, (void *)i);
    for (int i = 0; i < THREADS; i++)
        while (ids[i] == 0) usleep(1000);
    ready();
    for (int round = 0; working(); round++) {
        int which = round % THREADS, before = hits[which], process_before = process_hits;
        check(round % 2 ? syscall(SYS_tgkill, getpid(), ids[which], SIGUSR1) == 0 : pthread_kill(threads[which], SIGUSR1) == 0, "kill a thread");
        await(&hits[which], before, "the thread's signal");
        kill(getpid(), SIGUSR2);
        await(&process_hits, process_before, "the process's signal");
        check_mask();
        check(syscall(SYS_tgkill, getpid(), ids[which], 0) == 0, "the thread's id is lost");
    }
    stop = true;
    write_all(never[1], "x", 1, "the pipe");
    for (int i = 0; i < THREADS; i++) thread_result(threads[i]);
    return finish("signals find their threads");
}
