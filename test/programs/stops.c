/* A process that its parent stops and continues, or that stops itself, under all circumstances (argument 2). The started
 * process is the parent; the child does the work and is the one to move ("migrate: PID"). For every stop the parent must be
 * told once, by SIGCHLD and by waitid, and once for every continuation; a stopped child makes no progress; the child's handler
 * of SIGCONT runs once for each.
 *
 * computing: the parent stops it with SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU in turn
 * threads:   the same with eight threads
 * reading:   it waits in read(2) for the parent, who writes while it is stopped
 * waiting:   it waits for the time of a futex, which goes on while it is stopped
 * suspends:  it has a handler of SIGTSTP that does what it has to, and then stops with the default action
 * itself:    it stops itself, with SIGTSTP and SIGSTOP in turn
 * long:      the stops last a third of the time, so that it is moved while it is stopped
 * headless:  its main thread has ended
 * killed:    as long; in the end it is killed while it is stopped
 * terminated: as killed, by SIGTERM, which acts when it is continued */
#include "common.h"
#include <linux/futex.h>
#include <poll.h>

static const char *kind;
static bool is(const char *name) { return strcmp(kind, name) == 0; }

static int beats[2], continuations[2], orders[2];
static volatile int continued;
static void on_continue(int n, siginfo_t *info, void *context)
{
    (void)n, (void)context;
    check(info->si_code == SI_USER && info->si_pid == getppid(), "SIGCONT of code %d from %d", info->si_code, info->si_pid);
    continued++;
    check(write(continuations[1], "c", 1) == 1, "write of a continuation");
}

static volatile int suspended;
static void on_suspend(int n, siginfo_t *info, void *context)
{
    (void)info, (void)context;
    int before = continued;
    sigset_t set = set_of(n, 0);
    suspended++;
    signal(n, SIG_DFL);
    raise(n);
    check(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0, "sigprocmask"); /* it stops here */
    check(continued == before + 1, "%d continuations for one stop", continued - before);
    handle(n, on_suspend, SA_RESTART);
}

static void beat(void) { check(write(beats[1], ".", 1) == 1, "write of a heartbeat"); }

static void *works(void *unused)
{
    (void)unused;
    while (working()) burn(), beat();
    return NULL;
}

static void reads(void)
{
    uint32_t number;
    for (uint32_t next = 0;; next++) {
        ssize_t got = read(orders[0], &number, sizeof number);
        if (got == 0) return;
        check(got == sizeof number && number == next, "read gave %zd, number %u for %u", got, number, next);
        beat();
    }
}

static void waits(void)
{
    struct timespec t = { .tv_nsec = 30 * MILLISECOND };
    while (working()) {
        int64_t began = now_ns();
        long result = syscall(SYS_futex, &(int){ 0 }, FUTEX_WAIT, 0, &t, NULL, 0);
        check(result == -1 && (errno == ETIMEDOUT || errno == EINTR), "futex");
        if (errno == ETIMEDOUT) check_duration(began, 30, "futex");
        beat();
    }
}

static void stops_itself(void)
{
    for (int round = 0; working(); round++) {
        int before = continued;
        for (int i = 0; i < 3; i++) burn(), beat();
        check(raise(round % 2 ? SIGSTOP : SIGTSTP) == 0, "raise");
        check(continued == before + 1, "%d continuations for one stop", continued - before);
    }
}

static int worker(void)
{
    pthread_t threads[7];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0); /* a group of its own, as jobs have: in an orphaned group SIGTSTP would do nothing */
    close(beats[0]), close(continuations[0]), close(orders[1]);
    handle(SIGCONT, on_continue, SA_RESTART);
    if (is("suspends")) handle(SIGTSTP, on_suspend, SA_RESTART);
    if (is("headless")) {
        thread_start(&threads[0], works, NULL);
        pthread_exit(NULL);
    }
    if (is("threads")) for (int i = 0; i < 7; i++) thread_start(&threads[i], works, NULL);
    if (is("reading")) reads();
    else if (is("waiting")) waits();
    else if (is("itself")) stops_itself();
    else works(NULL);
    if (is("killed") || is("terminated")) for (;;) burn(), beat();
    if (is("threads")) for (int i = 0; i < 7; i++) thread_result(threads[i]);
    if (is("suspends")) check(suspended > 0, "the handler of SIGTSTP never ran");
    check(continued > 0, "the handler of SIGCONT never ran");
    return 7;
}

static bool comes_within(int fd, int milliseconds)
{
    char sink[4096];
    if (poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, milliseconds) != 1) return false;
    return read(fd, sink, sizeof sink) > 0;
}

static sigset_t child_signal;

