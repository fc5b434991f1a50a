/* A process in the background that blocks SIGTTIN and SIGTTOU may write to its terminal and change it, although it has
 * TOSTOP, and a read ends with EIO; nobody is stopped. Where it blocks neither, its whole group is. The process that moves
 * is in the background of a terminal of our own. */
#include "common.h"
#include <sys/ioctl.h>
#include <termios.h>

static int master, terminal;

static void block(int how)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTTIN);
    sigaddset(&set, SIGTTOU);
    check(sigprocmask(how, &set, NULL) == 0, "sigprocmask");
}

static int worker(void)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    check(setpgid(0, 0) == 0, "setpgid");
    while (working()) {
        char byte;
        block(SIG_BLOCK);
        check(tcgetpgrp(terminal) == getppid(), "the foreground is group %d", (int)tcgetpgrp(terminal));
        check(read(terminal, &byte, 1) == -1 && errno == EIO, "read in the background");
        check(write(terminal, "w", 1) == 1, "write in the background");
        struct termios settings;
        check(tcgetattr(terminal, &settings) == 0 && tcsetattr(terminal, TCSANOW, &settings) == 0, "tcsetattr");
        block(SIG_UNBLOCK);
        burn();
    }
    check(read(terminal, &(char){ 0 }, 1) == -1, "read"); /* stops it for good */
    return 1;
}

/* The leader of the session, whose group is in the foreground. */
static int leader(void)
{
    check(setsid() == getpid(), "setsid");
    terminal = open(ptsname(master), O_RDWR);
    check(terminal >= 0 && ioctl(terminal, TIOCSCTTY, 0) == 0, "open %s", ptsname(master));
    struct termios settings;
    check(tcgetattr(terminal, &settings) == 0, "tcgetattr");
    settings.c_lflag |= TOSTOP;
    check(tcsetattr(terminal, TCSANOW, &settings) == 0, "tcsetattr");
    run_started = now_ns();
    pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid == 0) _exit(worker());
    dprintf(2, "migrate: %d\n", pid);
    ready();
    bool written = false;
    for (;;) {
        char bytes[256];
        while (read(master, bytes, sizeof bytes) > 0) written = true;
        int status;
        pid_t seen = waitpid(pid, &status, WNOHANG | WUNTRACED);
        check(seen >= 0, "waitpid");
        if (seen == pid) {
            check(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTIN, "status %x", status);
            check(milliseconds_left() <= 0, "stopped %ld ms before its time", milliseconds_left());
            break;
        }
        struct timespec pause = timespec_of(5 * MILLISECOND);
        nanosleep(&pause, NULL);
    }
    check(written, "nothing was written");
    check(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid, "kill");
    return finish("a background process used its terminal");
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
    check(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0, "posix_openpt");
    pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid == 0) _exit(leader());
    int status;
    check(waitpid(pid, &status, 0) == pid, "waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
