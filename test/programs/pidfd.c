/* Processes by descriptor: pidfd_open, signals with and without siginfo, waiting for an end by poll and waitid, a
 * descriptor taken from another process, and a signal to oneself, which has acted when the call returns. */
#include "common.h"
#include <poll.h>

#define CHILDREN 25

static struct {
    pid_t pid;
    int order[2];
} children[CHILDREN];
static int report[2], number;
static volatile int handled;
static void on_signal(int n, siginfo_t *info, void *context) { (void)n, (void)info, (void)context; handled++; }

static int open_process(pid_t pid) { return syscall(SYS_pidfd_open, pid, 0); }
static int send_signal(int fd, int n, siginfo_t *info) { return syscall(SYS_pidfd_send_signal, fd, n, info, 0); }

/* Reports the value that came with its signal (the signal may come before the child waits for its order). */
static void on_child_signal(int n, siginfo_t *info, void *context)
{
    (void)n, (void)context;
    if (write(report[1], &info->si_value.sival_int, sizeof(int)) != sizeof(int)) _exit(98);
}

/* Ends with the status that it is told. */
static void child(void)
{
    char status;
    handle(SIGUSR1, on_child_signal, SA_RESTART);
    if (write(report[1], &number, sizeof number) != sizeof number) _exit(97);
    _exit(read(children[number].order[0], &status, 1) == 1 ? status : 99);
}

static void use_child(int i, int round)
{
    pid_t pid = children[i].pid;
    int fd = open_process(pid), got;
    check(fd >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC), "pidfd_open");
    check(send_signal(fd, 0, NULL) == 0, "the child is not there");
    siginfo_t info = { .si_signo = SIGUSR1, .si_code = SI_QUEUE };
    info.si_pid = getpid(), info.si_uid = getuid(), info.si_value.sival_int = round + 1000;
    check(send_signal(fd, SIGUSR1, &info) == 0, "pidfd_send_signal");
    check(read(report[0], &got, sizeof got) == sizeof got && got == round + 1000, "the child got %d", got);
    info.si_signo = SIGUSR2;
    check(send_signal(fd, SIGUSR1, &info) < 0 && errno == EINVAL, "siginfo of another signal was taken");
    int taken = syscall(SYS_pidfd_getfd, fd, children[i].order[1], 0);
    check(taken >= 0 || errno == EPERM, "pidfd_getfd");
    struct pollfd ended = { .fd = fd, .events = POLLIN };
    check(poll(&ended, 1, 0) == 0, "the child has ended already");
    check(write(taken >= 0 ? taken : children[i].order[1], &(char){ 7 }, 1) == 1, "write to the descriptor");
    if (taken >= 0) close(taken);
    check(poll(&ended, 1, 5000) == 1 && ended.revents == POLLIN, "poll for the end");
    siginfo_t end = { 0 };
    check(waitid(P_PIDFD, fd, &end, WEXITED) == 0 && end.si_pid == pid && end.si_code == CLD_EXITED && end.si_status == 7, "waitid by descriptor");
    check(send_signal(fd, 0, NULL) < 0 && errno == ESRCH, "a dead child takes signals");
    check(close(fd) == 0, "close");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(pipe(report) == 0, "pipe");
    /* They are there before the program may move: here it is not about forks. */
    for (number = 0; number < CHILDREN; number++) {
        check(pipe(children[number].order) == 0, "pipe");
        children[number].pid = helper(child);
        int begun;
        check(read(report[0], &begun, sizeof begun) == sizeof begun && begun == number, "a child began as number %d", begun);
    }
    handle(SIGUSR2, on_signal, 0);
    int self = open_process(getpid());
    check(self >= 0, "pidfd_open of oneself");
    ready();
    int64_t began = now_ns(), share = (int64_t)(run_seconds * SECOND) / CHILDREN;
    for (int round = 0, next = 0; working(); round++) {
        if (next < CHILDREN && now_ns() - began >= next * share) use_child(next++, round);
        int before = handled;
        check(send_signal(self, SIGUSR2, NULL) == 0 && handled == before + 1, "a signal to oneself had not acted when the call returned");
        check(open_process(-5) < 0 && errno == EINVAL, "pidfd_open of nobody");
        burn();
    }
    return finish("processes answered by their descriptors");
}
