/* Who and where the program is: process, parent, group, session, user and thread ids, the system's name, limits, memory and
 * counts of CPUs: all stay those of home. */
#include "common.h"
#include <grp.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

struct identity {
    pid_t pid, parent, group, session, thread;
    uid_t users[3];
    gid_t groups[3];
    int supplementary;
    gid_t list[64];
    struct utsname names;
    struct rlimit limits[RLIM_NLIMITS];
    int priority;
    long processors, memory_pages, page_size, ticks;
};

static struct identity *look(void)
{
    struct identity *i = calloc(1, sizeof *i);
    i->pid = getpid(), i->parent = getppid(), i->group = getpgrp(), i->session = getsid(0), i->thread = gettid();
    check(getresuid(&i->users[0], &i->users[1], &i->users[2]) == 0 && getresgid(&i->groups[0], &i->groups[1], &i->groups[2]) == 0, "getresuid");
    i->supplementary = getgroups(64, i->list);
    check(uname(&i->names) == 0, "uname");
    for (int r = 0; r < (int)RLIM_NLIMITS; r++) check(getrlimit(r, &i->limits[r]) == 0, "getrlimit(%d)", r);
    i->priority = getpriority(PRIO_PROCESS, 0);
    struct sysinfo system;
    check(sysinfo(&system) == 0, "sysinfo");
    i->memory_pages = (long)(system.totalram * system.mem_unit / PAGE);
    i->processors = sysconf(_SC_NPROCESSORS_CONF);
    i->page_size = sysconf(_SC_PAGESIZE);
    i->ticks = sysconf(_SC_CLK_TCK);
    return i;
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    struct rlimit core = { .rlim_cur = 12345 * KB, .rlim_max = RLIM_INFINITY }, files;
    check(getrlimit(RLIMIT_CORE, &files) == 0, "getrlimit");
    if (core.rlim_cur < files.rlim_max) core.rlim_max = files.rlim_max, setrlimit(RLIMIT_CORE, &core);
    check(setpriority(PRIO_PROCESS, 0, 3) == 0, "setpriority");
    struct identity *home = look();
    ready();
    struct rlimit low, old;
    while (working()) {
        struct identity *now = look();
        check(now->pid == home->pid && now->thread == home->thread && now->parent == home->parent, "pid, tid or parent");
        check(now->group == home->group && now->session == home->session, "group or session");
        check(memcmp(now->users, home->users, sizeof now->users) == 0 && memcmp(now->groups, home->groups, sizeof now->groups) == 0, "user or group ids");
        check(now->supplementary == home->supplementary && memcmp(now->list, home->list, sizeof now->list) == 0, "supplementary groups");
        check(memcmp(&now->names, &home->names, sizeof now->names) == 0, "uname says %s %s", now->names.nodename, now->names.release);
        check(memcmp(now->limits, home->limits, sizeof now->limits) == 0, "a limit changed");
        check(now->priority == home->priority && now->priority == 3, "the priority is %d", now->priority);
        check(now->processors == home->processors && now->memory_pages == home->memory_pages, "sysinfo or number of CPUs");
        check(now->page_size == home->page_size && now->ticks == home->ticks, "sysconf");
        free(now);
        /* A limit set anew holds at once. */
        check(getrlimit(RLIMIT_NOFILE, &old) == 0, "getrlimit");
        low = (struct rlimit){ 20, old.rlim_max };
        check(setrlimit(RLIMIT_NOFILE, &low) == 0 && dup2(1, 30) == -1 && errno == EBADF, "a lowered limit of descriptors");
        check(prlimit(0, RLIMIT_NOFILE, &old, &low) == 0 && low.rlim_cur == 20, "prlimit");
        check(dup2(1, 30) == 30 && close(30) == 0, "a raised limit of descriptors");
        check(kill(getpid(), 0) == 0 && (kill(getppid(), 0) == 0 || errno == EPERM), "the own process or the parent is not there");
        burn();
    }
    return finish("identity kept");
}
