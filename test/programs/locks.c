/* Locks on files: fcntl's (owned by the process), those of an open file, and flock's, against a helper that holds and
 * wants them; waiting for a lock, and a wait that a signal ends. Also the other commands of fcntl that take a structure. */
#include "common.h"
#include <sys/file.h>
#include <sys/ioctl.h>

static int file, ask[2], answer[2];

static struct flock range(short type, off_t start, off_t length)
{
    return (struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length };
}

static void answer_with(char reply) { check(write(answer[1], &reply, 1) == 1, "answer"); }

/* Does as it is told, one letter at a time: L locks bytes 10 to 19, F the file by flock, T tries to lock byte 0. U and G
 * give L and F up, a moment after the answer, so that somebody waits. */
static void other(void)
{
    int own = open("locked", O_RDWR);
    char order;
    check(own >= 0, "open in the helper");
    while (read(ask[0], &order, 1) == 1) {
        bool later = order == 'U' || order == 'G';
        struct flock wanted = range(order == 'U' ? F_UNLCK : F_WRLCK, order == 'T' ? 0 : 10, order == 'T' ? 1 : 10);
        if (later) {
            answer_with('.');
            usleep(30000);
        }
        int result = order == 'F' ? flock(own, LOCK_EX) : order == 'G' ? flock(own, LOCK_UN) : fcntl(own, F_SETLK, &wanted);
        check(result == 0 || (order == 'T' && (errno == EAGAIN || errno == EACCES)), "%c in the helper", order);
        if (!later) answer_with(result == 0 ? '.' : 'n');
    }
}

static char told(char order)
{
    char reply;
    check(write(ask[1], &order, 1) == 1 && read(answer[0], &reply, 1) == 1, "asking the helper");
    return reply;
}

static volatile int alarms;
static void on_alarm(int n, siginfo_t *info, void *context) { (void)n, (void)info, (void)context; alarms++; }

static void of_the_process(pid_t helper_pid)
{
    struct flock mine = range(F_WRLCK, 0, 1);
    check(fcntl(file, F_SETLK, &mine) == 0, "F_SETLK");
    check(told('T') == 'n', "the helper got a lock that is held");
    check(told('L') == '.', "the helper did not get a free lock");
    struct flock theirs = range(F_RDLCK, 0, 100);
    check(fcntl(file, F_GETLK, &theirs) == 0 && theirs.l_type == F_WRLCK && theirs.l_start == 10 && theirs.l_len == 10,
          "F_GETLK says type %d from %ld, %ld bytes", theirs.l_type, (long)theirs.l_start, (long)theirs.l_len);
    check(theirs.l_pid == helper_pid, "F_GETLK says pid %d", theirs.l_pid);
    struct flock wanted = range(F_WRLCK, 12, 1);
    check(fcntl(file, F_SETLK, &wanted) < 0 && (errno == EAGAIN || errno == EACCES), "F_SETLK of a held lock");
    /* A handler without SA_RESTART ends the wait. It comes more than once, for the first may come before the wait. */
    int before = alarms;
    struct itimerval soon = { .it_value.tv_usec = 20000, .it_interval.tv_usec = 100000 }, never = { 0 };
    setitimer(ITIMER_REAL, &soon, NULL);
    int result = fcntl(file, F_SETLKW, &wanted), error = errno;
    setitimer(ITIMER_REAL, &never, NULL);
    check(result < 0 && error == EINTR && alarms > before, "F_SETLKW returned %d, errno %d after %d alarms", result, error, alarms - before);
    check(told('U') == '.', "asking the helper");
    check(fcntl(file, F_SETLKW, &wanted) == 0, "F_SETLKW of a lock that is given up");
    struct flock all = range(F_UNLCK, 0, 0);
    check(fcntl(file, F_SETLK, &all) == 0, "unlocking");
}

static void of_the_file(void)
{
    int again = open("locked", O_RDWR);
    struct flock mine = range(F_WRLCK, 50, 5), theirs = range(F_WRLCK, 52, 1);
    check(again >= 0 && fcntl(file, F_OFD_SETLK, &mine) == 0, "F_OFD_SETLK");
    check(fcntl(again, F_OFD_SETLK, &theirs) < 0 && errno == EAGAIN, "two open files have one lock");
    check(fcntl(again, F_OFD_GETLK, &theirs) == 0 && theirs.l_type == F_WRLCK && theirs.l_pid == -1 && theirs.l_start == 50, "F_OFD_GETLK");
    check(close(again) == 0 && told('F') == '.', "the helper's flock");
    check(flock(file, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK, "flock of a held lock");
    check(told('G') == '.' && flock(file, LOCK_SH) == 0 && flock(file, LOCK_UN) == 0, "flock of a lock that is given up");
    mine.l_type = F_UNLCK;
    check(fcntl(file, F_OFD_SETLK, &mine) == 0, "F_OFD_SETLK");
}

static void other_commands(void)
{
    int ends[2];
    check(pipe(ends) == 0, "pipe");
    check(fcntl(ends[1], F_SETPIPE_SZ, 64 * KB) == 64 * KB && fcntl(ends[0], F_GETPIPE_SZ) == 64 * KB, "F_SETPIPE_SZ");
    struct f_owner_ex owner = { F_OWNER_PID, getpid() }, got = { 0 };
    check(fcntl(ends[0], F_SETOWN_EX, &owner) == 0 && fcntl(ends[0], F_GETOWN_EX, &got) == 0, "F_SETOWN_EX");
    check(got.type == owner.type && got.pid == owner.pid && fcntl(ends[0], F_GETOWN) == getpid(), "owner %d", got.pid);
    check(fcntl(ends[0], F_SETSIG, SIGUSR2) == 0 && fcntl(ends[0], F_GETSIG) == SIGUSR2, "F_SETSIG");
    int waiting = -1;
    check(write(ends[1], "12345", 5) == 5 && ioctl(ends[0], FIONREAD, &waiting) == 0 && waiting == 5, "FIONREAD");
    check(ioctl(ends[0], FIONBIO, &(int){ 1 }) == 0 && (fcntl(ends[0], F_GETFL) & O_NONBLOCK), "FIONBIO");
    check(ioctl(ends[0], FIOCLEX) == 0 && fcntl(ends[0], F_GETFD) == FD_CLOEXEC, "FIOCLEX");
    check(close(ends[0]) == 0 && close(ends[1]) == 0, "close");
    uint64_t hint = 2, was = 0;
    check(fcntl(file, F_SET_RW_HINT, &hint) == 0 && fcntl(file, F_GET_RW_HINT, &was) == 0 && was == 2, "F_SET_RW_HINT");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    file = pattern_file("locked", 100, 1);
    check(pipe(ask) == 0 && pipe(answer) == 0, "pipe");
    pid_t pid = helper(other);
    handle(SIGALRM, on_alarm, 0);
    ready();
    while (working()) {
        of_the_process(pid);
        of_the_file();
        other_commands();
        burn();
    }
    close(ask[1]);
    close(answer[1]);
    kill(pid, SIGKILL);
    return finish("locks were held, wanted and given up");
}
