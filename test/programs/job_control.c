/* Job control as a shell sees it. The started process is the watching parent; its child does the work and is the one to
 * move ("migrate: PID"). The parent stops and continues the child and must be told so by waitid; a stopped child must not
 * make progress; its end must be the child's own. */
#include "common.h"
#include <poll.h>

static int beats[2];
static volatile int continued;
static void on_continue(int n, siginfo_t *info, void *context) { (void)n, (void)info, (void)context; continued++; }

static int worker(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0); /* a group of its own, as jobs have: in an orphaned group SIGTSTP would do nothing */
    close(beats[0]);
    handle(SIGCONT, on_continue, SA_RESTART);
    while (working()) {
        burn();
        check(write(beats[1], ".", 1) == 1, "write of a heartbeat");
    }
    check(continued > 0, "the handler of SIGCONT never ran");
    return 7;
}

static bool beat_within(int milliseconds)
{
    char sink[4096];
    if (poll(&(struct pollfd){ .fd = beats[0], .events = POLLIN }, 1, milliseconds) != 1) return false;
    return read(beats[0], sink, sizeof sink) > 0;
}

static void expect(pid_t pid, int options, int code, int status)
{
    siginfo_t info = { 0 };
    check(waitid(P_PID, pid, &info, options) == 0, "waitid");
    check(info.si_code == code && info.si_status == status, "waitid says code %d, status %d instead of %d, %d", info.si_code,
          info.si_status, code, status);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(pipe(beats) == 0, "pipe");
    run_started = now_ns(); /* the child counts from here */
    pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid == 0) _exit(worker());
    setpgid(pid, pid);
    close(beats[1]);
    check(beat_within(5000), "the child does not start");
    dprintf(2, "migrate: %d\n", pid);
    ready();
    static const int stops[] = { SIGSTOP, SIGTSTP, SIGTTIN };
    for (int round = 0; milliseconds_left() > 400 || round < 2; round++) {
        int stop = stops[round % 3];
        check(kill(pid, stop) == 0, "kill");
        expect(pid, WSTOPPED, CLD_STOPPED, stop);
        while (beat_within(0)) {}
        check(!beat_within(40), "a stopped process made progress");
        check(kill(pid, SIGCONT) == 0, "kill");
        expect(pid, WCONTINUED, CLD_CONTINUED, SIGCONT);
        check(beat_within(5000), "a continued process makes no progress");
        usleep(60000);
        while (beat_within(0)) {}
    }
    while (beat_within(10000)) {}
    expect(pid, WEXITED, CLD_EXITED, 7);
    return finish("stopped and continued under its parent's eyes");
}