static void expect(pid_t pid, int options, int code, int status)
{
    siginfo_t info = { 0 };
    int got;
    do got = sigtimedwait(&child_signal, &info, &(struct timespec){ .tv_sec = 20 }); while (got < 0 && errno == EINTR);
    check(got == SIGCHLD, "no SIGCHLD for code %d", code);
    check(info.si_code == code && info.si_status == status, "SIGCHLD says code %d, status %d instead of %d, %d", info.si_code,
          info.si_status, code, status);
    memset(&info, 0, sizeof info);
    check(waitid(P_PID, pid, &info, options) == 0, "waitid");
    check(info.si_code == code && info.si_status == status, "waitid says code %d, status %d instead of %d, %d", info.si_code,
          info.si_status, code, status);
}

static void expect_nothing(pid_t pid)
{
    siginfo_t info = { 0 };
    check(sigtimedwait(&child_signal, &info, &(struct timespec){ 0 }) < 0, "a SIGCHLD too many, code %d", info.si_code);
    check(waitid(P_PID, pid, &info, WSTOPPED | WCONTINUED | WEXITED | WNOHANG) == 0, "waitid");
    check(info.si_pid == 0, "waitid says code %d, status %d once more", info.si_code, info.si_status);
}

/* Something to read for a child that reads. */
static void order(void)
{
    static uint32_t number;
    if (!is("reading")) return;
    check(write(orders[1], &number, sizeof number) == sizeof number, "write of an order");
    number++;
}

/* From the stop's report to the next heartbeat. */
static void hold(pid_t pid, int milliseconds)
{
    while (comes_within(beats[0], 0)) {}
    order();
    check(!comes_within(beats[0], milliseconds), "a stopped process made progress");
    expect_nothing(pid);
    check(!comes_within(continuations[0], 0), "the handler of SIGCONT ran too often");
}

static void go_on(pid_t pid)
{
    check(kill(pid, SIGCONT) == 0, "kill");
    expect(pid, WCONTINUED, CLD_CONTINUED, SIGCONT);
    check(comes_within(continuations[0], 20000), "the handler of SIGCONT did not run");
    check(comes_within(beats[0], 20000), "a continued process makes no progress");
}

static void watch(pid_t pid)
{
    static const int stops[] = { SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU };
    bool lasts = is("long") || is("killed") || is("terminated");
    int stopped_for = lasts ? (int)(run_seconds * 350) : 40;
    /* The child must not end within a round, however long that takes on a busy machine. */
    for (int round = 0; milliseconds_left() > 1200 + stopped_for || round < 2; round++) {
        int stop = is("suspends") ? SIGTSTP : is("itself") ? (round % 2 ? SIGSTOP : SIGTSTP) : stops[round % 4];
        if (!is("itself")) {
            usleep(lasts ? 150000 : 20000 * (round % 4));
            order();
            check(kill(pid, stop) == 0, "kill");
        }
        expect(pid, WSTOPPED, CLD_STOPPED, stop);
        hold(pid, stopped_for);
        go_on(pid);
    }
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(argc > 2, "needs argument 2");
    kind = argv[2];
    child_signal = set_of(SIGCHLD, 0);
    check(pipe(beats) == 0 && pipe(continuations) == 0 && pipe(orders) == 0, "pipe");
    run_started = now_ns(); /* the child counts from here */
    pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid == 0) _exit(worker());
    check(sigprocmask(SIG_BLOCK, &child_signal, NULL) == 0, "sigprocmask");
    setpgid(pid, pid);
    close(beats[1]), close(continuations[1]), close(orders[0]);
    order();
    check(comes_within(beats[0], 5000), "the child does not start");
    dprintf(2, "migrate: %d\n", pid);
    ready();
    watch(pid);
    close(orders[1]);
    if (is("killed") || is("terminated")) {
        int last = is("killed") ? SIGKILL : SIGTERM;
        check(kill(pid, SIGSTOP) == 0, "kill");
        expect(pid, WSTOPPED, CLD_STOPPED, SIGSTOP);
        check(kill(pid, last) == 0, "kill");
        if (is("terminated")) {
            hold(pid, 40);
            check(kill(pid, SIGCONT) == 0, "kill");
            usleep(1000); /* that it was continued may be told, or may not: its end comes right after */
        }
        siginfo_t info = { 0 };
        check(waitid(P_PID, pid, &info, WEXITED) == 0, "waitid");
        check(info.si_code == CLD_KILLED && info.si_status == last, "ended with code %d, status %d", info.si_code, info.si_status);
        return finish("stopped and killed");
    }
    int status = 0;
    for (pid_t got = 0; got != pid || WIFSTOPPED(status);) {
        comes_within(beats[0], 5);
        comes_within(continuations[0], 0);
        got = waitpid(pid, &status, WUNTRACED | WNOHANG);
        check(got >= 0, "waitpid");
        if (got == pid && WIFSTOPPED(status)) check(kill(pid, SIGCONT) == 0, "kill"); /* it may stop itself once more */
    }
    check(WIFEXITED(status) && WEXITSTATUS(status) == (is("headless") ? 0 : 7), "the child ended with status %#x", status);
    return finish("stopped and continued under its parent's eyes");
}
