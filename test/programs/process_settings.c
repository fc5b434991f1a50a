/* Settings of the process: name, dumpable flag, parent-death signal, no_new_privs, timer slack, personality, nice value,
 * scheduler and OOM score: kept through a move, and set anew anywhere. */
#include "common.h"
#include <sched.h>
#include <sys/personality.h>
#include <sys/resource.h>

static void check_name(const char *expected)
{
    char name[17] = "", text[20] = "";
    check(prctl(PR_GET_NAME, name) == 0 && strcmp(name, expected) == 0, "the name is %s", name);
    check(pthread_getname_np(pthread_self(), name, sizeof name) == 0 && strcmp(name, expected) == 0, "the thread's name is %s", name);
    int fd = open("/proc/self/comm", O_RDONLY);
    check(fd >= 0 && read(fd, text, sizeof text) == (ssize_t)strlen(expected) + 1, "read of /proc/self/comm");
    check(memcmp(text, expected, strlen(expected)) == 0, "/proc/self/comm says %s", text);
    close(fd);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(prctl(PR_SET_NAME, "first name") == 0 && prctl(PR_SET_PDEATHSIG, SIGUSR1) == 0, "prctl");
    check(prctl(PR_SET_TIMERSLACK, 70000) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0, "prctl");
    check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) == 0, "prctl");
    check(personality(PER_LINUX | ADDR_NO_RANDOMIZE) >= 0, "personality");
    check(nice(2) == 2, "nice");
    const char *name = "first name";
    int slack = 70000, death = SIGUSR1;
    ready();
    for (int round = 0; working(); round++) {
        int value;
        check_name(name);
        check(prctl(PR_GET_TIMERSLACK) == slack, "the timer slack is %d", prctl(PR_GET_TIMERSLACK));
        check(prctl(PR_GET_PDEATHSIG, &value) == 0 && value == death, "the parent-death signal is %d", value);
        check(prctl(PR_GET_DUMPABLE) == 1, "the dumpable flag is %d", prctl(PR_GET_DUMPABLE));
        check(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1, "no_new_privs is lost");
        check(prctl(PR_GET_CHILD_SUBREAPER, &value) == 0 && value == 1, "the subreaper flag is lost");
        check(personality(0xffffffff) == (PER_LINUX | ADDR_NO_RANDOMIZE), "the personality is %#x", personality(0xffffffff));
        check(getpriority(PRIO_PROCESS, 0) == 2 && sched_getscheduler(0) == SCHED_OTHER, "nice value or scheduler");
        name = round % 2 ? "first name" : "second-name-15b";
        death = round % 2 ? SIGUSR1 : SIGUSR2;
        slack = round % 2 ? 70000 : 90000;
        check(prctl(PR_SET_NAME, name) == 0 && prctl(PR_SET_PDEATHSIG, death) == 0 && prctl(PR_SET_TIMERSLACK, slack) == 0, "prctl anew");
        burn();
    }
    return finish("settings kept");
}
