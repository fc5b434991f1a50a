/* A server that lets signals in only while it waits: children write, send signals and end at any moment. Each byte, each
 * queued signal and each child is seen once; a wait that ends for a signal has run a handler, and no handler runs elsewhere.
 * A wake-up that is lost is seen as a death of SIGALRM. */
#include "masked_waits.h"

#define CHILDREN 4
#define SENT 3

static volatile int queued, ended, waiting, runs;
static uint64_t own, open_mask;

static void on_signal(int n, siginfo_t *info, void *context)
{
    int error = errno;
    check(waiting, "a handler ran outside of a wait");
    check(bits_of(&((ucontext_t *)context)->uc_sigmask) == own, "the mask of the frame");
    check(mask_now() == (open_mask | BIT(SIGRTMIN) | BIT(SIGCHLD)), "the handler's mask is %#lx", (unsigned long)mask_now());
    runs++;
    if (n == SIGCHLD) ended = 1;
    else queued += info->si_value.sival_int;
    errno = error;
}

static void pause_for(unsigned *seed)
{
    struct timespec time = timespec_of(rand_r(seed) % 12 * MILLISECOND);
    nanosleep(&time, NULL);
}

static void child(int output, unsigned seed)
{
    pid_t parent = getppid();
    for (int i = 0; i < SENT; i++) {
        pause_for(&seed);
        if (rand_r(&seed) % 2) check(write(output, "x", 1) == 1, "write");
        check(sigqueue(parent, SIGRTMIN, (union sigval){ .sival_int = 1 }) == 0, "sigqueue");
        if (rand_r(&seed) % 2) check(write(output, "x", 1) == 1, "write");
    }
    if (rand_r(&seed) % 2) pause_for(&seed);
    _exit(0);
}

/* How many bytes a child writes. */
static int bytes_of(unsigned seed)
{
    int bytes = 0;
    for (int i = 0; i < SENT; i++) {
        rand_r(&seed);
        bytes += rand_r(&seed) % 2;
        bytes += rand_r(&seed) % 2;
    }
    return bytes;
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    int ends[2];
    check(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0, "pipe");
    int epoll = epoll_of(ends[0]);
    sigset_t blocked = set_of(SIGCHLD, SIGRTMIN, SIGUSR2, 0), open = set_of(SIGUSR2, 0);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    own = mask_now(), open_mask = bits_of(&open);
    struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO, .sa_mask = set_of(SIGCHLD, SIGRTMIN, 0) };
    check(sigaction(SIGCHLD, &action, NULL) == 0 && sigaction(SIGRTMIN, &action, NULL) == 0, "sigaction");
    ready();
    int alive = 0, wanted_bytes = 0, wanted_signals = 0, bytes = 0;
    for (unsigned round = 0, made = 0; alive > 0 || queued < wanted_signals || working(); round++) {
        alarm(20);
        if (alive < CHILDREN && nanoseconds_left() > 0) {
            unsigned seed = 1000 + made++;
            pid_t pid = fork();
            check(pid >= 0, "fork");
            if (pid == 0) child(ends[1], seed);
            alive++;
            wanted_bytes += bytes_of(seed);
            wanted_signals += SENT;
            burn();
        }
        if (alive == 0 && queued == wanted_signals) continue;
        int before = runs;
        waiting = 1;
        int result = wait_masked(round % CALLS, ends[0], epoll, FOR_EVER, &open);
        int error = errno;
        waiting = 0;
        check(mask_now() == own, "the mask after %s", call_names[round % CALLS]);
        if (result < 0) check(error == EINTR && runs == before + 1, "%s ended with %d, and %d handlers ran", call_names[round % CALLS], error, runs - before);
        else {
            check(result == 1 && runs == before, "%s gave %d, and %d handlers ran", call_names[round % CALLS], result, runs - before);
            char taken[3];
            ssize_t got = read(ends[0], taken, sizeof taken);
            check(got > 0, "%s said that there is something to read", call_names[round % CALLS]);
            bytes += got;
        }
        if (!ended) continue;
        ended = 0;
        for (int status; waitpid(-1, &status, WNOHANG) > 0; alive--) check(status == 0, "a child ended with %#x", status);
    }
    check(queued == wanted_signals, "%d of %d signals came", queued, wanted_signals);
    char rest[64];
    for (ssize_t got; (got = read(ends[0], rest, sizeof rest)) > 0;) bytes += got;
    check(bytes == wanted_bytes, "%d of %d bytes came", bytes, wanted_bytes);
    return finish("each wake-up came once");
}
