/* Waits that end before their time, each followed by another one just like it: same call, same arguments, same place. One
 * that times out does so no earlier than its own time, however long its predecessors waited. */
#include "common.h"
#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>

#define WAIT_MS 150

static int sockets[2], pipe_ends[2], epoll_fd, semaphore, word;
static pthread_t waiter;
static volatile bool over;
static volatile long fed;

enum kind { RECV, EPOLL, PPOLL, SELECT, SEMAPHORE, SIGNAL, FUTEX, KINDS };
static const char *const names[KINDS] = { "recv", "epoll_wait", "ppoll", "select", "semtimedop", "sigtimedwait", "futex" };
static volatile enum kind kind;

/* Whatever waits is given what it waits for. */
static void feed(void)
{
    switch (kind) {
    case RECV: write_all(sockets[1], "x", 1, "socket"); break;
    case EPOLL: case PPOLL: case SELECT: write_all(pipe_ends[1], "x", 1, "pipe"); break;
    case SEMAPHORE: check(semop(semaphore, &(struct sembuf){ .sem_op = 1 }, 1) == 0, "semop"); break;
    case SIGNAL: check(pthread_kill(waiter, SIGUSR1) == 0, "pthread_kill"); break;
    default: syscall(SYS_futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0);
    }
}

static void *feeder(void *unused)
{
    (void)unused;
    unsigned seed = 7;
    while (!over) {
        struct timespec t = timespec_of((rand_r(&seed) % 300 + 1) * MILLISECOND);
        nanosleep(&t, NULL);
        feed();
        fed++;
    }
    return NULL;
}

/* 1: what it waited for has come; 0: its time was over. */
static int wait_once(enum kind how)
{
    static struct timespec t;
    static struct timeval v;
    static fd_set fds;
    struct epoll_event event;
    struct pollfd p = { .fd = pipe_ends[0], .events = POLLIN };
    sigset_t set = set_of(SIGUSR1, 0);
    char byte;
    t = timespec_of(WAIT_MS * MILLISECOND), v = (struct timeval){ .tv_usec = WAIT_MS * 1000 };
    FD_ZERO(&fds);
    FD_SET(pipe_ends[0], &fds);
    long result;
    switch (how) {
    case RECV: result = recv(sockets[0], &byte, 1, 0); break;
    case EPOLL: result = epoll_wait(epoll_fd, &event, 1, WAIT_MS); break;
    case PPOLL: result = ppoll(&p, 1, &t, NULL); break;
    case SELECT: result = select(pipe_ends[0] + 1, &fds, NULL, NULL, &v); break;
    case SEMAPHORE: result = semtimedop(semaphore, &(struct sembuf){ .sem_op = -1 }, 1, &t); break;
    case SIGNAL: result = sigtimedwait(&set, NULL, &t); break;
    default: result = syscall(SYS_futex, &word, FUTEX_WAIT, 0, &t, NULL, 0);
    }
    int error = errno;
    if (result > 0 && (how == EPOLL || how == PPOLL || how == SELECT)) read_all(pipe_ends[0], &byte, 1, "pipe");
    if (result < 0) check(error == (how == FUTEX ? ETIMEDOUT : EAGAIN), "%s: errno %d", names[how], error);
    return result > 0 || (result == 0 && (how == SEMAPHORE || how == FUTEX));
}

/* What was fed when nobody waited any more. */
static void drain(void)
{
    char byte;
    while (recv(sockets[0], &byte, 1, MSG_DONTWAIT) == 1) continue;
    for (struct pollfd p = { .fd = pipe_ends[0], .events = POLLIN }; poll(&p, 1, 0) == 1;) read_all(pipe_ends[0], &byte, 1, "pipe");
    while (semop(semaphore, &(struct sembuf){ .sem_op = -1, .sem_flg = IPC_NOWAIT }, 1) == 0) continue;
    sigset_t set = set_of(SIGUSR1, 0);
    while (sigtimedwait(&set, NULL, &(struct timespec){ 0 }) > 0) continue;
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    struct timeval v = { .tv_usec = WAIT_MS * 1000 };
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0, "socketpair");
    check(setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &v, sizeof v) == 0, "SO_RCVTIMEO");
    check(pipe(pipe_ends) == 0, "pipe");
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    check(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, pipe_ends[0], &(struct epoll_event){ .events = EPOLLIN }) == 0, "epoll_ctl");
    semaphore = semget(IPC_PRIVATE, 1, 0600);
    check(semaphore >= 0, "semget");
    sigset_t set = set_of(SIGUSR1, 0);
    sigprocmask(SIG_BLOCK, &set, NULL);
    waiter = pthread_self();
    pthread_t thread;
    check(pthread_create(&thread, NULL, feeder, NULL) == 0, "pthread_create");
    ready();
    while (working()) {
        for (int round = 0; round < 5; round++) {
            int64_t began = now_ns();
            if (!wait_once(kind)) check_duration(began, WAIT_MS, names[kind]);
        }
        burn();
        kind = (kind + 1) % KINDS;
        drain();
    }
    over = true;
    check(pthread_join(thread, NULL) == 0, "pthread_join");
    check(fed > 0, "nobody was fed");
    semctl(semaphore, 0, IPC_RMID);
    return finish("each wait has its own time");
}
