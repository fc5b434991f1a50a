/* sigwaitinfo and sigtimedwait: signals of the program itself and of another process, which come while it waits. */
#include "common.h"

static int requests[2];
#define ASKED (SIGRTMIN + 2)

/* Sends one signal 15 ms after each request. */
static void answer(void)
{
    close(requests[1]);
    for (int n; read(requests[0], &n, sizeof n) == sizeof n;) {
        usleep(15000);
        sigqueue(getppid(), ASKED, (union sigval){ .sival_int = n });
    }
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(pipe(requests) == 0, "pipe");
    sigset_t set = set_of(SIGUSR1, ASKED, 0);
    sigprocmask(SIG_BLOCK, &set, NULL);
    pid_t other = helper(answer);
    close(requests[0]);
    ready();
    for (int round = 1; working(); round++) {
        siginfo_t info;
        sigset_t asked = set_of(ASKED, 0);
        write_all(requests[1], &round, sizeof round, "the pipe");
        int got = round % 2 ? sigwaitinfo(&asked, &info) : sigtimedwait(&asked, &info, &(struct timespec){ .tv_sec = 5 });
        check(got == ASKED, "waiting returned %d", got);
        check(info.si_code == SI_QUEUE && info.si_pid == other && info.si_value.sival_int == round, "siginfo: code %d, value %d",
              info.si_code, info.si_value.sival_int);
        kill(getpid(), SIGUSR1);
        sigqueue(getpid(), ASKED, (union sigval){ .sival_int = -round });
        int number;
        check(sigwait(&asked, &number) == 0 && number == ASKED, "sigwait");
        check(sigwaitinfo(&set, &info) == SIGUSR1 && info.si_code == SI_USER && info.si_pid == getpid(), "own SIGUSR1");
        check(sigtimedwait(&set, &info, &(struct timespec){ 0 }) == -1 && errno == EAGAIN, "sigtimedwait without a signal");
        int64_t began = now_ns();
        check(sigtimedwait(&set, &info, &(struct timespec){ .tv_nsec = 20 * MILLISECOND }) == -1 && errno == EAGAIN, "sigtimedwait");
        check_duration(began, 20, "sigtimedwait");
        for (int i = 0; i < 8; i++) burn();
    }
    close(requests[1]);
    helper_ends(other);
    return finish("awaited signals arrive");
}
