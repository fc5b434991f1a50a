/* Stop and continue signals in quick succession, without waiting for their effect: the last one decides. The started process
 * sends them to its child, which is the one to move ("migrate: PID"); it makes progress when the last was SIGCONT, and
 * none when the last was a stop signal. */
#include "common.h"
#include <poll.h>

static int beats[2];

/* Until nobody listens any more. */
static void *works(void *unused)
{
    (void)unused;
    do burn();
    while (write(beats[1], ".", 1) == 1);
    check(errno == EPIPE, "write of a heartbeat");
    return NULL;
}

static int worker(void)
{
    pthread_t other;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    setpgid(0, 0);
    close(beats[0]);
    thread_start(&other, works, NULL);
    works(NULL);
    thread_result(other);
    return 7;
}

/* One read takes all that is in the pipe: where the heart is as fast as the reader, the pipe is never seen empty. */
static bool beat_within(int milliseconds)
{
    static char sink[65536];
    if (poll(&(struct pollfd){ .fd = beats[0], .events = POLLIN }, 1, milliseconds) != 1) return false;
    return read(beats[0], sink, sizeof sink) > 0;
}

static uint32_t random_state = 1;
static uint32_t below(uint32_t limit)
{
    random_state = random_state * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)(random_state >> 8) * limit >> 24);
}

static void send(pid_t pid, int number) { check(kill(pid, number) == 0, "kill"); }

/* The stop may take its time. Silence alone is no sign of it: on a busy machine the child may just not have its turn. */
static void becomes_stopped(pid_t pid)
{
    siginfo_t info;
    int64_t began = now_ns();
    do {
        check(now_ns() - began < 20 * SECOND, "the process does not stop");
        beat_within(1);
        memset(&info, 0, sizeof info);
        check(waitid(P_PID, pid, &info, WSTOPPED | WNOHANG | WNOWAIT) == 0, "waitid");
    } while (info.si_pid != pid);
    beat_within(0);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    static const int signals[] = { SIGSTOP, SIGTSTP, SIGCONT, SIGCONT };
    check(pipe(beats) == 0, "pipe");
    run_started = now_ns();
    pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid == 0) _exit(worker());
    setpgid(pid, pid);
    close(beats[1]);
    check(beat_within(5000), "the child does not start");
    dprintf(2, "migrate: %d\n", pid);
    ready();
    while (milliseconds_left() > 400) {
        for (int i = below(8); i > 0; i--) {
            send(pid, signals[below(4)]);
            if (below(2)) usleep(below(3000));
        }
        if (below(2)) {
            send(pid, below(2) ? SIGSTOP : SIGTSTP);
            becomes_stopped(pid);
            check(!beat_within(40), "a stopped process made progress");
        }
        send(pid, SIGCONT);
        beat_within(0);
        check(beat_within(20000) && beat_within(20000) && beat_within(20000), "a continued process makes no progress");
    }
    close(beats[0]);
    int status;
    check(waitpid(pid, &status, 0) == pid, "waitpid");
    check(WIFEXITED(status) && WEXITSTATUS(status) == 7, "the child ended with status %#x", status);
    return finish("the last signal decided");
}
