/* Settings of the process: dumpable flag, parent-death signal, no_new_privs, subreaper, timer slack, personality, nice value
 * and scheduler: kept through a move, and set anew anywhere. */
#include "common.h"
#include <sched.h>
#include <sys/personality.h>
#include <sys/resource.h>

int main(int argc, char **argv)
{
    begin(argc, argv);
    check(prctl(PR_SET_PDEATHSIG, SIGUSR1) == 0, "prctl");
    check(prctl(PR_SET_TIMERSLACK, 70000) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0, "prctl");
    check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) == 0, "prctl");
    check(personality(PER_LINUX | ADDR_NO_RANDOMIZE) >= 0, "personality");
    check(nice(2) == 2, "nice");
    int slack = 70000, death = SIGUSR1;
    ready();
    for (int round = 0; working(); round++) {
        int value;
        check(prctl(PR_GET_TIMERSLACK) == slack, "the timer slack is %d", prctl(PR_GET_TIMERSLACK));
        check(prctl(PR_GET_PDEATHSIG, &value) == 0 && value == death, "the parent-death signal is %d", value);
        check(prctl(PR_GET_DUMPABLE) == 1, "the dumpable flag is %d", prctl(PR_GET_DUMPABLE));
        check(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1, "no_new_privs is lost");
        check(prctl(PR_GET_CHILD_SUBREAPER, &value) == 0 && value == 1, "the subreaper flag is lost");
        check(personality(0xffffffff) == (PER_LINUX | ADDR_NO_RANDOMIZE), "the personality is %#x", personality(0xffffffff));
        check(getpriority(PRIO_PROCESS, 0) == 2 && sched_getscheduler(0) == SCHED_OTHER, "nice value or scheduler");
        death = round % 2 ? SIGUSR1 : SIGUSR2;
        slack = round % 2 ? 70000 : 90000;
        check(prctl(PR_SET_PDEATHSIG, death) == 0 && prctl(PR_SET_TIMERSLACK, slack) == 0, "prctl anew");
        burn();
    }
    return finish("settings kept");
}
